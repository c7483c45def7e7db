"""Sophia with optax's way of passing the loss and the key."""

import math

import jax

import gdlab
from gdlab.core.authoring import TreeFunctions
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.interop.optax._adapting import adapted
from gdlab.interop.optax._noise import Key, key_of


@transformation(reads=EVERYTHING, slots=("key",))
def probe_from_key(random_seed: Key) -> TreeFunctions:
    """Estimate the diagonal of the Hessian by one random probe, from a key in the state."""

    def init(params):  # noqa: ARG001
        return (key_of(random_seed),)

    def update(updates, state, params, *, obj_fn=None, **_):  # noqa: ARG001
        if obj_fn is None:
            raise ValueError(
                "the keyword obj_fn is needed by hutchinson_estimator_diag_hessian: call "
                "update(updates, state, params, obj_fn=loss) with the loss as a function of params"
            )
        key, of_probe = jax.random.split(state[0])
        leaves, treedef = jax.tree.flatten(params)
        keys = jax.random.split(of_probe, len(leaves))
        signs = [
            jax.random.rademacher(key, leaf.shape, leaf.dtype)
            for key, leaf in zip(keys, leaves, strict=True)
        ]
        probe = treedef.unflatten(signs)
        product = jax.jvp(jax.grad(obj_fn), (params,), (probe,))[1]
        return jax.tree.map(lambda z, h: z * h, probe, product), (key,)

    return init, update


def hutchinson_estimator_diag_hessian(
    random_seed: jax.Array | None = None,
) -> GradientTransformation:
    """An estimate of the diagonal of the Hessian in place of the gradient, for :func:`sophia`.

    ``update`` needs ``params`` and the keyword ``obj_fn``, the loss as a function of them. gdlab's
    own ``hutchinson()`` needs ``grad_fn`` and ``key``.

    Args:
        random_seed: the key from which the probes are drawn; that of seed 0 unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop.optax import contrib
    >>> tx, w = contrib.hutchinson_estimator_diag_hessian(), jnp.ones(2)
    >>> tx.update(w, tx.init(w), w, obj_fn=lambda w: 3 * w[0] ** 2 + 4 * w[1] ** 2)[0]
    Array([6., 8.], dtype=float32)
    """
    return probe_from_key(0 if random_seed is None else random_seed)


sophia = adapted(
    gdlab.sophia,
    __name__,
    none_is={"clip_threshold": math.inf},
    hessian_diagonal_fn=probe_from_key(0),
    ignored={"verbose": False, "print_win_rate_every_n_steps": 0},
)
