"""The one place where a model is recognised, whichever library it is of."""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.numerics import strong
from gdlab.training.models.equinox import open_equinox
from gdlab.training.models.form import PLAIN, OpenedModel
from gdlab.training.models.linen import open_linen
from gdlab.training.models.nnx import open_nnx

_OPENERS: dict[str, Callable[[Any, Any], OpenedModel | None]] = {
    "flax.nnx": open_nnx,
    "flax.linen": open_linen,
    "equinox": open_equinox,
}
"""By the module that must have been imported for there to be a model of the library."""


class _Trainable:
    """A model and the filter of what is trained in it."""

    __slots__ = ("model", "wrt")

    def __init__(self, model: Any, wrt: Any):
        self.model = model
        self.wrt = wrt


def trainable(model: Any, wrt: Any) -> Any:
    """A model of which a part is trained, to be given in its place.

    Whatever takes a model as its parameters takes this as well: :func:`gdlab.minimize`,
    :func:`gdlab.sweep`, the ``init`` of a sweep, and the functions of ``gdlab.analysis``. What they
    return is the model. The rest of it stays as it is, and the optimizer keeps no moments for it.

    Args:
        model: a Flax NNX module or an Equinox module.
        wrt: what is trained, in the library's own words. For NNX a filter of variables, as in
            ``nnx.Optimizer(model, tx, wrt=nnx.LoRAParam)``. For Equinox a tree of booleans like the
            model, or a function of a leaf, as for ``eqx.partition``; of the leaves that it chooses,
            inexact arrays are trained.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> from gdlab import minimize, sgd
    >>> from gdlab.interop import trainable
    >>> model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    >>> biases = nnx.All(nnx.Param, nnx.PathContains("bias"))
    >>> loss = lambda model: jnp.mean((model(jnp.ones((1, 2))) - 3.0) ** 2)
    >>> run = minimize(loss, trainable(model, biases), sgd(0.1), steps=5)
    >>> bool(jnp.array_equal(run.params.kernel[...], model.kernel[...]))
    True
    """
    return _Trainable(model, wrt)


def open_model(model: Any) -> OpenedModel:
    """A model of any library as arrays and structure; any other tree as it is.

    Args:
        model: a Flax NNX module, a linen module that is bound to its variables, an Equinox module,
            what :func:`trainable` makes of one, one that is opened already, or a tree of arrays.

    Raises:
        TypeError: if a linen module is not bound, or a filter is given for what is no model that
            takes one.
        ValueError: if nothing of the model is trained.
    """
    if isinstance(model, OpenedModel):
        return model
    wrt = None
    if isinstance(model, _Trainable):
        model, wrt = model.model, model.wrt
    for name, opener in _OPENERS.items():
        if name in sys.modules and (opened := opener(model, wrt)) is not None:
            # Strong types, as the steps return them.
            return dataclasses.replace(opened, held=strong(jax.tree.map(jnp.asarray, opened.held)))
    if wrt is not None:
        raise TypeError(
            f"trainable takes a Flax NNX module or an Equinox module, not {type(model).__name__}"
        )
    return OpenedModel(model, None, PLAIN)
