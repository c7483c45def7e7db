"""The arguments of a sweep that hold hyperparameters, in place of which axes may stand."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from gdlab.core.axis import Axis, is_axis


class AxisArguments(NamedTuple):
    """The optimizer, the hyperparameters of functions and the parameters, with axes in them."""

    tx: Any
    hyperparameters: Any
    params: Any

    def with_values(self, values: Mapping[str, Any], along: str) -> "AxisArguments":
        """The arguments with these values on their axes, paired along one dimension.

        Args:
            values: the name of each axis → its values.
            along: the name of the dimension.
        """

        def paired(node: Any) -> Any:
            return Axis(node.name, values[node.name], along=along) if is_axis(node) else node

        return jax.tree.map(paired, self, is_leaf=is_axis)
