"""optax.assignment, from the installed optax."""

from gdlab.interop.optax._handed_on import handed_on, listed

__getattr__ = handed_on(__name__)
__dir__ = listed(__name__)
