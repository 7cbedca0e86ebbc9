"use strict";
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.children[column].dataset.value ?? row.children[column].textContent.trim();
    const numeric = head.classList.contains("n");
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (numeric) {
        // what has no number comes last, whichever way
        if (x === "" || y === "") return (x === "") - (y === "");
        return up ? x - y : y - x;
      }
      return (up ? 1 : -1) * ((x > y) - (x < y));
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  });
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
