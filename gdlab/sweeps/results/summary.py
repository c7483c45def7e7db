"""A summary of a result: in one line, and as a table in a notebook."""

import html as markup
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

MOST_ROWS = 12
"""The largest number of rows that list the edge of stability, one per point of the other axes."""


def line(result: "SweepResult") -> str:
    """The sizes of the dimensions, and the number of lanes of each status."""
    sizes = ", ".join(f"{name}: {len(result.coords[name])}" for name in result.dims)
    return f"<SweepResult ({sizes}), {_counts(result)}>"


def html(result: "SweepResult") -> str:
    """A table of a few rows, with all arrays folded away below."""
    rows = {
        "lanes": " × ".join(f"{name} {len(result.coords[name])}" for name in result.dims),
        "ended": _counts(result),
        "best": _best(result),
        **_edges(result),
    }
    cells = "".join(
        f'<tr><th style="text-align: left; padding-right: 1em">{markup.escape(name)}</th>'
        f'<td style="text-align: left">{markup.escape(text)}</td></tr>'
        for name, text in rows.items()
    )
    return f"<table>{cells}</table>{_arrays(result)}"


def _counts(result: "SweepResult") -> str:
    names, counts = np.unique(result.status, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return ", ".join(f"{counts[i]} {names[i]}" for i in order)


def _best(result: "SweepResult") -> str:
    try:
        best = result.best()
    except ValueError as error:
        return str(error)
    written = {
        name: _label(value) if name in result.axes else _number(value)
        for name, value in best.items()
    }
    return ", ".join(f"{name} = {text}" for name, text in written.items())


def _edges(result: "SweepResult") -> dict[str, str]:
    """The edge of the learning rate at each point of the other axes, or the range of the edges."""
    axis = "learning_rate"
    dimension = result.axes.get(axis)
    if dimension is None:
        return {}
    if dimension != axis and list(result.axes.values()).count(dimension) > 1:
        return {}
    value, (_, unstable) = result.edge(axis)
    if np.ndim(value) == 0:
        return {"stable up to": _edge(value, unstable)}
    others = [name for name in result.dims[:-1] if name != dimension]
    if len(others) == 1 and np.size(value) <= MOST_ROWS:
        labels = map(_label, result.coords[others[0]].tolist())
        return {
            f"stable up to, {others[0]} {label}": _edge(*ends)
            for label, *ends in zip(labels, value, unstable, strict=True)
        }
    stable = value[~np.isnan(value)]
    ends = [_label(end) for end in (stable.min(), stable.max())] if stable.size else ["nothing"]
    return {"stable up to": " … ".join(ends)}


def _edge(value: Any, unstable: Any) -> str:
    if np.isnan(value):
        return f"nothing: {_label(unstable)} diverges" if np.isfinite(unstable) else "not run"
    if np.isinf(unstable):
        return f"learning_rate = {_label(value)}, the largest that was tried"
    return f"learning_rate = {_label(value)}; {_label(unstable)} diverges"


def _label(value: Any) -> str:
    """A label in the digits that the user wrote."""
    return value if isinstance(value, str) else f"{value:.6g}"


def _number(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _arrays(result: "SweepResult") -> str:
    """xarray's HTML view of the arrays, if xarray is installed."""
    try:
        dataset = result.to_xarray()
    except ImportError:
        return ""
    return f"<details><summary>arrays</summary>{dataset._repr_html_()}</details>"
