"""The memory that a state takes."""

from typing import NamedTuple

import jax
import numpy as np

from gdlab.checks.checked import checked
from gdlab.core.numerics import arrays_and_shapes_only
from gdlab.core.structure import Params, Tree
from gdlab.core.transformation import GradientTransformation


class StateBytes(NamedTuple):
    """The bytes of a state, by entry and in total; its ``repr`` is a table."""

    entries: dict[str, int]
    """The bytes of each entry, such as ``mu``, summed over the parameters."""
    parameters: int
    """The number of parameters."""

    @property
    def total(self) -> int:
        """The bytes of the whole state."""
        return sum(self.entries.values())

    @property
    def per_parameter(self) -> float:
        """The bytes of the state for each parameter."""
        return self.total / max(self.parameters, 1)

    def __repr__(self) -> str:
        rows = [*self.entries.items(), ("total", self.total)]
        width = max(len(name) for name, _ in rows)
        digits = len(f"{self.total:,}")
        lines = [
            f"{name:<{width}}  {count:>{max(digits, 5)},}  {count / max(self.parameters, 1):>13.3f}"
            for name, count in rows
        ]
        head = f"{'entry':<{width}}  {'bytes':>{max(digits, 5)}}  per parameter"
        return "\n".join([head, *lines])


@checked
def state_bytes(tx: GradientTransformation, params: Params) -> StateBytes:
    """Count the bytes of a state without allocating it.

    ``init`` is evaluated for shapes only.

    Args:
        tx: an optimizer.
        params: the parameters, or a tree of ``jax.ShapeDtypeStruct`` like them.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import adam, state_bytes, stored
    >>> params = jax.ShapeDtypeStruct((1000, 1024), jnp.float32)
    >>> state_bytes(adam(1e-3), params).total
    8192024
    >>> state_bytes(stored(adam(1e-3), "int8"), params)
    entry          bytes  per parameter
    mu         1,088,000          1.062
    nu         1,088,000          1.062
    mu_weight         12          0.000
    nu_weight         12          0.000
    total      2,176,024          2.125
    """
    shapes = arrays_and_shapes_only(params)
    state = jax.eval_shape(tx.init, shapes)
    entries = {name: sum(map(_bytes, jax.tree.leaves(value))) for name, value in state.items()}
    parameters = sum(int(np.prod(np.shape(leaf))) for leaf in jax.tree.leaves(shapes))
    return StateBytes(entries, parameters)


def _bytes(array: Tree) -> int:
    return int(np.prod(array.shape)) * array.dtype.itemsize
