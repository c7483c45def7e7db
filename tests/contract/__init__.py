"""An example of each public transformation, one file for each family of them."""

import importlib
import pkgutil

from tests.contract.example import Example

EXAMPLES: dict[str, list[Example]] = {}
for module in pkgutil.iter_modules(__path__):
    family = importlib.import_module(f"{__name__}.{module.name}")
    EXAMPLES |= getattr(family, "EXAMPLES", {})
