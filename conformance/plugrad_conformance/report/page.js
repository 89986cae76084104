"use strict";
const backends = JSON.parse(document.getElementById("data").textContent);
const opened = document.getElementById("opened");
const WRONG = new Set(["fail", "crash", "timeout", "unexpected pass"]);

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function exact(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  return value === 0 ? "0" : value.toExponential(1);
}

function bar(rows, groups) {
  const count = {};
  for (const status of Object.keys(groups)) count[groups[status]] = 0;
  for (const row of rows) count[groups[row[5]]] += 1;
  const parts = Object.entries(count).filter(([, number]) => number).map(([name, number]) =>
    make("i", { class: name, style: `flex-grow:${number}`, title: `${number} ${name}` }));
  return make("div", { class: "bar" }, ...parts);
}

function meter(achieved, allowed) {
  const cell = make("td", { class: "meter" });
  if (achieved === null || achieved === undefined) return cell;
  const over = achieved === "inf" || achieved > allowed;
  const share = over ? 1 : allowed ? achieved / allowed : 0;
  const inner = make("i", { class: over ? "over" : "", style: `width:${Math.round(100 * share)}%` });
  cell.append(make("div", { title: over ? "beyond what is allowed" : `${Math.round(100 * share)} % of what is allowed` }, inner));
  return cell;
}

function fault(details) {
  const box = make("div", { class: "fault" });
  if (details.question) box.append(make("p", { class: "soft" }, details.question));
  const [first, ...rest] = details.message.split("\n");
  box.append(make("p", {}, first));
  if (rest.length) box.append(make("pre", {}, rest.join("\n")));
  if (details.neighbour) box.append(make("p", { class: "soft" }, `nearest row that is right: ${details.neighbour}`));
  if (details.program) {
    const copy = make("button", { type: "button" }, "copy");
    copy.addEventListener("click", () => {
      navigator.clipboard.writeText(details.program).then(() => { copy.textContent = "copied"; });
    });
    box.append(make("div", { class: "program" }, make("pre", {}, details.program), copy));
  }
  return box;
}

function line(row, groups) {
  const [id, , , , , status, by, achieved, allowed, details] = row;
  const cells = [
    make("td", { class: "id" }, id),
    make("td", { class: "status" }, make("i", { class: groups[status] }), status),
    make("td", { class: "number" }, exact(achieved)),
    make("td", { class: "number" }, exact(allowed)),
    meter(achieved, allowed),
    make("td", { class: "id" }, by),
  ];
  const lines = [make("tr", {}, ...cells)];
  if (details) lines.push(make("tr", {}, make("td", { colspan: 6 }, fault(details))));
  return lines;
}

function operator(name, rows, groups) {
  const wrong = rows.filter((row) => WRONG.has(row[5])).length;
  const said = wrong ? make("span", {}, make("em", {}, `${wrong} wrong`)) : make("span", {}, `${rows.length} rows`);
  const box = make("details", { class: "operator" }, make("summary", {}, make("b", {}, name), said, bar(rows, groups)));
  box.addEventListener("toggle", () => {
    if (!box.open || box.children.length > 1) return;
    const order = [...rows].sort((a, b) => WRONG.has(b[5]) - WRONG.has(a[5]));
    const head = ["row", "status", "error", "allowed", "", "answered by"].map((text) =>
      make("th", text === "error" || text === "allowed" ? { class: "number" } : {}, text));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)),
      make("tbody", {}, ...order.flatMap((row) => line(row, groups))));
    box.append(make("div", {}, table));
  });
  return [box, wrong];
}

function open(button) {
  for (const other of document.querySelectorAll(".matrix button")) other.setAttribute("aria-pressed", other === button);
  const backend = backends[button.dataset.backend];
  const rows = backend.rows.filter((row) => row[2] === button.dataset.family);
  const byOperator = Map.groupBy ? Map.groupBy(rows, (row) => row[1]) : rows.reduce((map, row) => map.set(row[1], [...(map.get(row[1]) || []), row]), new Map());
  const found = [...byOperator].map(([name, group]) => operator(name, group, backend.groups)).sort((a, b) => b[1] - a[1]);
  opened.replaceChildren(make("h3", {}, `${button.dataset.family} on ${backend.device}`), ...found.map(([box]) => box));
  if (found.length && found[0][1]) found[0][0].open = true;
  opened.hidden = false;
  history.replaceState(null, "", `#${backend.device}/${button.dataset.family}`);
  return opened;
}

for (const button of document.querySelectorAll(".matrix button")) {
  button.addEventListener("click", () => open(button).scrollIntoView({ behavior: "smooth", block: "start" }));
}

const checks = document.getElementById("checks");
for (const backend of backends) {
  if (!backend.checks.length) continue;
  const lines = backend.checks.map((check) => make("tr", {}, make("td", { class: "id" }, check.id),
    make("td", { class: "status" }, make("i", { class: backend.groups[check.status] || "wrong" }), check.status),
    make("td", {}, fault({ message: check.message || "", program: check.program }))));
  checks.append(make("h3", {}, `Checks that are not right on ${backend.device}`), make("table", {}, ...lines));
  checks.hidden = false;
}

const [device, family] = decodeURIComponent(location.hash.slice(1)).split("/");
for (const button of document.querySelectorAll(".matrix button")) {
  if (family && button.dataset.family === family && backends[button.dataset.backend].device === device) open(button);
}
