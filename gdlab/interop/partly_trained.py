"""The part of a model that is trained."""

from typing import Any

from gdlab.checks.checked import checked
from gdlab.training.models import Trainable, open_model


@checked
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
            inexact arrays are trained. Of a linen module the collection ``params`` is trained; a
            part of it is left out by :func:`gdlab.freeze`.

    Raises:
        TypeError: if the model is none of these libraries, or ``wrt`` no filter.
        ValueError: if it chooses nothing.

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
    open_model(chosen)  # refuses what is no such model, or filter
    return chosen
