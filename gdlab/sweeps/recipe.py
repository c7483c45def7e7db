"""The call that made a result, to make it again for other points."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from gdlab.core.axis import Axis, is_axis

HOLDING_AXES = ("tx", "hyperparameters", "params")
"""The arguments in which axes may stand."""


@dataclasses.dataclass(frozen=True, repr=False)
class Recipe:
    """The arguments of a call of :func:`gdlab.sweep`."""

    call: Mapping[str, Any]
    """All of them, by name."""

    def again(self, values: Mapping[str, Sequence[float]], **changes: Any) -> Any:
        """The same sweep with other values on some axes, each along a dimension of its own.

        Args:
            values: the name of an axis → its values.
            changes: other arguments of the sweep.
        """
        from gdlab.sweeps.sweep import sweep

        def replaced(node: Any) -> Any:
            known = is_axis(node) and node.name in values
            return Axis(node.name, values[node.name]) if known else node

        arguments = dict(self.call) | changes
        for name in HOLDING_AXES:
            arguments[name] = jax.tree.map(replaced, arguments[name], is_leaf=is_axis)
        if not any(_is_sampled(arguments[name]) for name in HOLDING_AXES):
            arguments["samples"] = None
        return sweep(**arguments)

    def narrowed(self, **names: str) -> "Recipe":
        """That of one problem or optimizer of several.

        Args:
            names: ``problem`` or ``optimizer`` → the name of the one.
        """
        call = dict(self.call)
        holders = {"problem": ("loss", "params", "data"), "optimizer": ("tx",)}
        for kind, name in names.items():
            for argument in holders[kind]:
                if call[argument] is not None:
                    call[argument] = call[argument][name]
        return Recipe(call)


def _is_sampled(tree: Any) -> bool:
    from gdlab.core.axis import SampledAxis

    return any(isinstance(leaf, SampledAxis) for leaf in jax.tree.leaves(tree, is_leaf=is_axis))
