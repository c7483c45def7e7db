"""The call that made a result, to make it again for other points."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from gdlab.core.axis import Axis, SampledAxis, is_axis

AXES_IN = ("tx", "hyperparameters", "params")
"""The arguments in which axes may stand."""
NAMED_BY = {"problem": ("loss", "params", "data"), "optimizer": ("tx",)}
"""The arguments that are dictionaries where there are several problems or optimizers."""


@dataclasses.dataclass(frozen=True, repr=False)
class Recipe:
    """The arguments of a call of :func:`gdlab.sweep`, by name."""

    call: Mapping[str, Any]

    def run(self) -> Any:
        """Call it."""
        from gdlab.sweeps.sweep import sweep

        return sweep(**self.call)

    def changed(self, **changes: Any) -> "Recipe":
        """The same call with some other arguments."""
        return Recipe({**self.call, **changes})

    def only(self, **names: str) -> "Recipe":
        """The part of one ``problem``, or of one ``optimizer``, of several."""
        call = dict(self.call)
        for kind, name in names.items():
            for argument in NAMED_BY[kind]:
                if call[argument] is not None:
                    call[argument] = call[argument][name]
        return Recipe(call)

    def along(self, values: Mapping[str, Sequence[float]]) -> "Recipe":
        """The same call with other values on some axes, each along a dimension of its own."""

        def replaced(node: Any) -> Any:
            known = is_axis(node) and node.name in values
            return Axis(node.name, values[node.name]) if known else node

        call = dict(self.call)
        for name in AXES_IN:
            call[name] = jax.tree.map(replaced, call[name], is_leaf=is_axis)
        parts = jax.tree.leaves([call[name] for name in AXES_IN], is_leaf=is_axis)
        if not any(isinstance(part, SampledAxis) for part in parts):
            call["samples"] = None
        return Recipe(call)
