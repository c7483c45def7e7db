"""Models of which only a part is trained."""

from typing import Any

from gdlab.checks.checked import checked
from gdlab.training.models import Trainable, open_model


@checked
def trainable(model: Any, wrt: Any) -> Any:
    """Mark the part of a model that is trained, and pass the result in place of the model.

    It is accepted wherever a model is: by :func:`gdlab.minimize`, :func:`gdlab.sweep`, as the
    result of ``init`` in a sweep, and by the functions of ``gdlab.analysis``. They return plain
    models. The rest of the model stays unchanged, and the optimizer keeps no state for it.

    Args:
        model: a Flax NNX module or an Equinox module.
        wrt: the part to train, in the library's convention. For NNX a filter of variables, as in
            ``nnx.Optimizer(model, tx, wrt=nnx.LoRAParam)``. For Equinox a tree of booleans like the
            model, or a function of a leaf, as for ``eqx.partition``; of the leaves that it chooses,
            inexact arrays are trained. A linen module always trains the collection ``params``; use
            :func:`gdlab.freeze` to leave out a part of it.

    Raises:
        TypeError: if the model is not of these libraries, or ``wrt`` is not a filter.
        ValueError: if the filter chooses nothing.

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
    if wrt is None:
        raise TypeError("wrt must be a filter of what is trained, not None")
    chosen = Trainable(model, wrt)
    open_model(chosen)  # raises errors for a wrong model or filter
    return chosen
