"""optax.tree_utils from the installed optax, except for functions on states."""

from collections.abc import Callable
from typing import Any

from gdlab.interop.optax._handed_on import handed_on, listed
from gdlab.interop.optax._states import tree_map_params, tree_set

__all__ = ["tree_map_params", "tree_set"]

__getattr__: Callable[[str], Any] = handed_on(__name__)
__dir__: Callable[[], list[str]] = listed(__name__)
