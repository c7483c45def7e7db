"""optax.tree from the installed optax, except for functions on states."""

from collections.abc import Callable
from typing import Any

from gdlab.interop.optax._handed_on import handed_on, listed
from gdlab.interop.optax._states import tree_map_params as map_params
from gdlab.interop.optax._states import tree_set as set

__all__ = ["map_params", "set"]

__getattr__: Callable[[str], Any] = handed_on(__name__)
__dir__: Callable[[], list[str]] = listed(__name__)
