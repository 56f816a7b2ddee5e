// A filter over the tables of packages; without it the page is whole, and the browser's own search finds everything.
(() => {
  "use strict";
  const filter = document.getElementById("berth-filter");
  if (!filter) {
    return;
  }
  const input = filter.querySelector("input");
  const none = document.getElementById("berth-filter-none");
  const sections = [...document.querySelectorAll("details.berth-packages")].map((details) => ({
    details,
    open: details.open,
    tables: [...details.querySelectorAll("table")].map((table) => ({
      table,
      rows: [...table.tBodies[0].rows].map((row) => [row, row.cells[0].textContent.toLowerCase()]),
    })),
  }));
  filter.hidden = false;

  const show = (table, rows, wanted) => {
    let found = false;
    for (const [row, name] of rows) {
      row.hidden = !name.includes(wanted);
      found ||= !row.hidden;
    }
    table.hidden = !found;
    return found;
  };

  const apply = () => {
    const wanted = input.value.trim().toLowerCase();
    let any = false;
    for (const { details, open, tables } of sections) {
      const found = tables.map(({ table, rows }) => show(table, rows, wanted)).includes(true);
      any ||= found;
      details.hidden = !found && wanted !== "";
      details.open = wanted ? found : open;
    }
    none.textContent = any ? "" : filter.dataset.none;
  };

  input.addEventListener("input", apply);
  apply();
})();
