// Node positions for each shape of plan. `out` is the direction, away from lines, in which annotations are
// placed; `cells` means that nodes are cells that contain text.

const RADIUS = 19;
// Classes need less space than numbers.
const isNarrow = payload.probes.some((each) => each.name === payload.plan.label && each.classes);
const CELL = { width: isNarrow ? 38 : 58, height: 44, gap: 8, above: 66 };
const LINE = 17;

const PLACES = {
  circle: circlePlaces,
  plane: planePlaces,
  row: cellPlaces,
  rows: cellPlaces,
};

function numNodes() {
  const probe = payload.probes.find((each) => each.rank > 0 && each.stage === "input");
  return payload.runs[0].values[probe.name].length;
}

// { nodes: [{x, y, out}], width, height, cells }; `notes` is the largest number of text lines next to a node,
// `arrows` whether there are arrows.
function placeNodes(width, notes, arrows) {
  return PLACES[payload.plan.shape](numNodes(), width, notes, arrows);
}

function circlePlaces(count, width, notes) {
  const spacing = 2 * RADIUS + (count > 24 ? 10 : 28);
  const radius = Math.max(count > 1 ? 130 : 0, (count * spacing) / (2 * Math.PI));
  const margin = { x: RADIUS + 84, y: RADIUS + 14 + LINE * Math.max(1, notes) };
  const nodes = Array.from({ length: count }, (_, node) => {
    const angle = (2 * Math.PI * node) / count - Math.PI / 2;
    const out = { x: Math.cos(angle), y: Math.sin(angle) };
    return { x: margin.x + radius * (1 + out.x), y: margin.y + radius * (1 + out.y), out };
  });
  return { nodes, width: 2 * (radius + margin.x), height: 2 * (radius + margin.y) };
}

function planePlaces(count, width, notes) {
  const [xs, ys] = [payload.plan.x, payload.plan.y];
  const [left, bottom] = [Math.min(...xs), Math.min(...ys)];
  const span = Math.max(Math.max(...xs) - left, Math.max(...ys) - bottom) || 1;
  const side = count > 20 ? 560 : 320;
  const margin = { x: 90, y: RADIUS + 18 + LINE * Math.max(1, notes) };
  const high = (side * (Math.max(...ys) - bottom)) / span;
  const nodes = xs.map((x, node) => ({
    x: margin.x + (side * (x - left)) / span,
    y: margin.y + high - (side * (ys[node] - bottom)) / span,
    out: { x: 0, y: -1 },
  }));
  const wide = (side * (Math.max(...xs) - left)) / span;
  return { nodes, width: wide + 2 * margin.x, height: high + margin.y + RADIUS + 36 };
}

// Cells in lines as long as the width allows; each value of plan.row starts a new line.
function cellPlaces(count, width, notes, arrows) {
  const pitch = CELL.width + CELL.gap;
  const perLine = Math.max(4, Math.floor((width - 20) / pitch));
  const above = arrows ? CELL.above : 12;
  const lineHeight = above + CELL.height + 12 + LINE * notes;
  const rows = payload.plan.row.length ? payload.plan.row : Array(count).fill(0);
  const nodes = Array(count);
  let lines = 0;
  let longest = 0;
  for (const row of [...new Set(rows)]) {
    const members = rows.map((value, node) => [value, node]).filter(([value]) => value === row);
    members.forEach(([, node], k) => {
      const line = lines + Math.floor(k / perLine);
      const x = 10 + CELL.width / 2 + (k % perLine) * pitch;
      nodes[node] = { x, y: line * lineHeight + above + CELL.height / 2, out: { x: 0, y: 1 }, line };
    });
    lines += Math.ceil(members.length / perLine);
    longest = Math.max(longest, Math.min(members.length, perLine));
  }
  return { nodes, width: 20 + longest * pitch, height: lines * lineHeight + 6, cells: true };
}
