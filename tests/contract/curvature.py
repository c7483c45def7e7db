"""Examples of deterministic and second-order methods.

They are about the whole tree and evaluate the loss along their steps, so a NaN spoils every
element, and leaves taken apart are added up in another order.
"""

import jax

import gdlab
from tests.contract.example import Example


def to_one(params):
    """Residuals whose squares have their least sum at 1."""
    return jax.tree.map(lambda w: w - 1, params)


EXAMPLES = {
    "adahessian": [Example(gdlab.adahessian(0.1), on_complex=None, keeps_nan=False, random=True)],
    "hutchinson": [
        # It is the curvature of the loss, whatever the gradient.
        Example(gdlab.hutchinson(), rests=False, on_complex=None, keeps_nan=False, random=True),
    ],
    "sophia": [
        Example(gdlab.sophia(0.1), rests=False, on_complex=None, keeps_nan=False, random=True),
    ],
    "spatial_mean": [Example(gdlab.spatial_mean())],
    "conjugate_direction": [Example(gdlab.conjugate_direction("HS"), keeps_nan=False)],
    "gauss_newton": [
        # They go by residuals, which have no public name, and not by the gradients of the contract.
        Example(
            gdlab.gauss_newton(to_one), rests=False, on_complex=None, keeps_nan=False, source=False
        ),
    ],
    "levenberg_marquardt": [
        Example(
            gdlab.levenberg_marquardt(to_one),
            rests=False,
            on_complex=None,
            keeps_nan=False,
            source=False,
        ),
    ],
    "newton_cg": [Example(gdlab.newton_cg(), keeps_nan=False)],
    "nonlinear_cg": [Example(gdlab.nonlinear_cg(), keeps_nan=False)],
    "scale_by_gauss_newton": [
        Example(
            gdlab.scale_by_gauss_newton(to_one),
            rests=False,
            on_complex=None,
            keeps_nan=False,
            source=False,
        ),
    ],
    "scale_by_truncated_newton": [Example(gdlab.scale_by_truncated_newton(), keeps_nan=False)],
    "trust_region": [Example(gdlab.trust_region(), keeps_nan=False, bears_extremes=False)],
    "lbfgs": [
        Example(gdlab.lbfgs(memory_size=2), keeps_nan=False),
    ],
    "scale_by_backtracking_linesearch": [
        Example(gdlab.scale_by_backtracking_linesearch(10, atol=0.1, rtol=0.1), keeps_nan=False),
    ],
    "scale_by_lbfgs": [Example(gdlab.scale_by_lbfgs(2, False), keeps_nan=False)],
    "scale_by_zoom_linesearch": [
        Example(gdlab.scale_by_zoom_linesearch(10, 2.0), keeps_nan=False),
    ],
}
