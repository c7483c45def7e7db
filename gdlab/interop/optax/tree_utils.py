"""optax.tree_utils, from optax, but for what sets entries of states and maps over them."""

from gdlab.interop.optax._handed_on import handed_on, listed
from gdlab.interop.optax._states import tree_map_params, tree_set

__all__ = ["tree_map_params", "tree_set"]

__getattr__ = handed_on(__name__)
__dir__ = listed(__name__)
