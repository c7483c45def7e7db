"""The poles of an optimizer as functions of one hyperparameter."""

from typing import Any, NamedTuple

import numpy as np

from gdlab.analysis.linear.arguments import checked_curvature
from gdlab.analysis.linear.hyperparameter_grid import hyperparameter_grid
from gdlab.analysis.linear.linearization import sorted_poles
from gdlab.axes.grid import axes_with_paths
from gdlab.checks.checked import checked
from gdlab.core.transformation import GradientTransformation


class RootLocus(NamedTuple):
    """The poles of an optimizer at each value of a hyperparameter."""

    name: str
    """The name of the hyperparameter's axis."""
    values: np.ndarray
    """The values of the hyperparameter, of shape ``(n,)``."""
    poles: np.ndarray
    """The poles at each value, largest first, of shape ``(n, d)``, or ``(n, modes, d)`` for a
    spectrum; over a whole period if ``tx`` has one."""

    def plot(self, ax: Any = None) -> Any:
        """Draw the poles' paths in the complex plane; needs the extra ``lab``."""
        from gdlab import plots

        return plots.root_locus(self.values, self.poles, self.name, ax=ax)


@checked
def root_locus(tx: GradientTransformation, curvature: Any, *, gradient_rms: Any = 1.0) -> RootLocus:
    """The poles of ``tx`` at every value of the one axis in it.

    Args:
        tx: a transformation with one :class:`gdlab.Axis` where a number would stand.
        curvature: the curvature λ of one mode, a spectrum or a Hessian.
        gradient_rms: as for :func:`linearize`.

    Raises:
        ValueError: without an axis, or with more than one; if a pole is not finite; if ``tx``
            cannot be linearised.

    >>> from gdlab import Axis, sgd
    >>> from gdlab.analysis import root_locus
    >>> locus = root_locus(sgd(Axis("learning_rate", [0.5, 3.0]), momentum=0.5), curvature=1.0)
    >>> locus.poles.round(3)
    array([[ 0.5+0.5j,  0.5-0.5j],
           [-1. +0.j , -0.5+0.j ]])

    Source: W. Evans, Graphical analysis of control systems, 1948.
    """
    curvature = checked_curvature(curvature)
    names = list(dict.fromkeys(axis.name for _, axis in axes_with_paths(tx)))
    if len(names) != 1:
        raise ValueError(
            "a root locus needs one axis, such as sgd(Axis('learning_rate', …), momentum=0.9); "
            f"{tx!r} has {len(names)}"
        )
    grid = hyperparameter_grid(tx, curvature, gradient_rms)
    values = grid.coords[names[0]]
    finite = np.all(np.isfinite(grid.matrices), axis=(1, 2, 3))
    if not finite.all():
        raise ValueError(f"the poles are not finite at {names[0]} = {values[~finite].tolist()}")
    poles = sorted_poles(grid.matrices)
    return RootLocus(names[0], values, poles if curvature.ndim == 1 else poles[:, 0])
