"""CompleteP, under which hyperparameters transfer across width and depth."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between
from gdlab.checks.user_functions import called_as
from gdlab.checks.values import real_numbers
from gdlab.core.structure import Params, require_matches
from gdlab.scaling.parametrizations.mup import MaximalUpdateRule, StartVariance, Table
from gdlab.scaling.parametrizations.parametrization import LeafMultipliers, Parametrization
from gdlab.scaling.parametrizations.widths import Layout, WidthRatios, widths_of


@dataclasses.dataclass(frozen=True)
class CompletedRule:
    """The rule of :func:`completed_p`."""

    scaled: ClassVar[tuple[str, ...]] = ("learning_rate", "weight_decay", "eps")
    width_rule: MaximalUpdateRule
    depth: float | Callable[[Params], float]
    blocks: str
    alpha: float

    def __call__(self, path: str, widths: WidthRatios, params: Params) -> LeafMultipliers:
        """The multipliers by width, and by depth within residual blocks."""
        by_width = self.width_rule.at_widths(widths)._replace(eps=1 / widths.fan_out)
        found = self.width_rule.in_table(widths, by_width)
        if not re.search(self.blocks, path):
            return found
        depth = self.depth_ratio(params)
        return found._replace(
            learning_rate=found.learning_rate * depth ** (self.alpha - 1),
            eps=found.eps * depth**-self.alpha,
        )

    def depth_ratio(self, params: Params) -> float:
        """The number of blocks as a multiple of the base model's."""
        depth = (
            called_as("depth(params)", self.depth, params) if callable(self.depth) else self.depth
        )
        depth = float(real_numbers("depth", depth, ndim=0))
        if depth <= 0:
            raise ValueError(f"depth must be a positive number of blocks, not {depth:g}")
        return depth

    def residual_multiplier(self, params: Params) -> float:
        """The factor depth^−α of the output of each residual block."""
        return self.depth_ratio(params) ** -self.alpha


@checked
def completed_p(
    base: Any,
    *,
    depth: float | Callable[[Params], float],
    blocks: str,
    alpha: Annotated[float, Between(0.5, 1)] = 1.0,
    table: Table = "table 3",
    start_variance: StartVariance = "1/fan_in",
    layouts: Mapping[str, Layout] | None = None,
) -> Parametrization:
    """CompleteP for AdamW, under which hyperparameters transfer across width and depth.

    With m and k the ratios of fan-in and fan-out and L the ratio of the number of residual blocks
    to those of the base model, the factors in the form of table 3 are

    ===================  ======  ================  ==========  ===========
    parameter            start   learning rate     decay       ε
    ===================  ======  ================  ==========  ===========
    input, biases        1       1                 1           1/k
    hidden, in blocks    1       L^(α−1)/m         m           L^(−α)/k
    vectors, in blocks   1       L^(α−1)           1           L^(−α)/k
    output               1/√m    1/m               m           1
    ===================  ======  ================  ==========  ===========

    The output of each block is multiplied by L^(−α), which the model has to do itself:
    ``x + parametrization.residual_multiplier(params) * block(x)``. The paper has the factor 1/m of
    the output layer in the forward pass, which is ``table="table 8"``.

    Batch size and number of steps are those of the base model; the later rules for changing them,
    known as Complete(d)P, are not included.

    Args:
        base: the base model, as for :func:`mup`. Additional blocks are compared with the blocks of
            the base model.
        depth: the ratio L of the number of residual blocks to that of the base model; or a function
            from the parameters to this ratio, so that one parametrisation serves all depths.
        blocks: a regular expression that is found in the paths of the parameters in residual
            blocks.
        alpha: the exponent α, from ½ to 1; with 1 all blocks learn features at any depth.
        table: as for :func:`mup`.
        start_variance: as for :func:`mup`.
        layouts: as for :func:`mup`.

    Returns:
        A :class:`Parametrization`.

    Raises:
        ValueError: if ``alpha`` is outside of [½, 1], or ``table`` or ``start_variance`` is
            unknown.

    >>> import jax.numpy as jnp
    >>> from gdlab.scaling import completed_p
    >>> def shapes(width, depth):
    ...     return {"blocks": [jnp.ones((width, width))] * depth}
    >>> parametrization = completed_p(shapes(2, 1), depth=4.0, blocks="blocks")
    >>> last = parametrization.multipliers(shapes(8, 4))["blocks.3"]
    >>> last.learning_rate, last.weight_decay, last.eps
    (0.25, 4.0, 0.0625)

    Source: N. Dey et al., Don't be lazy: CompleteP enables compute-efficient deep transformers,
    2025, table 1.
    """
    rule = CompletedRule(MaximalUpdateRule("adam", table, start_variance), depth, blocks, alpha)
    if not callable(depth):
        rule.depth_ratio(None)
    widths = widths_of(base, layouts)
    try:
        re.compile(blocks)
    except re.error as error:
        raise ValueError(f"blocks must be a regular expression, not {blocks!r}: {error}") from None
    if widths.shapes:
        require_matches("blocks", [blocks], [path for path, _ in widths.shapes])
    return Parametrization("completed_p(…)", widths, rule)
