"""The still picture beside a live page, for viewers that strip scripts."""

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

FINE = 121
"""Points to a side on which the function is evaluated."""


def picture_of(
    fun: Callable[..., Any], paths: Mapping[str, np.ndarray], view: np.ndarray
) -> str | None:
    """Contours and paths as a data address, None where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    from gdlab.plots.scales import LINESTYLES, PALETTE

    x, y = (np.linspace(low, high, FINE) for low, high in view)
    grid = jnp.stack(jnp.meshgrid(jnp.asarray(x), jnp.asarray(y)), axis=-1)
    values = np.asarray(jax.vmap(jax.vmap(fun))(grid))
    height = np.log1p((values - np.nanmin(values)) / max(np.nanquantile(values, 0.1), 1e-12))
    figure = Figure(figsize=(5, 3.75), layout="constrained")
    ax = figure.subplots()
    ax.contour(x, y, height if np.all(np.isfinite(height)) else values, 14, colors="0.8")
    for i, (name, path) in enumerate(paths.items()):
        ax.plot(
            *path.T, color=PALETTE[i % len(PALETTE)], linestyle=LINESTYLES[i % len(LINESTYLES)],
            label=name,
        )  # fmt: skip
    ax.set(xlim=view[0], ylim=view[1])
    for text in ax.legend().get_texts():
        text.set_parse_math(False)  # a name is a name, as on the page
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
