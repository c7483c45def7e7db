// Losses over the steps: the medians of all points, and every seed of the one that is looked at.

const MOST_CURVES = 400;

function paintCurves() {
  const canvas = $("curves");
  const known = problem().curves;
  if (!known.steps.length) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  const end = known.steps.at(-1);
  const x = { low: 0, high: Math.max(end, 1), ticks: ticks(0, Math.max(end, 1), Math.max(2, width / 90)), name: "step" };
  const margin = 0.03 * (known.high - known.low || 1);
  const [low, high] = [known.low - margin, known.high + margin];
  const y = { low, high, ticks: ticksOf(known.scale, low, high, height / 32), name: "loss" };
  const chart = frame(canvas, x, y);
  const [all, middle] = [losses(known), medianCurves(known)];
  const { colors, ranked: order } = metric();
  const focus = focused();
  clip(chart, () => {
    for (const point of [...order].slice(0, MOST_CURVES).reverse()) {
      if (isShown(point) && point !== focus) trace(chart, known, middle[point], colorAt(colors[point]), 1, 0.45);
    }
    if (focus === null) return;
    for (const row of all[focus]) trace(chart, known, row, ink.paper, 3.6, 0.8);
    for (const row of all[focus]) trace(chart, known, row, colorAt(colors[focus]) ?? failureColor(focus), 2, 1);
  });
  canvas.setAttribute("aria-label", focus === null ? "Losses over the steps" : `Losses over the steps; ${describe(focus)}`);
}

function trace({ pen, box, x, y }, known, places, color, thick, alpha) {
  pen.strokeStyle = color;
  pen.lineWidth = thick;
  pen.globalAlpha = alpha;
  const points = places.map((u, t) => [x(known.steps[t]), y(known.low + u * (known.high - known.low))]);
  polyline(pen, box, points);
  pen.globalAlpha = 1;
}
