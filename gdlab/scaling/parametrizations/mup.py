"""μP, the maximal-update parametrisation, under which learning rates transfer across width."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from gdlab.checks.checked import checked
from gdlab.core.structure import Params
from gdlab.scaling.parametrizations.parametrization import LeafMultipliers, Parametrization
from gdlab.scaling.parametrizations.widths import Layout, WidthRatios, widths_of

Method: TypeAlias = Literal["adam", "sgd"]
"""The kind of optimizer: "adam" if it divides gradients by their size, "sgd" if it does not."""
Table: TypeAlias = Literal["table 3", "table 8", "table 9"]
"""A table of Tensor Programs V; all three describe the same training."""
StartVariance: TypeAlias = Literal["1/fan_in", "constant"]
"""The dependence on fan-in of the variance of weights drawn by a model's own ``init``."""


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
        """The multipliers of one parameter, in the form of ``table``."""
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
        """Convert multipliers of table 3 to the form of ``table``, with the same training."""
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
    """μP, the maximal-update parametrisation: the best learning rate stays as width grows.

    With m the ratio of a parameter's fan-in to that of the base model and k that of its fan-out,
    both 1 for axes that are no width, the factors in the form of table 3 are

    ===============  ==========  ============  ============  =======
    parameter        start       rate, Adam    rate, SGD     decay
    ===============  ==========  ============  ============  =======
    input, biases    1           1             k             1/rate
    hidden           1           1/m           k/m           1/rate
    output           1/√m        1/m           1/m           1/rate
    ===============  ==========  ============  ============  =======

    At the base width all factors are 1. The decay is multiplied by the inverse of the learning
    rate's factor, since AdamW multiplies the decay by the learning rate. Otherwise a wide model
    decays less, and the best learning rate shifts although the sizes of all activations agree.

    When to use:
        To tune a learning rate on a narrow model and train a wide one with it. Only the rate
        transfers; a wide model need not reach a lower loss than under :func:`standard` with its own
        best rate. Adam's ε is not scaled; :func:`completed_p` scales it too.

    Args:
        base: the base model: its parameters or their shapes, a model, or its ``init(key)``; or a
            list of pairs ``(pattern of the path, (m, k))`` that give the ratios directly.
        method: "adam" for optimizers that divide gradients by their size (Adam, RMSProp, signs),
            "sgd" for those that do not (gradient descent with or without momentum).
        table: the form of the multipliers. "table 3" needs no change of the model. The other two,
            which give the same training, move a factor into the forward pass: use
            ``parametrization.forward(params)`` in the loss.
        start_variance: "1/fan_in" if the model's own ``init`` draws weights of variance ∝ 1/fan-in,
            "constant" if their variance does not depend on the width.
        layouts: pattern of the path → (axes of the fan-in, axes of the fan-out); by default the
            last but one and the last axis, as in JAX's libraries. The only axis of a vector is
            fan-out.
        scale_weight_decay: whether ``weight_decay`` is multiplied by the inverse of the learning
            rate's factor.

    Returns:
        A :class:`Parametrization`: ``init`` and ``optimizer`` apply it, ``table`` shows it.

    Raises:
        ValueError: if ``method``, ``table`` or ``start_variance`` is unknown.

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
