"""Animations as files, or as a player in an HTML page."""

import base64
import io
import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.animation import Animation, FFMpegWriter, FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gdlab.files import written_whole

SYMBOLS = {
    "minus": "−",
    "plus": "+",
    "fast-backward": "|◀",
    "step-backward": "‹",
    "play fa-flip-horizontal": "◀",
    "pause": "‖",
    "play": "▶",
    "step-forward": "›",
    "fast-forward": "▶|",
}
"""Characters for the buttons; matplotlib's icons need a font from the network."""
HEAD = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>A race</title>\n'
DOTS_PER_INCH = 80
MILLISECONDS_AT_END = 2000
FRAME_COLORS = 128
"""The number of colours in a frame; so few make files a third as large without visible loss."""
MAX_PLAYER_MEGABYTES = 200.0
"""The largest size of a player in megabytes; matplotlib's default drops frames beyond 20."""


class _HoldingWriter(PillowWriter):
    """A GIF writer that holds the last frame before the loop restarts."""

    def finish(self) -> None:
        frames: list[Image.Image] = [_few_colors(frame) for frame in vars(self)["_frames"]]
        durations = [1000 // self.fps] * (len(frames) - 1) + [MILLISECONDS_AT_END]
        frames[0].save(
            self.outfile, save_all=True, append_images=frames[1:], duration=durations, loop=0
        )


def require_kind(path: str | os.PathLike[str]) -> str:
    """Return the file format that a path's suffix names: ``.gif``, ``.mp4`` or ``.html``.

    Raises:
        ValueError: if the suffix is none of these.
        RuntimeError: if it is an MP4 and ffmpeg is not installed.
    """
    path = pathlib.Path(path)
    kind = path.suffix.lower()
    if kind not in (".gif", ".mp4", ".html"):
        raise ValueError(f"path must end in .gif, .mp4 or .html, not {path.name!r}")
    if kind == ".mp4" and not FFMpegWriter.isAvailable():
        raise RuntimeError(
            f"{path.name}: an MP4 is written by the program ffmpeg, which is not installed; "
            "a name that ends in .gif or .html needs none"
        )
    return kind


def film(figure: Figure, advance: Callable[[int], Any], shown: Sequence[int]) -> FuncAnimation:
    """An animation of a figure that is already drawn.

    What does not move is drawn only once; matplotlib would draw everything three times per frame.

    Args:
        figure: the figure, in which only lines move.
        advance: the function that updates the lines to a step.
        shown: the steps to show, one for each frame.
    """
    canvas = FigureCanvasAgg(figure)
    lines = [(line, ax) for ax in figure.axes for line in ax.lines]
    lines.sort(key=lambda line_and_axes: line_and_axes[0].get_zorder())
    for line, _ in lines:
        line.set_animated(True)
    canvas.draw()
    ground = canvas.copy_from_bbox(figure.bbox)
    pictures = []
    for step in shown:
        advance(step)
        canvas.restore_region(ground)
        for line, ax in lines:
            ax.draw_artist(line)
        pictures.append(np.array(canvas.buffer_rgba()))
    width, height = figure.get_size_inches()
    screen = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    picture = screen.figimage(pictures[0])
    return FuncAnimation(screen, lambda k: picture.set_data(pictures[k]), len(pictures))


def save(animation: Animation, path: str | os.PathLike[str], frames_per_second: int) -> None:
    """Write a GIF, an MP4 or an HTML file, as a whole or not at all."""
    kind = require_kind(path)
    with written_whole(path) as beside:
        if kind == ".html":
            page = HEAD + player(animation, frames_per_second)
            beside.write_text(page, encoding="utf-8")
        else:
            writer = (_HoldingWriter if kind == ".gif" else FFMpegWriter)(fps=frames_per_second)
            with mpl.rc_context({"savefig.bbox": None}):
                animation.save(beside, writer=writer, dpi=DOTS_PER_INCH)


def player(animation: Animation, frames_per_second: int) -> str:
    """The HTML of a player with buttons, which loads nothing from the network."""
    settings: Any = {
        "savefig.bbox": None,
        "savefig.dpi": DOTS_PER_INCH,
        "animation.embed_limit": MAX_PLAYER_MEGABYTES,
    }
    with mpl.rc_context(settings):
        html = animation.to_jshtml(frames_per_second, embed_frames=True, default_mode="once")
    html = re.sub(r"<link[^>]*>", "", html)
    html = _begun_at_its_end(html)
    html = re.sub(r'(?<="data:image/png;base64,)[^"]*', _smaller, html)
    return re.sub(r'<i class="fa fa-([^"]*)"></i>', lambda icon: SYMBOLS[icon[1]], html)


def _begun_at_its_end(html: str) -> str:
    """The player showing the last frame at first; ▶ at the end restarts it."""
    html = re.sub(r"(anim\w+) = new Animation\([^;]*;", r"\g<0> \1.last_frame();", html)
    return re.sub(
        r'onclick="(anim\w+)\.play_animation\(\)"',
        r'onclick="if (\1.current_frame >= \1.frames.length - 1) \1.first_frame(); '
        r'\1.play_animation()"',
        html,
    )


def _few_colors(frame: Image.Image) -> Image.Image:
    return frame.convert("RGB").quantize(
        FRAME_COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )


def _smaller(png: re.Match[str]) -> str:
    """A frame in base64, recoded with fewer colours; lines in the script end in a backslash."""
    frame = Image.open(io.BytesIO(base64.b64decode(png[0].replace("\\\n", ""))))
    file = io.BytesIO()
    _few_colors(frame).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
