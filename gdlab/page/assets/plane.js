// A plane in a space of many variables: runs are taken in the space, and seen on the plane.

function plane() {
  if (!PAGE.plane) return null;
  const { size } = PAGE.plane;
  const all = new Float64Array(bytesOf(PAGE.plane.vectors));
  const [origin, first, second, start] = [0, 1, 2, 3].map((k) => all.subarray(k * size, (k + 1) * size));
  const point = new Float64Array(size);
  const coordinates = (w, at = 0) => {
    let [a, b] = [0, 0];
    for (let i = 0; i < size; i += 1) {
      const x = w[at + i] - origin[i];
      a += x * first[i];
      b += x * second[i];
    }
    return [a, b];
  };
  // The point of the plane with these coordinates.
  const pointAt = (a, b) => {
    for (let i = 0; i < size; i += 1) point[i] = origin[i] + a * first[i] + b * second[i];
    return point;
  };
  const [startAcross, startUp] = coordinates(start);
  // A start is moved along the plane, and stays as far from it as it was.
  const startAt = ([a, b]) => {
    const moved = start.slice();
    for (let i = 0; i < size; i += 1) moved[i] += (a - startAcross) * first[i] + (b - startUp) * second[i];
    return moved;
  };
  return { size, coordinates, pointAt, startAt };
}

const PLANE = plane();

// The function of the two coordinates.
const SEEN = PLANE ? { value: ([a, b]) => FUNCTION.value(PLANE.pointAt(a, b)) } : FUNCTION;

// A run of the optimizer as the page shows it: in a space of many variables also with the loss of
// its points as projected onto the plane, and with its error along the modes that are shown.
function runFrom(race, h, start, steps) {
  if (!PLANE) return race.run(h, start, steps);
  const { path: whole, values } = race.run(h, start.length === 2 ? PLANE.startAt(start) : start, steps);
  const path = new Float64Array(2 * (steps + 1));
  const projected = new Float64Array(steps + 1);
  for (let t = 0; t <= steps; t += 1) {
    const at = PLANE.coordinates(whole, t * PLANE.size);
    path.set(at, 2 * t);
    projected[t] = SEEN.value(at);
  }
  return { path, values, projected, errors: modalErrors(whole, steps) };
}

function modalErrors(whole, steps) {
  if (!PAGE.spectrum) return [];
  const { center, directions } = PAGE.spectrum;
  return directions.map((direction) => {
    const errors = new Float64Array(steps + 1);
    for (let t = 0; t <= steps; t += 1) {
      let sum = 0;
      for (let i = 0; i < center.length; i += 1) sum += direction[i] * (whole[t * center.length + i] - center[i]);
      errors[t] = sum;
    }
    return errors;
  });
}
