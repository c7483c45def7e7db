// The settings in the page's address, so that a link shares them; what is as it was is left out.

function address() {
  const said = new URLSearchParams();
  const differs = (a, b) => a.length !== b.length || a.some((x, i) => x !== b[i]);
  if (differs([...now.start], PAGE.start)) said.set("start", [...now.start].join(","));
  if (now.steps !== PAGE.steps) said.set("steps", now.steps);
  if (now.shown !== now.steps) said.set("shown", now.shown);
  if (differs(now.view.flat(), PAGE.view.flat())) said.set("view", now.view.flat().join(","));
  if (now.eigen) said.set("eigen", 1);
  if (now.arrows) said.set("parts", 1);
  if (now.focus !== worthiest) said.set("focus", now.focus);
  racers.forEach((racer, i) => {
    if (!racer.visible) said.append("hidden", i);
    for (const control of racer.controls) {
      const value = racer.h[control.position];
      if (value !== control.value) said.set(`${i}.${control.path}`, value);
    }
  });
  return String(said);
}

function followAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  const numbers = (name) => (said.get(name) ?? "").split(",").map(Number);
  const fits = (name, count) => {
    const values = numbers(name);
    return said.has(name) && values.length === count && values.every(Number.isFinite) && said.get(name).trim() !== "";
  };
  resetSettings();
  if (fits("start", 2)) now.start.set(numbers("start"));
  if (fits("steps", 1)) now.steps = clamp(Math.round(numbers("steps")[0]), 1, BUDGET);
  now.shown = fits("shown", 1) ? clamp(Math.round(numbers("shown")[0]), 0, now.steps) : now.steps;
  if (fits("view", 4)) {
    const [left, right, low, high] = numbers("view");
    if (left < right && low < high) now.view = [[left, right], [low, high]];
  }
  now.eigen = quadratic !== null && said.has("eigen");
  now.arrows = said.has("parts");
  if (fits("focus", 1)) now.focus = clamp(Math.round(numbers("focus")[0]), 0, racers.length - 1);
  for (const i of said.getAll("hidden")) if (racers[i]) racers[i].visible = false;
  racers.forEach((racer, i) => {
    for (const control of racer.controls) {
      const key = `${i}.${control.path}`;
      if (fits(key, 1)) racer.h[control.position] = numbers(key)[0];
    }
  });
}

let written = 0;

// Browsers refuse many changes in a row, so that it waits until the hand rests.
function writeAddress() {
  clearTimeout(written);
  written = setTimeout(() => {
    const hash = address();
    if (hash === location.hash.slice(1)) return;
    try {
      history.replaceState(null, "", hash ? `#${hash}` : "#");
    } catch {
      // A sandboxed frame has no address of its own.
    }
  }, 200);
}
