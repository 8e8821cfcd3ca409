// The drawing of nodes with their fills, rings, numbers and arrows, one function per glyph.

function drawNodes(run, step, width) {
  const rings = visibleAt(run, step, "ring");
  const numbers = visibleAt(run, step, "number");
  // Space for everything that any step may show, so that nothing moves between steps.
  const visible = payload.probes.filter((probe) => !hiddenProbes.has(probe.name));
  const count = (glyph) => visible.filter((probe) => probe.glyph === glyph).length;
  const placed = placeNodes(width, count("number") + Math.min(1.5, count("ring")), count("arrow") > 0);
  const arrows = visibleAt(run, step, "arrow");
  const layers = [
    drawLines(run, step, placed),
    placed.nodes.map((node, i) => drawHalo(run, step, node, i, placed.cells)),
    placed.nodes.map((node, i) => drawNode(run, step, node, i, placed.cells)),
    arrows.map((probe, k) => drawArrows(run, step, probe, placed, k)),
    placed.nodes.map((node, i) => drawNotes(run, step, node, i, placed.cells, rings, numbers)),
  ];
  const { width: wide, height } = placed;
  const size = { viewBox: `0 0 ${wide} ${height}`, width: wide, height };
  const svg = tag("svg", { ...size, role: "img", "aria-label": "nodes" }, layers.flat(2).join(""));
  return tag("div", { class: "drawing" }, svg);
}

// Lines of the graph, thick and colored where an edge mask is set.
function drawLines(run, step, placed) {
  const masks = ownProbes(visibleAt(run, step, "matrix")).filter((probe) => probe.look === "mask");
  const few = payload.plan.lines.length <= 40;
  const taken = placed.nodes.map((node) => ({ x: node.x, y: node.y, wide: 2 * RADIUS, high: 2 * RADIUS }));
  return payload.plan.lines.map(([i, j, weight]) => {
    const [a, b] = [placed.nodes[i], placed.nodes[j]];
    const ends = { x1: a.x, y1: a.y, x2: b.x, y2: b.y };
    const set = masks.filter((probe) =>
      [[i, j], [j, i]].some((place) => entry(reading(run, probe, step), place) === 1));
    const thick = set.map((probe) => tag("line", { ...ends, class: `band ${color(probe)}` }));
    const head = payload.plan.directed ? arrowHead(a, b, RADIUS + 2, 7, "line-head") : "";
    const text = few && weight !== "" ? weightText(a, b, number(rounded(weight)), taken) : "";
    return thick.join("") + tag("line", { ...ends, class: "graph-line" }) + head + text;
  });
}

// The weight of an edge, where it covers no node and no other weight, if there is such a place.
function weightText(a, b, words, taken) {
  const [wide, high] = [7 * words.length, 13];
  const places = [0.3, 0.5, 0.4, 0.6, 0.7].map((part) => {
    const [x, y] = [a.x + part * (b.x - a.x), a.y + part * (b.y - a.y)];
    const covered = taken.filter((other) =>
      2 * Math.abs(other.x - x) < other.wide + wide && 2 * Math.abs(other.y - y) < other.high + high);
    return { x, y, wide, high, covered: covered.length };
  });
  const best = places.reduce((first, other) => (other.covered < first.covered ? other : first));
  taken.push(best);
  return tag("text", { x: best.x, y: best.y + 4, class: "weight" }, words);
}

function outline(node, cells, grow, attributes) {
  if (!cells) return tag("circle", { cx: node.x, cy: node.y, r: RADIUS + grow, ...attributes });
  const [width, height] = [CELL.width + 2 * grow, CELL.height + 2 * grow];
  const corner = { x: node.x - width / 2, y: node.y - height / 2 };
  return tag("rect", { ...corner, width, height, rx: 3 + grow, ...attributes });
}

// A glow around each node with a visible change.
function drawHalo(run, step, node, i, cells) {
  const own = visibleAt(run, step).filter((probe) => probe.location === "node" && probe.perStep);
  const changed = own.some((probe) =>
    probe.glyph === "ring"
      ? reading(run, probe, step) === i && isChanged(run, probe, step, [])
      : isChanged(run, probe, step, [i]));
  if (!changed) return "";
  return outline(node, cells, 7, { class: "halo" });
}

function drawNode(run, step, node, i, cells) {
  const fills = visibleAt(run, step, "fill");
  const slices = fills.map((probe, k) => {
    const value = reading(run, probe, step)[i];
    const name = FILLS[probe.look](probe, value);
    const title = tag("title", {}, plain(`${probe.name}[${i}] = ${value}`));
    const shade = `fill ${name ?? "none"}${marks(run, probe, step, [i])}`;
    const d = slice(node, cells, k, fills.length);
    return tag("path", { d, class: shade, "data-probe": probe.name }, title);
  });
  const label = payload.plan.label;
  const probe = payload.probes.find((each) => each.name === label);
  const text = probe ? brief(entryText(probe, reading(run, probe, step)[i], i), 6) : i;
  const corner = { x: node.x - CELL.width / 2 + 5, y: node.y - 9 };
  const small = probe ? tag("text", { ...corner, class: "small" }, i) : "";
  return tag("g", { class: "node", "data-node": i },
    outline(node, cells, 0, { class: "body" }), slices.join(""),
    tag("text", { x: node.x, y: node.y + (probe ? 9 : 5), class: "label" }, plain(text)), small);
}

// The k-th of `count` equal parts of a node: a slice of a disc or a stripe of a cell.
function slice(node, cells, k, count) {
  if (cells) {
    const [x, y] = [node.x - CELL.width / 2 + (k * CELL.width) / count, node.y - CELL.height / 2];
    return `M${x} ${y}h${CELL.width / count}v${CELL.height}h${-CELL.width / count}z`;
  }
  const point = (fraction) => {
    const angle = 2 * Math.PI * fraction - Math.PI / 2;
    return `${node.x + RADIUS * Math.cos(angle)} ${node.y + RADIUS * Math.sin(angle)}`;
  };
  const arc = `A${RADIUS} ${RADIUS} 0 ${count === 1 ? 1 : 0} 1`;
  if (count === 1) return `M${point(0)}${arc} ${point(0.5)}${arc} ${point(0)}z`;
  return `M${node.x} ${node.y}L${point(k / count)}${arc} ${point((k + 1) / count)}z`;
}

function drawArrows(run, step, probe, placed, k) {
  return reading(run, probe, step).map((target, i) => {
    if (target === MASKED || placed.nodes[target] === undefined) return "";
    const shape = arrowShape(placed, i, target, k);
    const last = shape.controls[shape.controls.length - 1];
    const d = curve(shape.start, shape.controls, towards(shape.end, last, 6));
    const head = arrowHead(last, shape.end, 0, 10, "head");
    const title = tag("title", {}, plain(`${probe.name}: ${i} → ${target}`));
    const self = target === i ? " self" : "";
    const kind = `arrow ${color(probe)}${self}${marks(run, probe, step, [i])}`;
    return tag("g", { class: kind, "data-probe": probe.name, "data-node": i },
      tag("path", { d, class: "shaft" }), head, title);
  });
}

const coordinates = (...points) =>
  points.map((point) => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join(" ");

function curve(start, controls, end) {
  return `M${coordinates(start)}${controls.length === 1 ? "Q" : "C"}${coordinates(...controls, end)}`;
}

// A curve from node i to its target, as {start, controls, end}; the k-th probe bends a little more.
function arrowShape(placed, i, target, k) {
  const [a, b] = [placed.nodes[i], placed.nodes[target]];
  if (i === target) return loopShape(a, placed.cells, k);
  if (placed.cells && a.line === b.line) return arcShape(a, b, k);
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = Math.hypot(dx, dy) || 1;
  const bend = 0.1 * length + 7 + 9 * k;
  const control = { x: (a.x + b.x) / 2 - (dy / length) * bend, y: (a.y + b.y) / 2 + (dx / length) * bend };
  const border = placed.cells ? CELL.height / 2 + 4 : RADIUS + 2;
  return { start: towards(a, control, border), controls: [control], end: towards(b, control, border) };
}

// An arc above a line of cells.
function arcShape(a, b, k) {
  const side = Math.sign(b.x - a.x);
  const top = a.y - CELL.height / 2 - 1;
  const [start, end] = [{ x: a.x + 8 * side, y: top }, { x: b.x - 8 * side, y: top - 1 }];
  const rise = Math.min(CELL.above * 1.75, 26 + 0.22 * Math.abs(b.x - a.x) + 10 * k);
  const control = { x: (start.x + end.x) / 2, y: top - rise };
  return { start, controls: [control], end };
}

// A small loop on the side without text.
function loopShape(node, cells, k) {
  const reach = (cells ? CELL.height / 2 : RADIUS) + 1;
  const [x, y] = [-node.out.x, -node.out.y];
  const [size, half] = [22 + 7 * k, 7];
  const at = (far, aside) => ({ x: node.x + x * far - y * aside, y: node.y + y * far + x * aside });
  const controls = [at(reach + size, -12), at(reach + size, 12)];
  return { start: at(reach, -half), controls, end: at(reach, half) };
}

function towards(from, to, distance) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const fraction = distance / length;
  return { x: from.x + (to.x - from.x) * fraction, y: from.y + (to.y - from.y) * fraction };
}

function arrowHead(from, to, before, size, name) {
  const tip = towards(to, from, before);
  const base = towards(tip, from, size);
  const [x, y] = [(tip.y - base.y) * 0.45, (base.x - tip.x) * 0.45];
  const points = `${tip.x},${tip.y} ${base.x + x},${base.y + y} ${base.x - x},${base.y - y}`;
  return tag("polygon", { points, class: name });
}

// Rings around the node; their names and all numbers as lines of text next to it.
function drawNotes(run, step, node, i, cells, rings, numbers) {
  const here = rings.filter((probe) => reading(run, probe, step) === i);
  const circles = here.map((probe, k) =>
    outline(node, cells, 4 + 4 * k, { class: `ring ${color(probe)}${marks(run, probe, step, [])}` }));
  const badges = here.map((probe) =>
    tag("tspan", { class: `badge ${color(probe)}${marks(run, probe, step, [])}` }, plain(probe.name)));
  const values = numbers.map((probe) => {
    const value = number(reading(run, probe, step)[i]);
    const name = `number ${color(probe)}${marks(run, probe, step, [i])}`;
    return tag("tspan", { class: name, "data-probe": probe.name }, plain(`${probe.name} ${value}`));
  });
  const lines = [...(badges.length ? [badges.join(" ")] : []), ...values];
  const away = (cells ? CELL.height / 2 : RADIUS) + 8 + 4 * here.length;
  const [x, y] = [node.x + node.out.x * away, node.y + node.out.y * away];
  const anchor = node.out.x > 0.4 ? "start" : node.out.x < -0.4 ? "end" : "middle";
  const top = y + ((node.out.y - 1) / 2) * LINE * lines.length + 12;
  const style = { class: "note-line", "text-anchor": anchor };
  const texts = lines.map((line, k) => tag("text", { x, y: top + LINE * k, ...style }, line));
  return circles.join("") + texts.join("");
}
