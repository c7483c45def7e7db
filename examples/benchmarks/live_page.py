"""How long does a frame of a live page take while a slider is dragged?

A browser draws 60 frames a second if a frame takes less than 16.7 ms. This writes a page that drags
sliders of two live pages, of four optimizers of 400 steps each, and times the script of each frame.
Any browser can open it; Chromium does so here if it is installed.
"""

import argparse
import base64
import html
import pathlib
import re
import shutil
import subprocess
import tempfile
import zlib

import gdlab

STEPS = 400
BUDGET = 1000 / 60
"""The time available for a frame, in milliseconds."""

OPTIMIZERS = {
    "gradient descent": gdlab.sgd(1e-3),
    "momentum": gdlab.sgd(5e-4, momentum=0.9),
    "RMSProp": gdlab.rmsprop(0.01),
    "Adam": gdlab.adam(0.05),
}
START = (-1.2, 1.0)

HARNESS = """\
<!doctype html>
<meta charset="utf-8">
<title>Frames of a live page</title>
<p>Milliseconds of script a frame, of {budget:.1f} that there are:</p>
<table><tr><th>page, slider<th>median<th>95th percentile</table>
{pages}
<script>
const FRAMES = {count};
// Frames are painted when they are asked for here, and not when the screen is ready.
function open(code) {{
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.style = "width: 1400px; height: 1800px";
  const page = frame.contentWindow;
  page.asked = [];
  page.requestAnimationFrame = (paint) => page.asked.push(paint);
  page.document.open();
  page.document.write(code);
  page.document.close();
  return page;
}}
function paintAll(page) {{
  const begun = performance.now();
  for (const paint of page.asked.splice(0)) paint(begun);
  return performance.now() - begun;
}}
function drag(page, slider) {{
  const times = [];
  for (let i = 0; i < FRAMES; i += 1) {{
    slider.value = 0.3 + (0.3 * i) / FRAMES;
    slider.dispatchEvent(new page.Event("input"));
    times.push(paintAll(page));
  }}
  return times.sort((a, b) => a - b);
}}
function measure({{ title, dataset }}) {{
  const page = open(dataset.page);
  for (const details of page.document.querySelectorAll("details")) details.open = true;
  paintAll(page);
  for (const group of page.document.querySelectorAll("#sliders fieldset")) {{
    const times = drag(page, group.querySelector("input[type=range]"));
    const row = document.querySelector("table").insertRow();
    const name = `${{title}}, ${{group.querySelector("legend").textContent}}`;
    for (const cell of [name, times[times.length >> 1], times[Math.floor(0.95 * times.length)]]) {{
      row.insertCell().textContent = typeof cell === "number" ? cell.toFixed(1) : cell;
    }}
  }}
}}
window.addEventListener("load", () => document.querySelectorAll("[data-page]").forEach(measure));
</script>
"""
PAGE = '<i title="{title}" data-page="{page}"></i>'


def ravine(w):
    return 0.5 * (w[0] ** 2 + 20 * (w[1] - 0.3 * w[0]) ** 2)


def rosenbrock(w):
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def plain(page: str) -> str:
    """The page with its scripts uncompressed, so that they run immediately."""
    loader = re.search(r'\(async.*?atob\("([^"]+)"\).*?</script>', page, re.DOTALL)
    assert loader is not None
    code = zlib.decompress(base64.b64decode(loader[1])).decode()
    page = page.replace(loader[0], f"</script><script>{code}</script>")
    return re.sub(r"<meta http-equiv[^>]*>", "", page)


def harness(count: int) -> str:
    """A page that measures ``count`` frames for each slider."""
    pages = {
        "quadratic, every panel open": gdlab.explore(ravine, OPTIMIZERS, START, steps=STEPS),
        "Rosenbrock": gdlab.explore(rosenbrock, OPTIMIZERS, START, steps=STEPS),
    }
    held = [
        PAGE.format(title=title, page=html.escape(plain(page.html)))
        for title, page in pages.items()
    ]
    return HARNESS.format(budget=BUDGET, count=count, pages="\n".join(held))


def measured(path: pathlib.Path) -> list[tuple[str, float, float]]:
    """The rows of the table that Chromium measures."""
    names = "chromium", "chromium-browser", "google-chrome"
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        print(f"Chromium is not installed; open {path} in a browser")
        return []
    options = "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1440,900", "--dump-dom"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [browser, *options, f"--user-data-dir={profile}", path.resolve().as_uri()],
            capture_output=True, text=True, check=True, timeout=600,
        )  # fmt: skip
    cells = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>", done.stdout)
    return [(html.unescape(name), float(median), float(slow)) for name, median, slow in cells]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few frames, for a smoke test")
    parser.add_argument("--path", type=pathlib.Path, help="where to write the page that measures")
    given = parser.parse_args()
    path = given.path or pathlib.Path(tempfile.gettempdir()) / "live_page_frames.html"
    path.write_text(harness(20 if given.quick else 200), encoding="utf-8")
    print(f"Script a frame, four optimizers of {STEPS} steps, as a share of {BUDGET:.1f} ms")
    print(f"{'':<46}{'median':>8}{'95th %':>8}")
    for name, median, slow in measured(path):
        print(f"{name:<46}{median / BUDGET:>8.2f}{slow / BUDGET:>8.2f}")


if __name__ == "__main__":
    main()
