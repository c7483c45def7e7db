// A frame: run what changed, then paint what is seen.

let chosenFor = -1;

function changed() {
  writeAddress();
  schedule();
}

function paint(time) {
  advance(time);
  rerun();
  if (chosenFor !== now.focus) {
    chooseAxes();
    chosenFor = now.focus;
  }
  tryPointed();
  syncControls();
  if (isShown("map")) paintMap();
  if (isShown("loss")) paintLoss();
  paintReadout();
  if (quadratic) paintAnalysis();
  else if (spectrum && isShown("modes")) paintModesOf(racers[now.focus]);
  announce();
}

// Whether anyone sees a canvas: those of panels that were not chosen have no size.
function isShown(id) {
  return $(id).clientWidth > 0;
}

function setHidden(selector, hidden) {
  for (const found of document.querySelectorAll(selector)) found.hidden = hidden;
}

function paintModesOf(racer) {
  for (const place of document.querySelectorAll(".of")) place.textContent = racer.name;
  paintModes(racer, racer);
}

function paintAnalysis() {
  const present = racers[now.focus];
  const racer = seen();
  const [found, foundNow] = [analysis(racer), analysis(present)];
  const noisy = found !== null && quadratic.lowest !== null;
  setHidden(".linear", found === null);
  setHidden(".noisy", !noisy);
  $("no-noise").hidden = noisy;
  for (const place of document.querySelectorAll(".of")) place.textContent = present.name;
  if (isShown("modes")) paintModes(racer, present);
  if (isShown("spring")) paintSpring(found, racer);
  for (const other of racers) if (other.near) markLimits(other);
  $("parts").hidden = !now.arrows || !found;
  $("verdict").textContent = found ? verdict(racer, found) : (present.dynamics.refused ?? "");
  if (!found) return;
  $("pointed").textContent = tried ? verdict(racer, found) : $("pointed").dataset.hint;
  $("mixed").hidden = found.modes.length === 2;
  $("held").hidden = !present.dynamics.scales.length;
  if (isShown("poles")) paintPoles(found, foundNow);
  paintRegimes(foundNow);
  if (noisy && isShown("split")) paintSplit(racer);
}

function markLimits(racer) {
  const version = [racer.version, changes(racer) ? now.shown : ""].join();
  if (racer.marked === version) return;
  racer.marked = version;
  const limits = analysis(racer).limits;
  racer.marks.forEach(({ control, mark, limit }, i) => {
    const u = unclamped(control, limits[i] > 0 ? limits[i] : NaN);
    mark.hidden = !(u >= 0 && u <= 1);
    mark.style.setProperty("--at", clamp(u || 0, 0, 1));
    limit.textContent = limitText(racer, limits[i]);
  });
}

function limitText(racer, limit) {
  if (limit === undefined) return "stable nowhere: there is no minimum";
  const when = changes(racer) ? " at this step" : "";
  if (limit === null) return "no part in this step";
  if (Number.isNaN(limit)) return `stable nowhere${when}`;
  return limit === Infinity ? `always stable${when}` : `stable below ${text(limit)}${when}`;
}

function verdict(racer, { radius, regime, limits }) {
  const setting = [...new Set(axesOf(racer))].map((c) => `${c.label} ${textOf(c, racer.h[c.position])}`);
  const where = racer === tried ? `With ${setting.join(" and ")}: ` : "";
  const stays = Math.abs(radius - 1) < STABLE - 1; // a pole at 1, where the function is flat
  const how = stays ? "stays along the valley" : { monotone: "glides in", oscillating: "oscillates in", divergent: "leaves" }[regime];
  const [only, ...more] = limits;
  const stable = only > 0 && only < Infinity && !more.length ? `; stable below a learning rate of ${text(only)}` : "";
  const held = racer.dynamics.scales.length ? ", scales held as at this step" : "";
  return `${where}ρ = ${text(radius, 4)}: the error ${how}${stable}${held}.`;
}

// A coordinate of a plane is a sum, of which nothing but rounding may be left.
function coordinate(x) {
  return PLANE ? text(Math.abs(x) < 1e-12 ? 0 : x) : text(x, 4);
}

function paintReadout() {
  for (const racer of racers) {
    const t = Math.min(now.shown, racer.finite - 1);
    const gone = now.shown >= racer.finite && !racer.converged;
    const [first, second, value] = racer.cells;
    first.textContent = gone ? fate(racer) : coordinate(racer.path[2 * t]);
    first.colSpan = gone ? 3 : 1;
    second.hidden = value.hidden = gone;
    second.textContent = coordinate(racer.path[2 * t + 1]);
    value.textContent = text(racer.values[t], 4);
    if (racer.projected && !gone) value.append(element("small", {}, `projected ${text(racer.projected[t])}`));
    value.title = fate(racer);
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
      const fared = fate(racer) || `f = ${text(racer.values[t])}`;
      return `${racer.name}: ${fared}`;
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
  const found = analysis(racer);
  if (!found) return;
  const poles = found.poles.map(([re, im]) => text(re) + (im ? `${im < 0 ? " − " : " + "}${text(Math.abs(im))}i` : ""));
  $("poles").setAttribute("aria-label", `Poles of ${racer.name} in the unit circle: ${poles.join(", ")}.`);
  const axes = axesOf(racer).map(({ label }) => label).join(" and ");
  $("regimes").setAttribute("aria-label", `Regimes of ${racer.name} over ${axes}. Arrows move the setting. Here: ${verdict(racer, found)}`);
  $("split").setAttribute("aria-label", "Expected excess loss, without noise and from noise.");
}

// A small page of some panels only.
function choosePanels(panels) {
  document.body.classList.add("small");
  if (panels.some((name) => ["modes", "poles", "regimes", "spring", "noise"].includes(name)) && racers.length > 1) panels = [...panels, "close up"];
  for (const found of document.querySelectorAll("[data-panel]")) {
    found.classList.toggle("chosen", panels.includes(found.dataset.panel));
    if (found.matches("details")) found.open = panels.includes(found.dataset.panel);
  }
}

function dress() {
  readTheme();
  const style = getComputedStyle(document.documentElement);
  for (const name of ["monotone", "oscillating", "ground"]) ink[name] = parse(style.getPropertyValue(`--${name}`).trim());
  racers.forEach(({ swatch }, i) => {
    swatch.setAttribute("stroke", colorOf(i));
    swatch.setAttribute("stroke-dasharray", dashOf(i).join(" "));
  });
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
    return runFrom(racer.race, h, Float64Array.from(start), steps);
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
          ...(racer.projected && { projected: [...racer.projected] }),
        },
      ]),
    );
    return { start: [...now.start], steps: now.steps, shown: now.shown, view: now.view, optimizers };
  },
  // The linearised step at the step shown: { poles, radius, regime, limits, parts, noise }, null if
  // there is none; limits are by path, noise is the expected loss that gradients with noise of size
  // 1 add.
  analysis(name) {
    rerun();
    const racer = racers.find((own) => own.name === name);
    const found = analysis(racer);
    if (!found) return null;
    const { poles, radius, regime } = found;
    const limits = Object.fromEntries(racer.controls.filter(isRate).map(({ path }, i) => [path, found.limits[i]]));
    const noise = quadratic.lowest === null ? null : [...noiseFloor(racer)];
    const parts = Object.entries(partsOfStep(racer) ?? {}).map(([part, w]) => [part, [...w]]);
    return { poles, radius, regime, limits, parts: Object.fromEntries(parts), noise };
  },
};

followAddress();
bindControls();
setHidden(".quadratic, .linear", true);
if (quadratic) setHidden(".quadratic", false);
else if (spectrum) setHidden(".charts > .quadratic", false);
else document.body.classList.add("alone");
explainLandmarks();
document.querySelectorAll("#readout thead th").forEach((cell, k) => {
  if (k === 1 || k === 2) cell.textContent = PAGE.names[k - 1];
});
document.body.classList.toggle("plane", PLANE !== null);
if (PAGE.plane) $("plane").textContent = `Across ${PAGE.names[0]}, up ${PAGE.names[1]}. ${PAGE.plane.note}`;
if (PAGE.panels) choosePanels(PAGE.panels);
keepPainted();
window.addEventListener("resize", schedule);
window.addEventListener("hashchange", () => {
  followAddress();
  schedule();
});
