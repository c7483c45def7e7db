// Parallel coordinates: a line for each point through its place on every axis.

const REACH = 14; // pixels within which a line is pointed at
let rulers = null;

function layout(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const names = [...problem().coordinates.map(({ name }) => name), metric().words];
  const pen = canvas.getContext("2d");
  const labels = (problem().coordinates[0] ?? metric()).ticks.map(([, label]) => pen.measureText(label).width);
  const [left, right] = [Math.min(0.24 * width, 14 + Math.max(20, ...labels)), width - 14];
  const x = names.map((_, i) => (names.length > 1 ? left + ((right - left) * i) / (names.length - 1) : width / 2));
  return { names, x, top: 34, bottom: height - 12 };
}

function yOf(height) {
  return rulers.bottom - height * (rulers.bottom - rulers.top);
}

// Corners of the line of a point; coordinates that it does not have are passed over.
function corners(point) {
  const found = [];
  rulers.x.forEach((x, i) => {
    const height = heightsOf(i)[point];
    if (height !== null) found.push([x, yOf(height)]);
  });
  return found;
}

function paintParallel() {
  const canvas = $("parallel");
  const { pen } = fresh(canvas);
  rulers = layout(canvas);
  const { colors, ranked: order } = metric();
  const count = problem().points;
  const shown = Array.from({ length: count }, (_, point) => point).filter(isShown);
  pen.lineWidth = count > 400 ? 0.7 : 1.2;
  for (const point of shown.filter((p) => colors[p] === null)) strokeLine(pen, point, failureColor(point), 0.35);
  const faint = count > 100 ? 0.45 : 0.8;
  for (const point of [...order].reverse()) if (isShown(point)) strokeLine(pen, point, colorAt(colors[point]), faint);
  const focus = focused();
  if (focus !== null) {
    pen.lineWidth = 5;
    strokeLine(pen, focus, ink.paper, 1);
    pen.lineWidth = 2.6;
    strokeLine(pen, focus, ink.text, 1);
  }
  // Over the lines, which would strike the labels through.
  for (let i = 0; i < rulers.x.length; i += 1) paintRuler(pen, i);
  if (focus !== null) for (const [x, y] of corners(focus)) dot(pen, x, y, 4, ink.text, ink.paper);
}

function strokeLine(pen, point, color, alpha) {
  pen.globalAlpha = alpha;
  pen.strokeStyle = color;
  pen.beginPath();
  corners(point).forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
  pen.globalAlpha = 1;
}

function paintRuler(pen, i) {
  const x = rulers.x[i];
  const ticks = (problem().coordinates[i] ?? metric()).ticks;
  pen.strokeStyle = ink.quiet;
  pen.lineWidth = 1;
  line(pen, x, rulers.top, x, rulers.bottom);
  const brush = now.brushes.get(i);
  if (brush) {
    pen.fillStyle = ink.accent;
    pen.globalAlpha = 0.35;
    pen.fillRect(x - 6, yOf(brush[1]), 12, Math.max(2, yOf(brush[0]) - yOf(brush[1])));
    pen.globalAlpha = 1;
  }
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  let last = Infinity;
  for (const [height, label] of ticks) {
    const y = yOf(height);
    line(pen, x - 4, y, x, y);
    if (last - y < 14) continue;
    last = y;
    onGround(pen, shorten(pen, label, (i ? x - rulers.x[i - 1] : x) - 10), x - 7, y);
  }
  const room = rulers.x.length > 1 ? rulers.x[1] - rulers.x[0] : 200;
  const isLast = i === rulers.x.length - 1;
  pen.textAlign = isLast ? "right" : i ? "center" : "left";
  pen.textBaseline = "alphabetic";
  pen.fillStyle = ink.text;
  const at = isLast ? x + 12 : i ? x : 2;
  // Where there is little room, every other name stands a line higher.
  const narrow = room < 90;
  const words = shorten(pen, rulers.names[i].replaceAll("_", " "), (narrow ? (i && !isLast ? 2 : 1.5) : 1) * room - 8);
  pen.fillText(words, at, i % 2 && narrow ? 12 : 26);
}

// Text that ends at x and stands on lines: on a piece of the ground.
function onGround(pen, words, x, y) {
  const width = pen.measureText(words).width;
  pen.fillStyle = ink.paper;
  pen.fillRect(x - width - 2, y - 7, width + 3, 14);
  pen.fillStyle = ink.text;
  pen.fillText(words, x, y);
}

function shorten(pen, words, room) {
  if (pen.measureText(words).width <= room) return words;
  let kept = words;
  while (kept.length > 1 && pen.measureText(`${kept}…`).width > room) kept = kept.slice(0, -1);
  return `${kept}…`;
}

// The point whose line is nearest to a place, null if none is near.
function lineAt(x, y) {
  let [nearest, least] = [null, REACH];
  for (const point of [...metric().ranked, ...unranked()]) {
    if (!isShown(point)) continue;
    const at = corners(point);
    for (let i = 1; i < at.length; i += 1) {
      const [[x0, y0], [x1, y1]] = [at[i - 1], at[i]];
      if (x < x0 - REACH || x > x1 + REACH) continue;
      const u = clamp(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2), 0, 1);
      const distance = Math.hypot(x0 + u * (x1 - x0) - x, y0 + u * (y1 - y0) - y);
      if (distance < least - 0.5) [nearest, least] = [point, distance];
    }
  }
  return nearest;
}

function unranked() {
  const { colors } = metric();
  return colors.map((_, point) => point).filter((point) => colors[point] === null);
}

function rulerAt(x) {
  const i = rulers.x.findIndex((at) => Math.abs(at - x) < 9);
  return i < 0 ? null : i;
}

function paintLegend() {
  const canvas = $("legend");
  const { pen, width } = fresh(canvas);
  const { legend, words, colors } = metric();
  canvas.setAttribute("aria-label", `Colours of ${words}, from ${legend[0]}, the best, to ${legend.at(-1)}`);
  if (colors.every((place) => !place)) return; // there is none, or one alone
  const [left, right] = [36, width - 40];
  for (let x = left; x < right; x += 1) {
    pen.fillStyle = colorAt((x - left) / (right - left));
    pen.fillRect(x, 2, 1.5, 10);
  }
  pen.fillStyle = ink.quiet;
  pen.textBaseline = "top";
  pen.textAlign = "center";
  legend.forEach((label, i) => pen.fillText(label, left + ((right - left) * i) / (legend.length - 1), 16));
}
