"""A training problem without an optimizer."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """A loss with initial parameters and data."""

    loss: Callable[..., Any]
    params: Any
    data: Any
    """The arrays, or the :class:`~gdlab.training.loader.Stream`, that batches come from."""
