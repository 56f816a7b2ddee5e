/* Brings the live part of a page up to date while it says that it changes; without scripts the page reloads. */
"use strict";

(() => {
  const live = document.getElementById("berth-live");

  async function refresh() {
    const answer = await fetch(window.location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("berth-live");
    if (answer.redirected || !answer.ok || !fresh) {
      window.location.reload();
      return;
    }
    // It is about the session that the page shows.
    const help = document.getElementById("berth-help");
    const freshHelp = page.getElementById("berth-help");
    if (help && freshHelp) help.href = freshHelp.href;
    live.dataset.refreshSeconds = fresh.dataset.refreshSeconds;
    // Only what changed is touched: screen readers would say it again, and the keyboard's focus would be lost.
    if (fresh.textContent !== live.textContent) live.replaceChildren(...fresh.childNodes);
  }

  function wait() {
    const seconds = Number(live.dataset.refreshSeconds);
    if (seconds) setTimeout(() => refresh().catch(() => {}).finally(wait), 1000 * seconds);
  }

  wait();
})();
