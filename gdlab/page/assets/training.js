// The page on which a network trains.

const motion = { training: false };
const FRAME = 22; // milliseconds of training in a frame

function changed() {
  schedule();
}

function current() {
  return racers[now.focus];
}

function train(on) {
  motion.training = on && !current().gone;
  if (motion.training && now.shown !== current().at) goBack(current(), now.shown);
  schedule();
}

function advance() {
  if (!motion.training) return;
  const begun = performance.now();
  do trainStep(current());
  while (!current().gone && performance.now() - begun < FRAME / 2);
  now.shown = current().at;
  if (current().gone) motion.training = false;
  schedule();
}

function paint() {
  advance();
  const racer = current();
  now.steps = Math.max(20, ...racers.map(({ record }) => record.loss.length - 1));
  syncControls();
  paintRecord("loss", "loss", true);
  if (FUNCTION.measure) paintRecord("measure", PAGE.measure, false);
  paintSharpness(racer);
  paintTiles(racer);
  paintSpectra(racer);
  paintReadout(racer);
}

// A whole dot, even at the edge of the box, where the last step is.
function markPoint({ pen, box, x, y }, value, color) {
  const height = y(value);
  if (height >= box.top && height <= box.bottom) dot(pen, x(now.shown), height, 3.5, color);
}

// One of the recorded numbers of all racers; the one that trains is drawn in full.
function paintRecord(kind, name, logarithmic) {
  const canvas = $(kind);
  const curves = racers.map(({ record }) => record[kind]);
  const height = canvas.clientHeight;
  const y = logarithmic ? logAxis(curves, height, name) : { low: 0, high: 1.02, ticks: ticks(0, 1.02, height / 32), name };
  const shown = racers.map(({ name: own }, i) => stroke(canvas, own, colorOf(i), dashOf(i)));
  const chart = frame(canvas, stepsAxis(canvas.clientWidth), y, shown);
  const scaled = logarithmic ? logarithm : (f) => f;
  clip(chart, () => {
    markShown(chart);
    curves.forEach((curve, i) => {
      chart.pen.globalAlpha = i === now.focus ? 1 : 0.4;
      chart.pen.strokeStyle = colorOf(i);
      chart.pen.setLineDash(dashOf(i));
      chart.pen.lineWidth = 2;
      trace(chart, curve, 0, curve.length - 1, scaled);
    });
  });
  markPoint(chart, scaled(curves[now.focus][now.shown]), colorOf(now.focus));
}

function paintSharpness(racer) {
  const canvas = $("sharpness");
  const { sharpness, limit } = racer.record;
  const finite = [...sharpness, ...limit].filter(Number.isFinite);
  // What stands far above the limit, as a first step does, is cut off.
  const last = limit.filter(Number.isFinite).at(-1) ?? Math.max(...finite, 1e-9);
  const high = Math.min(Math.max(1.15 * last, ...finite.map((x) => 1.08 * x), 1e-9), 2 * last);
  const y = { low: 0, high, ticks: ticks(0, high, canvas.clientHeight / 34), name: "curvature" };
  const keys = [stroke(canvas, "sharpness", colorOf(now.focus)), stroke(canvas, "largest stable", ink.text, [6, 4])];
  const chart = frame(canvas, stepsAxis(canvas.clientWidth), y, keys);
  clip(chart, () => {
    markShown(chart);
    Object.assign(chart.pen, { strokeStyle: ink.text, lineWidth: 1.5 });
    chart.pen.setLineDash([6, 4]);
    trace(chart, limit, 0, limit.length - 1);
    // With these settings it stays where it is.
    const [end, height] = [chart.x(limit.length - 1), chart.y(limit.at(-1))];
    chart.pen.globalAlpha = 0.5;
    if (Number.isFinite(height)) line(chart.pen, end, height, chart.box.right, height);
    chart.pen.globalAlpha = 1;
    chart.pen.setLineDash([]);
    Object.assign(chart.pen, { strokeStyle: colorOf(now.focus), lineWidth: 2 });
    trace(chart, sharpness, 0, sharpness.length - 1);
  });
  markPoint(chart, sharpness[now.shown], colorOf(now.focus));
  $("curvature-name").textContent = racer.anatomy?.scales.length ? "Sharpness, preconditioned by the optimizer, and its limit" : "Sharpness and its limit";
}

// Weights as small pictures, blue below zero and red above it.
function paintTiles(racer) {
  $("weights").hidden = !PAGE.tiles;
  if (!PAGE.tiles) return;
  const [count, rows, columns] = PAGE.tiles.shape;
  const across = Math.ceil(Math.sqrt(2 * count));
  const down = Math.ceil(count / across);
  const [wide, high] = [across * (columns + 1) - 1, down * (rows + 1) - 1];
  const canvas = $("tiles");
  Object.assign(canvas, { width: wide, height: high });
  canvas.style.aspectRatio = `${wide} / ${high}`;
  canvas.style.imageRendering = "pixelated";
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(wide, high);
  const size = PAGE.tiles.at.reduce((most, i) => Math.max(most, Math.abs(racer.w[i])), 1e-12);
  const [middle, cold, warm] = isNight() ? [[30, 34, 40], [86, 180, 233], [255, 138, 60]] : [[246, 247, 249], [0, 80, 160], [190, 50, 20]];
  PAGE.tiles.at.forEach((i, k) => {
    const [tile, inside] = [Math.floor(k / (rows * columns)), k % (rows * columns)];
    const x = (tile % across) * (columns + 1) + (inside % columns);
    const y = Math.floor(tile / across) * (rows + 1) + Math.floor(inside / columns);
    const share = Math.min(Math.abs(racer.w[i]) / size, 1);
    const end = racer.w[i] < 0 ? cold : warm;
    for (let c = 0; c < 3; c += 1) image.data[4 * (y * wide + x) + c] = middle[c] + share * (end[c] - middle[c]);
    image.data[4 * (y * wide + x) + 3] = 255;
  });
  pen.putImageData(image, 0, 0);
}

function paintReadout(racer) {
  const { record } = racer;
  const t = Math.min(now.shown, record.loss.length - 1);
  const rows = [["loss", text(record.loss[t], 4)]];
  if (FUNCTION.measure) rows.push([PAGE.measure, text(record.measure[t], 4)]);
  for (const [name, value] of [["sharpness", record.sharpness[t]], ["largest stable", record.limit[t]]]) rows.push([name, Number.isNaN(value) ? "–" : text(value, 4)]);
  $("readout").replaceChildren(...rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value))));
  if (!motion.training) describe(racer, t, rows);
  const why = racer.anatomy === null ? racer.refused : (racer.dynamics.refused ?? "");
  $("verdict").textContent = racer.gone ? `${racer.name} diverged at step ${record.loss.length - 1}: go back, and set other sliders.` : why;
}

// What a screen reader says of the pictures, once training rests.
function describe(racer, t, rows) {
  const numbers = rows.map((row) => row.join(" ")).join(", ");
  const words = `${racer.name} at step ${t}: ${numbers}.`;
  const names = { sharpness: "Sharpness and its limit over the steps.", loss: "Loss over the steps.", measure: `${PAGE.measure} over the steps.`, tiles: "Weights into each unit.", momentum: "Singular values of the momentum.", update: "Singular values of the last update." };
  for (const [id, name] of Object.entries(names)) $(id).setAttribute("aria-label", `${name} ${words}`);
  $("status").textContent = words;
}

function syncControls() {
  for (const sync of syncs) sync();
  const length = current().record.loss.length - 1;
  $("scrub").max = length;
  $("scrub").value = now.shown;
  $("scrub").setAttribute("aria-valuetext", `step ${now.shown} of ${length}`);
  $("clock").value = `${now.shown} / ${length}`;
  $("play").textContent = motion.training ? "Pause" : "Train";
  $("play").setAttribute("aria-pressed", motion.training);
  $("focus").value = now.focus;
  [...$("sliders").children].forEach((group, i) => (group.hidden = i !== now.focus));
}

function scrub(step) {
  motion.training = false;
  now.shown = clamp(Math.round(step), 0, current().record.loss.length - 1);
  goBack(current(), now.shown);
  schedule();
}

function choose(i) {
  motion.training = false;
  now.focus = i;
  now.shown = current().at;
  schedule();
}

function restart() {
  motion.training = false;
  startAnew(current());
  now.shown = 0;
  schedule();
}

function oneStep() {
  motion.training = false;
  if (!current().gone) trainStep(current());
  now.shown = current().at;
  schedule();
}

function bindPage() {
  options($("focus"), racers.map(({ name }) => name));
  racers.forEach((racer, i) => $("sliders").append(element("fieldset", {}, element("legend", {}, racer.name), ...buildAllSliders(racer, i))));
  $("measured").hidden = !FUNCTION.measure;
  $("measure-name").textContent = PAGE.measure[0].toUpperCase() + PAGE.measure.slice(1);
  $("play").addEventListener("click", () => train(!motion.training));
  $("step").addEventListener("click", oneStep);
  $("reset").addEventListener("click", restart);
  $("focus").addEventListener("change", () => choose(Number($("focus").value)));
  $("scrub").addEventListener("input", () => scrub(Number($("scrub").value)));
  const keys = { " ": () => train(!motion.training), ",": () => scrub(now.shown - 1), ".": oneStep, r: restart };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input[type=text], select")) return;
    if (event.key === " " && event.target.closest("button, summary")) return;
    const act = keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function dress() {
  readTheme();
}

window.gdlab = {
  // Train an optimizer for some steps at once; returns { loss, measure, sharpness, limit } so far.
  train(name, steps) {
    choose(racers.findIndex((own) => own.name === name));
    if (now.shown !== current().at) goBack(current(), now.shown);
    for (let t = 0; t < steps && !current().gone; t += 1) trainStep(current());
    now.shown = current().at;
    schedule();
    return this.record(name);
  },
  // The singular values of the momentum and of the last update: { momentum, update }.
  spectra(name) {
    return spectraOf(racers.find((own) => own.name === name));
  },
  record(name) {
    const { h, ...rest } = racers.find((own) => own.name === name).record;
    return rest;
  },
  // Set hyperparameters by path, as the sliders do.
  set(name, hyperparameters) {
    const racer = racers.find((own) => own.name === name);
    for (const { path, position } of racer.controls) if (path in hyperparameters) racer.h[position] = hyperparameters[path];
    schedule();
  },
  // Go back to a step that was recorded; returns the parameters there.
  goTo(name, step) {
    choose(racers.findIndex((own) => own.name === name));
    scrub(step);
    return [...current().w];
  },
};

racers.forEach((racer, i) => {
  racer.refused = PAGE.optimizers[i].refused;
  startAnew(racer);
});
bindPage();
keepPainted();
