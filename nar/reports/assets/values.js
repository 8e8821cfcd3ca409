// The payload of the page, and access to single values. Everything else builds on this.

const payload = JSON.parse(document.getElementById("payload").textContent);
const MASKED = -1;
const numSteps = Math.max(...payload.runs.map((run) => run.steps));
const hiddenProbes = new Set(payload.probes.filter((probe) => probe.hidden).map((probe) => probe.name));

// HTML or SVG as text. Null attributes are left out; content must be markup already.
function tag(name, attributes = {}, ...content) {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== null && value !== false)
    .map(([key, value]) => ` ${key}="${plain(value)}"`);
  return `<${name}${written.join("")}>${content.join("")}</${name}>`;
}

function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
}

function number(value) {
  if (typeof value === "string" || value === 0) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(1);
  return size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

const rounded = (value) => Number(value.toPrecision(2));

// A number shortened to at most `limit` characters, if possible.
function brief(text, limit) {
  if (text.length <= limit || !Number.isFinite(Number(text))) return text;
  return number(Number(Number(text).toPrecision(text.length > limit + 1 ? 1 : 2)));
}

const index = (value) => (value === MASKED ? "–" : String(value));
const TEXTS = {
  scalar: number,
  categorical: index,
  mask: (value) => ({ 0: "·", 1: "■", [MASKED]: "–" })[value] ?? number(value),
  mask_one: index,
  pointer: index,
  should_be_permutation: index,
  permutation_pointer: index,
};

// One entry as text; `node` is the node that it belongs to, if any.
function entryText(probe, value, node = null) {
  if (probe.location === "graph" && probe.look === "mask") return ["no", "yes"][value] ?? "–";
  const text = TEXTS[probe.look](value);
  const points = probe.glyph === "arrow" && value !== MASKED;
  return points ? (value === node ? "↺" : `→${text}`) : text;
}

// Step numSteps is the result, which shows outputs instead of the values of a step.
const isResult = (step) => step >= numSteps;

function probesAt(step, glyph) {
  const isShown = (probe) => (isResult(step) ? probe.stage === "output" : probe.perStep);
  return payload.probes.filter(
    (probe) => (probe.stage === "input" || isShown(probe)) && (!glyph || probe.glyph === glyph),
  );
}

const has = (run, probe) => run.values[probe.name] !== undefined;
const visibleAt = (run, step, glyph) =>
  probesAt(step, glyph).filter((probe) => has(run, probe) && !hiddenProbes.has(probe.name));
const ownProbes = (probes) => probes.filter((probe) => probe.stage !== "input");

function reading(run, probe, step) {
  const value = run.values[probe.name];
  return probe.perStep ? value[Math.min(step, run.steps - 1)] : value;
}

const entry = (value, place) => place.reduce((child, axis) => child[axis], value);

// All places (indices of entries) of a value: [[]], [[0], [1], ...] or [[0, 0], [0, 1], ...].
function placesOf(value) {
  if (!Array.isArray(value)) return [[]];
  return value.flatMap((child, axis) => placesOf(child).map((place) => [axis, ...place]));
}

function isChanged(run, probe, step, place) {
  if (!probe.perStep || !has(run, probe) || step === 0 || step >= run.steps) return false;
  const values = run.values[probe.name];
  return entry(values[step], place) !== entry(values[step - 1], place);
}

// The entry of a table by probe (wrong, right or total) at a step; undefined if there is none.
function lookUp(table, probe, step) {
  const found = table[probe.name];
  return probe.perStep && found !== undefined ? found[step] : found;
}

function isWrong(run, probe, step, place) {
  return (lookUp(run.wrong, probe, step) ?? []).includes(place.join(","));
}

// CSS classes of an element that shows this entry.
function marks(run, probe, step, place) {
  const changed = isChanged(run, probe, step, place) ? " changed" : "";
  return changed + (isWrong(run, probe, step, place) ? " wrong" : "");
}

const color = (probe) => `c${probe.color % 12}`;
const classColor = (value) => `k${value % 8}`;
// The color that fills an entry of a mask or categorical; null for none.
const FILLS = {
  mask: (probe, value) => (value > 0.5 ? color(probe) : null),
  categorical: (probe, value) => (value === MASKED ? null : classColor(value)),
};
