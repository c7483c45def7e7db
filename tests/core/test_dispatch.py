"""Calls outside of ``jit`` keep few compiled programs, whatever is trained."""

import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.core import dispatch

WAYS = {
    "pair": lambda tx, g, s, p: gdlab.apply_updates(p, tx.update(g, s, p)[0]),
    "one_call": lambda tx, g, s, p: gdlab.apply_gradients(tx, g, s, p)[0],
}


def programs():
    """The programs that this process has compiled and still holds."""
    gc.collect()
    return len(jax.devices()[0].client.live_executables())


def tree(number, leaves):
    """A tree that no other number makes, of arrays that all of them have."""
    return {f"w{number}_{i}": jnp.ones(2) for i in range(leaves)}


@pytest.mark.parametrize(
    "way", [pytest.param(WAYS["pair"], marks=pytest.mark.slow), WAYS["one_call"]]
)
def test_trees_of_ever_new_structure_leave_few_programs_behind(way, monkeypatch):
    monkeypatch.setattr(dispatch, "PROGRAMS", 3)
    tx = gdlab.sgd(0.5)
    kept = []
    for number in range(11):
        params = tree(number, 1)
        new = way(tx, params, tx.init(params), params)
        assert all(np.array_equal(w, [0.5, 0.5]) for w in new.values())
        if number in (0, 8, 9, 10):
            kept.append(programs())
    assert max(kept) - kept[0] <= 3 + 1, kept


def test_many_arrays_of_ever_new_shapes_leave_few_programs_behind(monkeypatch):
    monkeypatch.setattr(dispatch, "PROGRAMS", 2)
    tx = gdlab.sgd(0.5)
    kept = []
    for size in range(3, 8):
        params = {str(i): np.ones(size, np.float32) for i in range(40)}
        for way in WAYS.values():
            way(tx, params, tx.init(params), params)
        if size in (4, 6, 7):
            kept.append(programs())
    assert max(kept) - kept[0] <= 4, kept


def test_a_program_is_kept_while_there_are_few():
    tx, params = gdlab.sgd(0.25), tree("same", 3)
    state = tx.init(params)
    gdlab.apply_gradients(tx, params, state, params)
    before = programs()
    for _ in range(3):
        gdlab.apply_gradients(tx.replace(learning_rate=0.5), params, state, params)
    assert programs() == before


def test_programs_can_be_forgotten_in_the_middle_of_a_trace(monkeypatch):
    monkeypatch.setattr(dispatch, "PROGRAMS", 1)
    tx, params = gdlab.sgd(0.5), tree("traced", 2)
    known = gdlab.apply_gradients(tx, params, tx.init(params), params)[0]

    @jax.jit
    def step(grads):
        constants = gdlab.apply_gradients(tx, params, tx.init(params), params)[0]
        return jax.tree.map(jnp.add, constants, grads)

    assert jax.tree.all(jax.tree.map(np.array_equal, step(known), params))
