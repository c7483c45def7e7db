"""Runs along given gradients that are moved from one library to another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.oracles.method import GRADS, PARAMS
from tests.paths import known_near

LEAVES = ("vector", "matrix", "wide")
STEPS = 23
"""The steps after each move."""


def moves(names, plain):
    """Each method, moved after so many steps; those that are not ``plain`` are slow."""
    for name in names:
        for k in (0, 1, 37):
            yield pytest.param(name, k, marks=() if (name, k) in plain else pytest.mark.slow)


def start_of(method, dtype):
    """The parameters at which a method begins."""
    return {path: np.asarray(PARAMS[path], dtype) for path in LEAVES if path in method.leaves}


def grads_of(names, start, dtype):
    """The gradients of the steps from ``start`` on."""
    return {name: jnp.asarray(GRADS[name][start : start + STEPS], dtype) for name in names}


@jax.jit
def go_on(tx, params, state, grads):
    """The points of gdlab's steps along ``grads``, and the state at the end."""

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params, **known_near(params, g))
        params = gdlab.apply_updates(params, updates)
        return (params, state), params

    (_, state), path = jax.lax.scan(step, (params, state), grads)
    return path, state


def agree(path, other, rtol):
    """Compare by name, relative to the parameters, which are of the order of one."""
    for name in other:
        np.testing.assert_allclose(path[name], other[name], rtol=rtol, atol=rtol, err_msg=name)


def assert_same_bits(state, other, rounded=()):
    """Compare states, but for the entries that a move rounds."""
    pairs = jax.tree_util.tree_leaves_with_path(state)
    for (path, ours), theirs in zip(pairs, jax.tree.leaves(other), strict=True):
        where = jax.tree_util.keystr(path)
        is_rounded = any(f"{name}[" in where or f"{name}'][" in where for name in rounded)
        np.testing.assert_allclose(ours, theirs, 1e-12 if is_rounded else 0, err_msg=where)


def as_jax(params):
    return {name: jnp.asarray(w) for name, w in params.items()}


def as_numpy(params):
    return {name: np.asarray(w) for name, w in params.items()}
