"use strict";
// Charts in the colours of the page; they are drawn again when those change. Tables sort and filter, and the address
// keeps both: #sort=leaderboard:8:descending&filter=leaderboard:nsnet
const dark = matchMedia("(prefers-color-scheme: dark)");

function colours() {
  const ink = dark.matches ? "#e2e8f0" : "#1a202c", line = dark.matches ? "#3b4554" : "#cbd5e0";
  return {
    background: null, view: { stroke: line }, title: { color: ink },
    axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line, labelLimit: 210 },
    rule: { color: ink }, point: { color: dark.matches ? "#90cdf4" : "#2b6cb0" },
    legend: { labelColor: ink, titleColor: ink, symbolBaseStrokeColor: ink }, font: "system-ui, sans-serif",
    range: { category: dark.matches ? ["#90cdf4", "#f6ad55", "#a0aec0", "#68d391", "#d6bcfa", "#fc8181"]
                                    : ["#2b6cb0", "#c05621", "#4a5568", "#2f855a", "#6b46c1", "#c53030"] },
  };
}

async function draw() {
  for (const source of document.querySelectorAll("script[data-chart]")) {
    const place = document.getElementById(source.dataset.chart);
    try {
      await vegaEmbed(place, JSON.parse(source.textContent), {
        config: colours(), renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false },
      });
    } catch (error) {
      place.textContent = `This chart could not be drawn (${error.message}); its numbers are in the table.`;
      console.error(source.dataset.chart, error);
    }
  }
  document.documentElement.dataset.drawn = "yes";
}

function sort(name, column, direction) {
  const table = document.querySelector(`table[data-table="${CSS.escape(name)}"]`);
  const heads = table ? [...table.tHead.rows[0].cells] : [];
  if (!heads[column]) return;
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", direction);
  const sign = direction === "ascending" ? 1 : -1, body = table.tBodies[0];
  const key = (row) => row.cells[column].textContent;
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");  // what is missing stays below
    const x = Number(a), y = Number(b);
    return sign * (isNaN(x) || isNaN(y) ? a.localeCompare(b, "en") : x - y);
  };
  body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
}

function filter(name, text) {
  const table = document.querySelector(`table[data-table="${CSS.escape(name)}"]`);
  if (!table) return;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const cells = [...row.cells].map((cell) => cell.textContent.toLowerCase());
    row.hidden = !words.every((word) => cells.some((cell) => cell.includes(word)));
    shown += !row.hidden;
  }
  document.querySelector(`output[data-count="${CSS.escape(name)}"]`).textContent = words.length ? `${shown} rows` : "";
}

function keep(what, name, value) {
  const state = new URLSearchParams(location.hash.slice(1));
  state.set(what, `${name}:${value}`);
  history.replaceState(null, "", `#${state}`);
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const name = button.closest("table").dataset.table, column = Number(button.dataset.column);
    const next = button.parentElement.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
    sort(name, column, next);
    keep("sort", name, `${column}:${next}`);
  });
}
for (const input of document.querySelectorAll("input[data-filter]")) {
  input.addEventListener("input", () => {
    filter(input.dataset.filter, input.value);
    keep("filter", input.dataset.filter, input.value);
  });
}
const state = new URLSearchParams(location.hash.slice(1));
if (state.has("sort")) {
  const [name, column, direction] = state.get("sort").split(":");
  sort(name, Number(column), direction === "ascending" ? "ascending" : "descending");
}
if (state.has("filter")) {
  const [name, ...text] = state.get("filter").split(":");
  const input = document.querySelector(`input[data-filter="${CSS.escape(name)}"]`);
  if (input) input.value = text.join(":");
  filter(name, text.join(":"));
}
dark.addEventListener("change", draw);
draw();
