// The index: rows are chosen and sorted where they stand; what is chosen stands in the address, so that it can be sent.
(() => {
  const form = document.getElementById("choices"), count = document.getElementById("count");
  const heads = [...document.querySelectorAll(".listing th[data-sort]")], keys = [...new Set(heads.map(head => head.dataset.sort))];
  const bodies = [...document.querySelectorAll(".listing tbody")];
  const rows = bodies.flatMap(body => [...body.rows]).map((row, place) => ({
    row, place, text: row.textContent.toLowerCase(), arms: Object.entries(JSON.parse(row.dataset.arms)),
    values: Object.fromEntries([...row.cells].map((cell, column) => [keys[column], cell.dataset.value])),
  }));
  let order = { key: "", down: false };

  // an arm and a verdict together: rows in which that arm has that verdict
  const fits = ({ text, arms, values }, asked) =>
    asked.text.toLowerCase().split(/\s+/).every(word => text.includes(word))
    && (!asked.experiment || values.experiment === asked.experiment) && (!asked.ended || values.ended === asked.ended)
    && ((!asked.arm && !asked.verdict) || arms.some(([arm, verdict]) => (!asked.arm || arm === asked.arm) && (!asked.verdict || verdict === asked.verdict)));

  // what is empty stays last, whichever way one sorts
  const compare = (one, other) => {
    const [a, b] = [one.values[order.key], other.values[order.key]];
    if (a === b) return one.place - other.place;
    if (a === "" || b === "") return a === "" ? 1 : -1;
    const numbers = [Number(a), Number(b)];
    const found = numbers.some(Number.isNaN) ? (a < b ? -1 : 1) : numbers[0] - numbers[1];
    return (order.down ? -found : found) || one.place - other.place;
  };

  const choose = () => {
    const asked = Object.fromEntries(new FormData(form));
    rows.forEach(each => { each.row.hidden = !fits(each, asked); });
    count.textContent = bodies.map(body => {
      const own = [...body.rows];
      return `${own.filter(row => !row.hidden).length} of ${own.length} ${body.parentElement.getAttribute("aria-label")}`;
    }).join(", ");
  };
  const arrange = () => {
    const sorted = [...rows].sort(order.key ? compare : (one, other) => one.place - other.place);
    bodies.forEach(body => body.append(...sorted.filter(({ row }) => row.parentElement === body).map(({ row }) => row)));
    heads.forEach(head => {
      if (head.dataset.sort === order.key) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };
  const keep = () => {
    const words = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    if (order.key) words.set("sort", (order.down ? "-" : "") + order.key);
    const query = words.toString();
    try { history.replaceState(null, "", (query ? "?" + query : location.pathname) + location.hash); } catch { /* not from every disk */ }
  };
  const recall = () => {
    const words = new URLSearchParams(location.search), sort = words.get("sort") ?? "", key = sort.replace(/^-/, "");
    form.querySelectorAll("[name]").forEach(field => {
      field.value = words.get(field.name) ?? "";
      if (field.selectedIndex === -1) field.selectedIndex = 0; // there is none of that name any more
    });
    order = keys.includes(key) ? { key, down: sort.startsWith("-") } : { key: "", down: false };
    choose();
    arrange();
  };

  heads.forEach(head => {
    const handle = Object.assign(document.createElement("button"), { type: "button", textContent: head.textContent });
    head.replaceChildren(handle);
    handle.addEventListener("click", () => {
      const again = order.key === head.dataset.sort;
      order = again && order.down ? { key: "", down: false } : { key: head.dataset.sort, down: again };
      arrange();
      keep();
    });
  });
  form.addEventListener("input", () => { choose(); keep(); });
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { order = { key: "", down: false }; choose(); arrange(); keep(); }));
  form.hidden = false;
  recall();
})();
