"""gdlab: the gradient-descent laboratory for JAX."""

import ast
import importlib
import pkgutil
from typing import Any

# Everything else needs the core, and whoever lacks JAX is to hear of it here. The parts, the
# methods and what is done with them are imported one by one, when they are first named.
from gdlab.core.transformation import GradientTransformation as GradientTransformation

__version__ = "0.1.0"


def _homes() -> dict[str, str]:
    """The module that defines each public name, as the stub beside this file has it."""
    stub = pkgutil.get_data(__name__, "__init__.pyi")
    assert stub is not None
    return {
        alias.name: str(node.module)
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom) and node.module != __name__
        for alias in node.names
    }


_home_of = _homes()
_packages = [module.name for module in pkgutil.iter_modules(__path__)]
__all__ = sorted(_home_of)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _home_of:
        value = getattr(importlib.import_module(_home_of[name]), name)
    elif name in _packages:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_home_of, *_packages})
