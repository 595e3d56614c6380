"use strict";
// Sorting, filtering, downloads, and their state in the address. The page is readable without this script.
(() => {
  const table = document.getElementById("numbers");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.querySelectorAll("th[data-key]")];
  const data = JSON.parse(document.getElementById("data").textContent);
  const query = document.getElementById("query");
  const arm = document.getElementById("arm"); // absent for a single audit
  const solid = document.getElementById("solid");
  const more = document.getElementById("more");
  const count = document.getElementById("count");
  const links = [...document.querySelectorAll('a[href^="#"]')].map((link) => [link, link.getAttribute("href").slice(1)]);
  const NOTHING = { sort: "", dir: "asc", q: "", model: "", solid: "", more: "" };
  let state = { ...NOTHING };
  let place = ""; // id of the element that the address points to, such as a card

  // ---- the address: #PLACE?sort=KEY&dir=desc&q=TEXT&model=NAME&solid=1&more=1; either part may be missing
  const readAddress = () => {
    const [before, ...after] = location.hash.slice(1).split("?");
    const parameters = new URLSearchParams(after.join("?"));
    const read = Object.fromEntries(Object.keys(NOTHING).map((key) => [key, parameters.get(key) ?? NOTHING[key]]));
    const sorted = heads.find((head) => head.dataset.key === read.sort);
    if (!sorted) read.sort = "";
    if (sorted?.classList.contains("further")) read.more = "1";
    if (read.dir !== "desc") read.dir = "asc";
    [place, state] = [before, read];
  };
  const address = (to) => {
    const kept = Object.entries(state).filter(([key, value]) => value !== NOTHING[key] && (key !== "dir" || state.sort));
    const text = new URLSearchParams(kept).toString();
    return text ? `#${to}?${text}` : to && `#${to}`;
  };
  const writeLinks = () => links.forEach(([link, to]) => link.setAttribute("href", address(to)));
  const writeAddress = () => {
    history.replaceState(null, "", address(place) || location.pathname + location.search);
    writeLinks();
  };

  // ---- sorting and filtering
  const value = (row, column) => row.cells[column].dataset.sort;
  const compare = (column, numeric, sign) => (a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    const tie = a.dataset.index - b.dataset.index;
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined) || tie; // undefined last
    return sign * (numeric ? x - y : x.localeCompare(y)) || tie;
  };
  const noun = rows.length === 1 ? "row" : "rows";
  const shown = () => [...body.rows].filter((row) => !row.hidden);
  const apply = () => {
    const column = heads.findIndex((head) => head.dataset.key === state.sort);
    const order = [...rows];
    if (column >= 0) {
      order.sort(compare(column, !heads[column].classList.contains("text"), state.dir === "desc" ? -1 : 1));
    }
    const wanted = state.q.trim().toLocaleLowerCase();
    for (const row of order) {
      row.hidden =
        !row.dataset.name.toLocaleLowerCase().includes(wanted) ||
        (state.model !== "" && row.dataset.arm !== state.model) ||
        (state.solid === "1" && row.querySelector(state.more === "1" ? ".small" : ".small:not(.further)") !== null);
    }
    table.classList.toggle("narrow", state.more !== "1");
    body.append(...order);
    heads.forEach((head, index) => {
      head.setAttribute("aria-sort", index !== column ? "none" : state.dir === "desc" ? "descending" : "ascending");
    });
    const left = shown().length;
    count.textContent = left === rows.length ? `${left} ${noun}` : `${left} of ${rows.length} ${noun}`;
  };
  const show = () => {
    query.value = state.q;
    solid.checked = state.solid === "1";
    more.checked = state.more === "1";
    if (arm) {
      arm.value = state.model;
      if (arm.selectedIndex < 0) [arm.value, state.model] = ["", ""];
    }
    apply();
  };
  const change = (next) => {
    state = { ...state, ...next };
    apply();
    writeAddress();
  };
  heads.forEach((head) => {
    head.querySelector("button").addEventListener("click", () => {
      const key = head.dataset.key;
      const first = head.classList.contains("text") ? "asc" : "desc"; // the largest numbers are usually of interest
      const again = state.sort === key;
      change({ sort: key, dir: again ? (state.dir === "asc" ? "desc" : "asc") : first });
    });
  });
  query.addEventListener("input", () => change({ q: query.value }));
  solid.addEventListener("change", () => change({ solid: solid.checked ? "1" : "" }));
  more.addEventListener("change", () => change({ more: more.checked ? "1" : "" }));
  arm?.addEventListener("change", () => change({ model: arm.value }));
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());

  // ---- downloads: the rows shown, unrounded
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const chosen = () => shown().map((row) => data[row.dataset.index]);
  const quoted = (field) => {
    // A spreadsheet would run text that begins as a formula does; numbers stay numbers.
    const formula = typeof field === "string" && /^[=+\-@\t\r]/.test(field) && Number.isNaN(Number(field));
    const text = field === null ? "" : formula ? `'${field}` : String(field);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  document.getElementById("csv").addEventListener("click", () => {
    const names = Object.keys(data[0] ?? {});
    const lines = [names, ...chosen().map((row) => names.map((name) => row[name]))];
    save("attributes.csv", "text/csv;charset=utf-8", lines.map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n");
  });
  document.getElementById("json").addEventListener("click", () => {
    save("attributes.json", "application/json", JSON.stringify(chosen(), null, 2));
  });

  // ---- cards
  const cards = [...document.querySelectorAll("details.card")];
  const setAll = (open) => cards.forEach((card) => (card.open = open));
  document.getElementById("open-all").addEventListener("click", () => setAll(true));
  document.getElementById("close-all").addEventListener("click", () => setAll(false));
  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // a percent sign that encodes nothing
    }
  };
  const follow = () => {
    readAddress();
    show();
    writeLinks();
    const target = place && document.getElementById(decoded(place));
    if (!target) return;
    const card = target instanceof HTMLDetailsElement;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    if (!card) target.tabIndex = -1; // so that the next press of Tab continues from there
    target.scrollIntoView();
    (card ? target.querySelector("summary") : target).focus({ preventScroll: true });
  };
  let before = [];
  addEventListener("beforeprint", () => {
    before = cards.filter((card) => !card.open);
    setAll(true);
  });
  addEventListener("afterprint", () => before.forEach((card) => (card.open = false)));
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link?.hash === location.hash) follow(); // the address stays, but the reader may have scrolled away
  });
  follow();
})();
