// The table "Available resources" follows Slurm: by server-sent events, with an age that counts on.
"use strict";

(() => {
  const live = document.getElementById("berth-live");
  if (!live) return;
  const table = document.getElementById("berth-table");
  // Empty in the form of somebody else, whose reservations are not the reader's.
  const reservation = document.getElementById(live.dataset.reservation);
  const url = `${window.jhdata.base_url}berth/api/availability`;
  const words = new Intl.RelativeTimeFormat(live.closest("[lang]").lang, { numeric: "auto" });
  const RETRY = { first: 3000, longest: 60000 };
  // The reader's clock may be wrong: ages are counted by the hub's, as it stood when the page was made.
  const ahead = Date.now() / 1000 - Number(live.dataset.now);
  let askedAt = Number(live.dataset.askedAt);
  let stream = null;
  let pause = RETRY.first;
  let timer = null;
  let shown = "";

  function showAge() {
    const age = Math.max(0, Math.floor(Date.now() / 1000 - ahead - askedAt));
    const [count, unit] =
      age < 60 ? [age, "second"] : age < 3600 ? [Math.floor(age / 60), "minute"] : [Math.floor(age / 3600), "hour"];
    show("berth-age", words.format(-count, unit));
  }

  // Unchanged words are left alone, or assistive technology would read them again.
  function show(id, text) {
    const element = document.getElementById(id);
    if (element.textContent !== text) element.textContent = text;
  }

  function element(name, text, scope) {
    const made = document.createElement(name);
    made.textContent = text;
    if (scope) made.scope = scope;
    return made;
  }

  function cell(nodes, detail) {
    const made = element("td", nodes === null ? "–" : `${nodes} `);
    if (detail) made.append(element("small", detail));
    return made;
  }

  function row(entry) {
    const made = document.createElement("tr");
    made.append(element("th", entry.title, "row"));
    made.append(...entry.nodes.map((nodes, column) => cell(nodes, entry.details[column])));
    return made;
  }

  function showTable(found) {
    askedAt = found.asked_at;
    const head = table.tHead.rows[0];
    head.replaceChildren(head.cells[0], ...found.headings.map((text) => element("th", text, "col")));
    table.tBodies[0].replaceChildren(...found.rows.map(row));
    table.hidden = found.rows.length === 0;
    show("berth-table-caption", found.caption);
    show("berth-notice", found.notice);
    showAge();
    const figures = JSON.stringify([found.rows, found.waiting, found.notice]);
    if (figures !== shown) document.dispatchEvent(new CustomEvent("berth:snapshot"));
    shown = figures;
  }

  function open() {
    close();
    const chosen = reservation ? reservation.value : "";
    const query = chosen ? `?reservation=${encodeURIComponent(chosen)}` : "";
    stream = new EventSource(url + query);
    stream.onmessage = (event) => {
      pause = RETRY.first;
      show("berth-broken", "");
      showTable(JSON.parse(event.data));
    };
    stream.onerror = () => {
      show("berth-broken", document.getElementById("berth-broken").dataset.text);
      // A browser tries again by itself where the connection broke, but not where it was refused.
      if (stream.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, pause);
      pause = Math.min(2 * pause, RETRY.longest);
    };
  }

  function close() {
    clearTimeout(timer);
    if (stream) stream.close();
    stream = null;
  }

  // A page that nobody sees holds no connection: some browsers have only six for all their pages.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  if (reservation) reservation.addEventListener("change", open);
  if (!document.hidden) open();
  if (askedAt) showAge();
  setInterval(() => askedAt && showAge(), 1000);
})();
