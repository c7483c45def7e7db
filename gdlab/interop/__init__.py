"""Interoperability: code, optimizer states and models of other libraries.

``gdlab.interop.optax`` replaces optax by one import. The functions here convert optimizer states
from and to other libraries, and lift factories of other libraries.
"""

import importlib
from typing import Any

from gdlab.interop.lifting import lift
from gdlab.interop.partly_trained import trainable
from gdlab.interop.states.keras.states import from_keras, to_keras
from gdlab.interop.states.optax.states import from_optax, to_optax
from gdlab.interop.states.torch.params import params_from_torch, params_to_torch
from gdlab.interop.states.torch.states import from_torch, to_torch

__all__: list[str] = [
    "from_keras",
    "from_optax",
    "from_torch",
    "lift",
    "params_from_torch",
    "params_to_torch",
    "to_keras",
    "to_optax",
    "to_torch",
    "trainable",
]


def __getattr__(name: str) -> Any:
    if name == "optax":
        return importlib.import_module("gdlab.interop.optax")
    raise AttributeError(f"module 'gdlab.interop' has no attribute {name!r}")
