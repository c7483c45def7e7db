// A frame: run what changed, then paint what is seen.

let asked = false;
let chosenFor = -1;

function schedule() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(paint);
}

function changed() {
  writeAddress();
  schedule();
}

function paint(time) {
  asked = false;
  advance(time);
  rerun();
  if (chosenFor !== now.focus) {
    chooseAxes();
    chosenFor = now.focus;
  }
  syncControls();
  paintMap();
  paintLoss();
  paintReadout();
  if (quadratic) paintAnalysis();
  announce();
}

function setHidden(selector, hidden) {
  for (const found of document.querySelectorAll(selector)) found.hidden = hidden;
}

function paintAnalysis() {
  const racer = racers[now.focus];
  const found = analysis(now.focus);
  setHidden(".linear", found === null);
  setHidden(".additive", found === null || !racer.dynamics.additive || quadratic.curvatures[0] <= 0);
  paintModes();
  if ($("spring-details").open) paintSpring(found);
  racers.forEach((other, i) => {
    if (!other.mark) return;
    const own = i === now.focus ? found : null;
    if (own) markLimit(other, own.limit);
    else if (other.marked !== other.version) markLimit(other, stabilityLimit(other, heldState(other)));
    other.marked = other.version;
  });
  $("parts").hidden = !now.arrows || !found;
  $("parts-of").textContent = racer.name;
  $("verdict").textContent = found ? verdict(found) : (racer.dynamics.refused ?? "");
  if (!found) return;
  paintPoles(found);
  paintRegimes(found);
  if ($("noise-details").open && !$("noise-details").hidden) paintSplit(found);
}

function markLimit(racer, limit) {
  const control = learningRateOf(racer);
  const at = limit > 0 && Number.isFinite(limit) ? scales[control.scale].to(limit) : NaN;
  const [low, high] = [control.low, control.high].map(scales[control.scale].to);
  const u = (at - low) / (high - low);
  racer.mark.hidden = !(u >= 0 && u <= 1);
  racer.mark.style.setProperty("--at", clamp(u || 0, 0, 1));
  racer.markText.textContent =
    limit === null ? "" : Number.isNaN(limit) ? "stable nowhere" : limit === Infinity ? "always stable" : `stable below ${text(limit)}`;
}

function verdict({ radius: rate, regime, limit }) {
  const held = racers[now.focus].dynamics.scales.length ? ", scales held as at this step" : "";
  const how = { monotone: "glides in", oscillating: "oscillates in", divergent: "leaves" }[regime];
  const stable = limit === null || !Number.isFinite(limit) ? "" : `; stable below a learning rate of ${text(limit)}`;
  return `ρ = ${text(rate, 4)}: the error ${how}${stable}${held}.`;
}

function paintReadout() {
  for (const racer of racers) {
    const t = Math.min(now.shown, racer.finite - 1);
    const gone = now.shown >= racer.finite;
    const [first, second, value] = racer.cells;
    first.textContent = gone ? fate(racer) : text(racer.path[2 * t], 4);
    first.colSpan = gone ? 3 : 1;
    second.hidden = value.hidden = gone;
    second.textContent = text(racer.path[2 * t + 1], 4);
    value.textContent = text(racer.values[t], 4);
    racer.row.hidden = !racer.visible;
  }
}

let announcing = 0;

// What a screen reader says, once things are at rest.
function announce() {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    const seen = racers.filter(({ visible }) => visible);
    const ends = seen.map((racer) => {
      const t = Math.min(now.shown, racer.finite - 1);
      return `${racer.name}: ${fate(racer) || `f = ${text(racer.values[t])}`}`;
    });
    $("map").setAttribute(
      "aria-label",
      `Contours of ${PAGE.title} with the paths from (${[...now.start].map((x) => text(x)).join(", ")}) ` +
        `to step ${now.shown}. Arrows move the start. ${ends.join("; ")}.`,
    );
    $("loss").setAttribute("aria-label", `Loss over ${now.steps} steps. ${ends.join("; ")}.`);
    if (quadratic) describeAnalysis();
    if (!motion.playing) $("status").textContent = ends.join("; ");
  }, 600);
}

function describeAnalysis() {
  const racer = racers[now.focus];
  const t = Math.min(now.shown, racer.finite - 1);
  const errors = toModes(racer.path[2 * t], racer.path[2 * t + 1]).map((e, mode) => `${modeName(mode)}: ${text(e)}`);
  for (const id of ["modes", "spring", "phase"]) {
    $(id).setAttribute("aria-label", `Error of ${racer.name} at step ${t}. ${errors.join("; ")}.`);
  }
  const found = analysis(now.focus);
  if (!found) return;
  const poles = found.poles.map(([re, im]) => text(re) + (im ? `${im < 0 ? " − " : " + "}${text(Math.abs(im))}i` : ""));
  $("poles").setAttribute("aria-label", `Poles of ${racer.name} in the unit circle: ${poles.join(", ")}.`);
  const axes = [atlas.across, atlas.up].map((k) => racer.controls[k].label).join(" and ");
  $("regimes").setAttribute("aria-label", `Regimes of ${racer.name} over ${axes}. Here: ${verdict(found)}`);
  $("split").setAttribute("aria-label", "Expected excess loss, without noise and from noise.");
}

function dress() {
  readTheme();
  const style = getComputedStyle(document.documentElement);
  for (const name of ["monotone", "oscillating", "ground"]) ink[name] = parse(style.getPropertyValue(`--${name}`).trim());
  racers.forEach(({ swatch }, i) => {
    const { pen, width, height } = fresh(swatch);
    pen.strokeStyle = colorOf(i);
    pen.lineWidth = 3;
    pen.setLineDash(dashOf(i));
    line(pen, 0, height / 2, width, height / 2);
  });
  schedule();
}

window.gdlab = {
  // The run of one optimizer, as the page computes it: { path, values }.
  run(name, start, hyperparameters = {}, steps = now.steps) {
    const racer = racers.find((own) => own.name === name);
    if (!racer) throw new Error(`no optimizer ${name}; there are ${racers.map((own) => own.name).join(", ")}`);
    const h = racer.h.slice();
    for (const [path, value] of Object.entries(hyperparameters)) {
      const control = racer.controls.find((own) => own.path === path);
      if (!control) throw new Error(`no hyperparameter ${path}; there are ${racer.controls.map((own) => own.path).join(", ")}`);
      h[control.position] = value;
    }
    return racer.race.run(h, Float64Array.from(start), steps);
  },
  // What is set: { start, steps, shown, view, optimizers: { name: { hyperparameters, path, values } } }.
  settings() {
    rerun();
    const optimizers = Object.fromEntries(
      racers.map((racer) => [
        racer.name,
        {
          hyperparameters: Object.fromEntries(racer.controls.map((c) => [c.path, racer.h[c.position]])),
          path: [...racer.path],
          values: [...racer.values],
        },
      ]),
    );
    return { start: [...now.start], steps: now.steps, shown: now.shown, view: now.view, optimizers };
  },
  // The linearised step at the step shown: { poles, radius, regime, limit, parts, noise }, null if
  // there is none; noise is the expected loss that gradients with noise of size 1 add.
  analysis(name) {
    rerun();
    const i = racers.findIndex((own) => own.name === name);
    const found = analysis(i);
    if (!found) return null;
    const { poles, radius: rate, regime, limit, rows } = found;
    const noise = racers[i].dynamics.additive ? [...noiseFloor(rows, 1)] : null;
    const parts = Object.entries(partsOfStep(racers[i]) ?? {}).map(([part, w]) => [part, [...w]]);
    return { poles, radius: rate, regime, limit, parts: Object.fromEntries(parts), noise };
  },
};

followAddress();
bindControls();
setHidden(".quadratic, .linear, .additive", true);
if (quadratic) setHidden(".quadratic", false);
else document.body.classList.add("alone");
dress();
night.addEventListener("change", dress);
window.addEventListener("resize", dress);
window.addEventListener("hashchange", () => {
  followAddress();
  schedule();
});
