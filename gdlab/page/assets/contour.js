// The function as a picture that is kept until the view changes: coarse at once, fine when at rest.

const COARSE = 141;
const FINE = 281;
const LEVELS = 16;
const kept = { image: null, key: "" };
let refining = 0;

function grid(n) {
  const [[left, right], [low, high]] = now.view;
  const { value } = SEEN;
  const values = new Float64Array(n * n);
  const w = new Float64Array(2);
  for (let j = 0; j < n; j += 1) {
    const b = high - ((high - low) * j) / (n - 1);
    for (let i = 0; i < n; i += 1) {
      const [w1, w2] = weightsAt(left + ((right - left) * i) / (n - 1), b);
      w[0] = w1;
      w[1] = w2;
      values[j * n + i] = value(w);
    }
  }
  return values;
}

// A scale from values to heights between 0 and 1, whose steps are even to the eye: valleys as well
// as walls have lines.
function heightScale(values) {
  const sorted = values.filter(Number.isFinite).sort();
  if (!sorted.length) return null;
  const bottom = quadratic?.lowest ?? sorted[0];
  const scale = sorted[Math.floor(sorted.length * 0.05)] - bottom || (sorted.at(-1) - bottom) / 100 || 1;
  const top = Math.log1p((sorted.at(-1) - bottom) / scale) || 1;
  return {
    height: (z) => (Number.isFinite(z) ? Math.log1p(Math.max(z - bottom, 0) / scale) / top : NaN),
    value: (height) => bottom + scale * Math.expm1(height * top),
  };
}

// Values with lines at about even heights, with as few digits as tell neighbours apart.
function levelsOf({ value }) {
  const found = [];
  for (let level = 1; level <= LEVELS; level += 1) {
    const [below, here, above] = [-1, -0.5, 0].map((shift) => value((level + shift) / LEVELS));
    const unit = 10 ** Math.floor(Math.log10((above - below) / 2));
    if (unit > 0) found.push(Number((Math.round(here / unit) * unit).toPrecision(12)));
  }
  return found;
}

function parse(color) {
  const hex = color.replace("#", "");
  return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

function shade(n, z) {
  const style = getComputedStyle(document.documentElement);
  const [deep, high] = ["--deep", "--high"].map((name) => parse(style.getPropertyValue(name).trim()));
  const tile = new OffscreenCanvas(n, n);
  const pen = tile.getContext("2d");
  const image = pen.createImageData(n, n);
  for (let i = 0; i < n * n; i += 1) {
    const t = Number.isNaN(z[i]) ? 1 : z[i];
    for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = deep[c] + t * (high[c] - deep[c]);
    image.data[4 * i + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
  return tile;
}

// Marching squares: where a level crosses the sides of a cell. Returns the pieces of the line.
function traceLevel(pen, n, z, level, sx, sy) {
  const pieces = [];
  pen.beginPath();
  for (let j = 0; j < n - 1; j += 1) {
    for (let i = 0; i < n - 1; i += 1) {
      const at = j * n + i;
      const [a, b, c, d] = [z[at] - level, z[at + 1] - level, z[at + n + 1] - level, z[at + n] - level];
      const kind = (a > 0) + 2 * (b > 0) + 4 * (c > 0) + 8 * (d > 0);
      if (kind === 0 || kind === 15 || Number.isNaN(a + b + c + d)) continue;
      const sides = [
        [(i + a / (a - b)) * sx, j * sy],
        [(i + 1) * sx, (j + b / (b - c)) * sy],
        [(i + d / (d - c)) * sx, (j + 1) * sy],
        [i * sx, (j + a / (a - d)) * sy],
      ];
      const join = (p, q) => {
        pen.moveTo(...sides[p]);
        pen.lineTo(...sides[q]);
        pieces.push([sides[p], sides[q]]);
      };
      if (kind === 5 || kind === 10) {
        const inside = a + b + c + d > 0 === (kind === 5);
        join(inside ? 0 : 3, inside ? 1 : 0);
        join(inside ? 2 : 1, inside ? 3 : 2);
      } else {
        const crossed = [];
        if (a > 0 !== b > 0) crossed.push(0);
        if (b > 0 !== c > 0) crossed.push(1);
        if (c > 0 !== d > 0) crossed.push(2);
        if (d > 0 !== a > 0) crossed.push(3);
        join(crossed[0], crossed[1]);
      }
    }
  }
  pen.stroke();
  return pieces;
}

const APART = 62; // pixels between labels of contours, if they can be

// The value of a line, written on it where there is most room.
function labelLine(pen, pieces, label, taken, width, height) {
  let [best, room] = [null, 0];
  for (const [[x0, y0], [x1, y1]] of pieces) {
    const at = [(x0 + x1) / 2, (y0 + y1) / 2];
    const edge = Math.min(at[0], width - at[0], 2 * at[1], 2 * (height - at[1]));
    const free = Math.min(1.5 * edge, 160, ...taken.map(([x, y]) => Math.hypot(x - at[0], y - at[1])));
    if (free > room) [best, room] = [[...at, Math.atan2(y1 - y0, x1 - x0)], free];
  }
  if (room < APART) return;
  taken.push(best);
  const [x, y, angle] = best;
  pen.save();
  pen.translate(x, y);
  pen.rotate(Math.cos(angle) < 0 ? angle + Math.PI : angle);
  pen.lineWidth = 4;
  pen.strokeStyle = ink.paper;
  pen.strokeText(label, 0, 0);
  pen.fillText(label, 0, 0);
  pen.restore();
}

function contourImage(width, height, n) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const image = new OffscreenCanvas(Math.max(1, width * ratio), Math.max(1, height * ratio));
  const pen = image.getContext("2d");
  pen.scale(ratio, ratio);
  const values = grid(n);
  const scale = heightScale(values);
  if (!scale) return image;
  const z = values.map(scale.height);
  pen.imageSmoothingQuality = "high";
  // Samples lie in the middle of the tile's pixels, and on the edges of the map.
  const half = [width / (n - 1) / 2, height / (n - 1) / 2];
  pen.drawImage(shade(n, z), -half[0], -half[1], width + 2 * half[0], height + 2 * half[1]);
  pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--contour").trim();
  pen.lineWidth = 0.8;
  const levels = levelsOf(scale);
  const lines = levels.map((level) => traceLevel(pen, n, z, scale.height(level), width / (n - 1), height / (n - 1)));
  // Labels would jump while something moves.
  if (n === FINE) {
    Object.assign(pen, { font: "10px system-ui, sans-serif", textAlign: "center", textBaseline: "middle", fillStyle: ink.quiet, lineJoin: "round" });
    const taken = [];
    lines.forEach((pieces, i) => labelLine(pen, pieces, text(levels[i], 12), taken, width, height));
  }
  return image;
}

function contours(width, height) {
  const wanted = JSON.stringify([now.view, now.eigen, width, height, isNight()]);
  if (kept.key !== wanted) {
    kept.key = wanted;
    kept.image = contourImage(width, height, printing ? FINE : COARSE);
    clearTimeout(refining);
    refining = setTimeout(() => {
      kept.image = contourImage(width, height, FINE);
      schedule();
    }, 150);
  }
  return kept.image;
}

const EDGE = { left: 40, top: 6, right: 6, bottom: 22 };

function paintMap() {
  const canvas = $("map");
  const { pen, width, height } = fresh(canvas);
  const box = { left: EDGE.left, top: EDGE.top, right: width - EDGE.right, bottom: height - EDGE.bottom };
  const [across, down] = [box.right - box.left, box.bottom - box.top];
  const [[left, right], [low, high]] = now.view;
  pen.drawImage(contours(across, down), box.left, box.top, across, down);
  pen.fillStyle = ink.quiet;
  pen.strokeStyle = ink.line;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const [at, label] of ticks(left, right, across / 70)) {
    pen.fillText(label, clamp(box.left + at * across, box.left + 4, box.right - 8), box.bottom + 5);
    line(pen, box.left + at * across, box.bottom, box.left + at * across, box.bottom + 4);
  }
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const [at, label] of ticks(low, high, down / 60)) {
    pen.fillText(label, box.left - 6, clamp(box.bottom - at * down, box.top + 6, box.bottom - 2));
    line(pen, box.left - 4, box.bottom - at * down, box.left, box.bottom - at * down);
  }
  const place = (w1, w2) => {
    const [a, b] = shownCoordinates(w1, w2);
    return [box.left + ((a - left) / (right - left)) * across, box.bottom - ((b - low) / (high - low)) * down];
  };
  clip({ pen, box }, () => paintPaths(pen, box, place));
  pen.strokeStyle = ink.line;
  pen.strokeRect(box.left + 0.5, box.top + 0.5, across - 1, down - 1);
  now.place = place;
  now.unplace = (px, py) =>
    weightsAt(left + ((px - box.left) / across) * (right - left), low + ((box.bottom - py) / down) * (high - low));
}

const SIGNS = {
  minimum: (pen, x, y) => {
    line(pen, x - 5, y - 5, x + 5, y + 5);
    line(pen, x - 5, y + 5, x + 5, y - 5);
  },
  "local minimum": (pen, x, y) => {
    line(pen, x - 5, y, x + 5, y);
    line(pen, x, y - 5, x, y + 5);
  },
  saddle: (pen, x, y) => outline(pen, [[x - 6, y], [x, y - 6], [x + 6, y], [x, y + 6]]),
  maximum: (pen, x, y) => outline(pen, [[x - 6, y + 5], [x + 6, y + 5], [x, y - 6]]),
};
const SIGN_NAMES = { minimum: "✕ minimum", "local minimum": "+ local minimum", saddle: "◇ saddle", maximum: "△ maximum" };

// What is known of the function: its critical points, and the box that parameters have to stay in.
function paintLandmarks(pen, place) {
  for (const [color, wide] of [[ink.paper, 4], [ink.text, 1.5]]) {
    Object.assign(pen, { strokeStyle: color, lineWidth: wide });
    for (const { kind, at } of PAGE.landmarks) SIGNS[kind](pen, ...place(...at));
  }
  if (!PAGE.box) return;
  const [low, high] = PAGE.box;
  pen.setLineDash([6, 4]);
  outline(pen, [[low, low], [high, low], [high, high], [low, high]].map(([a, b]) => place(a, b)));
  pen.setLineDash([]);
}

function explainLandmarks() {
  const kinds = Object.keys(SIGN_NAMES).filter((kind) => PAGE.landmarks.some((one) => one.kind === kind));
  const words = kinds.map((kind) => SIGN_NAMES[kind]);
  if (PAGE.box) words.push("dashed: the bounds");
  $("landmarks").textContent = words.length ? ` ${words.join(", ")}.` : "";
}

function paintPaths(pen, box, place) {
  paintLandmarks(pen, place);
  racers.forEach((present, i) => {
    const racer = shownFor(present);
    if (!racer.visible) return;
    const { path } = racer;
    const last = Math.min(now.shown, racer.finite - 1);
    const trace = (from, to) => {
      const points = [];
      for (let t = from; t <= to; t += 1) points.push(place(path[2 * t], path[2 * t + 1]));
      polyline(pen, box, points);
    };
    pen.strokeStyle = colorOf(i);
    pen.setLineDash(dashOf(i));
    // Later ones are thinner, so that paths which coincide are all seen.
    pen.lineWidth = Math.max(3.2 - 0.6 * i, 1.4);
    pen.globalAlpha = 0.25;
    trace(Math.max(last, 0), racer.finite - 1);
    pen.globalAlpha = 1;
    trace(0, last);
    pen.setLineDash([]);
    if (last <= 60) {
      for (let t = 1; t < last; t += 1) dot(pen, ...place(path[2 * t], path[2 * t + 1]), 2, colorOf(i));
    }
    if (last >= 0) {
      pen.lineWidth = 1.5;
      dot(pen, ...place(path[2 * last], path[2 * last + 1]), 5, colorOf(i), ink.paper);
    }
  });
  if (now.arrows) paintParts(pen, place);
  const [x, y] = place(...now.start);
  pen.lineWidth = 5;
  dot(pen, x, y, 8, null, ink.paper);
  pen.lineWidth = 2.5;
  dot(pen, x, y, 8, null, ink.text);
}
