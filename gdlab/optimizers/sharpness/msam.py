"""Momentum-SAM: a probe along the momentum, which needs no second gradient."""

from gdlab.core.hyperparameter import NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.parameters.training_ahead import train_ahead
from gdlab.transforms.probes.ascent import ascent


@transformation
def msam(inner: GradientTransformation, rho: NonNegative = 0.3) -> GradientTransformation:
    """Momentum-SAM: sharpness-aware minimisation at the cost of its inner method.

    uₜ = inner(∇f(yₜ)), xₜ₊₁ = xₜ + uₜ, yₜ₊₁ = xₜ₊₁ + rho·uₜ/‖uₜ‖, with the norm over the whole tree

    The parameters are y; :func:`evaluation_params` returns the weights x. With momentum u is along
    −v, so that the gradient is taken at the point to which momentum would overshoot. At rho = 0 it
    is ``inner``.

    When to use:
        If :func:`sam` helps but a second gradient is too expensive. ``inner`` must have momentum;
        rho is several times that of SAM.

    Args:
        inner: the method, including its learning rate.
        rho: ρ, the distance from the weights to the point at which the gradient is evaluated.

    >>> from gdlab import expand, msam, sgd
    >>> expand(msam(sgd(0.1, momentum=0.9)))
    train_ahead(sgd(0.1, momentum=0.9), ascent(0.3))

    Source: M. Becker, F. Altrock, B. Risse, Momentum-SAM: sharpness aware minimization without
    computational overhead, 2024, algorithm 1.
    """
    return train_ahead(inner, ascent(rho))
