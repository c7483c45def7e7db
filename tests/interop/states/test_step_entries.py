"""The entries that the number of steps determines, and the number from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.interop.states.places import opened, place_of
from gdlab.interop.states.step_entries import count_of, entries_after

PARAMS = jnp.zeros(2)


@pytest.mark.x64
def test_weights_of_constant_decays_have_their_closed_form():
    entries = entries_after(gdlab.adam(0.1, b1=0.9, b2=0.99), 37, np.dtype(np.float64))
    for name, decay in (("mu_weight", 0.9), ("nu_weight", 0.99)):
        expected = [1 - decay**37, decay**37, 1]
        np.testing.assert_allclose(entries[name], expected, rtol=1e-13)


@pytest.mark.x64
def test_weights_of_scheduled_decays_are_products():
    decay = gdlab.linear_schedule(0.5, 0.9, 10)
    entries = entries_after(gdlab.adam(0.1, b1=decay), 20, np.dtype(np.float64))
    remaining = np.prod([min(0.5 + 0.04 * step, 0.9) for step in range(20)])
    np.testing.assert_allclose(entries["mu_weight"], [1 - remaining, remaining, 1], rtol=1e-13)
    assert entries["count"] == 20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adam", "nadam", "yogi", "adabelief", "prodigy"])
def test_entries_are_those_after_so_many_updates(name):
    tx = getattr(gdlab, name)(0.1)
    tx = tx.replace(bias_correction=True) if name == "prodigy" else tx
    entries, state = entries_after(tx, 5), tx.init(PARAMS)
    for _ in range(5):
        _, state = tx.update(jnp.ones(2), state, PARAMS)
    assert entries
    for entry, value in entries.items():
        for one, other in zip(jax.tree.leaves(value), jax.tree.leaves(state[entry]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)
    assert count_of(tx, state) == 5


def test_count_is_not_told_by_weights_that_stand_still():
    tx = gdlab.adam(0.1)
    for count, told in ((0, 0), (80_000, 80_000), (500_000, None)):
        state = tx.init(PARAMS).replace(**entries_after(tx, count))
        assert count_of(tx, state) == told


def test_count_is_not_told_by_weights_of_another_decay():
    state = gdlab.adam(0.1, b1=0.95).init(PARAMS)
    state = state.replace(**entries_after(gdlab.adam(0.1, b1=0.95), 7))
    assert count_of(gdlab.adam(0.1, b1=0.9), state) is None


def test_entries_of_each_part_are_found_under_the_names_of_the_whole():
    tx = gdlab.chain(gdlab.trace(0.9), gdlab.clip_by_global_norm(1.0), gdlab.adam(0.1))
    tx = gdlab.chain(tx, gdlab.named_chain(("last", gdlab.trace(0.5))), gdlab.trace(0.1))
    first, second, third = opened(place_of(tx))
    assert dict(second.entries) == {"last": "last"}
    assert dict(third.entries) == {"trace": "trace_2"}
    trace, _, adam = opened(first)
    assert dict(trace.entries) == {"trace": "trace_0"}
    assert {name: adam.entry(name) for name in ("mu", "nu_weight")} == {
        "mu": "mu",
        "nu_weight": "nu_weight",
    }
    assert set(tx.init(PARAMS)) == set(place_of(tx).entries.values())
