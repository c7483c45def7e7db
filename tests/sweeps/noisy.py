"""A loss that depends on a key, its start and a metric, and all arrays of a result."""

import jax
import jax.numpy as jnp
import numpy as np

FIELDS = ("loss", "status", "stopped_at", "evaluations", "metrics", "history", "params")
"""The fields of a result that hold arrays over its lanes."""


def init(key):
    return jax.random.normal(key, (3,))


def noisy(w, key):
    return jnp.sum(w**2 * (1 + jax.random.uniform(key, w.shape)))


def norm(w):
    return jnp.sqrt(jnp.sum(w**2))


def arrays_of(result):
    """Every array of a result by its path."""
    fields = {name: getattr(result, name) for name in FIELDS}
    leaves = jax.tree_util.tree_flatten_with_path(fields)[0]
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
