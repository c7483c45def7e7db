"""The parametrisation that deep-learning libraries use by default."""

import dataclasses
from typing import ClassVar

from gdlab.checks.checked import checked
from gdlab.core.structure import Params
from gdlab.scaling.parametrizations.parametrization import LeafMultipliers, Parametrization
from gdlab.scaling.parametrizations.widths import WidthRatios, Widths


@dataclasses.dataclass(frozen=True)
class StandardRule:
    """The rule of :func:`standard`: all factors are 1."""

    scaled: ClassVar[tuple[str, ...]] = ()

    def __call__(self, path: str, widths: WidthRatios, params: Params) -> LeafMultipliers:
        """Return factors of 1 for every parameter."""
        del path, widths, params
        return LeafMultipliers()

    def residual_multiplier(self, params: Params) -> float:
        """Return 1, since nothing depends on the depth."""
        del params
        return 1.0


@checked
def standard() -> Parametrization:
    """The standard parametrisation: one learning rate for all parameters of all widths.

    It changes nothing, and serves for comparison with :func:`mup`: ``init`` draws weights of
    variance 1/fan-in, and all widths have the learning rate of the base model.

    >>> import jax.numpy as jnp
    >>> from gdlab.scaling import standard
    >>> standard().multipliers({"w": jnp.ones((4, 4))})["w"].learning_rate
    1.0
    """
    return Parametrization("standard()", Widths(patterns=(("", WidthRatios()),)), StandardRule())
