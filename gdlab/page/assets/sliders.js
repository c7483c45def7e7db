// Sliders with their numbers.

function valueAt(control, u) {
  const { to, from } = scales[control.scale];
  const [low, high] = [to(control.low), to(control.high)];
  if (u <= 0) return control.low;
  if (u >= 1) return control.high;
  if (control.scale === "whole") return Math.round(low + u * (high - low));
  // Four digits, so that what is read can be typed.
  const x = from(low + u * (high - low));
  if (control.scale === "decay") return 1 - Number((1 - x).toPrecision(3));
  return Number(x.toPrecision(4));
}

function unclamped(control, value) {
  const { to } = scales[control.scale];
  const [low, high] = [to(control.low), to(control.high)];
  return (to(value) - low) / (high - low);
}

function positionOf(control, value) {
  return clamp(unclamped(control, value), 0, 1);
}

// A stroke in the colour and the dashes of an optimizer, which is sharp wherever it is shown.
function sample() {
  const made = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const [picture, stroke] = [made("svg"), made("line")];
  picture.setAttribute("class", "swatch");
  picture.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries({ x1: 0, x2: 40, y1: 6, y2: 6 })) stroke.setAttribute(name, value);
  picture.append(stroke);
  return picture;
}

// A slider with its value beside it, which can be typed; `sync` shows what is set elsewhere.
function bindSlider(slider, typed, { read, set, position, value, write }) {
  slider.addEventListener("input", () => set(value(Number(slider.value))));
  typed.addEventListener("change", () => {
    const wanted = Number(typed.value.trim().replace(/−/g, "-"));
    if (typed.value.trim() && Number.isFinite(wanted)) set(wanted);
    sync();
  });
  const sync = () => {
    slider.value = position(read());
    slider.setAttribute("aria-valuetext", write(read()));
    if (document.activeElement !== typed) typed.value = write(read());
  };
  return sync;
}

const syncs = [];

function buildSlider(racer, i, control) {
  const id = `slider-${i}-${control.position}`;
  const step = control.scale === "whole" ? 1 / (control.high - control.low) : 0.001;
  const slider = element("input", { type: "range", id, min: 0, max: 1, step, title: control.path });
  const typed = element("input", { type: "text", inputmode: "decimal", "aria-label": `${control.label} of ${racer.name}, as a number` });
  // A long name breaks after its underscores; what it belongs to stands above.
  const words = partsOf(control).at(-1).split(/(?<=_)/).flatMap((word, k) => (k ? [element("wbr"), word] : [word]));
  const label = element("label", { for: id, title: control.path }, ...words);
  const track = element("span", { class: "track" }, slider);
  let limit = "";
  if (quadratic && isRate(control)) {
    limit = element("span", { class: "limit quiet" });
    if (racer.near) {
      const mark = element("span", { class: "mark", hidden: "" });
      track.append(mark);
      racer.marks.push({ control, mark, limit });
    } else {
      limit.textContent = "limit unknown";
      limit.title = racer.dynamics.refused;
    }
  }
  syncs.push(
    bindSlider(slider, typed, {
      read: () => racer.h[control.position],
      set: (x) => {
        racer.h[control.position] = control.scale === "whole" ? Math.round(x) : x;
        racer.stale = true;
        now.focus = i;
        changed();
      },
      position: (x) => positionOf(control, x),
      value: (u) => valueAt(control, u),
      write: (x) => textOf(control, x),
    }),
  );
  return element("div", { class: "row" }, label, track, typed, limit);
}

// What belongs to a schedule, and its own name.
function partsOf({ label }) {
  const at = label.lastIndexOf(".");
  const above = label.slice(0, Math.max(at, 0));
  return /^[\d.]*$/.test(above) ? ["", label] : [above, label.slice(at + 1)];
}

function buildSliders(racer, i, controls) {
  const rows = [];
  let last = "";
  for (const control of controls) {
    const [above] = partsOf(control);
    if (above && above !== last) rows.push(element("p", { class: "above quiet" }, above));
    last = above;
    const row = buildSlider(racer, i, control);
    row.classList.toggle("below", above !== "");
    rows.push(row);
  }
  return rows;
}

// All sliders of an optimizer, those that are seldom moved folded away.
function buildAllSliders(racer, i) {
  if (!racer.controls.length) return [element("p", { class: "quiet" }, "It has no numbers to set.")];
  const rows = buildSliders(racer, i, racer.controls.filter((control) => !control.folded));
  const folded = racer.controls.filter((control) => control.folded);
  if (!folded.length) return rows;
  const more = element("details", {}, element("summary", {}, folded.map(({ label }) => label).join(", ")));
  more.append(...buildSliders(racer, i, folded));
  return [...rows, more];
}
