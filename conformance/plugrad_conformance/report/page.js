"use strict";
const backends = JSON.parse(document.getElementById("data").textContent);
// A row: id, operator, family, dtype, variant, status, who answered, achieved error, allowed error, details.
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

// The largest share of the allowed error that any of the rows needs, and one that goes beyond.
function worst(rows) {
  const share = (row) => row[8] ? Number(row[7] === "inf" ? Infinity : row[7]) / row[8] : row[7] ? Infinity : -1;
  return rows.reduce((one, other) => (share(other) > share(one) ? other : one));
}

function operator(name, rows, groups) {
  const wrong = rows.filter((row) => WRONG.has(row[5])).length;
  const said = wrong ? make("span", {}, make("em", {}, `${wrong} of ${rows.length} wrong`)) : make("span", {}, `${rows.length} rows`);
  const nearest = worst(rows);
  const gauge = make("div", { class: "gauge" }, ...meter(nearest[7], nearest[8]).children);
  const box = make("details", { class: "operator" }, make("summary", {}, make("b", {}, name), said, bar(rows, groups), gauge));
  box.addEventListener("toggle", () => {
    if (!box.open || box.children.length > 1) return;
    const order = [...rows].sort((a, b) => WRONG.has(b[5]) - WRONG.has(a[5]));
    const head = ["row", "status", "error", "allowed", "share", "answered by"].map((text) =>
      make("th", text === "error" || text === "allowed" ? { class: "number" } : {}, text));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)),
      make("tbody", {}, ...order.flatMap((row) => line(row, groups))));
    box.append(make("div", {}, table));
  });
  return [box, wrong];
}

function grouped(rows, place) {
  const found = new Map();
  for (const row of rows) found.set(row[place], [...(found.get(row[place]) || []), row]);
  return found;
}

// Shows a family of a backend, with one of its operators opened: the one named, or the first wrong.
function open(button, named) {
  for (const other of document.querySelectorAll(".matrix button")) other.setAttribute("aria-pressed", other === button);
  const backend = backends[button.dataset.backend];
  const rows = backend.rows.filter((row) => row[2] === button.dataset.family);
  const found = [...grouped(rows, 1)].map(([name, group]) => [name, ...operator(name, group, backend.groups)]);
  found.sort((a, b) => b[2] - a[2]);
  const head = make("h3", {}, `${button.dataset.family} on ${backend.device}`);
  const key = make("p", { class: "lead" }, "The strip shows the statuses of an operator's rows, the gauge the share of the allowed error that the worst of them needs.");
  opened.replaceChildren(head, key, ...found.map(([, box]) => box));
  const chosen = found.find(([name, , wrong]) => (named ? name === named : wrong));
  if (chosen) chosen[1].open = true;
  opened.hidden = false;
  history.replaceState(null, "", `#${backend.device}/${button.dataset.family}`);
  return named && chosen ? chosen[1] : opened;
}

function cell(backend, family) {
  return [...document.querySelectorAll(".matrix button")].find(
    (each) => Number(each.dataset.backend) === backend && each.dataset.family === family);
}

function show(button, named) {
  open(button, named).scrollIntoView({ behavior: "smooth", block: "start" });
}

for (const button of document.querySelectorAll(".matrix button")) button.addEventListener("click", () => show(button));

// What is wrong, one line for each operator and each check.
const wrong = document.getElementById("wrong");
backends.forEach((backend, number) => {
  const operators = grouped(backend.rows.filter((row) => WRONG.has(row[5])), 1);
  const lines = [...operators].map(([name, rows]) => {
    const link = make("button", { type: "button" }, name);
    link.addEventListener("click", () => show(cell(number, rows[0][2]), name));
    const first = rows.find((row) => row[9]) || rows[0];
    const said = first[9] ? first[9].message.split("\n")[0] : first[5];
    return make("tr", {}, make("td", { class: "id" }, link), make("td", { class: "number" }, `${rows.length} rows`), make("td", {}, said));
  });
  for (const check of backend.checks) {
    const name = make("td", { class: "id", colspan: 2 }, make("i", { class: backend.groups[check.status] || "wrong" }), check.id);
    lines.push(make("tr", {}, name, make("td", {}, fault({ message: check.message || check.status, program: check.program }))));
  }
  if (!lines.length) return;
  wrong.append(make("h3", {}, `Not right on ${backend.device}`), make("div", { class: "scroll" }, make("table", {}, ...lines)));
  wrong.hidden = false;
});

const [device, family] = decodeURIComponent(location.hash.slice(1)).split("/");
backends.forEach((backend, number) => {
  const button = family && backend.device === device && cell(number, family);
  if (button) open(button);
});
