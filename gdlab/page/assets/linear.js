// One step as a matrix, as gdlab.analysis finds it: at the minimum, with scales such as second
// moments held where the run has them at the step shown, signals such as momentum at rest.

const TINY = 1e-130; // f(δe)/δ is the derivative there, and δ² is nothing beside any scale
const ORIGIN = new Float64Array(2);

function atRest({ dynamics }, state) {
  for (const atom of dynamics.signals) state[atom] = 0;
  for (const atom of dynamics.silent) state[atom] = 0;
  return state;
}

function silentStep(racer, h, state) {
  const after = state.slice();
  racer.near.step(h, ORIGIN.slice(), after);
  return atRest(racer, after);
}

// The state to hold: that after the run's step, so that scales are those which divided it.
function heldState(racer) {
  return stateAfter(racer, Math.max(1, Math.min(now.shown, racer.finite - 1)), new Float64Array(2));
}

function reachOf(x) {
  return Math.max(Math.abs(x), 1e-30);
}

// A state whose step without gradient lands on the scales of another: secants, atom by atom.
function stateBefore(racer, h, held) {
  const { scales: atoms, clocks } = racer.dynamics;
  const before = atRest(racer, held.slice());
  for (const atom of clocks) before[atom] = Math.max(before[atom] - 1, 0);
  for (let round = 0; round < 3 && atoms.length; round += 1) {
    const here = silentStep(racer, h, before);
    if (atoms.every((atom) => Math.abs(here[atom] - held[atom]) <= 1e-15 * Math.abs(held[atom]))) break;
    const beside = before.slice();
    for (const atom of atoms) beside[atom] += reachOf(before[atom]);
    const there = silentStep(racer, h, beside);
    for (const atom of atoms) {
      const slope = (there[atom] - here[atom]) / reachOf(before[atom]);
      const moved = before[atom] + (held[atom] - here[atom]) / slope;
      if (slope !== 0 && Number.isFinite(moved)) before[atom] = moved;
    }
  }
  return before;
}

// What a step makes of something tiny in one place, for each place: [signals, w] over its size.
// The places are all signals, both weights, and both directions of the gradient.
function responses(racer, h, held, count) {
  const { signals } = racer.dynamics;
  const d = signals.length + 2;
  const before = stateBefore(racer, h, held);
  const columns = [];
  for (let k = 0; k < count; k += 1) {
    const state = before.slice();
    const w = new Float64Array(2);
    if (k < d - 2) state[signals[k]] = TINY;
    else if (k < d) w[k - d + 2] = TINY;
    else KICK[k - d] = TINY;
    racer.near.step(h, w, state);
    KICK[0] = KICK[1] = 0;
    const column = new Float64Array(d);
    for (let i = 0; i < d; i += 1) column[i] = (i < d - 2 ? state[signals[i]] : w[i - d + 2]) / TINY;
    columns.push(column);
  }
  return columns;
}

function flipped(columns) {
  const rows = [];
  for (let r = 0; r < columns[0].length; r += 1) {
    rows.push(new Float64Array(columns.length));
    for (let c = 0; c < columns.length; c += 1) rows[r][c] = columns[c][r];
  }
  return rows;
}

// (signals, w) → (signals, w) as rows.
function matrixOf(racer, h, held) {
  return flipped(responses(racer, h, held, racer.dynamics.signals.length + 2));
}

// The blocks of both modes if they do not mix, the whole matrix otherwise.
function modesOf(racer, rows) {
  const components = [...racer.dynamics.components, 0, 1];
  if (components.includes(null)) return [rows];
  const q = quadratic.directions;
  const d = rows.length;
  const turned = rows.map((row) => row.slice());
  for (let r = 0; r < d; r += 2) {
    for (let c = 0; c < d; c += 2) {
      for (const i of [0, 1]) {
        for (const j of [0, 1]) {
          let sum = 0;
          for (const k of [0, 1]) for (const l of [0, 1]) sum += q[k][i] * rows[r + k][c + l] * q[l][j];
          turned[r + i][c + j] = sum;
        }
      }
    }
  }
  let mixed = 0;
  let largest = 0;
  turned.forEach((row, r) => row.forEach((x, c) => {
    largest = Math.max(largest, Math.abs(x));
    if (components[r] !== components[c]) mixed = Math.max(mixed, Math.abs(x));
  }));
  if (!(mixed <= 1e-9 * largest)) return [rows];
  return [0, 1].map((mode) =>
    turned.filter((_, r) => components[r] === mode).map((row) => row.filter((_, c) => components[c] === mode)),
  );
}

// Eigenvalues as [re, im], largest first.
function eigenvalues(rows) {
  const d = rows.length;
  if (!rows.every((row) => row.every(Number.isFinite))) return [[Infinity, 0]];
  let found;
  if (d === 1) found = [[rows[0][0], 0]];
  else if (d === 2) {
    const half = (rows[0][0] + rows[1][1]) / 2;
    const product = rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0];
    const inside = half * half - product;
    const root = Math.sqrt(Math.abs(inside));
    if (inside < 0) found = [[half, root], [half, -root]];
    else {
      const far = half < 0 ? half - root : half + root;
      // The other one from the product, since a difference would cancel.
      found = [[far, 0], [far === 0 ? 0 : product / far, 0]];
    }
  } else {
    // About their middle, since roots that lie close together would be lost in rounding.
    const middle = rows.reduce((sum, row, i) => sum + row[i], 0) / d;
    const about = rows.map((row, i) => row.map((x, j) => (i === j ? x - middle : x)));
    found = rootsOf(characteristic(about)).map(([re, im]) => {
      const moved = re + middle;
      return [moved, Math.abs(im) < 1e-12 * Math.abs(moved) ? 0 : im];
    });
  }
  return found.sort((a, b) => Math.hypot(...b) - Math.hypot(...a));
}

// det(r − A), highest power first, by Faddeev and LeVerrier.
function characteristic(rows) {
  const d = rows.length;
  const coefficients = [1];
  let partial = rows.map((row) => row.map(() => 0));
  for (let power = 1; power <= d; power += 1) {
    const next = product(rows, partial);
    for (let i = 0; i < d; i += 1) next[i][i] += coefficients[power - 1];
    partial = next;
    let trace = 0;
    for (let i = 0; i < d; i += 1) for (let k = 0; k < d; k += 1) trace += rows[i][k] * partial[k][i];
    coefficients.push(-trace / power);
  }
  return coefficients;
}

function product(a, b) {
  const made = [];
  for (let i = 0; i < a.length; i += 1) {
    made.push(new Float64Array(b[0].length));
    for (let j = 0; j < b[0].length; j += 1) {
      let sum = 0;
      for (let k = 0; k < b.length; k += 1) sum += a[i][k] * b[k][j];
      made[i][j] = sum;
    }
  }
  return made;
}

// All roots at once, by Aberth and Ehrlich.
function rootsOf(coefficients) {
  const d = coefficients.length - 1;
  const size = Math.max(...coefficients.slice(1).map((c, k) => Math.abs(c) ** (1 / (k + 1))));
  const x = [];
  const y = [];
  for (let i = 0; i < d; i += 1) {
    const angle = (2 * Math.PI * i) / d + 0.4;
    x.push(size * Math.cos(angle));
    y.push(size * Math.sin(angle));
  }
  for (let round = 0; round < 80; round += 1) {
    let change = 0;
    for (let i = 0; i < d; i += 1) {
      const far = Math.hypot(x[i], y[i]);
      let [p, pi, s, si, error] = [1, 0, 0, 0, 1]; // the value and the slope, by Horner
      for (let k = 1; k <= d; k += 1) {
        [s, si] = [s * x[i] - si * y[i] + p, s * y[i] + si * x[i] + pi];
        [p, pi] = [p * x[i] - pi * y[i] + coefficients[k], p * y[i] + pi * x[i]];
        error = error * far + Math.abs(coefficients[k]);
      }
      // A value that is nothing but rounding says no more.
      if (Math.hypot(p, pi) <= 1e-16 * error) continue;
      // slope/value − Σ 1/(rᵢ − rⱼ), of which the inverse is the step
      const value = p * p + pi * pi;
      let [a, b] = [(s * p + si * pi) / value, (si * p - s * pi) / value];
      for (let j = 0; j < d; j += 1) {
        if (j === i) continue;
        const [u, v] = [x[i] - x[j], y[i] - y[j]];
        const distance = u * u + v * v || 1e-300;
        a -= u / distance;
        b += v / distance;
      }
      const norm = a * a + b * b || 1e-300;
      x[i] -= a / norm;
      y[i] += b / norm;
      change = Math.max(change, 1 / Math.sqrt(norm) / (1e-3 * size + far));
    }
    if (change < 1e-15) break;
  }
  return x.map((re, i) => [re, y[i]]);
}

const STABLE = 1 + 1e-12; // rounding of a pole that stands at 1 because a step is tiny

function dominantPole(racer, rows) {
  const poles = modesOf(racer, rows).flatMap(eigenvalues);
  return poles.reduce((a, b) => (Math.hypot(...b) > Math.hypot(...a) ? b : a));
}

function regimeOf([re, im]) {
  const rate = Math.hypot(re, im);
  if (!(rate < STABLE)) return "divergent";
  return re > 0 && Math.abs(im) <= 1e-9 * rate ? "monotone" : "oscillating";
}

// Those of a schedule's numbers that are rates themselves count as well.
function isRate({ path }) {
  return /(^|\.)learning_rate(\..*value)?$/.test(path);
}

// The largest stable value of a learning rate above the present one, or above the least if that is
// unstable: NaN if none is stable, null if it has no part in this step, undefined without a minimum.
function stabilityLimit(racer, control, held) {
  if (quadratic.lowest === null) return undefined;
  const h = racer.h.slice();
  const rowsAt = (rate) => {
    h[control.position] = rate;
    return matrixOf(racer, h, held);
  };
  const stable = (rate) => Math.hypot(...dominantPole(racer, rowsAt(rate))) < STABLE;
  const present = racer.h[control.position];
  const least = Math.min(control.low || control.high / 1e3, present > 0 ? present : Infinity) / 1e3;
  if (String(rowsAt(least)) === String(rowsAt(control.high))) return null;
  let inside = present > 0 && stable(present) ? present : least;
  if (!stable(inside)) return NaN;
  let outside = inside;
  while (stable(outside)) {
    inside = outside;
    outside *= 1.5;
    if (outside > 1e6 * control.high) return Infinity;
  }
  for (let i = 0; i < 48; i += 1) {
    const middle = (inside + outside) / 2;
    if (stable(middle)) inside = middle;
    else outside = middle;
  }
  return inside;
}

function limitsOf(racer, held) {
  return racer.controls.filter(isRate).map((control) => stabilityLimit(racer, control, held));
}

// What is known of an optimizer at the step shown; null if it cannot be linearised.
function analysis(racer) {
  if (!quadratic || !racer.near) return null;
  if (racer.known?.shown === now.shown) return racer.known;
  const held = heldState(racer);
  const rows = matrixOf(racer, racer.h, held);
  const modes = modesOf(racer, rows).map(eigenvalues);
  const poles = modes.flat().sort((a, b) => Math.hypot(...b) - Math.hypot(...a));
  racer.known = {
    shown: now.shown,
    held,
    rows,
    modes,
    poles,
    radius: Math.hypot(...poles[0]),
    regime: regimeOf(poles[0]),
    limits: limitsOf(racer, held),
  };
  return racer.known;
}

// Expected excess loss that noise of size 1 in each direction of every gradient adds, step by step.
function noiseFloor(racer) {
  if (racer.floor) return racer.floor;
  const { hessian } = quadratic;
  const w = Float64Array.from(now.start);
  const state = stateAfter(racer, 0, w);
  const d = racer.dynamics.signals.length + 2;
  const zeros = Array.from({ length: d }, () => new Float64Array(d));
  let [rows, back, kick, spread] = [null, null, null, zeros];
  racer.floor = new Float64Array(now.steps + 1);
  for (let t = 1; t <= now.steps; t += 1) {
    if (t === 1 || changes(racer)) {
      racer.race.step(racer.h, w, state);
      const columns = responses(racer, racer.h, state, d + 2);
      back = columns.slice(0, d); // Aᵀ, as what it has for rows are the columns of A
      rows = flipped(back);
      const input = columns.slice(d);
      kick = product(flipped(input), input);
    }
    spread = product(product(rows, spread), back);
    for (let i = 0; i < d; i += 1) for (let j = 0; j < d; j += 1) spread[i][j] += kick[i][j];
    let sum = 0;
    for (const i of [0, 1]) for (const j of [0, 1]) sum += hessian[i][j] * spread[d - 2 + i][d - 2 + j];
    racer.floor[t] = sum / 2;
  }
  return racer.floor;
}

// Whether a step depends on which one it is.
function changes({ dynamics: { scales, clocks } }) {
  return scales.length + clocks.length > 0;
}

// The next step in two parts: what this gradient gives alone, and what is remembered.
function partsOfStep(racer) {
  if (!racer.dynamics || racer.dynamics.refused || now.shown >= racer.finite) return null;
  const w = new Float64Array(2);
  const state = stateAfter(racer, now.shown, w);
  const [whole, fresh] = [w.slice(), w.slice()];
  const rested = atRest(racer, state.slice());
  racer.race.step(racer.h, whole, state);
  racer.race.step(racer.h, fresh, rested);
  return { from: w, whole, fresh };
}
