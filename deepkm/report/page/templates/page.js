"use strict";
// Tables sort by their column headers. The first click shows the largest numbers or the first names, the second the
// other end, the third the study's order again. Cells without a number stay last.
const numberOf = (cell) => parseFloat(cell.textContent.replace("\u2212", "-"));
const textOf = (cell) => cell.textContent.trim();

function sortBy(table, header, column, order) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.forEach((row, i) => { row.dataset.place ??= i; });
  const direction = header.getAttribute("aria-sort");
  const turn = order.indexOf(direction) + 1;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  if (turn < order.length) header.setAttribute("aria-sort", order[turn]);
  const sign = order[turn] === "descending" ? -1 : 1;
  const compare = turn === order.length ? () => 0 : header.classList.contains("num")
    ? (a, b) => {
      const [x, y] = [numberOf(a.cells[column]), numberOf(b.cells[column])];
      return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
    }
    : (a, b) => sign * textOf(a.cells[column]).localeCompare(textOf(b.cells[column]), "en", { numeric: true });
  rows.sort((a, b) => compare(a, b) || a.dataset.place - b.dataset.place);
  body.append(...rows);
}

for (const table of document.querySelectorAll(".table table")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    const order = header.classList.contains("num") ? ["descending", "ascending"] : ["ascending", "descending"];
    button.addEventListener("click", () => sortBy(table, header, column, order));
  });
}

// Boxes that scroll can be reached by the keyboard; the others are no stops.
const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const name = target.querySelector("caption")?.textContent ?? target.querySelector("img")?.alt ?? "Formula";
    const scrolls = target.scrollWidth > target.clientWidth;
    target.toggleAttribute("tabindex", scrolls);
    for (const [key, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", name]]) {
      if (scrolls) target.setAttribute(key, value); else target.removeAttribute(key);
    }
  }
});
document.querySelectorAll(".scroll").forEach((box) => watcher.observe(box));

// The menu is a column on wide screens, and closed on narrow ones.
const menu = document.getElementById("menu");
const wide = matchMedia("(min-width: 75rem)");
const adapt = () => { menu.open = wide.matches; };
wide.addEventListener("change", adapt);
adapt();
menu.addEventListener("click", (event) => { if (event.target.closest("a") && !wide.matches) menu.open = false; });

// Where the reader is.
const links = new Map([...menu.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
const reader = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(target.id).setAttribute("aria-current", "true");
  }
}, { rootMargin: "-10% 0px -80% 0px" });
for (const key of links.keys()) reader.observe(document.getElementById(key));

// What a link leads to may be folded in.
const unfold = () => {
  for (let box = document.getElementById(location.hash.slice(1)); box; box = box.parentElement) {
    if (box.tagName === "DETAILS" && box !== menu) box.open = true;
  }
};
addEventListener("hashchange", unfold);
unfold();

// Paper cannot be unfolded: print everything.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("main details:not([open])")];
  closed.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));
