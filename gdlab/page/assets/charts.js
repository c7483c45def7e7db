// Charts over the steps of a run.

const SMALLEST = 1e-16; // of the largest value: what a logarithmic axis reaches down to

function stepsAxis(width) {
  const most = Math.max(2, width / 90);
  return { low: 0, high: now.steps, ticks: ticks(0, now.steps, most), name: "step" };
}

// Limits of a logarithmic axis for some curves; far beyond their starts they are cut off.
function logAxis(curves, height, name) {
  let [low, high] = [Infinity, -Infinity];
  let begin = 0;
  for (const curve of curves) {
    begin = Math.max(begin, curve[0]);
    for (const value of curve) {
      if (!(value > 0) || !Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (!(low <= high)) [low, high] = [0.1, 1];
  if (begin > 0) high = Math.min(high, 1e4 * begin);
  low = Math.log10(Math.max(Math.min(low, high / 10), high * SMALLEST));
  high = Math.log10(high);
  const margin = 0.04 * (high - low);
  [low, high] = [low - margin, high + margin];
  return { low, high, ticks: logTicks(low, high, height / 28), name };
}

function linearAxis(curves, height, name) {
  let [low, high] = [Infinity, -Infinity];
  const size = Math.max(...curves.map((curve) => Math.abs(curve.find((value) => value !== 0) ?? 0)), 1e-12);
  for (const curve of curves) {
    for (const value of curve) {
      if (!Number.isFinite(value) || Math.abs(value) > 20 * size) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (!(low < high)) [low, high] = [low - 1 || -1, low + 1 || 1];
  const margin = 0.06 * (high - low);
  return { low: low - margin, high: high + margin, ticks: ticks(low - margin, high + margin, height / 32), name };
}

// The height on a logarithmic axis; what is not positive has none.
function logarithm(x) {
  return x > 0 ? Math.log10(x) : NaN;
}

function trace(chart, values, from, to, height = (x) => x) {
  const points = [];
  for (let t = from; t <= to; t += 1) points.push([chart.x(t), chart.y(height(values[t]))]);
  // Where there is no value there is no line.
  polyline(chart.pen, chart.box, points);
}

function markShown({ pen, box, x }) {
  pen.strokeStyle = ink.quiet;
  pen.lineWidth = 1;
  pen.setLineDash([3, 3]);
  line(pen, x(now.shown), box.top, x(now.shown), box.bottom);
  pen.setLineDash([]);
}
