"""optax.tree, from the installed optax, but for what sets the entries of states."""

from typing import TYPE_CHECKING

from gdlab.interop.optax._handed_on import handed_on, listed
from gdlab.interop.optax._states import tree_set as set

__all__ = ["set"]

if not TYPE_CHECKING:
    __getattr__ = handed_on(__name__)
    __dir__ = listed(__name__)
