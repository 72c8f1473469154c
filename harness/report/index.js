// The index: rows are chosen and sorted where they stand; what is chosen stands in the address, behind the #.
"use strict";
const form = document.getElementById("filters");
const count = document.getElementById("count");
const heads = [...document.querySelectorAll("table.index th[data-sort]")];
const keys = [...new Set(heads.map((head) => head.dataset.sort))];
const rows = [...document.querySelectorAll("table.index tbody tr")].map((row, place) => ({
  row, place,
  text: row.textContent.toLowerCase(),
  arms: Object.entries(JSON.parse(row.dataset.arms)),
  values: Object.fromEntries([...row.cells].map((cell, place) => [keys[place], cell.dataset.value])),
}));
const tables = [...document.querySelectorAll("table.index tbody")];
let order = { sort: "", down: false };

function fits(found, wanted) {
  const { values, text, arms } = found;
  const one = ([arm, verdict]) => (!wanted.arm || arm === wanted.arm) && (!wanted.verdict || verdict === wanted.verdict);
  return wanted.text.toLowerCase().split(/\s+/).every((word) => text.includes(word))
    && (!wanted.experiment || values.experiment === wanted.experiment)
    && (!wanted.ended || values.ended === wanted.ended)
    && ((!wanted.arm && !wanted.verdict) || arms.some(one));
}

// empty cells stay last, whichever way one sorts
function compare(one, other) {
  const [a, b] = [one.values[order.sort], other.values[order.sort]];
  if (a === b) return one.place - other.place;
  if (a === "" || b === "") return a === "" ? 1 : -1;
  const numbers = [Number(a), Number(b)];
  const found = numbers.some(Number.isNaN) ? (a < b ? -1 : 1) : numbers[0] - numbers[1];
  return (order.down ? -found : found) || one.place - other.place;
}

function show() {
  const wanted = Object.fromEntries(new FormData(form));
  let visible = 0;
  for (const found of rows) {
    found.row.hidden = !fits(found, wanted);
    visible += !found.row.hidden;
  }
  count.textContent = `${visible} of ${rows.length} rows`;
  const sorted = [...rows].sort(order.sort ? compare : (one, other) => one.place - other.place);
  for (const body of tables) body.append(...sorted.filter(({ row }) => row.parentElement === body).map(({ row }) => row));
  for (const head of heads) {
    if (head.dataset.sort === order.sort) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

function keep() {
  const state = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  if (order.sort) state.set("sort", (order.down ? "-" : "") + order.sort);
  history.replaceState(null, "", `${location.pathname}${location.search}${String(state) && `#${state}`}`);
  show();
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const field of form.querySelectorAll("[name]")) {
    field.value = state.get(field.name) ?? "";
    if (field.selectedIndex === -1) field.selectedIndex = 0; // there is none of that name any more
  }
  const sort = state.get("sort") ?? "";
  const key = sort.replace(/^-/, "");
  order = keys.includes(key) ? { sort: key, down: sort.startsWith("-") } : { sort: "", down: false };
  show();
}

for (const head of heads) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const again = order.sort === head.dataset.sort;
    order = again && order.down ? { sort: "", down: false } : { sort: head.dataset.sort, down: again };
    keep();
  });
}
form.addEventListener("input", keep);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(() => { order = { sort: "", down: false }; keep(); }));
addEventListener("hashchange", recall);
form.hidden = false;
recall();
