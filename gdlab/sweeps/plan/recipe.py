"""The call that made a result, to make it again for other points."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
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

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Nothing: a result that is sent or stored elsewhere has its arrays, but not the call."""
        return type(None), ()

    def __copy__(self) -> "Recipe":
        return self

    def __deepcopy__(self, _memo: object) -> "Recipe":
        return self

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

    def at(self, labels: Mapping[str, Sequence[Any]]) -> "Recipe":
        """The same call for these labels only.

        Args:
            labels: the name of an axis, ``problem``, ``optimizer`` or ``seed`` → those there are
                to be; of axes along one dimension all.
        """

        def replaced(node: Any) -> Any:
            known = is_axis(node) and node.name in labels
            return Axis(node.name, labels[node.name], node.along) if known else node

        call = dict(self.call)
        for kind in NAMED_BY.keys() & labels.keys():
            for argument in NAMED_BY[kind]:
                if call[argument] is not None:
                    call[argument] = {name: call[argument][name] for name in labels[kind]}
        if "seed" in labels:
            call["seeds"] = [int(seed) for seed in labels["seed"]]
        for argument in AXES_IN:
            call[argument] = _mapped(replaced, call[argument])
        parts = jax.tree.leaves([call[name] for name in AXES_IN], is_leaf=is_axis)
        if not any(isinstance(part, SampledAxis) for part in parts):
            call["samples"] = None
        return Recipe(call)


def _mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The function of all leaves and axes of a tree, whose outermost names stay in order."""
    if isinstance(tree, Mapping):
        return {name: _mapped(function, part) for name, part in tree.items()}
    return jax.tree.map(function, tree, is_leaf=is_axis)
