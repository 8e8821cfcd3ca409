// Panels around the drawing: values, changes, legend, inputs, source and probes.

const GLYPHS = {
  number: "number next to its node",
  fill: "fill of the node",
  ring: "ring around one node",
  arrow: "arrow from each node",
  matrix: "matrix",
  value: "value of the whole run",
};

function drawRun(run, step, width) {
  const several = payload.runs.length > 1 ? tag("h2", {}, plain(run.label)) : "";
  const over = !isResult(step) && step >= run.steps;
  const ended = over ? tag("p", { class: "note" }, `ended at step ${run.steps - 1}`) : "";
  const matrices = ownProbes(visibleAt(run, step, "matrix")).map((probe) => drawMatrix(run, step, probe, filled));
  return tag("section", { class: "run" },
    tag("div", { class: "heading" }, several, ended, drawTally(run, step)),
    tag("div", { class: "graph" }, drawNodes(run, step, width), drawSingles(run, step)),
    tag("div", { class: "matrices" }, matrices.join("")),
    tag("div", { class: "words" }, drawChanges(run, step), drawTable(run, step)));
}

// Counts of correct entries, over all probes and for each.
function drawTally(run, step) {
  if (run === payload.runs[0]) return "";
  if (step === 0) return tag("p", { class: "tally note" }, "The first hints are given.");
  const last = Math.min(run.steps, payload.runs[0].steps) - 1;
  if (!isResult(step) && step > last) return tag("p", { class: "tally note" }, "Only one run has this step.");
  const probes = ownProbes(probesAt(step)).filter((probe) => lookUp(run.total, probe, step) > 0);
  if (!probes.length) return tag("p", { class: "tally note" }, "Nothing is predicted at this step.");
  const sum = (table) => probes.reduce((all, probe) => all + lookUp(table, probe, step), 0);
  const counts = probes.map((probe) => {
    const [right, total] = [lookUp(run.right, probe, step), lookUp(run.total, probe, step)];
    const sign = tag("span", { class: right < total ? "wrong-sign" : "right-sign" }, right < total ? "✗" : "✓");
    const about = { "data-probe": probe.name, "data-right": right, "data-total": total };
    return tag("li", about, sign, tag("b", {}, plain(probe.name)), ` ${right}/${total}`);
  });
  return tag("div", { class: "tally" },
    tag("b", {}, `${sum(run.right)} of ${sum(run.total)} entries right`), tag("ul", {}, counts.join("")));
}

// Values of the whole run, and the nodes of rings.
function drawSingles(run, step) {
  const probes = visibleAt(run, step).filter((probe) => probe.rank === 0);
  const items = probes.map((probe) => {
    const value = reading(run, probe, step);
    const filling = probe.glyph === "value" && FILLS[probe.look] ? FILLS[probe.look](probe, value) : null;
    const swatch = filling ? tag("span", { class: `swatch ${filling}` }) : "";
    const name = `single${marks(run, probe, step, [])}`;
    return tag("span", { class: name, "data-probe": probe.name },
      tag("b", {}, plain(probe.name)), " ", swatch, plain(entryText(probe, value)));
  });
  return items.length ? tag("p", { class: "singles" }, items.join("")) : "";
}

function drawChanges(run, step) {
  if (isResult(step)) return "";
  const changed = ownProbes(probesAt(step)).filter((probe) => has(run, probe)).map((probe) => {
    const value = reading(run, probe, step);
    return [probe, placesOf(value).filter((place) => isChanged(run, probe, step, place))];
  });
  const rows = changed.filter(([, places]) => places.length).map(([probe, places]) => {
    const limit = probe.rank === 2 ? 6 : 16;
    const texts = places.slice(0, limit).map((place) => changeText(run, step, probe, place));
    const rest = places.length > limit ? tag("li", { class: "note" }, `… ${places.length - limit} more`) : "";
    return tag("div", { class: "change", "data-probe": probe.name, "data-count": places.length },
      tag("b", { class: `name ${color(probe)}` }, plain(probe.name)), tag("ul", {}, texts.join(""), rest));
  });
  const none = step === 0 ? "This is the first step." : "Nothing changed in this step.";
  return tag("section", { class: "changes" }, tag("h3", {}, "What changed"),
    rows.join("") || tag("p", { class: "note" }, none));
}

function changeText(run, step, probe, place) {
  const [before, now] = [step - 1, step]
    .map((each) => entryText(probe, entry(reading(run, probe, each), place)).replace("→", ""));
  const where = place.length ? tag("i", {}, place.join(",")) : "";
  return tag("li", { "data-place": place.join(",") }, where, plain(`${before} → ${now}`));
}

// Table of all node probes, including hidden ones, with a column per node.
function drawTable(run, step) {
  const probes = probesAt(step).filter((probe) => probe.rank === 1 && has(run, probe));
  if (!probes.length) return "";
  const count = numNodes();
  const head = Array.from({ length: count }, (_, node) => tag("th", { scope: "col" }, node));
  const rows = probes.map((probe) => {
    const cells = reading(run, probe, step).map((value, node) => {
      const name = marks(run, probe, step, [node]).trim();
      return tag("td", { class: name || null }, plain(entryText(probe, value, node)));
    });
    const title = tag("th", { scope: "row" }, plain(probe.name));
    return tag("tr", { "data-probe": probe.name }, title, cells.join(""));
  });
  const table = tag("table", {}, tag("tr", {}, tag("th", {}, "node"), head.join("")), rows.join(""));
  return tag("section", { class: "values" },
    tag("h3", {}, "Values at the nodes"), tag("div", { class: "wide", tabindex: 0 }, table));
}

const CHIPS = { number: "1.5", fill: "", ring: "", arrow: "→", matrix: "▦", value: "=" };

function drawLegend(step) {
  const groups = [
    ["stream", "Streams"], ["hint", "Hints"], ["answer", "Answers"], ["output", "Outputs"], ["input", "Inputs"],
  ];
  return groups.map(([stage, title]) => {
    const drawn = (probe) => probe.stage === stage && (stage !== "input" || probe.rank < 2);
    const entries = probesAt(step).filter(drawn).map((probe) => legendEntry(probe, step));
    return entries.length ? tag("h3", {}, title) + entries.join("") : "";
  }).join("");
}

function legendEntry(probe, step) {
  const changed = payload.runs.some((run) => has(run, probe) &&
    placesOf(reading(run, probe, step)).some((place) => isChanged(run, probe, step, place)));
  const classes = probe.classes ? " classes-chip" : "";
  const chip = tag("span", { class: `chip ${probe.glyph} ${color(probe)}${classes}` }, CHIPS[probe.glyph]);
  const type = `${probe.location} ${probe.kind.replaceAll("_", " ")}`;
  const about = `${probe.name}: ${type}, ${GLYPHS[probe.glyph]}`;
  const button = tag("button", {
    type: "button", class: `toggle${changed ? " changed" : ""}`, "data-probe": probe.name,
    "aria-pressed": String(!hiddenProbes.has(probe.name)), title: about,
  }, chip, tag("b", {}, plain(probe.name)), tag("span", { class: "note" }, type));
  return button + (probe.classes ? classLegend(probe) : "");
}

function classLegend(probe) {
  const classes = Array.from({ length: probe.classes }, (_, value) =>
    tag("span", {}, tag("span", { class: `swatch ${classColor(value)}` }), value));
  return tag("p", { class: "classes" }, classes.join(""));
}

function drawInputs() {
  const run = payload.runs[0];
  const all = Array.from({ length: numNodes() }, (_, node) => node);
  const probes = payload.probes.filter((probe) => probe.stage === "input" && probe.glyph === "matrix");
  return tag("div", { class: "matrices" },
    probes.map((probe) => drawMatrix(run, 0, probe, { rows: all, columns: all })).join(""));
}

function drawAbout() {
  const titles = ["name", "stage", "location", "kind", "drawn as"];
  const head = titles.map((text) => tag("th", { scope: "col" }, text));
  const rows = payload.probes.map((probe) => {
    const kind = probe.kind.replaceAll("_", " ") + (probe.classes ? `, ${probe.classes} classes` : "");
    const texts = [probe.name, probe.stage, probe.location, kind, GLYPHS[probe.glyph]];
    return tag("tr", {}, texts.map((text) => tag("td", {}, plain(text))).join(""));
  });
  const table = tag("table", { class: "probes" }, tag("tr", {}, head.join("")), rows.join(""));
  return tag("p", {}, plain(payload.source)) + tag("div", { class: "wide" }, table);
}
