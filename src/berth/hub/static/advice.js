// Beside Start: whether the request could start now, what smaller one could, and what Slurm itself says.
// The page comes with the answers for what is chosen at first; this follows what changes.
"use strict";

(() => {
  const form = document.getElementById("spawn_form");
  const advice = document.getElementById("berth-advice");
  if (!form || !advice) return;
  const suggestions = document.getElementById("berth-suggestions");
  const button = document.getElementById("berth-estimate");
  const answer = document.getElementById("berth-estimate-answer");
  const FIELDS = ["reservation", "account", "cores", "memory", "gpus", "time"];
  const QUIET_MILLISECONDS = 300;
  // All pages hear of a snapshot at once: they ask within this time, not together.
  const SPREAD_MILLISECONDS = 2000;
  let timer = null;
  let asking = null;
  let shown = "";

  const field = (name) => document.getElementById(`berth-${name}`);

  function query() {
    const found = FIELDS.filter(field).map((name) => [name, field(name).value]);
    return new URLSearchParams(found).toString();
  }

  async function ask() {
    timer = null;
    if (asking) asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const url = `${window.jhdata.base_url}berth/api/advice?${query()}`;
      const response = await fetch(url, { signal, headers: { Accept: "application/json" } });
      show(response.ok ? await response.json() : { sentence: "", suggestions: [], now: null });
    } catch (error) {
      if (!signal.aborted) show({ sentence: "", suggestions: [], now: null });
    }
  }

  // Words that did not change are left alone, or assistive technology would read them with each snapshot.
  function show(found) {
    const text = JSON.stringify(found);
    if (text === shown) return;
    shown = text;
    if (advice.textContent !== found.sentence) advice.textContent = found.sentence;
    advice.dataset.now = String(found.now);
    suggestions.replaceChildren();
    if (!found.suggestions.length) return;
    const title = document.createElement("p");
    title.textContent = `${suggestions.dataset.title}:`;
    const list = document.createElement("ul");
    list.className = "list-unstyled";
    list.append(...found.suggestions.map(item));
    suggestions.append(title, list);
  }

  function item(suggestion) {
    const made = document.createElement("li");
    const apply = document.createElement("button");
    apply.type = "button";
    apply.className = "btn btn-outline-secondary btn-sm text-start";
    apply.textContent = `${suggestions.dataset.apply}: ${suggestion.text}`;
    apply.addEventListener("click", () => take(suggestion.values));
    made.append(apply);
    return made;
  }

  function take(values) {
    for (const [name, value] of Object.entries(values)) {
      field(name).value = value;
      field(name).dispatchEvent(new Event("change", { bubbles: true }));
    }
    // The button that had the focus goes away with its list.
    form.querySelector("button[type=submit]").focus();
  }

  function soon(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(ask, milliseconds);
  }

  function afterSnapshot() {
    if (timer === null) soon(SPREAD_MILLISECONDS * Math.random());
  }

  async function estimate(event) {
    event.preventDefault();
    button.disabled = true;
    answer.textContent = answer.dataset.asking;
    try {
      const options = { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } };
      const response = await fetch(button.formAction, options);
      answer.textContent = said(await response.json());
    } catch (error) {
      answer.textContent = answer.dataset.failed;
    } finally {
      button.disabled = false;
      button.focus();
    }
  }

  function said(found) {
    if (found.problems) return Object.values(found.problems).join(" ");
    if (!found.start) return found.sentence;
    return found.sentence.replace(found.shown_start, clock(found.start));
  }

  // A point in time by the reader's clock, with its zone.
  function clock(seconds) {
    const language = form.closest("[lang]").lang;
    const day = { weekday: "short", day: "numeric", month: "short" };
    const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
    return new Date(1000 * seconds).toLocaleString(language, { ...day, ...time });
  }

  form.addEventListener("change", () => {
    answer.textContent = "";
    soon(QUIET_MILLISECONDS);
  });
  document.addEventListener("berth:snapshot", afterSnapshot);
  button.addEventListener("click", estimate);
  ask();
})();
