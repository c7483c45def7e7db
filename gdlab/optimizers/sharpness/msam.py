"""Momentum-SAM: a probe along the momentum, which needs no gradient of its own."""

from gdlab.core.hyperparameter import NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.parameters.training_ahead import train_ahead
from gdlab.transforms.probes.ascent import ascent


@transformation
def msam(inner: GradientTransformation, rho: NonNegative = 0.3) -> GradientTransformation:
    """Momentum-SAM: sharpness-aware minimisation at the cost of its inner method.

    uₜ = inner(∇f(yₜ)), xₜ₊₁ = xₜ + uₜ, yₜ₊₁ = xₜ₊₁ + rho·uₜ/‖uₜ‖, with the norm over the whole tree

    The parameters are y; the weights x are what :func:`evaluation_params` reads. With momentum
    u is along −v, so that the gradient is taken where momentum would overshoot to. At rho = 0 it is
    ``inner``.

    When to use:
        Where :func:`sam` helps but a second gradient is too much. ``inner`` has to have momentum;
        rho is several times that of SAM.

    Args:
        inner: the method, down to its learning rate.
        rho: ρ, the distance from the weights to where the gradient is evaluated.

    >>> from gdlab import expand, msam, sgd
    >>> expand(msam(sgd(0.1, momentum=0.9)))
    train_ahead(sgd(0.1, momentum=0.9), ascent(0.3))

    Source: M. Becker, F. Altrock, B. Risse, Momentum-SAM: sharpness aware minimization without
    computational overhead, 2024, algorithm 1.
    """
    return train_ahead(inner, ascent(rho))
