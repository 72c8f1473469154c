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
    const place = figure.querySelector(".drawing"), drawn = place.innerHTML;
    const [name, says] = ["title", "desc"].map(tag => place.querySelector(tag).textContent);
    const specification = JSON.parse(figure.querySelector(".specification").textContent);
    if (typeof specification.width === "number" && !specification.facet) {
      const width = specification.$schema.includes("/vega/") ? Math.min(place.clientWidth, 760) : "container"; // Vega itself has no containers
      Object.assign(specification, { width, autosize: { type: "fit-x", contains: "padding" } });
      figure.dataset.fits = "";
      if (place.clientWidth < 560) specification.config.legend.columns = 2;
    }
    return vegaEmbed(place, specification, { renderer: "svg", actions: false, ast: true, tooltip: { theme: "custom" } })
      .then(found => { views.push(found.view); const svg = place.querySelector("svg"); svg.setAttribute("role", "img"); svg.setAttribute("aria-label", `${name}. ${says}`);
                       figure.dataset.live = ""; })
      .catch(problem => { place.innerHTML = drawn; delete figure.dataset.fits; console.error(problem); });
  });

  // the section that is read is marked among the contents
  const links = new Map(all(".contents a").map(link => [link.hash, link]));
  const reading = new IntersectionObserver(entries => entries.filter(each => each.isIntersecting).forEach(each => {
    links.forEach(link => link.removeAttribute("aria-current"));
    links.get("#" + each.target.getAttribute("aria-labelledby"))?.setAttribute("aria-current", "true");
  }), { rootMargin: "-15% 0px -75% 0px" });
  all("main section").forEach(section => reading.observe(section));

  // text that can be taken along
  if (navigator.clipboard) all(".copied").forEach(block => {
    const take = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
    const lines = all("code", block).map(line => line.textContent);
    take.addEventListener("click", () => navigator.clipboard.writeText(lines.join("\n")).then(() => { take.textContent = "Copied"; }));
    block.append(take);
  });

  addEventListener("hashchange", unfold);
  Promise.all(alive).then(() => { apply(); unfold(); });
  addEventListener("beforeprint", () => all("details").forEach(each => { each.open = true; }));
})();
