// The curvature that an optimizer sees, and the largest at which it is stable.

const FIRST_LOOK = 12; // rounds until the direction of largest curvature is found from nothing
const scratch = { point: new Float64Array(SIZE), zeros: new Float64Array(SIZE) };

// The number by which each gradient is divided, relative to that in one dimension after gradients
// of size 1: P of the preconditioned Hessian P⁻¹H. Here √(P⁻¹), null where P is 1.
function rootOfScales(racer) {
  const { anatomy } = racer; // null of a method of which there is no such number
  if (!anatomy || !anatomy.scales.length) return null;
  const full = {
    dynamics: anatomy,
    near: { step: (h, _, s) => racer.update(h, scratch.point.fill(0), s, 0, scratch.zeros.fill(0)) },
  };
  const state = stateBefore(full, racer.h, racer.s);
  const [w, gradient] = [new Float64Array(SIZE), new Float64Array(SIZE).fill(TINY)];
  racer.update(racer.h, w, state, 0, gradient);
  return w.map((x) => Math.sqrt(Math.max(-x / TINY / unitOf(racer), 0)));
}

function inner(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i];
  return sum;
}

function along(racer, root, v) {
  const made = new Float64Array(SIZE);
  FUNCTION.curvature(racer.w, root ? v.map((x, i) => x * root[i]) : v, made);
  if (root) for (let i = 0; i < SIZE; i += 1) made[i] *= root[i];
  return made;
}

// The largest eigenvalue of P⁻¹H: each look goes on from the direction of the one before, by the
// best combination of that direction and of its residual.
function sharpnessOf(racer) {
  const root = rootOfScales(racer);
  if (root && (racer.at === 0 || !root.every(Number.isFinite))) return NaN;
  let rounds = 1;
  if (!racer.direction) {
    rounds = FIRST_LOOK;
    racer.direction = Float64Array.from({ length: SIZE }, (_, i) => Math.cos(1 + i * i));
  }
  let largest = NaN;
  for (let round = 0; round < rounds; round += 1) {
    const size = Math.sqrt(inner(racer.direction, racer.direction));
    const v = racer.direction.map((x) => x / size);
    const turned = along(racer, root, v);
    const own = inner(v, turned);
    const residual = turned.map((x, i) => x - own * v[i]);
    const length = Math.sqrt(inner(residual, residual));
    largest = own;
    if (!(length > 1e-12 * Math.abs(own))) break;
    const u = residual.map((x) => x / length);
    const other = inner(u, along(racer, root, u));
    largest = (own + other) / 2 + Math.hypot((own - other) / 2, length);
    racer.direction = v.map((x, i) => length * x + (largest - own) * u[i]);
  }
  return largest;
}

const SETTLED = 60000; // steps with gradients of size 1 after which scales have settled

// The state after gradients of size 1, in one dimension, twice.
function settledState(racer) {
  const state = new Float64Array(racer.near.states);
  racer.near.init(racer.h, ORIGIN.slice(), state);
  if (!racer.dynamics.scales.length && !racer.dynamics.clocks.length) return state;
  KICK.fill(1);
  for (let t = 0; t < SETTLED; t += 1) racer.near.step(racer.h, ORIGIN.slice(), state);
  KICK.fill(0);
  return state;
}

// What depends on the settings alone, kept until they change: the response to a gradient in one
// dimension, and the largest stable curvature.
function settled(racer) {
  const key = String(racer.h);
  if (racer.settled?.key === key) return racer.settled;
  const held = settledState(racer);
  const d = racer.dynamics.signals.length + 2;
  const unit = -responses(racer, racer.h, held, d + 1)[d][d - 2];
  const stable = (curvature) => {
    bowl.curvature = curvature;
    return Math.hypot(...dominantPole(racer, matrixOf(racer, racer.h, held))) < STABLE;
  };
  let limit = Infinity;
  if (unit > 0) {
    let [inside, outside] = [1e-6 / unit, 1e-6 / unit];
    while (stable(outside) && outside < 1e9 / unit) [inside, outside] = [outside, 2 * outside];
    for (let i = 0; i < 50; i += 1) {
      const middle = (inside + outside) / 2;
      if (stable(middle)) inside = middle;
      else outside = middle;
    }
    limit = outside < 1e9 / unit ? inside : Infinity;
  }
  racer.settled = { key, unit, limit };
  return racer.settled;
}

function unitOf(racer) {
  return settled(racer).unit;
}

function limitOf(racer) {
  return racer.near && racer.anatomy ? settled(racer).limit : NaN;
}
