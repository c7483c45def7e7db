"""A live page: one HTML file, which a notebook shows in a frame."""

import html as markup
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from gdlab.checks.checked import checked
from gdlab.files import written_whole
from gdlab.page.document import Document

HEIGHT = 900
"""Height of the frame in a notebook, in pixels, before the page reports its own height."""
PICTURES = (".svg", ".pdf", ".png")
"""The endings of files that hold a picture."""

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
"""A script that gives each frame the height that its page reports.

On a phone a frame is at most 85 % of the screen high and scrolls by itself, because the map and
the loss stay in view only within a scrolling frame.
"""

PAGES = (".html", ".htm")
"""The ends of the names of files that hold a whole page."""


class Page:
    """A live page, as :func:`~gdlab.explore` makes it; in a notebook it shows itself.

    A notebook runs it in a sandboxed frame as high as the page needs, with a still picture below
    for viewers that strip scripts.

    Attributes:
        html: the HTML of the whole page, self-contained.
        document: the content of a page of :func:`~gdlab.explore` or
            :func:`~gdlab.explore_training`, from which :func:`~gdlab.exercise` makes a new page;
            None for other pages.

    >>> import gdlab
    >>> page = gdlab.explore(lambda w: w[0] ** 2 + w[1] ** 2, gdlab.sgd(0.1), title="A bowl")
    >>> "<title>A bowl</title>" in page.html
    True
    """

    html: str
    document: Document | None

    def __init__(
        self,
        html: str,
        title: str,
        picture: Callable[[], str | None],
        views: Mapping[str, Callable[[], Any]] | None = None,
        height: int = HEIGHT,
        document: Document | None = None,
    ):
        self.html = html
        self.document = document
        self._title = title
        self._picture = picture
        self._views = dict(views or {})
        self._height = height

    @checked
    def save(self, path: str | os.PathLike[str], view: str | None = None) -> None:
        """Write the page, or a still picture of one of its views, to a file.

        The file is written as a whole or not at all. It keeps the permissions of a file that it
        replaces, and a symbolic link is followed.

        Args:
            path: the file, such as ``"ravine.html"``, or ``"ravine.svg"``, ``".pdf"`` or ``".png"``
                for a picture; an existing file is replaced.
            view: the view that a picture shows. A page of :func:`~gdlab.explore` has ``"map"`` (the
                default), ``"loss"``, and for a quadratic function ``"modes"`` and ``"poles"``; a
                page of :func:`~gdlab.explore_training` has ``"sharpness"`` (the default),
                ``"loss"``, the name of its measure, ``"tiles"`` and ``"matrix"``. Pictures need the
                extra ``lab``.

        Raises:
            ValueError: if the name has another ending, there is no such view, or a view is given
                but the file is not a picture.

        >>> import gdlab
        >>> page = gdlab.explore(lambda w: w[0] ** 2 + w[1] ** 2, gdlab.sgd(0.1))
        >>> page.save("bowl.svg", view="loss")  # doctest: +SKIP
        """
        kind = pathlib.Path(path).suffix.lower()
        if kind not in PICTURES:
            if view is not None:
                raise ValueError(f"view: a picture ends in {', '.join(PICTURES)}, not {path!r}")
            if kind not in PAGES:
                raise ValueError(
                    f"path: a page ends in {' or '.join(PAGES)}, and a picture of it in "
                    f"{', '.join(PICTURES)}, not {path!r}"
                )
            with written_whole(path) as beside:
                beside.write_text(self.html, encoding="utf-8")
            return
        if not self._views:
            raise ValueError(f"path: this page has no pictures; write it as .html, not {path!r}")
        view = next(iter(self._views)) if view is None else view
        if view not in self._views:
            known = ", ".join(self._views)
            raise ValueError(f"view: there is no view {view!r}; this page has {known}")
        figure = self._views[view]()
        with written_whole(path) as beside:
            figure.savefig(beside, format=kind[1:])

    def _repr_html_(self) -> str:
        title = markup.escape(self._title)
        frame = (
            f"<script>{LISTENER}</script>"
            f'<iframe class="gdlab-page" sandbox="allow-scripts" title="{title}" '
            f'srcdoc="{markup.escape(self.html)}" '
            f'style="width: 100%; height: {self._height}px; border: 0"></iframe>'
        )
        picture = self._picture()
        if picture is None:
            return frame
        image = f'<img alt="{title}: contours and the path of each optimizer" src="{picture}">'
        return f"{frame}<details><summary>Still picture</summary>{image}</details>"

    def __repr__(self) -> str:
        return f"<Page {self._title!r}, {len(self.html.encode()) / 1000:.0f} kB>"
