// The charts beside the map.

// What is drawn in the place of an optimizer: another setting of it while that is tried.
function shownFor(racer) {
  return tried && racer === racers[now.focus] ? tried : racer;
}

function paintLoss() {
  const canvas = $("loss");
  const { clientWidth: width, clientHeight: height } = canvas;
  const shown = racers.map((racer, i) => ({ racer: shownFor(racer), i })).filter(({ racer }) => racer.visible);
  const base = PAGE.lowest ?? 0;
  const projections = shown.filter(({ racer }) => racer.projected).map(({ racer, i }) => ({ curve: racer.projected.subarray(0, racer.finite), i }));
  const curves = shown.map(({ racer }) => racer.values.subarray(0, racer.finite).map((f) => f - base));
  const all = [...curves, ...projections.map(({ curve }) => curve)];
  const logarithmic = base !== 0 || all.every((curve) => curve.every((f) => f >= 0));
  const name = base === 0 ? "f(w)" : "f(w) − min f";
  const y = logarithmic ? logAxis(all, height, name) : linearAxis(all, height, name);
  const words = projections.length ? [stroke(canvas, "of the run", ink.text), thin(canvas, "of its projection", ink.text)] : [];
  const chart = frame(canvas, stepsAxis(width), y, words);
  const scaled = logarithmic ? logarithm : (f) => f;
  clip(chart, () => {
    markShown(chart);
    for (const { curve, i } of projections) {
      Object.assign(chart.pen, { strokeStyle: colorOf(i), lineWidth: 1, globalAlpha: 0.8 });
      trace(chart, curve, 0, curve.length - 1, scaled);
    }
    chart.pen.globalAlpha = 1;
    shown.forEach(({ i }, k) => {
      chart.pen.strokeStyle = colorOf(i);
      chart.pen.setLineDash(dashOf(i));
      chart.pen.lineWidth = Math.max(3 - 0.5 * i, 1.5);
      trace(chart, curves[k], 0, curves[k].length - 1, scaled);
    });
    chart.pen.setLineDash([]);
  });
}

// The signed error of each mode along the run.
function errorsOf(racer) {
  if (PLANE) return racer.errors.map((curve) => curve.subarray(0, racer.finite));
  const found = [new Float64Array(racer.finite), new Float64Array(racer.finite)];
  for (let t = 0; t < racer.finite; t += 1) {
    const modes = toModes(racer.path[2 * t], racer.path[2 * t + 1]);
    found[0][t] = modes[0];
    found[1][t] = modes[1];
  }
  return found;
}

// The modes that are shown: both of two variables, or some of many.
const spectrum = PAGE.spectrum ?? (quadratic && { curvatures: quadratic.curvatures, positions: [1, 2] });
const MODE_DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [5, 3], [1, 2]];

function modeName(mode) {
  return `mode ${spectrum.positions[mode]}, λ = ${text(spectrum.curvatures[mode])}`;
}

function modeColor(mode) {
  return ink.colors[mode];
}

function modeKey(canvas) {
  return spectrum.curvatures.map((_, mode) => stroke(canvas, modeName(mode), modeColor(mode), MODE_DASHES[mode]));
}

// Beside another setting that is tried, the present one is faint.
const FAINT = 0.3;

function paintModes(racer, present) {
  const canvas = $("modes");
  const [sizes, sizesNow] = [racer, present].map((own) => errorsOf(own).map((errors) => errors.map(Math.abs)));
  const y = logAxis([...sizes, ...sizesNow], canvas.clientHeight, "|error|");
  const chart = frame(canvas, stepsAxis(canvas.clientWidth), y, modeKey(canvas));
  clip(chart, () => {
    markShown(chart);
    for (const curves of racer === present ? [sizes] : [sizesNow, sizes]) {
      chart.pen.globalAlpha = curves === sizes ? 1 : FAINT;
      curves.forEach((curve, mode) => {
        chart.pen.strokeStyle = modeColor(mode);
        chart.pen.setLineDash(MODE_DASHES[mode]);
        chart.pen.lineWidth = 2;
        trace(chart, curve, 0, curve.length - 1, logarithm);
      });
    }
    chart.pen.setLineDash([]);
  });
}

function paintPoles(found, foundNow) {
  const canvas = $("poles");
  const { clientWidth: width, clientHeight: height } = canvas;
  const reach = clamp(Math.max(1, ...found.poles.map(([re, im]) => Math.hypot(re, im))), 1, 3) * 1.15;
  const split = found.modes.length === 2;
  const wide = (reach * (width - 66)) / (height - 42 - (split ? 17 : 0));
  const x = { low: -wide, high: wide, ticks: ticks(-wide, wide, width / 70), name: "real part" };
  const y = { low: -reach, high: reach, ticks: ticks(-reach, reach, height / 50), name: "imaginary part" };
  const sign = (mode, px, py, split) => {
    pen.lineWidth = 2.5;
    pen.strokeStyle = split ? modeColor(mode) : ink.text;
    if (mode === 1) pen.strokeRect(px - 5, py - 5, 10, 10);
    else {
      line(pen, px - 5, py - 5, px + 5, py + 5);
      line(pen, px - 5, py + 5, px + 5, py - 5);
    }
  };
  const pen = canvas.getContext("2d");
  const names = split ? [0, 1].map((mode) => [modeName(mode), (px, py) => sign(mode, px + 12, py, split)]) : [];
  const chart = frame(canvas, x, y, names);
  clip(chart, () => {
    pen.beginPath();
    pen.arc(chart.x(0), chart.y(0), chart.x(1) - chart.x(0), 0, 2 * Math.PI);
    pen.fillStyle = ink.line;
    pen.globalAlpha = 0.25;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = ink.quiet;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.lineWidth = 1;
    line(pen, chart.x(-wide), chart.y(0), chart.x(wide), chart.y(0));
    line(pen, chart.x(0), chart.y(-reach), chart.x(0), chart.y(reach));
    const { left, right, top, bottom } = chart.box;
    for (const { modes } of found === foundNow ? [found] : [foundNow, found]) {
      pen.globalAlpha = modes === found.modes ? 1 : FAINT;
      modes.forEach((poles, mode) => {
        for (const [re, im] of poles) {
          sign(mode, clamp(chart.x(re), left + 6, right - 6), clamp(chart.y(im), top + 6, bottom - 6), modes.length === 2);
        }
      });
    }
  });
}

// What kind of spring a mode is: r = e^s, and s² + 2ζωs + ω² = 0.
function springOf(poles) {
  if (poles.length === 1) return poles[0][0] < 0 ? "no inertia, alternates" : "no inertia";
  if (poles.length > 2) return `${poles.length} poles`;
  const [[re, im], [other]] = poles;
  if (im !== 0) {
    const [speed, angle] = [Math.log(Math.hypot(re, im)), Math.atan2(Math.abs(im), re)];
    return `${speed > 0 ? "growing" : "underdamped"}, ζ = ${text(-speed / Math.hypot(speed, angle))}`;
  }
  if (re <= 0 || other <= 0) return "alternates";
  const [s, t] = [Math.log(re), Math.log(other)];
  return s >= 0 || t >= 0 ? "growing" : `overdamped, ζ = ${text(-(s + t) / 2 / Math.sqrt(s * t))}`;
}

function paintSpring(found, racer) {
  const kinds = found?.modes.length === 2 ? found.modes.map(springOf) : [];
  $("damping").textContent = kinds.map((kind, mode) => `Mode ${mode + 1}: ${kind}`).join("; ") + (kinds.length ? "." : "");
  const errors = errorsOf(racer);
  const canvas = $("spring");
  const y = linearAxis(errors, canvas.clientHeight, "error");
  const chart = frame(canvas, stepsAxis(canvas.clientWidth), y, modeKey(canvas));
  clip(chart, () => {
    markShown(chart);
    errors.forEach((curve, mode) => {
      chart.pen.strokeStyle = modeColor(mode);
      chart.pen.setLineDash(MODE_DASHES[mode]);
      chart.pen.lineWidth = 2;
      trace(chart, curve, 0, curve.length - 1);
    });
    chart.pen.setLineDash([]);
  });
  paintPhase(errors);
}

function paintPhase(errors) {
  const canvas = $("phase");
  const { clientWidth: width, clientHeight: height } = canvas;
  const speeds = errors.map((curve) => curve.map((e, t) => (t + 1 < curve.length ? curve[t + 1] - e : NaN)));
  const x = { ...linearAxis(errors, height, "error"), name: "error" };
  x.ticks = ticks(x.low, x.high, width / 80);
  const y = linearAxis(speeds, height, "change in a step");
  const chart = frame(canvas, x, y, modeKey(canvas));
  const { pen } = chart;
  clip(chart, () => {
    errors.forEach((curve, mode) => {
      pen.strokeStyle = modeColor(mode);
      pen.setLineDash(MODE_DASHES[mode]);
      pen.lineWidth = 1.6;
      const points = [];
      for (let t = 0; t + 1 < curve.length; t += 1) points.push([chart.x(curve[t]), chart.y(speeds[mode][t])]);
      polyline(pen, chart.box, points);
      pen.setLineDash([]);
      const t = Math.min(now.shown, curve.length - 2);
      if (t >= 0) dot(pen, chart.x(curve[t]), chart.y(speeds[mode][t]), 4, modeColor(mode));
    });
  });
}

function paintSplit(racer) {
  const canvas = $("split");
  const steady = racer.values.subarray(0, racer.finite).map((f) => f - quadratic.lowest);
  const noisy = noiseFloor(racer).subarray(0, racer.finite).map((f) => f * 10 ** (2 * now.noise));
  const sum = steady.map((f, t) => f + noisy[t]);
  const y = logAxis([sum, steady, noisy.subarray(noisy.length >> 1)], canvas.clientHeight, "excess loss");
  const top = y.high;
  const bottom = Math.max(y.low, top - 12);
  const curves = [
    ["both", ink.text, [], sum],
    ["without noise", ink.colors[0], [7, 4], steady],
    ["from noise", ink.colors[1], [2, 3], noisy],
  ];
  const axis = { ...y, low: bottom, ticks: logTicks(bottom, top, 6) };
  const names = curves.map(([name, color, dash]) => stroke(canvas, name, color, dash));
  const chart = frame(canvas, stepsAxis(canvas.clientWidth), axis, names);
  clip(chart, () => {
    markShown(chart);
    for (const [, color, dash, curve] of curves) {
      Object.assign(chart.pen, { strokeStyle: color, lineWidth: 2 });
      chart.pen.setLineDash(dash);
      trace(chart, curve, 0, curve.length - 1, logarithm);
    }
    chart.pen.setLineDash([]);
  });
}

function paintParts(pen, place) {
  const parts = partsOfStep(seen());
  if (!parts) return;
  const from = place(...parts.from);
  const whole = place(...parts.whole);
  const fresh = place(...parts.fresh);
  // Small steps are drawn longer, all three by the same factor.
  const length = Math.hypot(whole[0] - from[0], whole[1] - from[1]);
  const factor = clamp(70 / Math.max(length, 1e-9), 1, 1e9);
  const end = (to) => from.map((x, k) => x + factor * (to[k] - x));
  const [w, f] = [end(whole), end(fresh)];
  pen.lineWidth = 2.5;
  pen.strokeStyle = ink.colors[1];
  arrow(pen, ...from, ...f);
  pen.strokeStyle = ink.colors[2];
  arrow(pen, ...f, ...w);
  pen.strokeStyle = ink.text;
  arrow(pen, ...from, ...w);
}
