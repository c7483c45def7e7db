"""The call that made a result, which can be repeated for other points."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from gdlab.axes.grid import replace_axes
from gdlab.core.axis import Axis, SampledAxis, is_axis
from gdlab.sweeps.plan.axis_arguments import AxisArguments

AXES_IN = ("tx", "hyperparameters", "params", "steps", "epochs", "batch_size")
"""The arguments in which axes may stand."""
NAMED_BY = {"problem": ("loss", "params", "data"), "optimizer": ("tx",)}
"""The arguments that are dictionaries where there are several problems or optimizers."""


@dataclasses.dataclass(frozen=True, repr=False)
class SweepCall:
    """The arguments of a call of :func:`gdlab.sweep`, by name."""

    function: Callable[..., Any]
    """The function :func:`gdlab.sweep`, passed in because its module imports this one."""
    arguments: Mapping[str, Any]

    def run(self) -> Any:
        """Repeat the call, and return its result."""
        return self.function(**self.arguments)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """None: a pickled result keeps its arrays, but not the functions of its call."""
        return type(None), ()

    def __copy__(self) -> "SweepCall":
        return self

    def __deepcopy__(self, _memo: object) -> "SweepCall":
        return self

    @property
    def axis_arguments(self) -> AxisArguments:
        """The arguments that hold hyperparameters, in place of which axes may stand."""
        tx, params = self.arguments["tx"], self.arguments["params"]
        return AxisArguments(tx, dict(self.arguments["hyperparameters"] or {}), params)

    def changed(self, **changes: Any) -> "SweepCall":
        """The same call with some other arguments."""
        return dataclasses.replace(self, arguments={**self.arguments, **changes})

    def only(self, **names: str) -> "SweepCall":
        """The same call for one ``problem`` or one ``optimizer`` of several, by its name."""
        arguments = dict(self.arguments)
        for kind, name in names.items():
            for argument in NAMED_BY[kind]:
                if arguments[argument] is not None:
                    arguments[argument] = arguments[argument][name]
        return dataclasses.replace(self, arguments=arguments)

    def at(self, labels: Mapping[str, Sequence[Any]]) -> "SweepCall":
        """The same call for these labels only.

        Args:
            labels: the name of an axis, ``problem``, ``optimizer`` or ``seed`` → the labels that
                remain. All axes along one dimension must be given together.
        """

        def replaced(axis: Axis) -> Axis:
            return axis.only(labels[axis.name]) if axis.name in labels else axis

        arguments = dict(self.arguments)
        for kind in NAMED_BY.keys() & labels.keys():
            for argument in NAMED_BY[kind]:
                if arguments[argument] is not None:
                    arguments[argument] = {name: arguments[argument][name] for name in labels[kind]}
        if "seed" in labels:
            arguments["seeds"] = [int(seed) for seed in labels["seed"]]
        for argument in AXES_IN:
            arguments[argument] = replace_axes(replaced, arguments[argument])
        parts = jax.tree.leaves([arguments[name] for name in AXES_IN], is_leaf=is_axis)
        if not any(isinstance(part, SampledAxis) for part in parts):
            arguments["samples"] = None
        return dataclasses.replace(self, arguments=arguments)
