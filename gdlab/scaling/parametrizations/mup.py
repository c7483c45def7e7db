"""The maximal-update parametrisation: hyperparameters of a narrow model serve a wide one."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from gdlab.checks.checked import checked
from gdlab.core.structure import Params
from gdlab.scaling.parametrizations.parametrization import LeafMultipliers, Parametrization
from gdlab.scaling.parametrizations.widths import Layout, WidthRatios, widths_of

Method: TypeAlias = Literal["adam", "sgd"]
"""Kind of optimizer: one that divides gradients by their size, or one that does not."""
Table: TypeAlias = Literal["table 3", "table 8", "table 9"]
"""Table of Tensor Programs V; all three describe the same training."""
StartVariance: TypeAlias = Literal["1/fan_in", "constant"]
"""Variance of the weights that a model's own ``init`` draws."""


@dataclasses.dataclass(frozen=True)
class MaximalUpdateRule:
    """The rule of :func:`mup`."""

    method: Method = "adam"
    table: Table = "table 3"
    start_variance: StartVariance = "1/fan_in"
    scale_weight_decay: bool = True

    @property
    def scaled(self) -> tuple[str, ...]:
        """The hyperparameters that depend on the width."""
        return ("learning_rate", "weight_decay") if self.scale_weight_decay else ("learning_rate",)

    def __call__(self, path: str, widths: WidthRatios, params: Params) -> LeafMultipliers:
        """Table 3, and from there the others by moving a factor into the forward pass."""
        del path, params
        return self.in_table(widths, self.at_widths(widths))

    def at_widths(self, widths: WidthRatios) -> LeafMultipliers:
        """The multipliers of table 3, with m and k the ratios of fan-in and fan-out."""
        m, k = widths
        rate = 1 / m if self.method == "adam" else k / m
        start = m**-0.5 if widths.is_output else 1.0
        if self.start_variance == "constant":
            start *= m**-0.5
        decay = 1 / rate if self.scale_weight_decay else 1.0
        return LeafMultipliers(start, rate, decay)

    def in_table(self, widths: WidthRatios, multipliers: LeafMultipliers) -> LeafMultipliers:
        """The same training in the form of the table that was asked for."""
        m, k = widths
        factor = 1.0
        if self.table == "table 8" and widths.is_output:
            factor = 1 / m
        if self.table == "table 9":
            factor = m**-0.5 if widths.is_output else k**0.5 if widths.is_input else 1.0
        moved = multipliers.moved_forward(factor, is_adaptive=self.method == "adam")
        return moved if self.scale_weight_decay else moved._replace(weight_decay=1.0)

    def residual_multiplier(self, params: Params) -> float:
        """Return 1, since nothing depends on the depth."""
        del params
        return 1.0


@checked
def mup(
    base: Any,
    *,
    method: Method = "adam",
    table: Table = "table 3",
    start_variance: StartVariance = "1/fan_in",
    layouts: Mapping[str, Layout] | None = None,
    scale_weight_decay: bool = True,
) -> Parametrization:
    """The maximal-update parametrisation, which keeps the best learning rate as width grows.

    With m the ratio of a parameter's fan-in to that of the base model and k that of its fan-out,
    both 1 where no width is, the factors in the form of table 3 are

    ===============  ==========  ============  ============  =======
    parameter        start       rate, Adam    rate, SGD     decay
    ===============  ==========  ============  ============  =======
    input, biases    1           1             k             1/rate
    hidden           1           1/m           k/m           1/rate
    output           1/√m        1/m           1/m           1/rate
    ===============  ==========  ============  ============  =======

    At the base width all of them are 1. The decay is multiplied by the inverse of the learning
    rate's factor, since AdamW multiplies it by the learning rate: without that a wide model decays
    less, and the best learning rate moves although the sizes of all activations agree.

    When to use:
        For tuning a learning rate on a narrow model and training a wide one with it. What transfers
        is the rate; that a wide model then has a lower loss than under :func:`standard` at the best
        rate of its own is not said. ε of Adam is left as it is; :func:`completed_p` scales it too.

    Args:
        base: the base model: its parameters or their shapes, a model, or its ``init(key)``. Or,
            in place of shapes, a list of pairs ``(pattern of the path, (m, k))``.
        method: "adam" for optimizers that divide gradients by their size (Adam, RMSProp, signs),
            "sgd" for those that do not (gradient descent with or without momentum).
        table: the form. "table 3" needs no change of the model. The other two, which are the same
            training, move a factor into the forward pass: use
            ``parametrization.forward(params)`` in the loss.
        start_variance: the variance of the weights that the model's own ``init`` draws.
        layouts: pattern of the path → (axes of the fan-in, axes of the fan-out); the last but one
            and the last unless given, as JAX's libraries lay out their weights. Of a vector the
            only axis is fan-out.
        scale_weight_decay: whether ``weight_decay`` is multiplied by the inverse of the learning
            rate's factor.

    Returns:
        A :class:`Parametrization`: ``init`` and ``optimizer`` apply it, ``table`` shows it.

    Raises:
        ValueError: if an argument is none of those named.

    >>> import jax.numpy as jnp
    >>> from gdlab.scaling import mup
    >>> def shapes(n):
    ...     return {"in": jnp.ones((3, n)), "hidden": jnp.ones((n, n)), "out": jnp.ones((n, 2))}
    >>> print(mup(shapes(2)).table(shapes(8)))
    parameter  initial scale  learning rate   weight decay            eps        forward
    hidden                 1           0.25              4              1              1
    in                     1              1              1              1              1
    out                  0.5           0.25              4              1              1

    Source: G. Yang et al., Tensor Programs V: tuning large neural networks via zero-shot
    hyperparameter transfer, 2022, tables 3, 8 and 9; the factor of the decay as in their package
    ``mup``.
    """
    rule = MaximalUpdateRule(method, table, start_variance, scale_weight_decay)
    return Parametrization("mup(…)", widths_of(base, layouts), rule)
