// The displayed step, and navigation by buttons, slider, keys and the address.

const by = (id) => document.getElementById(id);
let shownStep = 0;
let player = null;

function show(step) {
  shownStep = Math.min(Math.max(step, 0), numSteps);
  const width = by("runs").clientWidth / Math.min(2, payload.runs.length) - 34;
  const scrolling = () => [...document.querySelectorAll("#runs .wide, #runs .drawing")];
  const scrolled = scrolling().map((each) => each.scrollLeft);
  by("runs").innerHTML = payload.runs.map((run) => drawRun(run, shownStep, width)).join("");
  scrolling().forEach((each, k) => { each.scrollLeft = scrolled[k] ?? 0; });
  const focused = document.activeElement?.dataset?.probe;
  by("legend").innerHTML = drawLegend(shownStep);
  if (focused) document.querySelector(`.toggle[data-probe="${CSS.escape(focused)}"]`)?.focus();
  const text = isResult(shownStep) ? "result" : `step ${shownStep} of 0…${numSteps - 1}`;
  by("shown").textContent = text;
  by("slider").value = shownStep;
  by("slider").setAttribute("aria-valuetext", text);
  document.body.dataset.step = isResult(shownStep) ? "result" : shownStep;
  by("first").disabled = by("back").disabled = shownStep === 0;
  by("next").disabled = by("last").disabled = isResult(shownStep);
}

// Shows a step and records it in the address, so that links open at this step.
function go(step) {
  show(step);
  history.replaceState(null, "", `#step=${document.body.dataset.step}`);
}

function stepOfAddress() {
  const word = new URLSearchParams(location.hash.slice(1)).get("step");
  if (word === "result") return numSteps;
  return /^\d+$/.test(word ?? "") ? Number(word) : 0;
}

function pause() {
  clearInterval(player);
  player = null;
  by("play").textContent = "▶";
  by("play").setAttribute("aria-label", "play");
}

function play() {
  if (player) return pause();
  if (isResult(shownStep)) go(0);
  player = setInterval(() => (isResult(shownStep) ? pause() : go(shownStep + 1)), 800);
  by("play").textContent = "❚❚";
  by("play").setAttribute("aria-label", "pause");
}

function jump(step) {
  pause();
  go(step);
}

const ACTIONS = {
  first: () => jump(0),
  back: () => jump(shownStep - 1),
  play,
  next: () => jump(shownStep + 1),
  last: () => jump(numSteps),
};
const KEYS = { Home: "first", ArrowLeft: "back", " ": "play", ArrowRight: "next", End: "last" };

function onKey(event) {
  const action = KEYS[event.key];
  const onButton = event.key === " " && event.target.closest?.("button, summary");
  const scrolls = event.key !== " " && event.target.closest?.(".wide");
  const hasModifier = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
  if (!action || onButton || scrolls || hasModifier) return;
  event.preventDefault();
  ACTIONS[action]();
}

function onToggle(event) {
  const name = event.target.closest(".toggle")?.dataset.probe;
  if (name === undefined) return;
  if (!hiddenProbes.delete(name)) hiddenProbes.add(name);
  show(shownStep);
}

function start() {
  by("subtitle").textContent = [payload.family, payload.subtitle].filter(Boolean).join(" · ");
  by("slider").max = numSteps;
  by("wrong-note").hidden = payload.runs.length < 2;
  by("inputs").hidden = !payload.probes.some((probe) => probe.stage === "input" && probe.glyph === "matrix");
  by("inputs").lastElementChild.innerHTML = drawInputs();
  by("about").lastElementChild.innerHTML = drawAbout();
  for (const [id, action] of Object.entries(ACTIONS)) by(id).addEventListener("click", action);
  by("slider").addEventListener("input", () => jump(Number(by("slider").value)));
  by("legend").addEventListener("click", onToggle);
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", () => show(stepOfAddress()));
  addEventListener("resize", () => show(shownStep));
  show(stepOfAddress());
}

start();
