// Sliders, transport, pointer and keys. Each changes settings and asks for a frame.

function buildGroup(racer, i) {
  const swatch = sample();
  const box = element("input", { type: "checkbox" });
  box.addEventListener("change", () => {
    racer.visible = box.checked;
    changed();
  });
  syncs.push(() => (box.checked = racer.visible));
  racer.swatch = swatch.firstChild;
  const group = element("fieldset", {}, element("legend", {}, element("label", {}, box, swatch, racer.name)));
  group.append(...buildAllSliders(racer, i));
  return group;
}

function buildReadout() {
  const body = $("readout").tBodies[0];
  racers.forEach((racer) => {
    racer.cells = [1, 2, 3].map(() => element("td"));
    racer.row = element("tr", {}, element("th", { scope: "row" }, racer.name), ...racer.cells);
    body.append(racer.row);
  });
}

function chooseAxes() {
  const { controls } = racers[now.focus];
  const open = controls.filter(({ folded }) => !folded);
  // Of a schedule's rates the one that it peaks at.
  const rates = controls.filter(isRate).sort((a, b) => b.value - a.value);
  atlas.across = Math.max(0, controls.indexOf(rates[0]));
  const decay = open.findIndex(({ scale }, i) => i !== atlas.across && scale === "decay");
  const other = open.findIndex((_, i) => i !== atlas.across);
  atlas.up = [decay, other, atlas.across].find((i) => i >= 0);
  for (const id of ["across", "up"]) {
    options($(id), controls.map(({ label }) => label));
    $(id).value = atlas[id];
  }
}

const motion = { playing: false, last: 0, at: 0 };
const still = matchMedia("(prefers-reduced-motion: reduce)");

function play(on) {
  motion.playing = on;
  motion.last = performance.now();
  if (on && now.shown >= now.steps) now.shown = 0;
  motion.at = now.shown;
  changed();
}

// Playing only moves an index. Who asked for less motion sees ten pictures, two in a second.
function advance(time) {
  if (!motion.playing) return;
  if (still.matches) {
    if (time - motion.last >= 500) {
      motion.last = time;
      now.shown = Math.min(now.steps, now.shown + Math.ceil(now.steps / 10));
    }
  } else {
    const seconds = clamp((time - motion.last) / 1000, 0, 0.1);
    motion.last = time;
    motion.at += (seconds * now.steps) / clamp(now.steps / 20, 4, 12);
    now.shown = Math.min(now.steps, Math.floor(motion.at));
  }
  if (now.shown >= now.steps) motion.playing = false;
  schedule();
}

function show(step) {
  motion.playing = false;
  now.shown = clamp(Math.round(step), 0, now.steps);
  changed();
}

function zoom(factor) {
  now.view = now.view.map(([low, high]) => {
    const [middle, half] = [(low + high) / 2, (factor * (high - low)) / 2];
    return [middle - half, middle + half];
  });
  changed();
}

// The same stretch of the plane about the same point, in the other coordinates.
function turn(eigen) {
  const middle = weightsAt(...now.view.map(([low, high]) => (low + high) / 2));
  const halves = now.view.map(([low, high]) => (high - low) / 2);
  now.eigen = eigen;
  const at = shownCoordinates(...middle);
  now.view = at.map((x, k) => [x - halves[k], x + halves[k]]);
  changed();
}

function moveStart(w1, w2) {
  now.start[0] = w1;
  now.start[1] = w2;
  for (const racer of racers) racer.stale = true;
  changed();
}

function reset() {
  motion.playing = false;
  resetSettings();
  chooseAxes();
  changed();
}

// Where an arrow key points to.
function arrowOf({ key, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return undefined;
  return { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
}

function bindMap() {
  const map = $("map");
  const at = (event) => {
    const { left, top } = map.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const near = (event) => {
    const [x, y] = at(event);
    const [px, py] = now.place(...now.start);
    return Math.hypot(x - px, y - py) < 26;
  };
  let held = null; // from the pointer to the middle of the ring
  map.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || !near(event)) return;
    const [x, y] = at(event);
    const [px, py] = now.place(...now.start);
    held = [px - x, py - y];
    map.setPointerCapture(event.pointerId);
  });
  map.addEventListener("pointermove", (event) => {
    if (held) moveStart(...now.unplace(...at(event).map((x, k) => x + held[k])));
    map.style.cursor = held ? "grabbing" : near(event) ? "grab" : "";
  });
  for (const end of ["pointerup", "pointercancel"]) map.addEventListener(end, () => (held = null));
  map.addEventListener("dblclick", (event) => moveStart(...now.unplace(...at(event))));
  // A finger on the ring drags it; anywhere else it scrolls the page.
  map.addEventListener("touchstart", (event) => {
    if (event.touches.length === 1 && near(event.touches[0])) event.preventDefault();
  }, { passive: false });
  map.addEventListener("keydown", (event) => {
    const direction = arrowOf(event);
    if (!direction) return;
    event.preventDefault();
    const factor = event.shiftKey ? 0.05 : 0.01;
    const shown = shownCoordinates(...now.start);
    moveStart(...weightsAt(...shown.map((x, k) => x + direction[k] * factor * (now.view[k][1] - now.view[k][0]))));
  });
}

function bindKeys() {
  const keys = {
    " ": () => play(!motion.playing),
    ",": () => show(now.shown - 1),
    ".": () => show(now.shown + 1),
    "+": () => zoom(0.8),
    "-": () => zoom(1.25),
    r: reset,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // Where keys have a meaning of their own they keep it.
    if (event.target.closest("input[type=text], select")) return;
    if (event.key === " " && event.target.closest("button, summary, input[type=checkbox]")) return;
    const act = keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function bindControls() {
  $("sliders").append(...racers.map(buildGroup));
  buildReadout();
  options($("focus"), racers.map(({ name }) => name));
  $("play").addEventListener("click", () => play(!motion.playing));
  $("scrub").addEventListener("input", () => show(Number($("scrub").value)));
  $("reset").addEventListener("click", reset);
  $("closer").addEventListener("click", () => zoom(0.8));
  $("farther").addEventListener("click", () => zoom(1.25));
  $("eigen").addEventListener("change", () => turn($("eigen").checked));
  $("arrows").addEventListener("change", () => {
    now.arrows = $("arrows").checked;
    changed();
  });
  $("focus").addEventListener("change", () => {
    now.focus = Number($("focus").value);
    changed();
  });
  for (const id of ["across", "up"]) {
    $(id).addEventListener("change", () => {
      atlas[id] = Number($(id).value);
      schedule();
    });
  }
  $("noise").addEventListener("input", () => {
    now.noise = Number($("noise").value);
    schedule();
  });
  for (const details of document.querySelectorAll(".closer details")) details.addEventListener("toggle", schedule);
  const steps = { scale: "log", low: 5, high: BUDGET };
  syncs.push(
    bindSlider($("steps"), $("steps-value"), {
      read: () => now.steps,
      set: (x) => {
        const whole = now.shown === now.steps;
        now.steps = clamp(Math.round(x), 1, BUDGET);
        now.shown = whole ? now.steps : Math.min(now.shown, now.steps);
        for (const racer of racers) racer.stale = true;
        changed();
      },
      position: (x) => positionOf(steps, x),
      value: (u) => valueAt(steps, u),
      write: (x) => String(x),
    }),
  );
  bindMap();
  if (quadratic) bindRegimes();
  bindKeys();
}

function syncControls() {
  for (const sync of syncs) sync();
  $("scrub").max = now.steps;
  $("scrub").value = now.shown;
  $("scrub").setAttribute("aria-valuetext", `step ${now.shown} of ${now.steps}`);
  $("clock").value = `${now.shown} / ${now.steps}`;
  $("play").textContent = motion.playing ? "Pause" : "Play";
  $("play").setAttribute("aria-pressed", motion.playing);
  $("eigen").checked = now.eigen;
  $("arrows").checked = now.arrows;
  $("focus").value = now.focus;
  $("noise").value = now.noise;
  $("noise-value").value = text(10 ** now.noise, 2);
}
