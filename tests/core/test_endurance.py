"""Long runs outside of ``jit``, many structures, threads, and counters at their largest value."""

import concurrent.futures
import gc
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.contract import EXAMPLES

LARGEST = np.iinfo(np.int32).max
PARAMS = {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}
COUNTERS = {
    "adopt": "waited",
    "apply_if_finite": "total_notfinite",
    "asgd": "taken",
    "conditionally_transform": "step",
    "nadam": "count",
    "params_mean": "taken",
    "radam": "count",
}
"""Public transformations that count without end, and the name of what they count."""


def walked(tx, params, steps, state=None):
    """The parameters and the state after some steps down a bowl, each taken outside of jit."""
    state = tx.init(params) if state is None else state
    for _ in range(steps):
        updates, state = tx.update(params, state, params)
        params = gdlab.apply_updates(params, updates)
    return params, state


@pytest.mark.parametrize("steps", [60, pytest.param(20_000, marks=pytest.mark.slow)])
def test_steps_outside_of_jit_leave_neither_bytes_nor_arrays_behind(steps):
    tx = gdlab.adam(gdlab.linear_schedule(0.1, 0.0, steps))
    params, state = walked(tx, PARAMS, 20)  # so that all programs are compiled and cached
    gc.collect()
    arrays = len(jax.live_arrays())
    tracemalloc.start()
    try:
        params, state = walked(tx, params, steps, state)
        gc.collect()
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(jax.live_arrays()) <= arrays
    assert left < 20_000


@pytest.mark.slow  # test_dispatch.py counts programs in a small way
def test_three_hundred_structures_leave_few_bytes_behind():
    def meet(numbers):
        for number in numbers:
            walked(gdlab.sgd(0.5), {f"w{number}": jnp.ones(2)}, 1)

    meet(range(3))
    gc.collect()
    tracemalloc.start()
    try:
        meet(range(3, 303))
        gc.collect()
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A structure whose programs are kept takes 40 kB of Python's memory, and few are kept.
    assert left / 300 < 15_000


@pytest.mark.parametrize("threads", [4, pytest.param(16, marks=pytest.mark.slow)])
def test_threads_that_share_an_optimizer_walk_as_one_alone_does(threads):
    tx = gdlab.adam(gdlab.linear_schedule(0.1, 0.0, 30))
    starts = [jax.tree.map(lambda w, i=i: (i + 1) * w, PARAMS) for i in range(threads)]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        together = list(pool.map(lambda start: walked(tx, start, 30)[0], starts))
    alone = [walked(gdlab.adam(gdlab.linear_schedule(0.1, 0.0, 30)), s, 30)[0] for s in starts]
    jax.tree.map(np.testing.assert_array_equal, together, alone)


@pytest.mark.usually(debug_nans="one of the counters is of gradients that are not finite")
@pytest.mark.parametrize(("name", "counter"), COUNTERS.items())
def test_a_counter_at_the_largest_integer_stays_there(name, counter):
    def is_counter(path):
        return jax.tree_util.keystr(path[-1:], simple=True) in ("count", counter)

    tx = EXAMPLES[name][0].tx
    state = jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.full_like(leaf, LARGEST) if is_counter(path) else leaf,
        tx.init(PARAMS),
    )
    gradient = PARAMS
    if name == "apply_if_finite":  # it counts what is not
        gradient = jax.tree.map(lambda w: w * jnp.nan, PARAMS)
    for _ in range(2):
        updates, state = tx.update(gradient, state, PARAMS)
    counts = {
        jax.tree_util.keystr(path): int(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
        if is_counter(path)
    }
    assert counts
    assert set(counts.values()) == {LARGEST}, counts
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(updates))
