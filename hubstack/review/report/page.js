// Filters and sorts the models of the page; without it everything is shown.
(() => {
  const filter = document.getElementById("filter");
  const items = [...document.querySelectorAll("[data-find]")];
  const rows = [...document.querySelectorAll("table.sorts tbody tr")];
  document.getElementById("find").hidden = rows.length < 2;
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const item of items) item.hidden = !words.every((word) => item.dataset.find.includes(word));
    const left = rows.filter((row) => !row.hidden).length;
    document.getElementById("found").textContent = words.length ? `${left} of ${rows.length}` : "";
  });
  for (const table of document.querySelectorAll("table.sorts")) {
    const heads = [...table.querySelectorAll("th")];
    heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[at].dataset.value ?? row.cells[at].textContent;
      const order = (one, other) => isNaN(one) || isNaN(other)
        ? String(one).localeCompare(String(other), undefined, { numeric: true }) : one - other;
      const body = table.tBodies[0];
      const sorted = [...body.rows].sort((a, b) => order(value(a), value(b)));
      body.append(...(down ? sorted.reverse() : sorted));
    }));
  }
})();
