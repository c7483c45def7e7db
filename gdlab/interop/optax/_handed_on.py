"""Names that gdlab does not replace, such as losses and projections, from the installed optax."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from gdlab.interop.optax._state_classes import is_state_class, recognising

HERE = "gdlab.interop.optax"


def handed_on(module: str) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a module of this namespace, which returns optax's attributes.

    Args:
        module: the name of the module here, such as ``gdlab.interop.optax.losses``.
    """
    theirs = "optax" + module.removeprefix(HERE)

    def get(name: str) -> Any:
        if name.startswith("_") and name != "__version__":
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        found = getattr(_imported(theirs, f"{theirs}.{name}"), name)
        return recognising(found) if is_state_class(found) else found

    return get


def listed(module: str) -> Callable[[], list[str]]:
    """Make the ``__dir__`` of a module of this namespace, with its own names and optax's."""
    theirs = "optax" + module.removeprefix(HERE)

    def names() -> list[str]:
        own = set(vars(sys.modules[module]))
        if importlib.util.find_spec("optax") is not None:
            found = importlib.import_module(theirs)
            own |= {*dir(found), *getattr(found, "__all__", ())}
        return sorted(name for name in own if not name.startswith("_"))

    return names


def _imported(module: str, wanted: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{wanted} is optax's own, which is not installed; "
            'pip install "gdlab[interop]" brings it'
        ) from error
