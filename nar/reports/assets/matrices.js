// Edge probes as matrices, with a row per first node and a column per second node.

// Rows and columns with an entry in any edge hint or output. If the instance is not a graph, the others are left
// out of the matrices.
const filled = findFilled();

function findFilled() {
  const probes = ownProbes(payload.probes).filter((probe) => probe.glyph === "matrix" && probe.rank === 2);
  const used = { rows: new Set(), columns: new Set() };
  for (const run of payload.runs) {
    for (const probe of probes.filter((each) => has(run, each))) {
      const values = run.values[probe.name];
      for (const matrix of probe.perStep ? values : [values]) addFilled(matrix, used);
    }
  }
  const all = Array.from({ length: numNodes() }, (_, node) => node);
  const hasRows = payload.probes.some((probe) => probe.glyph === "matrix" && probe.rank === 1);
  const whole = payload.plan.shape === "circle" || hasRows || used.rows.size === 0;
  if (whole) return { rows: all, columns: all };
  return { rows: all.filter((i) => used.rows.has(i)), columns: all.filter((j) => used.columns.has(j)) };
}

function addFilled(matrix, used) {
  matrix.forEach((row, i) => row.forEach((value, j) => {
    if (value === 0 || value === MASKED) return;
    used.rows.add(i);
    used.columns.add(j);
  }));
}

const greatest = new Map();
// The largest absolute value of a scalar probe in a run, for scaling the shades.
function greatestOf(run, probe) {
  const key = `${payload.runs.indexOf(run)} ${probe.name}`;
  if (!greatest.has(key)) {
    const sizes = run.values[probe.name].flat(Infinity).filter((value) => typeof value === "number");
    greatest.set(key, sizes.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1);
  }
  return greatest.get(key);
}

// Appearance of an entry, by kind: {fill: color class or null, strength, text}.
const MATRIX_ENTRIES = {
  scalar: (run, probe, value) => ({
    fill: value === 0 || typeof value === "string" ? null : color(probe),
    strength: 0.12 + (0.6 * Math.abs(value)) / greatestOf(run, probe),
    text: typeof value === "string" || Math.abs(value) >= 100 ? number(value) : number(rounded(value)),
  }),
  mask: (run, probe, value) => ({
    fill: FILLS.mask(probe, value),
    strength: 0.75,
    text: value === MASKED ? "–" : "",
  }),
  mask_one: (run, probe, value) => ({ fill: value ? color(probe) : null, strength: 0.75, text: "" }),
  categorical: (run, probe, value) => ({
    fill: FILLS.categorical(probe, value),
    strength: 0.55,
    text: value === MASKED ? "" : value,
  }),
  pointer: (run, probe, value) => ({
    fill: value > 0 ? color(probe) : null,
    strength: 0.22,
    text: index(value),
  }),
};

// A matrix probe; `span` has the rows and columns to show.
function drawMatrix(run, step, probe, span) {
  const longest = Math.max(span.rows.length, span.columns.length);
  const size = longest <= 10 ? 38 : longest <= 17 ? 28 : longest <= 32 ? 17 : 11;
  const head = 24;
  const values = reading(run, probe, step);
  const cells = span.rows.map((i, r) => span.columns.map((j, c) => {
    const one = probe.rank === 1;
    const place = one ? [i] : [i, j];
    const value = one ? (values[i] === j ? 1 : 0) : values[i][j];
    return drawEntry(run, step, probe, value, place, { i, j, x: head + c * size, y: head + r * size, size });
  }));
  const across = span.columns.map((j, c) => axis(j, head + (c + 0.5) * size, head - 7, c, size));
  const down = span.rows.map((i, r) => axis(i, head - 11, head + (r + 0.5) * size + 4, r, size));
  const [width, height] = [head + span.columns.length * size + 2, head + span.rows.length * size + 2];
  const box = { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": probe.name };
  const isPartial = span.rows.length < numNodes() || span.columns.length < numNodes();
  const swatch = tag("span", { class: `swatch ${color(probe)}` });
  return tag("figure", { class: "matrix" },
    tag("figcaption", {}, swatch, tag("b", {}, plain(probe.name)), ` ${probe.kind.replace("_", " ")}`,
      isPartial ? tag("span", { class: "note" }, " · empty rows and columns are left out") : ""),
    tag("svg", box, cells.flat().join(""), across.join(""), down.join("")));
}

function axis(node, x, y, k, size) {
  return size >= 17 || k % 5 === 0 ? tag("text", { x, y, class: "axis" }, node) : "";
}

function drawEntry(run, step, probe, value, place, at) {
  const shown = MATRIX_ENTRIES[probe.look](run, probe, value);
  const [gap, rx] = at.size > 15 ? [1, 3] : [0.5, 1];
  const inner = at.size - 2 * gap;
  const box = { x: at.x + gap, y: at.y + gap, width: inner, height: inner, rx };
  const background = tag("rect", { ...box, class: "cell" });
  const shade = { class: `fill ${shown.fill}`, "fill-opacity": shown.strength.toFixed(2) };
  const fill = shown.fill ? tag("rect", { ...box, ...shade }) : "";
  const middle = { x: at.x + at.size / 2, y: at.y + at.size / 2 + 4 };
  const zero = probe.look === "scalar" && value === 0;
  const style = `entry${zero ? " zero" : ""}${at.size < 38 ? " dense" : ""}`;
  const words = String(shown.text).replace(/^(-?)0\./, at.size < 38 ? "$1." : "$10.");
  const fits = words !== "" && at.size >= 28 && words.length * 5.6 <= at.size;
  const text = fits ? tag("text", { ...middle, class: style }, words) : "";
  const marked = marks(run, probe, step, place);
  const frame = marked ? tag("rect", { ...box, class: `frame${marked}${at.size < 18 ? " thin" : ""}` }) : "";
  const title = tag("title", {}, plain(`${probe.name}[${at.i}, ${at.j}] = ${value}`));
  return tag("g", {}, background, fill, text, frame, title);
}
