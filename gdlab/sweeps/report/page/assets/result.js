// What is chosen, pointed at and typed; each asks for a frame.

function dress() {
  readTheme();
  const style = getComputedStyle(document.documentElement);
  ink.accent = style.getPropertyValue("--accent").trim();
  ink.panel = style.getPropertyValue("--panel").trim();
  ink.diverged = style.getPropertyValue("--fresh").trim();
  ink.tint = isNight() ? "#5a3420" : "#f4d2ba";
}

function paint() {
  paintParallel();
  paintLegend();
  if (hasMap()) paintCells();
  if ($("curves").clientWidth) paintCurves();
  $("all").hidden = !now.brushes.size;
  const focus = focused();
  $("readout").textContent = focus === null ? "No point is within what was marked." : describe(focus);
  for (const id of ["parallel", "cells"]) $(id).setAttribute("aria-label", `${ID_WORDS[id]}; ${$("readout").textContent}`);
}

const ID_WORDS = { parallel: "Parallel coordinates of all points", cells: "Map of all points" };

function hasMap() {
  return problem().coordinates.length > 1;
}

// A point in words.
function describe(point) {
  const { words, scores, lanes, ranked: order } = metric();
  const place = problem().coordinates
    .map(({ name, texts }) => (texts[point] === null ? "" : `${name} = ${texts[point]}`))
    .filter(Boolean).join(", ");
  const rank = order.indexOf(point);
  const score = rank < 0 ? problem().failures[point] : `${words} ${text(scores[point], 4)}`;
  const seeds = lanes[point].length > 1 && rank >= 0 ? ` (seeds ${lanes[point].map((value) => (value === null ? "–" : text(value))).join(", ")})` : "";
  const standing = rank < 0 ? "" : rank ? `, rank ${rank + 1} of ${problem().points}` : `, the best of ${problem().points}`;
  return `${place}${place ? ": " : ""}${score}${seeds}${standing}.`;
}

function choices(select, names, chosen) {
  options(select, names);
  select.value = chosen;
}

// The coordinates of the map that one looks at first: those that all points have, and of these the
// two with most values.
function chooseSides() {
  const order = problem().coordinates
    .map(({ texts }, i) => ({ i, absent: texts.filter((words) => words === null).length, values: new Set(texts).size }))
    .sort((a, b) => a.absent - b.absent || b.values - a.values)
    .map(({ i }) => i);
  [now.across, now.up] = [order[0] ?? 0, order[1] ?? 0];
}

function syncChoices() {
  const names = problem().coordinates.map(({ name }) => name);
  choices($("problem"), PAGE.problems.map(({ name }) => name), now.problem);
  choices($("metric"), problem().metrics.map(({ words }) => words), now.metric);
  choices($("across"), names, now.across);
  choices($("up"), names, now.up);
  $("problem-choice").hidden = PAGE.problems.length < 2;
  $("parallel-figure").hidden = !names.length;
  $("map-figure").hidden = !hasMap();
  $("curves-figure").hidden = !problem().curves.steps.length;
  const cells = hasMap() && isGrid(now.across) && isGrid(now.up);
  $("map-title").textContent = cells ? "Best point in each cell" : "Every point";
}

function restart() {
  Object.assign(now, { metric: 0, kept: null, pointed: null });
  now.brushes.clear();
  chooseSides();
  syncChoices();
  schedule();
}

function choose(id, set) {
  $(id).addEventListener("change", (event) => {
    set(Number(event.target.value));
    syncChoices();
    schedule();
  });
}

choose("metric", (i) => Object.assign(now, { metric: i, kept: null }));
choose("across", (i) => {
  if (i === now.up) now.up = now.across;
  now.across = i;
});
choose("up", (i) => {
  if (i === now.across) now.across = now.up;
  now.up = i;
});
$("problem").addEventListener("change", (event) => {
  now.problem = Number(event.target.value);
  restart();
});
$("all").addEventListener("click", () => {
  now.brushes.clear();
  schedule();
});

function placeOf(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function point(canvas, find) {
  canvas.addEventListener("pointermove", (event) => {
    if (brushed !== null) return;
    now.pointed = find(...placeOf(event));
    schedule();
  });
  canvas.addEventListener("pointerleave", () => {
    now.pointed = null;
    schedule();
  });
  canvas.addEventListener("click", (event) => {
    if (marked) return;
    now.kept = find(...placeOf(event)) ?? now.kept;
    schedule();
  });
}

// Marking a part of an axis: where the drag began, and on which axis.
let brushed = null;
let marked = false; // by a drag that ends in a click

function heightAt(y) {
  return clamp((rulers.bottom - y) / (rulers.bottom - rulers.top), 0, 1);
}

$("parallel").addEventListener("pointerdown", (event) => {
  const [x, y] = placeOf(event);
  marked = false;
  const i = event.pointerType === "touch" ? null : rulerAt(x);
  if (i === null) return;
  brushed = { i, from: heightAt(y) };
  event.currentTarget.setPointerCapture(event.pointerId);
});
$("parallel").addEventListener("pointermove", (event) => {
  if (brushed === null) return;
  const to = heightAt(placeOf(event)[1]);
  now.brushes.set(brushed.i, [Math.min(brushed.from, to), Math.max(brushed.from, to)]);
  now.pointed = null;
  if (now.kept !== null && !isShown(now.kept)) now.kept = null;
  schedule();
});
for (const kind of ["pointerup", "pointercancel"]) {
  $("parallel").addEventListener(kind, () => {
    if (brushed === null) return;
    const [low, high] = now.brushes.get(brushed.i) ?? [0, 0];
    marked = high - low >= 0.02;
    if (!marked) now.brushes.delete(brushed.i);
    brushed = null;
    schedule();
  });
}
point($("parallel"), (x, y) => lineAt(x, y));
point($("cells"), (x, y) => cellAt(x, y));

function keys(canvas, arrows) {
  canvas.addEventListener("keydown", (event) => {
    const order = ranked();
    const jumps = { Home: order[0], End: order.at(-1) };
    if (event.key === "Escape") now.brushes.clear();
    else if (event.key in jumps) now.kept = jumps[event.key] ?? null;
    else if (event.key in arrows && focused() !== null) now.kept = arrows[event.key](focused(), order);
    else return;
    now.pointed = null;
    event.preventDefault();
    schedule();
  });
}

// The next point in rank; one without a rank is followed by the best.
const ranking = (by) => (from, order) => order[clamp(order.indexOf(from) + by, 0, order.length - 1)] ?? from;
keys($("parallel"), { ArrowUp: ranking(-1), ArrowLeft: ranking(-1), ArrowDown: ranking(1), ArrowRight: ranking(1) });
const towards = (right, up) => (from) => neighbour(from, right, up);
keys($("cells"), { ArrowRight: towards(1, 0), ArrowLeft: towards(-1, 0), ArrowUp: towards(0, 1), ArrowDown: towards(0, -1) });

restart();
keepPainted();
// For tests and for the curious: what is shown.
window.gdlab = { now, problem, rulers: () => rulers, metric, focused, describe, places: () => places(), losses: () => losses(problem().curves) };
