"""A problem to train on, whatever the optimizer."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """A loss, where training starts, and the data."""

    loss: Callable[..., Any]
    params: Any
    data: Any
    """The arrays, or the :class:`~gdlab.training.loader.Stream`, that batches come from."""
