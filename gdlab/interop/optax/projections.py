"""optax.projections, from the installed optax."""

from typing import TYPE_CHECKING

from gdlab.interop.optax._handed_on import handed_on, listed

if not TYPE_CHECKING:
    __getattr__ = handed_on(__name__)
    __dir__ = listed(__name__)
