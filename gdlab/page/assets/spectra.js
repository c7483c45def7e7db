// The singular values of a matrix of weights: of its momentum, and of its last update.

// By rotations of the shorter side (Hestenes and Jacobi), largest first.
function singularValues(entries, rows, columns) {
  const [n, m] = rows < columns ? [rows, columns] : [columns, rows];
  const vectors = Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: m }, (_, k) => (rows < columns ? entries[i * columns + k] : entries[k * columns + i])),
  );
  for (let sweep = 0; sweep < 30; sweep += 1) {
    let rotated = false;
    for (let p = 0; p < n; p += 1) {
      for (let q = p + 1; q < n; q += 1) {
        const [a, b, c] = [inner(vectors[p], vectors[p]), inner(vectors[q], vectors[q]), inner(vectors[p], vectors[q])];
        if (!(Math.abs(c) > 1e-14 * Math.sqrt(a * b))) continue;
        rotated = true;
        const tau = (b - a) / (2 * c);
        const t = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.hypot(1, tau));
        const cosine = 1 / Math.hypot(1, t);
        for (let k = 0; k < m; k += 1) {
          const [x, y] = [vectors[p][k], vectors[q][k]];
          vectors[p][k] = cosine * (x - t * y);
          vectors[q][k] = cosine * (y + t * x);
        }
      }
    }
    if (!rotated) break;
  }
  return vectors.map((v) => Math.sqrt(inner(v, v))).sort((a, b) => b - a);
}

// { momentum, update }; the gradient stands for the momentum of an optimizer without one.
function spectraOf(racer) {
  const { at, shape } = PAGE.matrix;
  const [rows, columns] = shape;
  let memory = null;
  if (racer.momentum) memory = racer.momentum.map((atom) => racer.s[atom]);
  else {
    const gradient = new Float64Array(SIZE);
    FUNCTION.gradient(racer.before ?? racer.w, gradient);
    memory = at.map((i) => gradient[i]);
  }
  return {
    momentum: singularValues(memory, rows, columns),
    update: racer.before ? singularValues(at.map((i) => racer.w[i] - racer.before[i]), rows, columns) : null,
  };
}

function paintBars(canvas, values, color) {
  const largest = values?.[0] || 1;
  const count = Math.min(...PAGE.matrix.shape);
  const x = { low: 0.4, high: count + 0.6, ticks: ticks(0.4, count + 0.6, canvas.clientWidth / 50), name: "" };
  const y = { low: 0, high: 1.05, ticks: ticks(0, 1.05, 4), name: "of the largest" };
  const chart = frame(canvas, x, y);
  if (!values) return;
  chart.pen.fillStyle = color;
  const wide = Math.max(1, 0.7 * (chart.x(1) - chart.x(0)));
  values.forEach((value, i) => {
    const top = chart.y(value / largest);
    chart.pen.fillRect(chart.x(i + 1) - wide / 2, top, wide, chart.y(0) - top);
  });
}

function paintSpectra(racer) {
  $("spectra").hidden = !PAGE.matrix;
  if (!PAGE.matrix || racer.gone) return;
  const { momentum, update } = spectraOf(racer);
  $("momentum-name").textContent = racer.momentum ? "Momentum" : "Gradient";
  paintBars($("momentum"), momentum, ink.quiet);
  paintBars($("update"), update, colorOf(now.focus));
  const flat = update ? ` The smallest of the update is ${text(update.at(-1) / update[0], 2)} of its largest, that of the ${racer.momentum ? "momentum" : "gradient"} ${text(momentum.at(-1) / momentum[0], 2)}.` : "";
  $("flatness").textContent = `Singular values, each divided by the largest.${flat}`;
}
