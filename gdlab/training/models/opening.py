"""The recognition of models of all supported libraries."""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.numerics import strong
from gdlab.training.models.equinox import open_equinox
from gdlab.training.models.form import PLAIN, Held, OpenedModel
from gdlab.training.models.linen import open_linen
from gdlab.training.models.nnx import open_nnx

_OPENERS: dict[str, Callable[[Any, Any], OpenedModel | None]] = {
    "flax.nnx": open_nnx,
    "flax.linen": open_linen,
    "equinox": open_equinox,
}
"""Module → opener; a model of a library can exist only if its module has been imported."""


class Trainable:
    """A model and the filter for its trained parts, see :func:`gdlab.interop.trainable`."""

    __slots__ = ("model", "wrt")

    def __init__(self, model: Any, wrt: Any):
        self.model: Any = model
        self.wrt: Any = wrt


def open_model(model: Any) -> OpenedModel:
    """Split a model of any library into arrays and structure; any other tree is its own arrays.

    Args:
        model: a Flax NNX module, a linen module that is bound to its variables, an Equinox module,
            a result of :func:`gdlab.interop.trainable`, an :class:`OpenedModel`, or a tree of
            arrays.

    Raises:
        TypeError: if a linen module is not bound, or a filter is given for anything but an NNX or
            Equinox module.
        ValueError: if no part of the model is trained.
    """
    if isinstance(model, OpenedModel):
        return model
    wrt = None
    if isinstance(model, Trainable):
        model, wrt = model.model, model.wrt
    for name, opener in _OPENERS.items():
        if name in sys.modules and (opened := opener(model, wrt)) is not None:
            # Strong types, as the steps return them, so that the next call does not recompile.
            return dataclasses.replace(opened, held=strong(jax.tree.map(jnp.asarray, opened.held)))
    if wrt is not None:
        raise TypeError(
            f"trainable takes a Flax NNX module or an Equinox module, not {type(model).__name__}"
        )
    return OpenedModel(model, Held(), PLAIN)
