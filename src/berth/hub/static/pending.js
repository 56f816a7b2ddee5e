/* Keeps the waiting page up to date from JupyterHub's progress stream, and lets the clock go on. */
"use strict";

(() => {
  const script = document.getElementById("berth-pending");
  const waited = document.getElementById("berth-waited");
  const retrySeconds = 3;
  let startedAt = performance.now() - 1000 * Number(waited.dataset.seconds);

  function clock(seconds) {
    const two = (number) => String(number).padStart(2, "0");
    return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  }

  // Only what changed is touched: screen readers say that, and nothing else, again.
  function setText(element, text) {
    if (element.textContent.trim() !== text) element.textContent = text;
  }

  function setFacts(facts) {
    const list = document.querySelector("#berth-facts dl");
    while (list.children.length > 2 * facts.length) list.lastElementChild.remove();
    facts.forEach(([label, value], number) => {
      if (list.children.length < 2 * (number + 1)) {
        list.append(document.createElement("dt"), document.createElement("dd"));
        list.children[2 * number].className = "col-sm-4";
        list.children[2 * number + 1].className = "col-sm-8";
      }
      setText(list.children[2 * number], label);
      setText(list.children[2 * number + 1], value);
    });
  }

  function show(event) {
    const status = event.status;
    const warning = document.getElementById("berth-warning");
    const help = document.getElementById("berth-help");
    document.getElementById("progress-bar").style.width = `${event.progress}%`;
    document.getElementById("berth-progress").setAttribute("aria-valuenow", event.progress);
    setText(document.getElementById("progress-message"), status.headline);
    setFacts(status.facts);
    setText(warning, status.warning);
    warning.hidden = !status.warning;
    if (help && status.help) help.href = status.help;
    startedAt = performance.now() - 1000 * status.waited_seconds;
  }

  setInterval(() => {
    waited.textContent = clock(Math.floor((performance.now() - startedAt) / 1000));
  }, 1000);

  const events = new EventSource(script.dataset.progressUrl);
  events.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (event.status) show(event);
    if (event.ready || event.failed) {
      events.close();
      window.location.reload();
    }
  };

  // Cancelling ends the stream too; its last event must not reload the page in the middle of the request.
  document.getElementById("cancel").form.addEventListener("submit", () => events.close());

  // A hub that restarts closes the stream for good: come back when it answers again.
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED) return;
    const again = setInterval(() => {
      fetch(window.location.href)
        .then((answer) => {
          if (answer.status < 502) {
            clearInterval(again);
            window.location.reload();
          }
        })
        .catch(() => {});
    }, 1000 * retrySeconds);
  };
})();
