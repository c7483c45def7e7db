"""A network small enough for its dense Hessian, which NumPy decomposes."""

import functools
import itertools

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

WIDTHS = (10, 16, 16, 3)
"""10·16 + 16 + 16·16 + 16 + 16·3 + 3 = 499 weights."""


def parameters(seed=0, dtype=None):
    rng = np.random.default_rng(seed)
    return {
        f"layer{index}": {
            "kernel": jnp.asarray(rng.normal(size=(before, after)) / np.sqrt(before), dtype),
            "bias": jnp.asarray(0.1 * rng.normal(size=after), dtype),
        }
        for index, (before, after) in enumerate(itertools.pairwise(WIDTHS))
    }


def examples(count=25, seed=1):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, WIDTHS[0]))
    return jnp.asarray(inputs), jnp.asarray(np.eye(3)[rng.integers(3, size=count)])


def outputs(params, inputs):
    for name in ("layer0", "layer1"):
        inputs = jnp.tanh(inputs @ params[name]["kernel"] + params[name]["bias"])
    return inputs @ params["layer2"]["kernel"] + params["layer2"]["bias"]


def cross_entropy(logits, targets):
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=1))


def loss(params, batch):
    inputs, targets = batch
    return cross_entropy(outputs(params, inputs), targets)


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def unflat(vector, like):
    leaves, treedef = jax.tree.flatten(like)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts = np.split(np.asarray(vector), ends)
    return treedef.unflatten(
        [
            jnp.asarray(part.reshape(leaf.shape), leaf.dtype)
            for part, leaf in zip(parts, leaves, strict=True)
        ]
    )


def dense_hessian(params, batch, decay=0.0, loss=loss):
    """That of a loss plus the decay times the squares of the weights.

    By reverse over reverse, an order that the code under test does not take.
    """
    hessian = np.asarray(_hessian(params, batch, loss))
    return (hessian + hessian.T) / 2 + 2 * decay * np.eye(len(hessian))


@functools.partial(jax.jit, static_argnums=2)
def _hessian(params, batch, loss):
    vector, unravel = jax.flatten_util.ravel_pytree(params)
    return jax.jacrev(jax.grad(lambda vector: loss(unravel(vector), batch)))(vector)
