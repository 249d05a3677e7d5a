// Figures adapt to the page: text colour, background and width; black on white when printed.
const PRINTED = { ink: "#1b1f24", soft: "#5b6168", paper: "#ffffff", fog: "#ffffff", width: 660, gap: 12 };
const NARROW = 480; // pixels
const ENTRY = { mark: 42, character: 6.4, line: 19, axis: 76 }; // pixels, of a legend in a narrow figure
const dark = matchMedia("(prefers-color-scheme: dark)");
const hover = matchMedia("(hover: hover)");
const touch = matchMedia("(pointer: coarse)");

function onScreen() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return { ink: colour("ink"), soft: colour("soft"), paper: colour("paper"), fog: colour("fog") };
}

function clear(hex) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `rgba(${r}, ${g}, ${b}, 0)`;
}

function printedWidth(script) {
  return script.closest(".pair") ? (PRINTED.width - PRINTED.gap) / 2 : PRINTED.width;
}

// Put the legend in two equal columns, or in one if a name would overlap the next; view a landscape
// from further away.
function narrow(layout, data, width) {
  const names = data.filter((trace) => trace.name && trace.showlegend !== false).map((trace) => trace.name);
  const longest = Math.max(0, ...names.map((name) => name.length));
  // A group of lines is followed by a gap: two groups of half the width each would not fit.
  const half = data.some((trace) => trace.legendgroup) ? 0.42 : 0.5;
  const fits = ENTRY.mark + ENTRY.character * longest < half * (width - ENTRY.axis);
  const columns = names.length > 1 && fits ? 2 : 1;
  const font = { size: 12 };
  const entrywidth = columns === 2 ? half : 1;
  Object.assign(layout.legend, { entrywidth, entrywidthmode: "fraction", font, tracegroupgap: 0 });
  const extra = ENTRY.line * Math.max(0, Math.ceil(names.length / columns) - 2);
  layout.height += extra;
  if (layout.legend.yref === "container") layout.margin.b += extra;
  if (layout.scene) for (const axis of ["x", "y", "z"]) layout.scene.camera.eye[axis] *= 1.4;
}

function draw(script, look) {
  const { data, layout } = JSON.parse(script.textContent);
  layout.font.color = look.soft;
  layout.modebar = { bgcolor: "rgba(0, 0, 0, 0)", color: look.soft, activecolor: look.ink };
  layout.hoverlabel.bgcolor = look.paper;
  layout.hoverlabel.font.color = look.ink;
  const width = look.width ? printedWidth(script) : document.getElementById(script.dataset.plot).clientWidth;
  if (look.width) Object.assign(layout, { width, height: Math.min(layout.height, 1.3 * width) });
  else layout.autosize = true;
  // Scrolling by touch must not zoom the figure.
  if (touch.matches && !layout.scene) layout.dragmode = false;
  if (width < NARROW) narrow(layout, data, width);
  for (const trace of data) {
    if (trace.meta === "veil") trace.colorscale = [[0, clear(look.fog)], [1, look.fog]];
  }
  const options = { responsive: true, displaylogo: false, displayModeBar: hover.matches ? "hover" : false };
  Plotly.react(script.dataset.plot, data, layout, options);
}

function drawAll(look) {
  for (const script of document.querySelectorAll("script[data-plot]")) {
    const folded = script.closest("details:not([open])");
    if (!folded) draw(script, look);
  }
}

// Plotly's script is compressed in the page: decompress it, run it, then draw.
async function unpackPlotly() {
  const packed = atob(document.getElementById("plotly").textContent);
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

await unpackPlotly();
drawAll(onScreen());
dark.addEventListener("change", () => drawAll(onScreen()));
addEventListener("beforeprint", () => drawAll(PRINTED));
addEventListener("afterprint", () => drawAll(onScreen()));
for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => drawAll(onScreen()));
}

// Sort the table by a column; missing values stay last in both directions.
function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.key === undefined ? cell.textContent : Number(cell.dataset.key);
}

function compare(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
}

for (const heading of document.querySelectorAll("th")) {
  heading.addEventListener("click", () => {
    const column = heading.cellIndex;
    const body = heading.closest("table").tBodies[0];
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = [...body.rows].map((row) => [key(row, column), row]);
    const present = keyed.filter(([k]) => k !== "" && k !== "–");
    const missing = keyed.filter(([k]) => k === "" || k === "–");
    present.sort(([a], [b]) => (down ? -compare(a, b) : compare(a, b)));
    body.append(...[...present, ...missing].map(([, row]) => row));
  });
}
