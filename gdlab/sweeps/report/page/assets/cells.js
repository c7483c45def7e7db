// The map: cells of equal size where values were tried in rows, or dots where they were drawn.

let board = null;

function isGrid(i) {
  return problem().coordinates[i].ranks !== null;
}

// Where a coordinate lies along a side: in cells, or on its scale.
function side(i, from, to) {
  const { ranks, values, heights, ticks } = problem().coordinates[i];
  if (ranks === null) {
    const inset = (to - from) * 0.03;
    const at = (height) => from + inset + height * (to - from - 2 * inset);
    return { at: (point) => (heights[point] === null ? null : at(heights[point])), ticks: ticks.map(([h, label]) => [at(h), label]), size: 0 };
  }
  const size = (to - from) / values.length;
  const at = (rank) => from + (rank + 0.5) * size;
  return { at: (point) => (ranks[point] === null ? null : at(ranks[point])), ticks: values.map((label, rank) => [at(rank), label]), size: Math.abs(size) };
}

// The best point of each cell, or each point by itself among dots.
function places() {
  const found = new Map();
  for (const point of [...metric().ranked, ...unranked()]) {
    if (!isShown(point)) continue;
    const [x, y] = [board.x.at(point), board.y.at(point)];
    if (x === null || y === null) continue;
    const key = board.x.size && board.y.size ? `${Math.round(x)},${Math.round(y)}` : point;
    if (!found.has(key)) found.set(key, { point, x, y });
  }
  return [...found.values()];
}

function paintCells() {
  const canvas = $("cells");
  const { pen, width, height } = fresh(canvas);
  const upLabels = problem().coordinates[now.up].ticks.map(([, label]) => pen.measureText(label).width);
  const left = 30 + Math.min(110, Math.max(24, ...upLabels));
  const box = { left, right: width - 8, top: 6, bottom: height - 42 };
  board = { x: side(now.across, box.left, box.right), y: side(now.up, box.bottom, box.top), box };
  const { colors } = metric();
  const [wide, high] = [board.x.size, board.y.size];
  pen.fillStyle = ink.panel;
  pen.fillRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  for (const { point, x, y } of places()) {
    const color = colorAt(colors[point]);
    if (wide && high) {
      pen.fillStyle = color ?? (problem().failures[point] === "diverged" ? ink.tint : ink.line);
      pen.fillRect(x - wide / 2 + 0.5, y - high / 2 + 0.5, wide - 1, high - 1);
    } else {
      dot(pen, x, y, 5, color ?? ink.paper, color ? null : failureColor(point));
    }
  }
  markCell(pen, focused());
  paintSides(pen, box);
}

function markCell(pen, point) {
  if (point === null) return;
  const [x, y] = [board.x.at(point), board.y.at(point)];
  if (x === null || y === null) return;
  const [wide, high] = [board.x.size, board.y.size];
  for (const [color, thick] of [[ink.paper, 5], [ink.text, 2.5]]) {
    pen.strokeStyle = color;
    pen.lineWidth = thick;
    if (wide && high) pen.strokeRect(x - wide / 2 + 1, y - high / 2 + 1, wide - 2, high - 2);
    else dot(pen, x, y, 7, null, color);
  }
  pen.lineWidth = 1;
}

function paintSides(pen, box) {
  pen.fillStyle = ink.quiet;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  let last = -Infinity;
  for (const [x, label] of board.x.ticks) {
    const half = pen.measureText(label).width / 2;
    if (x - half < last + 6) continue;
    last = x + half;
    pen.fillText(label, clamp(x, half, box.right + 8 - half), box.bottom + 5);
  }
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  last = Infinity;
  for (const [y, label] of board.y.ticks) {
    if (last - y < 14) continue;
    last = y;
    pen.fillText(shorten(pen, label, box.left - 26), box.left - 6, y);
  }
  pen.fillStyle = ink.text;
  pen.textAlign = "center";
  pen.textBaseline = "bottom";
  pen.fillText(wordsOf(now.across), (box.left + box.right) / 2, box.bottom + 41);
  pen.save();
  pen.translate(10, (box.top + box.bottom) / 2);
  pen.rotate(-Math.PI / 2);
  pen.textBaseline = "middle";
  pen.fillText(wordsOf(now.up), 0, 0);
  pen.restore();
}

function wordsOf(i) {
  return problem().coordinates[i].name.replaceAll("_", " ");
}

// The point at a place of the map.
function cellAt(x, y) {
  const [wide, high] = [board.x.size, board.y.size];
  let [nearest, least] = [null, wide && high ? Infinity : 18];
  for (const place of places()) {
    const [dx, dy] = [Math.abs(place.x - x), Math.abs(place.y - y)];
    if (wide && high && (dx > wide / 2 || dy > high / 2)) continue;
    if (Math.hypot(dx, dy) < least) [nearest, least] = [place.point, Math.hypot(dx, dy)];
  }
  return nearest;
}

// The next cell or dot in a direction.
function neighbour(point, right, up) {
  const [x, y] = [board.x.at(point), board.y.at(point)];
  let [nearest, least] = [point, Infinity];
  for (const place of places()) {
    const along = (place.x - x) * right - (place.y - y) * up;
    const aside = Math.abs((place.x - x) * up) + Math.abs((place.y - y) * right);
    if (along < 1 || along + 3 * aside >= least) continue;
    [nearest, least] = [place.point, along + 3 * aside];
  }
  return nearest;
}
