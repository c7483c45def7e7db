"""Transformations made of plain functions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import chain, sgd, stateless, stateless_with_tree_map

PARAMS = {"a": jnp.array([1.0, 2.0]), "b": jnp.array(3.0)}


def whole(updates, params):
    norm = optax.tree.norm(updates)
    return updates if params is None else jax.tree.map(lambda u, w: u / norm + w, updates, params)


def one_array(u, w):
    return 2 * u if w is None else u * w


@pytest.mark.parametrize("params", [PARAMS, None], ids=["with parameters", "without"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (stateless(whole), optax.stateless(whole)),
        (stateless_with_tree_map(one_array), optax.stateless_with_tree_map(one_array)),
    ],
    ids=["of trees", "of arrays"],
)
def test_it_agrees_with_optax(ours, theirs, params):
    one, _ = chain(ours, sgd(0.1)).update(PARAMS, chain(ours, sgd(0.1)).init(PARAMS), params)
    both = optax.chain(theirs, optax.sgd(0.1))
    other, _ = both.update(PARAMS, both.init(PARAMS), params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), one, other)
