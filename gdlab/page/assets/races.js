// The optimizers, their settings, and their runs.

const BUDGET = Math.max(2000, PAGE.steps); // the most steps of a run

// The quadratic part with its minimum moved to 0, where nothing cancels, and what is added to its
// gradient.
const KICK = new Float64Array(2);
const KICKED = AT_ORIGIN && {
  ...AT_ORIGIN,
  evaluate(w, out) {
    const value = AT_ORIGIN.evaluate(w, out);
    out[0] += KICK[0];
    out[1] += KICK[1];
    return value;
  },
};

const racers = PAGE.optimizers.map(({ name, sliders, dynamics }, i) => {
  const linear = dynamics && !dynamics.refused;
  return {
    name,
    race: assemble(PROGRAMS[i], FUNCTION),
    near: linear ? assemble(PROGRAMS[i], KICKED) : null,
    controls: sliders,
    dynamics,
    h: new Float64Array(sliders.length),
    marks: [],
    visible: true,
    stale: true,
  };
});

const quadratic = PAGE.quadratic;
const now = {};

// What is seen close up at first: an optimizer with a map of two hyperparameters, if there is one.
const worthiest = Math.max(
  0,
  racers.findIndex(({ near, controls }) => near && controls.filter(({ folded }) => !folded).length > 1),
);

function resetSettings() {
  Object.assign(now, {
    start: Float64Array.from(PAGE.start),
    steps: PAGE.steps,
    shown: PAGE.steps,
    view: PAGE.view.map((ends) => [...ends]),
    eigen: false,
    arrows: false,
    focus: worthiest,
    noise: -1,
  });
  for (const racer of racers) {
    for (const { position, value } of racer.controls) racer.h[position] = value;
    racer.visible = !PAGE.sealed; // an exercise shows its runs once it is answered
    racer.stale = true;
  }
}

function rerun() {
  for (const racer of racers) {
    if (!racer.stale) continue;
    runAnew(racer);
    racer.stale = false;
  }
}

let runs = 0;

function runAnew(racer) {
  let [run, failed] = [{ path: new Float64Array(0), values: new Float64Array(0), errors: [] }, ""];
  try {
    run = runFrom(racer.race, racer.h, now.start, now.steps);
  } catch (error) {
    failed = error.message; // a number that no double holds exactly
  }
  const { path, values } = run;
  let finite = 0;
  while (
    finite <= now.steps &&
    Number.isFinite(path[2 * finite]) &&
    Number.isFinite(path[2 * finite + 1]) &&
    Number.isFinite(values[finite])
  ) finite += 1;
  runs += 1;
  Object.assign(racer, { projected: null, ...run, finite, failed, version: runs, known: null, floor: null });
  racer.converged = !failed && finite <= now.steps && rested(racer);
}

// The state after some steps of the run, w in its last argument.
function stateAfter(racer, steps, w) {
  const state = new Float64Array(racer.race.states);
  w.set(now.start);
  racer.race.init(racer.h, w, state);
  for (let t = 0; t < steps; t += 1) racer.race.step(racer.h, w, state);
  return state;
}

const SMALLEST_NORMAL = 2.2250738585072014e-308; // of the doubles; what is smaller counts as 0

// Whether a run that has no numbers any more had come to rest before: at the least value that is
// known, or where a step changed nothing.
function rested({ path, values, finite }) {
  const last = finite - 1;
  if (last < 1) return false;
  const still = path[2 * last] === path[2 * last - 2] && path[2 * last + 1] === path[2 * last - 1];
  return still || Math.abs(values[last] - (PAGE.lowest ?? 0)) < SMALLEST_NORMAL;
}

// Where the run ends up; a run that leaves is called by the step at which it is gone.
function fate(racer) {
  if (racer.failed) return racer.failed;
  if (racer.finite > now.steps) return "";
  if (racer.finite === 0) return "f(w) is no number at the start";
  return racer.converged ? `converged at step ${racer.finite - 1}` : `diverged at step ${racer.finite}`;
}

// (w − c) in the directions of the eigenvectors, and back.
function toModes(w1, w2) {
  const { center, directions: q } = quadratic;
  const x = w1 - center[0];
  const y = w2 - center[1];
  return [q[0][0] * x + q[1][0] * y, q[0][1] * x + q[1][1] * y];
}

function fromModes(a, b) {
  const { center, directions: q } = quadratic;
  return [center[0] + q[0][0] * a + q[0][1] * b, center[1] + q[1][0] * a + q[1][1] * b];
}

function shownCoordinates(w1, w2) {
  return now.eigen ? toModes(w1, w2) : [w1, w2];
}

function weightsAt(a, b) {
  return now.eigen ? fromModes(a, b) : [a, b];
}
