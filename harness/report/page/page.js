"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const root = document.documentElement;
  const remembered = { get: key => { try { return localStorage.getItem(key); } catch { return null; } },
                       set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* a page from a disk may not */ } } };
  all(".tools").forEach(tools => { tools.hidden = false; });

  // light and dark: as the system is, until the reader says otherwise
  const button = document.getElementById("theme");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const named = () => { button.textContent = dark() ? "Light" : "Dark"; };
  const theme = remembered.get("harness-theme");
  if (theme) root.dataset.theme = theme;
  named();
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; remembered.set("harness-theme", root.dataset.theme); named(); });

  // what is chosen stands in the address, so that it can be sent
  const words = new URLSearchParams(location.search);
  const keep = (name, value) => {
    if (value) words.set(name, value); else words.delete(name);
    const query = words.toString();
    try { history.replaceState(null, "", (query ? "?" + query : location.pathname) + location.hash); } catch { /* not from every disk */ }
  };

  // arms that are hidden, in every figure and table at once
  const views = [], boxes = all(".chip input");
  const hidden = () => boxes.filter(box => !box.checked).map(box => box.value);
  const apply = () => {
    const names = hidden();
    all("[data-arm]").forEach(row => { row.hidden = names.includes(row.dataset.arm); });
    views.forEach(view => view.signal("hidden", names).runAsync());
  };
  const away = (words.get("hide") || "").split(",");
  boxes.forEach(box => { box.checked = !away.includes(box.value); box.addEventListener("change", () => { keep("hide", hidden().join(",")); apply(); }); });

  // a link to something that is folded away unfolds it
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let each = target.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
    target.scrollIntoView({ block: "center" });
  };
  // figures that answer: the drawing stays where it cannot be replaced
  const alive = all("figure").map(figure => {
    const place = figure.querySelector(".drawing"), drawn = place.innerHTML, label = place.querySelector("svg").getAttribute("aria-label");
    return vegaEmbed(place, JSON.parse(figure.querySelector(".specification").textContent), { renderer: "svg", actions: false, tooltip: { theme: "custom" } })
      .then(found => { views.push(found.view); const svg = place.querySelector("svg"); svg.setAttribute("role", "img"); svg.setAttribute("aria-label", label);
                       figure.dataset.live = ""; })
      .catch(problem => { place.innerHTML = drawn; console.error(problem); });
  });

  addEventListener("hashchange", unfold);
  Promise.all(alive).then(() => { apply(); unfold(); });
  addEventListener("beforeprint", () => all("details").forEach(each => { each.open = true; }));

  // tables that are filtered and sorted
  all("table.sorts").forEach(table => {
    const rows = all("tbody tr", table), body = table.tBodies[0];
    const search = Object.assign(document.createElement("input"), { type: "search", placeholder: "Filter: words that a row must have" });
    search.setAttribute("aria-label", "Filter");
    const count = document.createElement("output");
    table.parentElement.before(search, " ", count);
    const filter = () => {
      const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach(row => { row.hidden = !asked.every(word => row.textContent.toLowerCase().includes(word)); });
      count.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length}`;
    };
    search.value = words.get("filter") || "";
    search.addEventListener("input", () => { keep("filter", search.value); filter(); });
    filter();
    const value = (row, column) => row.cells[column].title || row.cells[column].textContent.trim();
    const number = text => text === "" ? NaN : Number(text.replaceAll(",", ""));
    const sort = (column, direction) => {
      const heads = all("thead th", table);
      heads.forEach((head, place) => { if (place === column) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending"); else head.removeAttribute("aria-sort"); });
      const order = (a, b) => { const [x, y] = [value(a, column), value(b, column)], [p, q] = [number(x), number(y)];
        if (x === "" || y === "") return (x === "") - (y === "");
        return direction * (Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q); };
      body.append(...rows.sort(order));
    };
    all("thead th", table).forEach((head, column) => {
      const handle = Object.assign(document.createElement("button"), { type: "button", textContent: head.textContent });
      head.replaceChildren(handle);
      handle.addEventListener("click", () => { const next = head.getAttribute("aria-sort") === "ascending" ? -1 : 1; sort(column, next); keep("sort", `${column}${next > 0 ? "" : "-"}`); });
    });
    const asked = /^(\d+)(-?)$/.exec(words.get("sort") || "");
    if (asked && asked[1] < table.tHead.rows[0].cells.length) sort(Number(asked[1]), asked[2] ? -1 : 1);
  });
})();
