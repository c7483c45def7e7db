// Canvases in sharp pixels, colours by the reader's theme, and frames with ticks.

// Okabe and Ito's palette, brighter on dark ground.
const PALETTE = {
  light: ["#0072B2", "#D55E00", "#009E73", "#B8579A", "#B07800", "#3A8FC4", "#444444"],
  dark: ["#56B4E9", "#FF8A3C", "#2FCC9B", "#E79AC8", "#F0C24A", "#8FD0F5", "#DDDDDD"],
};
const DASHES = [[], [9, 4], [2, 4], [10, 3, 2, 3], [5, 3], [12, 3, 2, 3, 2, 3], [1, 2]];
// Paper is light, whatever the screen is.
const night = matchMedia("screen and (prefers-color-scheme: dark)");
let printing = false;

function isNight() {
  return night.matches && !printing;
}
let ink = {};

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  ink = {
    text: read("--text"),
    quiet: read("--quiet"),
    line: read("--line"),
    paper: read("--paper"),
    colors: PALETTE[isNight() ? "dark" : "light"],
  };
}

function colorOf(i) {
  return ink.colors[i % ink.colors.length];
}

// Optimizers beyond the palette take its colours with other dashes.
function dashOf(i) {
  return DASHES[(i + Math.floor(i / ink.colors.length)) % DASHES.length];
}

// The context of a canvas, its units being CSS pixels, cleared.
function fresh(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const { clientWidth: width, clientHeight: height } = canvas;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.lineJoin = "round";
  return { pen, width, height };
}

// Axes around a box, below a key of what is in it; x and y are { low, high, ticks, name }. Returns
// how to get into the box.
function frame(canvas, x, y, entries = []) {
  const { pen, width, height } = fresh(canvas);
  const left = Math.max(56, 28 + Math.max(0, ...y.ticks.map(([, label]) => pen.measureText(label).width)));
  const rows = key(pen, left, 11, width - 10, entries);
  const box = { left, top: 8 + 17 * rows, right: width - 10, bottom: height - (x.name ? 34 : 20) };
  const across = box.right - box.left;
  const down = box.bottom - box.top;
  pen.strokeStyle = ink.line;
  pen.fillStyle = ink.quiet;
  pen.lineWidth = 1;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const [at, label] of x.ticks) {
    const px = Math.round(box.left + at * across) + 0.5;
    line(pen, px, box.bottom, px, box.bottom + (label ? 4 : 2));
    if (label) pen.fillText(label, clamp(px, 12, width - 14), box.bottom + 5);
  }
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const [at, label] of y.ticks) {
    const py = Math.round(box.bottom - at * down) + 0.5;
    line(pen, box.left - (label ? 4 : 2), py, box.left, py);
    if (label) pen.fillText(label, box.left - 6, py);
  }
  if (x.name) {
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    pen.fillText(x.name, (box.left + box.right) / 2, height - 1);
  }
  if (y.name) {
    pen.save();
    pen.translate(10, (box.top + box.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(y.name, 0, 0);
    pen.restore();
  }
  pen.strokeRect(box.left + 0.5, box.top + 0.5, across - 1, down - 1);
  return {
    pen,
    box,
    x: (value) => box.left + ((value - x.low) / (x.high - x.low)) * across,
    y: (value) => box.bottom - ((value - y.low) / (y.high - y.low)) * down,
  };
}

function clip({ pen, box }, paint) {
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
  paint();
  pen.restore();
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

// A polyline through far points: only what lies near the box is stroked, since the dashes of miles
// beyond it would cost a frame.
function polyline(pen, { left, right, top, bottom }, points) {
  const [from, to] = [[left - 20, top - 20], [right + 20, bottom + 20]];
  pen.beginPath();
  let end = null;
  for (let i = 1; i < points.length; i += 1) {
    const [a, b] = [points[i - 1], points[i]];
    // From beyond all measure a line would come in at a place that is nothing but rounding.
    let [enter, leave] = [0, Math.max(Math.abs(a[0]), Math.abs(a[1])) < 1e9 ? 1 : -1];
    for (const k of [0, 1]) {
      const along = b[k] - a[k];
      const cuts = [(from[k] - a[k]) / along, (to[k] - a[k]) / along];
      if (along === 0) {
        if (a[k] < from[k] || a[k] > to[k]) leave = -1;
      } else {
        enter = Math.max(enter, Math.min(...cuts));
        leave = Math.min(leave, Math.max(...cuts));
      }
    }
    if (!(enter <= leave)) {
      end = null;
      continue;
    }
    const at = (share) => [0, 1].map((k) => a[k] + share * (b[k] - a[k]));
    if (end !== a || enter > 0) pen.moveTo(...at(enter));
    pen.lineTo(...at(leave));
    end = leave === 1 ? b : null;
  }
  pen.stroke();
}

function outline(pen, corners) {
  pen.beginPath();
  for (const corner of corners) pen.lineTo(...corner);
  pen.closePath();
  pen.stroke();
}

function dot(pen, x, y, radius, fill, edge) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  if (fill) {
    pen.fillStyle = fill;
    pen.fill();
  }
  if (edge) {
    pen.strokeStyle = edge;
    pen.stroke();
  }
}

function arrow(pen, x0, y0, x1, y1) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 2) return;
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const head = Math.min(9, length / 2);
  line(pen, x0, y0, x1 - ux * head * 0.8, y1 - uy * head * 0.8);
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x1 - head * ux - 0.45 * head * uy, y1 - head * uy + 0.45 * head * ux);
  pen.lineTo(x1 - head * ux + 0.45 * head * uy, y1 - head * uy - 0.45 * head * ux);
  pen.closePath();
  pen.fillStyle = pen.strokeStyle;
  pen.fill();
}

// [label, sample] side by side, in as many rows as that needs; a sample paints itself at a point.
function key(pen, left, top, right, entries) {
  let [x, row] = [left, 0];
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  for (const [label, sample] of entries) {
    const wide = 34 + pen.measureText(label).width;
    if (x > left && x + wide > right) [x, row] = [left, row + 1];
    sample(x, top + 17 * row);
    pen.fillStyle = ink.text;
    pen.fillText(label, x + 30, top + 17 * row);
    x += wide + 14;
  }
  return entries.length ? row + 1 : 0;
}

// A key entry whose sample is a stroke.
function stroke(canvas, label, color, dash = []) {
  const pen = canvas.getContext("2d");
  return [label, (x, y) => {
    pen.strokeStyle = color;
    pen.lineWidth = 2;
    pen.setLineDash(dash);
    line(pen, x, y, x + 24, y);
    pen.setLineDash([]);
  }];
}

function thin(canvas, label, color) {
  const pen = canvas.getContext("2d");
  return [label, (x, y) => {
    Object.assign(pen, { strokeStyle: color, lineWidth: 1 });
    line(pen, x, y, x + 24, y);
  }];
}
