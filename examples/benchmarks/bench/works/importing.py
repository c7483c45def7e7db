"""What it costs to import the package, against what JAX alone costs."""

import os
import resource
import subprocess
import sys
import time

from ..figures import Figure
from ..timing import Effort, Sample, Turn, in_turns, ratios, times

PART = "import"


CODE = {
    "jax": "import jax",
    "optax": "import optax; optax.adam(1e-3)",
    "gdlab": "import gdlab",
    "gdlab, Adam at hand": "import gdlab; gdlab.adam(1e-3)",
}


def _running(code: str) -> Turn:
    def turn() -> Sample:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
        wall = time.perf_counter() - wall
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return Sample(seconds, wall)

    return turn


def importing(effort: Effort) -> list[Figure]:
    """New processes, in turns; Python's own start is in them."""
    turns = {name: _running(code) for name, code in CODE.items()}
    samples = in_turns(turns, effort.choose(9, 1), warm_up=1)
    figures = list(times(PART, samples))
    for name in ("gdlab", "gdlab, Adam at hand"):
        figures += ratios(PART, samples, name, "jax", 1.2)
    return [*figures, *ratios(PART, samples, "optax", "jax")]
