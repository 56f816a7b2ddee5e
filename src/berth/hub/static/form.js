// What can be chosen together, shown while choosing. The server checks the same when the form is sent.
"use strict";

(() => {
  const place = document.getElementById("berth-form");
  if (place === null) return;
  const rules = JSON.parse(place.dataset.rules);
  const menus = Object.fromEntries(
    [...place.querySelectorAll("select")].map((menu) => [menu.name, menu]),
  );
  const chosen = (name) => menus[name].selectedOptions[0];
  const amount = (option) => Number(option.dataset.amount);
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const lowest = (bounds) => Math.min(...bounds.filter((bound) => bound !== null && bound !== undefined));

  const account = () => rules.accounts[menus.account.value];
  const reservation = () => rules.reservations[menus.reservation.value];
  const reached = () => {
    const name = menus.reservation.value;
    return rules.shapes.filter((shape) => name === "" || shape.reservations.includes(name));
  };
  const hasGpus = (shape, option) =>
    amount(option) === 0 || (shape.gpus[option.value.replace(/:\d+$/, "")] ?? 0) >= amount(option);

  // The most of each quantity beside the other choices; Infinity where nothing limits it.
  const most = {
    cores: () =>
      lowest([
        account().cores,
        Math.max(0, ...reached().filter((shape) => hasGpus(shape, chosen("gpus"))).map((shape) => shape.cores)),
      ]),
    memory: () =>
      lowest([
        account().memory,
        Math.max(
          0,
          ...reached()
            .filter((shape) => hasGpus(shape, chosen("gpus")) && shape.cores >= amount(chosen("cores")))
            .map((shape) => shape.memory),
        ),
      ]),
    time: () => lowest([account().time?.most, reservation()?.time?.most]),
  };

  // Whether a choice can be had with the choices of the fields before it.
  const possible = {
    account: (option) => !reservation() || reservation().accounts.includes(option.value),
    gpus: (option) => {
      const kind = option.value.replace(/:\d+$/, "");
      const limits = account().gpus;
      return (
        reached().some((shape) => hasGpus(shape, option)) &&
        amount(option) >= account().least.gpus &&
        amount(option) <= lowest([limits[""], kind === "0" ? null : limits[kind]])
      );
    },
    cores: (option) => amount(option) <= most.cores() && amount(option) >= account().least.cores,
    memory: (option) => amount(option) <= most.memory() && amount(option) >= account().least.memory,
    time: (option) => amount(option) <= most.time(),
  };

  const limit = {
    gpus: () => Math.max(0, ...[...menus.gpus.options].filter((option) => !option.disabled).map(amount)),
    cores: () => most.cores(),
    memory: () => rules.sizes[most.memory()],
    time: () =>
      [account().time, reservation()?.time].find((bound) => bound && bound.most === most.time())?.text,
  };

  const label = (menu) => menu.labels[0].textContent;
  const write = (id, text) => {
    const element = document.getElementById(id);
    if (element !== null && element.textContent !== text) element.textContent = text;
  };

  // Take back what cannot be had: the default, or else the highest choice that can, and a word about it.
  const settle = (menu) => {
    if (!chosen(menu.name).disabled) return;
    const left = [...menu.options].filter((option) => !option.disabled);
    if (left.length === 0) return;
    const instead = left.find((option) => option.value === rules.defaults[menu.name]) ?? left.at(-1);
    instead.selected = true;
    write(`berth-${menu.name}-note`, filled(rules.texts.moved, { label: label(menu), choice: instead.text }));
  };

  const update = () => {
    for (const [name, test] of Object.entries(possible)) {
      for (const option of menus[name].options) option.disabled = !test(option);
      settle(menus[name]);
      if (name in limit) {
        const text = limit[name]();
        const bounded = text !== undefined && text !== Infinity;
        write(`berth-${name}-limit`, bounded ? filled(rules.texts.limit, { most: text }) : "");
      }
    }
    for (const name of Object.keys(menus)) write(`berth-${name}-waits`, account().notes[name] ?? "");
    write("berth-reservation-waits", reservation()?.note ?? "");
    write("berth-waits", account().notes[""] ?? "");
  };

  // `#gpus=a100:1&time=01:00:00` fills in; it is never sent to a server, and it starts nothing.
  const fill = () => {
    const asked = new URLSearchParams(window.location.hash.slice(1));
    const known = [...asked].filter(([name]) => Object.hasOwn(menus, name));
    if (known.length === 0) return;
    const words = [rules.texts.filled];
    for (const [name, value] of known) {
      const menu = menus[name];
      const option = [...menu.options].find(
        (item) => item.value === value || (name === "gpus" && item.dataset.amount === value),
      );
      if (option) option.selected = true;
      else words.push(filled(rules.texts.unknown, { label: label(menu), value: value.slice(0, 40) }));
    }
    const message = document.getElementById("berth-link");
    message.textContent = words.join(" ");
    message.hidden = false;
    // Sending the form or reloading the page must not fill it in again.
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
  };

  place.addEventListener("change", () => {
    for (const name of Object.keys(menus)) write(`berth-${name}-note`, "");
    update();
  });
  window.addEventListener("hashchange", () => {
    fill();
    update();
  });
  fill();
  // What was refused stays as it was sent, so that its user reads why.
  if (place.querySelector("[aria-invalid]") === null) update();
})();
