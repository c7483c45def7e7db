"""No part keeps an array of a trace beyond it, which JAX finds out where it is told to look."""

import jax
import jax.numpy as jnp
import pytest

import gdlab

PARAMS = {"w": jnp.ones((4, 4)), "b": jnp.ones(3, jnp.bfloat16)}
WRAPPERS = {
    "momentum": lambda tx: tx,
    "schedule": lambda tx: gdlab.chain(tx, gdlab.scale(gdlab.linear_schedule(1.0, 0.0, 3))),
    "norm": lambda tx: gdlab.chain(gdlab.clip_by_global_norm(1.0), tx),
    "accumulated": lambda tx: gdlab.accumulate(tx, 2),
    "guarded": lambda tx: gdlab.apply_if_finite(gdlab.lookahead(tx, 2, 0.5)),
    "stored": lambda tx: gdlab.stored(tx, "bfloat16", params="split"),
    "grouped": lambda tx: gdlab.partition(
        {"one": tx, "other": gdlab.adam(0.1)}, [("w", "one"), ("b", "other")]
    ),
}


def trace(tx):
    """A step in a program, and two lanes outside of one."""
    state = tx.init(PARAMS)
    jax.jit(lambda tx, g, s: tx.update(g, s, PARAMS)).trace(tx, PARAMS, state)
    lanes = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), state)
    jax.vmap(lambda s: tx.update(PARAMS, s, PARAMS))(lanes)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "momentum" else pytest.param(name, marks=pytest.mark.slow)
        for name in WRAPPERS
    ],
)
def test_nothing_is_kept_of_a_trace(name):
    with jax.checking_leaks():
        trace(WRAPPERS[name](gdlab.sgd(0.1, 0.9)))


@pytest.mark.slow
def test_what_is_kept_of_a_trace_is_found():
    kept = []

    @gdlab.leafwise
    def keeping():
        return lambda u: kept.append(u) or u

    with jax.checking_leaks(), pytest.raises(Exception, match=r"[Ll]eaked trace"):
        trace(keeping())
