// The map of regimes: coarse and now and then while something moves, fine when it rests.
const atlas = { key: "", tile: null, across: 0, up: 1, timer: 0, painted: 0, pointed: null, box: null };
const COLUMNS = 28;
const ROWS = 18;
const FINER = 5;
const PAUSE = 100; // milliseconds between coarse maps
const SLICE = 6; // milliseconds of a frame that a fine one may take

// None of an optimizer that has no numbers to set.
function axesOf({ controls }) {
  return [controls[atlas.across], controls[atlas.up]].filter(Boolean);
}

function regimeTint(rate, regime) {
  const style = regime === "monotone" ? ink.monotone : ink.oscillating;
  // Even steps for a tenfold number of steps.
  const depth = 0.1 + 0.2 * -Math.log10(Math.max(1 - rate, 1e-3));
  return style.map((c, i) => c + (ink.ground[i] - c) * depth);
}

// Row by row, so that it can be put off in between; the last one yields the tile.
function* regimeRows(racer, held, columns, rows) {
  const [a, b] = axesOf(racer);
  const h = racer.h.slice();
  const image = new ImageData(columns, rows);
  for (let j = 0; j < rows; j += 1) {
    yield null;
    if (b !== a) h[b.position] = valueAt(b, 1 - (j + 0.5) / rows);
    for (let i = 0; i < columns; i += 1) {
      h[a.position] = valueAt(a, (i + 0.5) / columns);
      const at = 4 * (j * columns + i);
      const pole = dominantPole(racer, matrixOf(racer, h, held));
      const regime = regimeOf(pole);
      // What diverges shows the hatching below.
      image.data[at + 3] = regime === "divergent" ? 0 : 255;
      if (regime !== "divergent") regimeTint(Math.hypot(...pole), regime).forEach((c, k) => (image.data[at + k] = c));
    }
  }
  const tile = new OffscreenCanvas(columns, rows);
  tile.getContext("2d").putImageData(image, 0, 0);
  yield tile;
}

function refineRegimes(rows, key) {
  const begun = performance.now();
  let tile = null;
  while (!tile && performance.now() - begun < SLICE) tile = rows.next().value;
  if (atlas.key !== key) return;
  if (tile) {
    atlas.tile = tile;
    schedule();
  } else atlas.timer = setTimeout(refineRegimes, 0, rows, key);
}

function regimeTile(racer, held) {
  const [a, b] = axesOf(racer);
  const others = racer.controls.filter((c) => c !== a && c !== b).map((c) => racer.h[c.position]);
  const scalesHeld = racer.dynamics.scales.concat(racer.dynamics.clocks).map((atom) => held[atom]);
  const wanted = JSON.stringify([now.focus, atlas.across, atlas.up, others, scalesHeld, isNight()]);
  if (atlas.key !== wanted) {
    atlas.key = wanted;
    const shape = JSON.stringify([now.focus, atlas.across, atlas.up]);
    const fine = printing ? FINER : 1;
    if (printing || atlas.shape !== shape || performance.now() - atlas.painted > PAUSE) {
      atlas.tile = [...regimeRows(racer, held, fine * COLUMNS, fine * ROWS)].at(-1);
      atlas.shape = shape;
      atlas.painted = performance.now();
    }
    clearTimeout(atlas.timer);
    const rows = regimeRows(racer, held, FINER * COLUMNS, FINER * ROWS);
    atlas.timer = setTimeout(refineRegimes, 200, rows, wanted);
  }
  return atlas.tile;
}

function axisOf(control, width) {
  const { to } = scales[control.scale];
  const [low, high] = [to(control.low), to(control.high)];
  return { low, high, ticks: ticksOf(control.scale, low, high, width / 70), name: control.label };
}

function paintRegimes(found) {
  const canvas = $("regimes");
  const racer = racers[now.focus];
  const [a, b] = axesOf(racer);
  canvas.closest("figure").hidden = !a;
  if (!a || !isShown("regimes")) return;
  const y = b === a ? { low: 0, high: 1, ticks: [], name: "" } : axisOf(b, canvas.clientHeight);
  const pen = canvas.getContext("2d");
  const swatch = (paintIt) => (px, py) => {
    pen.beginPath();
    pen.rect(px + 7, py - 6, 18, 12);
    paintIt(px, py);
  };
  const filled = (color) => swatch(() => {
    pen.fillStyle = `rgb(${color})`;
    pen.fill();
  });
  const hatched = swatch((px, py) => {
    pen.strokeStyle = ink.quiet;
    pen.lineWidth = 1;
    pen.stroke();
    for (const x of [7, 13]) line(pen, px + x, py + 6, px + x + 12, py - 6);
  });
  const chart = frame(canvas, axisOf(a, canvas.clientWidth), y, [
    ["monotone", filled(ink.monotone)],
    ["oscillating", filled(ink.oscillating)],
    ["divergent", hatched],
  ]);
  const { box } = chart;
  atlas.box = box;
  const [across, down] = [box.right - box.left, box.bottom - box.top];
  clip(chart, () => {
    pen.strokeStyle = ink.line;
    for (let x = box.left - down; x < box.right; x += 8) line(pen, x, box.bottom, x + down, box.top);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(regimeTile(racer, found.held), box.left, box.top, across, down);
    const px = chart.x(scales[a.scale].to(racer.h[a.position]));
    const py = b === a ? (box.top + box.bottom) / 2 : chart.y(scales[b.scale].to(racer.h[b.position]));
    const at = [clamp(px, box.left + 7, box.right - 7), clamp(py, box.top + 7, box.bottom - 7)];
    pen.lineWidth = 4;
    dot(pen, ...at, 6, null, ink.paper);
    pen.lineWidth = 2;
    dot(pen, ...at, 6, null, ink.text);
    if (!tried) return;
    const [x, y] = [box.left + atlas.pointed[0] * across, box.bottom - atlas.pointed[1] * down];
    pen.lineWidth = 1;
    pen.strokeStyle = ink.text;
    line(pen, x, box.top, x, box.bottom);
    if (b !== a) line(pen, box.left, y, box.right, y);
  });
}

// The optimizer seen close up as it would be where the pointer is; null if that is nowhere.
let tried = null;

function seen() {
  return tried ?? racers[now.focus];
}

function settingAt(racer, [u, v]) {
  const [a, b] = axesOf(racer);
  const h = racer.h.slice();
  h[a.position] = valueAt(a, u);
  if (b !== a) h[b.position] = valueAt(b, v);
  return h;
}

function tryPointed() {
  const racer = racers[now.focus];
  const key = [now.focus, racer.version, atlas.across, atlas.up, atlas.pointed].join();
  if (!atlas.pointed || !racer.near) tried = null;
  else if (tried?.key !== key) {
    tried = Object.assign(Object.create(racer), { key, h: settingAt(racer, atlas.pointed) });
    runAnew(tried);
  }
}

function choose(position) {
  const racer = racers[now.focus];
  racer.h.set(settingAt(racer, position));
  racer.stale = true;
  atlas.pointed = null;
  changed();
}

// By the pointer over the map or by its arrows.
function bindRegimes() {
  const map = $("regimes");
  const at = ({ clientX, clientY }) => {
    const { left, top } = map.getBoundingClientRect();
    const { box } = atlas;
    return [(clientX - left - box.left) / (box.right - box.left), (box.bottom + top - clientY) / (box.bottom - box.top)];
  };
  const inside = (position) => position.every((u) => u >= 0 && u <= 1);
  let held = false;
  map.addEventListener("pointermove", (event) => {
    const position = at(event);
    if (held) choose(position.map((u) => clamp(u, 0, 1)));
    else {
      atlas.pointed = inside(position) ? position : null;
      schedule();
    }
  });
  map.addEventListener("pointerleave", () => {
    atlas.pointed = null;
    schedule();
  });
  // A finger scrolls the page with the map beneath it, and chooses where it taps.
  map.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.pointerType === "touch" || !inside(at(event))) return;
    held = true;
    map.setPointerCapture(event.pointerId);
    choose(at(event));
  });
  for (const end of ["pointerup", "pointercancel"]) map.addEventListener(end, () => (held = false));
  map.addEventListener("click", (event) => {
    if (inside(at(event))) choose(at(event));
  });
  map.addEventListener("keydown", (event) => {
    const racer = racers[now.focus];
    const moved = arrowOf(event)?.map((direction, k) => {
      const control = axesOf(racer)[k];
      if (!control) return 0;
      const least = control.scale === "whole" ? 1 / (control.high - control.low) : 0;
      return positionOf(control, racer.h[control.position]) + direction * Math.max(event.shiftKey ? 0.05 : 0.01, least);
    });
    if (!moved) return;
    event.preventDefault();
    choose(moved);
  });
}
