// Numbers as positions and as text.

const scales = {
  linear: { to: (x) => x, from: (u) => u },
  log: { to: Math.log10, from: (u) => 10 ** u },
  decay: { to: (x) => -Math.log10(1 - x), from: (u) => 1 - 10 ** -u },
  whole: { to: (x) => x, from: (u) => u },
};

function clamp(x, low, high) {
  return Math.min(Math.max(x, low), high);
}

function text(x, digits = 3) {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x < 0 ? "−∞" : "∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const plain = size >= 1e-3 && size < 1e5;
  const rounded = Number(x.toPrecision(digits));
  const written = plain ? String(rounded) : rounded.toExponential();
  return written.replace("e+", "e").replace(/-/g, "−");
}

// As many digits as tell a decay from 1, and all of a whole number.
function textOf(control, x) {
  if (control.scale === "whole") return text(x, 9);
  if (control.scale !== "decay") return text(x);
  return text(x, Math.max(3, 2 + Math.ceil(-Math.log10(1 - x))));
}

// The bytes of what is written in base 64.
function bytesOf(packed) {
  return Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0)).buffer;
}

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function power(exponent) {
  if (exponent >= -2 && exponent <= 3) return text(10 ** exponent);
  return "10" + String(exponent).replace(/./g, (c) => SUPERSCRIPTS[c]);
}

// Ticks as [position between 0 and 1, label]; those without a label are minor.
function ticks(low, high, most) {
  const span = high - low;
  const rough = span / Math.max(1, most);
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = base * [1, 2, 5, 10].find((factor) => base * factor >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * span; i += 1) {
    found.push([(i * step - low) / span, text(Number((i * step).toPrecision(12)))]);
  }
  return found;
}

function logTicks(low, high, most) {
  const found = [];
  const decades = high - low;
  const every = Math.max(1, Math.ceil(decades / most));
  for (let e = Math.ceil(low - 1e-9); e <= high + 1e-9; e += 1) {
    found.push([(e - low) / decades, e % every === 0 ? power(e) : ""]);
  }
  if (decades <= 6) {
    const labelled = found.length < 2;
    for (let e = Math.floor(low); e <= high; e += 1) {
      for (let m = 2; m < 10; m += 1) {
        const at = e + Math.log10(m);
        if (at < low || at > high) continue;
        found.push([(at - low) / decades, labelled && (m === 2 || m === 5) ? text(m * 10 ** e) : ""]);
      }
    }
  }
  return found;
}

function decayTicks(low, high) {
  const at = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
  return at
    .map((x) => [(scales.decay.to(x) - low) / (high - low), text(x, 6)])
    .filter(([position]) => position >= -1e-9 && position <= 1 + 1e-9);
}

function ticksOf(scale, low, high, most) {
  return { linear: ticks, log: logTicks, decay: decayTicks, whole: ticks }[scale](low, high, most);
}
