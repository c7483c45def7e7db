"""A number that all leaves of the parameters share, times a factor for each leaf."""

from collections.abc import Callable

import jax

from gdlab.checks.checked import checked
from gdlab.checks.located import located
from gdlab.checks.values import is_array_of_reals
from gdlab.core.by_leaf import ByLeaf, NumberByLeaf, as_structure, same_value
from gdlab.core.hyperparameter import Hyperparameter, as_hyperparameter
from gdlab.core.representation import represent
from gdlab.core.static import Static
from gdlab.core.structure import Leaf, Params, Tree, Value, leaves_with_paths


class ScaledByLeaf(NumberByLeaf):
    """A shared number, schedule or axis, times a factor for each leaf of the parameters.

    The shared value is a child of the optimizer's pytree; the factors are structure.
    """

    __slots__ = ("factors",)

    def __init__(self, value: Value, factors: ByLeaf):
        super().__init__(value)
        self.factors: ByLeaf = factors

    def at_leaves(self, params: Params) -> list[Leaf]:
        """The number at each leaf of ``params``, in order; ``None`` leaves count."""
        factors = self.factors.at_leaves(params)
        # Leaves with equal factors share one object, so that the core knows that they share a rule.
        for (path, leaf), factor in zip(leaves_with_paths(params), factors, strict=True):
            if leaf is not None and not is_array_of_reals(factor):
                raise TypeError(f"factors must be numbers, but at {path!r} there is {factor!r}")
        unique = {same_value(factor): factor for factor in factors if factor is not None}
        products = {key: self.values * factor for key, factor in unique.items()}
        return [None if factor is None else products[same_value(factor)] for factor in factors]

    def sample(self) -> Leaf:
        """Any one of the numbers."""
        return self.values

    @property
    def is_function(self) -> bool:
        """Return False: the numbers are not a function of only the parameters."""
        return False

    def __repr__(self) -> str:
        return f"scaled_by_leaf({represent(self.values)}, {self.factors!r})"


_VALUE = jax.tree_util.GetAttrKey("value")

jax.tree_util.register_pytree_with_keys(
    ScaledByLeaf,
    lambda scaled: (((_VALUE, scaled.values),), Static({"factors": scaled.factors})),
    lambda static, children: ScaledByLeaf(next(iter(children)), static.values["factors"]),
)


@checked
def scaled_by_leaf(
    value: Hyperparameter,
    factors: Tree | list[tuple[str, float]] | Callable[[Params], Tree],
) -> ScaledByLeaf:
    """A hyperparameter that is one number times a factor for each leaf of the parameters.

    ηₗ = value · factorₗ

    The shared number can be swept, scheduled and differentiated for all leaves at once, which a
    tree of numbers cannot.

    Args:
        value: a number, a schedule or an axis.
        factors: a tree of numbers (or a prefix of one); a list of pairs ``(pattern, number)``,
            where the first pattern found in the dotted path of a leaf decides; or a function from
            the parameters to a tree of numbers.

    Raises:
        TypeError: if ``value`` is a value by leaf, or not a number.

    >>> import jax.numpy as jnp
    >>> from gdlab import Axis, scaled_by_leaf, sgd
    >>> tx = sgd(scaled_by_leaf(0.1, [("hidden", 0.5), ("", 1.0)]))
    >>> params = {"hidden": jnp.ones(1), "output": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'hidden': Array([-0.05], dtype=float32), 'output': Array([-0.1], dtype=float32)}
    >>> sgd(scaled_by_leaf(Axis("learning_rate", [0.1, 0.2]), {"hidden": 0.5, "output": 1.0}))
    sgd(scaled_by_leaf(Axis('learning_rate', array([0.1, 0.2], 'float32')), ...))
    """
    try:
        number = as_hyperparameter(value)
    except (TypeError, ValueError) as error:
        raise located(error, "scaled_by_leaf: value") from None
    if isinstance(number, ByLeaf):
        raise TypeError(f"scaled_by_leaf: value must be one number for all leaves, not {value!r}")
    return ScaledByLeaf(number, as_structure(factors, "factors"))
