"""optax.microbatching, from the installed optax."""

from collections.abc import Callable
from typing import Any

from gdlab.interop.optax._handed_on import handed_on, listed

__getattr__: Callable[[str], Any] = handed_on(__name__)
__dir__: Callable[[], list[str]] = listed(__name__)
