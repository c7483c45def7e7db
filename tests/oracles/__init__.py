"""Each method and each of its conventions beside its paper and other libraries.

One table for each family. No library is believed alone; the papers' NumPy transcriptions in
``tests.references`` are the other witness. A whole run of the tests ends with the table of them.
"""

import importlib
import pkgutil

from tests.oracles.method import Method

FAMILIES: dict[str, dict[str, Method]] = {}
"""The table of each family."""
for module in pkgutil.iter_modules(__path__):
    family = importlib.import_module(f"{__name__}.{module.name}")
    if table := getattr(family, "METHODS", {}):
        FAMILIES[module.name] = table
METHODS = {name: method for table in FAMILIES.values() for name, method in table.items()}


def witnesses() -> list[tuple[str, str, str]]:
    """The name of each convention, its transcription, and the libraries or the law beside it."""
    return [
        (name, reference_of(method), ", ".join([*method.libraries(), method.also]).strip(", "))
        for name, method in METHODS.items()
    ]


def reference_of(method: Method) -> str:
    """The transcription, as ``module.function``."""
    function = method.paper
    while hasattr(function, "func"):
        function = function.func
    return f"{function.__module__.removeprefix('tests.references.')}.{function.__name__}"
