"""A built page loads nothing from another host, so that the documentation reads offline."""

import re
from html.parser import HTMLParser
from pathlib import Path

LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}
"""The attribute by which each kind of element loads something. Links to follow load nothing."""
FOLLOWED = {"canonical", "author", "license", "next", "prev", "index", "search"}
"""The relations of ``link`` elements that load nothing."""
REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
IN_STYLES = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^)'\"\s]*)|@import\s+['\"]([^'\"]+)")


class Resources(HTMLParser):
    """The addresses at other hosts from which a page loads something."""

    def __init__(self, html: str):
        super().__init__()
        self.remote: list[str] = []
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element loads."""
        attributes = dict(attrs)
        address = attributes.get(LOADING.get(tag, ""), "") or ""
        loads = tag != "link" or not FOLLOWED & set((attributes.get("rel") or "").split())
        if loads and REMOTE.match(address):
            self.remote.append(address)
        self.remote.extend(remote_in_styles(attributes.get("style") or ""))
        if inner := attributes.get("srcdoc"):
            self.remote.extend(Resources(inner).remote)
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        """Note what a style sheet in the page loads."""
        if self._in_style:
            self.remote.extend(remote_in_styles(data))

    def handle_endtag(self, tag: str) -> None:
        """A style sheet ends with its element."""
        self._in_style &= tag != "style"


def remote_in_styles(css: str) -> list[str]:
    """The addresses at other hosts that a style sheet loads."""
    addresses = (plain or imported for plain, imported in IN_STYLES.findall(css))
    return [address for address in addresses if REMOTE.match(address)]


def warn_of_remote_resources(app, error) -> None:
    """Warn of each file of the build that loads something from another host."""
    from sphinx.util import logging

    if error is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        for address in Resources(path.read_text(encoding="utf-8")).remote:
            logging.getLogger(__name__).warning("%s loads %s", path.name, address)
    for path in sorted(Path(app.outdir).rglob("*.css")):
        for address in remote_in_styles(path.read_text(encoding="utf-8")):
            logging.getLogger(__name__).warning("%s loads %s", path.name, address)


def setup(app) -> dict[str, bool]:
    """Looks through the files once they are written."""
    app.connect("build-finished", warn_of_remote_resources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
