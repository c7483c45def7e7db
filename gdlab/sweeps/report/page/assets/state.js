// What is shown, and what is known of it.

const now = { problem: 0, metric: 0, kept: null, pointed: null, brushes: new Map(), across: 0, up: 1 };

function problem() {
  return PAGE.problems[now.problem];
}

function metric() {
  return problem().metrics[now.metric];
}

// The point that is looked at: under the pointer, kept by a click, or the best of those shown.
function focused() {
  return now.pointed ?? now.kept ?? ranked()[0] ?? null;
}

// Points within everything that was marked on axes.
function isShown(point) {
  for (const [i, [low, high]] of now.brushes) {
    const height = heightsOf(i)[point];
    if (height === null || height < low - 1e-6 || height > high + 1e-6) return false;
  }
  return true;
}

// The heights on a coordinate; the last one is the metric.
function heightsOf(i) {
  return (problem().coordinates[i] ?? metric()).heights;
}

function ranked() {
  return metric().ranked.filter(isShown);
}

// Losses of all lanes, as positions between 0 and 1 on the scale of their axis; NaN where missing.
const unpacked = new Map();
function losses(which) {
  if (!unpacked.has(which)) {
    const { losses: packed, seeds } = which;
    const codes = new DataView(bytesOf(packed));
    const steps = which.steps.length;
    let lane = 0;
    unpacked.set(which, seeds.map((count) => {
      const rows = [];
      for (let seed = 0; seed < count && codes.byteLength; seed += 1, lane += 1) {
        rows.push(Array.from({ length: steps }, (_, t) => {
          const code = codes.getUint16(2 * (lane * steps + t), true);
          return code === 65535 ? NaN : code / 65534;
        }));
      }
      return rows;
    }));
  }
  return unpacked.get(which);
}

// The median over the seeds of every point, step by step.
const summarised = new Map();
function medianCurves(which) {
  if (!summarised.has(which)) summarised.set(which, losses(which).map(medians));
  return summarised.get(which);
}

function medians(rows) {
  return (rows[0] ?? []).map((_, t) => {
    const values = rows.map((row) => row[t]).filter((u) => !Number.isNaN(u)).sort((a, b) => a - b);
    if (2 * values.length < rows.length) return NaN;
    const middle = (values.length - 1) / 2;
    return (values[Math.floor(middle)] + values[Math.ceil(middle)]) / 2;
  });
}

// Colours between those of viridis; the best stands out from the ground, whatever that is.
const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const PALEST = 0.92; // on white ground, where the last colours would not be seen
function colorAt(place) {
  if (place === null) return null;
  const u = clamp(isNight() ? 1 - place : PALEST * place, 0, 1) * (VIRIDIS.length - 1);
  const i = Math.min(Math.floor(u), VIRIDIS.length - 2);
  const mixed = VIRIDIS[i].map((from, k) => Math.round(from + (u - i) * (VIRIDIS[i + 1][k] - from)));
  return `rgb(${mixed.join()})`;
}

function failureColor(point) {
  return problem().failures[point] === "diverged" ? ink.diverged : ink.line;
}
