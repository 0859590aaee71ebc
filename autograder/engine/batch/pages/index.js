// The table: all rows are in #data, one page of them in the document. Text is inserted as text only.
(() => {
  "use strict";
  const [PATH, NAME, MORE, TOTAL, PARTS, SECONDS, STATE, MISTAKES, CHANGE, LATE] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const PAGE = 100;
  const byId = (id) => document.getElementById(id);
  const all = JSON.parse(byId("data").textContent);
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const haystacks = all.map((row) => fold(row[NAME] + " " + row[MORE]));
  const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const order = all.map((_, i) => i).sort((a, b) => names.compare(all[a][NAME], all[b][NAME]));
  const rank = [];
  order.forEach((row, place) => { rank[row] = place; });

  const body = document.querySelector("#rows tbody");
  const heads = [...document.querySelectorAll("#rows th[data-column]")];
  const partCount = heads.filter((head) => head.dataset.column === "part").length;
  const withLate = heads.some((head) => head.dataset.column === "late");
  const compared = heads.some((head) => head.dataset.column === "change");
  let sorted = { head: heads[0], down: false };
  let mistake = null;
  let found = order;
  let first = 0;

  // The sort key of each column; null always comes last.
  const VALUES = {
    name: (i) => rank[i],
    total: (i) => all[i][TOTAL],
    part: (i, head) => all[i][PARTS][Number(head.dataset.part)] ?? null,
    late: (i) => (all[i][LATE] ? all[i][LATE].padStart(12) : null),
    change: (i) => (all[i][CHANGE] ? all[i][CHANGE][1] : null),
    seconds: (i) => all[i][SECONDS],
    state: (i) => all[i][STATE] || "graded",
  };

  const number = (value) => (value === null || value === undefined ? "–" : String(Math.round(value * 1e4) / 1e4));

  function cell(row, kind, text) {
    const made = document.createElement(kind);
    made.textContent = text;
    row.append(made);
    return made;
  }

  function link(parent, href, text) {
    const made = document.createElement("a");
    made.href = href;
    made.textContent = text;
    parent.append(made);
    return made;
  }

  function makeRow(i) {
    const [path, name, more, total, parts, seconds, state, , change, late] = all[i];
    const row = document.createElement("tr");
    const head = cell(row, "th", "");
    head.scope = "row";
    const bdi = document.createElement("bdi");
    head.append(bdi);
    if (seconds === null) bdi.textContent = name;
    else link(bdi, `feedback/${path}.html`, name);
    const shown = more.trim().split(" ")[0];
    if (shown && shown !== name) {
      const key = document.createElement("bdi");
      key.className = "key";
      key.textContent = shown;
      head.append(key);
    }
    cell(row, "td", number(total)).className = "n";
    for (let p = 0; p < partCount; p += 1) cell(row, "td", number(parts[p])).className = "n";
    if (withLate) cell(row, "td", late).className = "n";
    if (compared) {
      const td = cell(row, "td", "");
      td.className = "n";
      if (change) {
        const text = change[1] > 0 ? `+${number(change[1])}` : number(change[1]).replace("-", "\u2212");
        link(td, `compare/${path}.html`, change[0] === "points" ? text : change[0]);
      }
    }
    cell(row, "td", seconds === null ? "–" : seconds.toFixed(1)).className = "n";
    cell(row, "td", state || "graded").className = state ? "warn" : "";
    return row;
  }

  function show() {
    const last = Math.min(first + PAGE, found.length);
    body.replaceChildren(...found.slice(first, last).map(makeRow));
    byId("place").textContent = found.length ? `${first + 1} to ${last} of ${found.length}` : "";
    byId("before").disabled = first === 0;
    byId("after").disabled = last >= found.length;
  }

  function search() {
    const words = fold(byId("search").value).split(/\s+/).filter(Boolean);
    const filter = byId("filter").value;
    const value = VALUES[sorted.head.dataset.column];
    const matches = (i) =>
      words.every((word) => haystacks[i].includes(word)) &&
      (filter !== "graded" || !all[i][STATE]) &&
      (filter !== "open" || all[i][STATE]) &&
      (filter !== "late" || all[i][LATE]) &&
      (filter !== "changed" || all[i][CHANGE]) &&
      (mistake === null || all[i][MISTAKES].includes(mistake));
    found = order.filter(matches);
    const keys = new Map(found.map((i) => [i, value(i, sorted.head)]));
    const sign = sorted.down ? -1 : 1;
    found.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return x < y ? -sign : x > y ? sign : 0;
    });
    first = 0;
    byId("count").textContent =
      (found.length === all.length ? "" : `${found.length} of `) +
      `${all.length} submission${all.length === 1 ? "" : "s"}`;
    show();
  }

  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => {
      const again = sorted.head === head;
      // Numbers are sorted from the top first.
      sorted = { head, down: again ? !sorted.down : !["name", "state"].includes(head.dataset.column) };
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      search();
    });
  }
  heads[0].setAttribute("aria-sort", "ascending");

  function choose(index, name) {
    mistake = index;
    byId("chosen").hidden = index === null;
    byId("chosen-name").textContent = name ? `“${name}”` : "";
    search();
  }

  function toTable() {
    byId("submissions").scrollIntoView();
    byId("search").focus({ preventScroll: true });
  }

  for (const button of document.querySelectorAll("button[data-mistake]")) {
    button.addEventListener("click", () => {
      choose(Number(button.dataset.mistake), button.dataset.name);
      toTable();
    });
  }
  byId("only-changed")?.addEventListener("click", () => {
    byId("filter").value = "changed";
    search();
    toTable();
  });
  byId("clear").addEventListener("click", () => {
    choose(null, "");
    byId("search").focus();
  });
  byId("search").addEventListener("input", search);
  byId("filter").addEventListener("change", search);
  const turn = (pages) => {
    first += pages * PAGE;
    show();
    document.querySelector("#rows").scrollIntoView({ block: "start" });
  };
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  search();
})();
