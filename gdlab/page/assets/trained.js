// The optimizers, each with a training of its own: the point, the state, and all that was recorded.

const START = new Float64Array(bytesOf(PAGE.start));
const SIZE = START.length;

// A bowl ½λ|w|² of two variables, on which the limit of an optimizer is found.
const KICK = new Float64Array(2);
const bowl = { curvature: 1 };
const BOWL = {
  dimension: 2,
  value: ([a, b]) => 0.5 * bowl.curvature * (a * a + b * b),
  evaluate(w, out) {
    for (const i of [0, 1]) out[i] = bowl.curvature * w[i] + KICK[i];
    return BOWL.value(w);
  },
  gradient: (w, out) => BOWL.evaluate(w, out),
};
const quadratic = { directions: [[1, 0], [0, 1]], lowest: 0, curvatures: [1, 1] };

// Positions in a vector: a list, or an offset and strides over a shape.
function positions(given) {
  if (!given || given.list) return given?.list;
  let found = [given.offset];
  given.strides.forEach((stride, axis) => {
    found = found.flatMap((at) => Array.from({ length: given.shape[axis] }, (_, k) => at + k * stride));
  });
  return found;
}

for (const picked of [PAGE.tiles, PAGE.matrix]) if (picked) picked.at = positions(picked);

const racers = PAGE.optimizers.map(({ name, sliders, dynamics, anatomy, momentum }, i) => ({
  name,
  momentum: positions(momentum),
  race: assemble(PROGRAMS[i], FUNCTION),
  update: PROGRAMS[i](FUNCTION).update,
  near: dynamics.refused ? null : assemble(NEAR[i], BOWL),
  controls: sliders,
  dynamics,
  anatomy: anatomy && Object.fromEntries(Object.entries(anatomy).map(([kind, ranges]) => [kind, ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, k) => from + k))])),
  h: Float64Array.from(sliders.reduce((h, { position, value }) => ((h[position] = value), h), [])),
  marks: [],
  stale: false,
}));

const now = { focus: 0, shown: 0, steps: 1 };

function startAnew(racer) {
  const w = START.slice();
  const s = new Float64Array(racer.race.states);
  racer.race.init(racer.h, w, s);
  Object.assign(racer, { w, s, at: 0, before: null, direction: null, gone: false, snapshots: [{ at: 0, w: w.slice(), s: s.slice() }], every: 1 });
  racer.record = { loss: [FUNCTION.value(w)], measure: [measured(w)], sharpness: [NaN], limit: [NaN], h: [] };
  look(racer);
}

function measured(w) {
  return FUNCTION.measure ? FUNCTION.measure(w) : NaN;
}

// What is seen of the point where a racer is: the curvature and its limit.
function look(racer) {
  racer.record.sharpness[racer.at] = sharpnessOf(racer);
  racer.record.limit[racer.at] = limitOf(racer);
}

const MOST_SNAPSHOTS = 256;

// One step from where the racer is; what had been recorded beyond is forgotten.
function trainStep(racer) {
  const { record } = racer;
  for (const kind of ["loss", "measure", "sharpness", "limit"]) record[kind].length = racer.at + 1;
  record.h.length = racer.at;
  racer.snapshots = racer.snapshots.filter(({ at }) => at <= racer.at);
  record.h.push(racer.h.slice());
  racer.before = racer.w.slice();
  racer.race.step(racer.h, racer.w, racer.s);
  racer.at += 1;
  const loss = FUNCTION.value(racer.w);
  racer.gone = !Number.isFinite(loss);
  record.loss.push(loss);
  record.measure.push(measured(racer.w));
  if (racer.gone) {
    record.sharpness.push(NaN);
    record.limit.push(NaN);
    return;
  }
  look(racer);
  if (racer.at % racer.every === 0) racer.snapshots.push({ at: racer.at, w: racer.w.slice(), s: racer.s.slice() });
  if (racer.snapshots.length > MOST_SNAPSHOTS) {
    racer.every *= 2;
    racer.snapshots = racer.snapshots.filter(({ at }) => at % racer.every === 0);
  }
}

// Back to a step that was recorded: from the snapshot before it, by the settings of those days.
function goBack(racer, step) {
  // The step itself is taken again, so that its update is known.
  const near = racer.snapshots.filter(({ at }) => at < step || at === 0).at(-1);
  racer.w.set(near.w);
  racer.s.set(near.s);
  racer.before = null;
  for (let t = near.at; t < step; t += 1) {
    if (t === step - 1) racer.before = racer.w.slice();
    racer.race.step(racer.record.h[t], racer.w, racer.s);
  }
  racer.at = step;
  racer.gone = false;
}
