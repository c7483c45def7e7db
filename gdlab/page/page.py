"""A page that is one file, and how a notebook shows it."""

import html as markup
import os
from collections.abc import Callable

from gdlab.files import written_whole

HEIGHT = 900
"""Height of the frame in a notebook, in pixels, until the page has told its own height."""

LISTENER = """\
if (!window.gdlabFrames) {
  window.gdlabFrames = true;
  window.addEventListener("message", ({ data, source }) => {
    if (!data || !(data.gdlabHeight > 0)) return;
    for (const frame of document.querySelectorAll("iframe.gdlab-page")) {
      if (frame.contentWindow !== source) continue;
      const most = frame.clientWidth < 620 ? 0.85 * window.innerHeight : 20000;
      frame.style.height = Math.min(data.gdlabHeight, most) + "px";
    }
  });
}"""
"""A script that gives each frame the height that its page tells.

On a phone a frame is no higher than most of the screen and scrolls by itself, because the map and
the loss can stay in view only within what scrolls.
"""


class Page:
    """A live page, as :func:`~gdlab.explore` makes it; in a notebook it shows itself.

    There it runs in a sandboxed frame, which takes the height that the page needs, with a still
    picture beside it for viewers that strip scripts.

    Attributes:
        html: the whole page, which needs nothing else.

    >>> import gdlab
    >>> page = gdlab.explore(lambda w: w[0] ** 2 + w[1] ** 2, gdlab.sgd(0.1), title="A bowl")
    >>> "<title>A bowl</title>" in page.html
    True
    """

    def __init__(self, html: str, title: str, picture: Callable[[], str | None]):
        self.html = html
        self._title = title
        self._picture = picture

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, which is there as a whole or not at all.

        Args:
            path: of the file, such as ``"ravine.html"``; one that is there is replaced.
        """
        with written_whole(path) as beside:
            beside.write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        title = markup.escape(self._title)
        frame = (
            f"<script>{LISTENER}</script>"
            f'<iframe class="gdlab-page" sandbox="allow-scripts" title="{title}" '
            f'srcdoc="{markup.escape(self.html)}" '
            f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
        )
        picture = self._picture()
        if picture is None:
            return frame
        image = f'<img alt="{title}: contours and the path of each optimizer" src="{picture}">'
        return f"{frame}<details><summary>Still picture</summary>{image}</details>"

    def __repr__(self) -> str:
        return f"<Page {self._title!r}, {len(self.html.encode()) / 1000:.0f} kB>"
