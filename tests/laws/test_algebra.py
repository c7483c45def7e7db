"""Laws of chains, forks, masks and averages, on random links and random gradients."""

import functools

import jax
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import gdlab
from tests.laws.strategies import (
    SHAPES,
    fractions,
    gradient_sequences,
    leaves,
    links,
    rates,
    run,
    trees,
)

# The same examples in every run, and few, since each new structure is compiled.
# A failing example is shown as it was drawn: to make it smaller would compile for minutes.
law = functools.partial(
    settings, derandomize=True, deadline=None, database=None, phases=[Phase.generate]
)
few = law(max_examples=12)

ROUNDING = dict(rtol=2e-5, atol=1e-6)
"""Some hundred roundings of float32. Equal mathematics may be compiled to other kernels."""


def assert_equal(one, other):
    jax.tree.map(functools.partial(np.testing.assert_allclose, **ROUNDING), one, other)


@pytest.mark.slow
@few
@given(links(), gradient_sequences, trees)
def test_identity_is_neutral_on_both_sides(link, gradients, params):
    alone, _ = run(link, gradients, params)
    for neighboured in (
        gdlab.chain(gdlab.identity(), link),
        gdlab.chain(link, gdlab.identity()),
    ):
        assert_equal(run(neighboured, gradients, params)[0], alone)


@pytest.mark.slow
@few
@given(links(), links(), links(), gradient_sequences, trees)
def test_chaining_is_associative(first, second, third, gradients, params):
    left = gdlab.chain(gdlab.chain(first, second), third)
    right = gdlab.chain(first, gdlab.chain(second, third))
    assert_equal(run(left, gradients, params)[0], run(right, gradients, params)[0])


@pytest.mark.slow
@few
@given(links(), links(), rates, gradient_sequences, trees)
def test_a_fork_permutes_with_its_join(first, second, weight, gradients, params):
    forward = gdlab.fork(lambda a, b: a - weight * b, first, second)
    backward = gdlab.fork(lambda b, a: a - weight * b, second, first)
    assert_equal(run(forward, gradients, params)[0], run(backward, gradients, params)[0])


@few
@given(fractions, trees)
def test_a_debiased_average_keeps_constants(decay, constant):
    updates, _ = run(gdlab.debias(gdlab.ema(decay)), [constant] * 4, constant)
    for update in updates:
        assert_equal(update, constant)


@pytest.mark.slow
@few
@given(links(), links(), st.sets(st.sampled_from(sorted(SHAPES))), gradient_sequences, trees)
def test_groups_partition_a_tree_and_two_masks_do_the_same(one, other, of_one, gradients, params):
    labels = {name: "one" if name in of_one else "other" for name in SHAPES}
    grouped = gdlab.partition({"one": one, "other": other}, labels)
    mask = {name: name in of_one for name in SHAPES}
    opposite = {name: not chosen for name, chosen in mask.items()}
    masks = gdlab.chain(gdlab.masked(one, mask), gdlab.masked(other, opposite))
    together, _ = run(grouped, gradients, params)
    assert_equal(together, run(masks, gradients, params)[0])

    # Each group sees its own leaves alone.
    def of(names, tree):
        return {name: tree[name] for name in names}

    for names, link in ((of_one, one), (set(SHAPES) - of_one, other)):
        alone, _ = run(link, [of(names, gradient) for gradient in gradients], of(names, params))
        assert_equal([of(names, update) for update in together], alone)


@few
@given(rates, st.lists(trees, min_size=4, max_size=4), trees)
def test_accumulation_of_k_micro_batches_is_a_step_by_their_mean(rate, gradients, params):
    k = len(gradients)
    method = gdlab.adam(rate)
    updates, _ = run(gdlab.accumulate(method, k), gradients, params)
    mean = jax.tree.map(lambda *parts: np.mean(np.stack(parts), axis=0), *gradients)
    (expected,), _ = run(method, [mean], params)
    # Adam divides by √v̂ + ε, so that a mean near zero is where rounding shows most.
    clear = jax.tree.map(lambda m: np.abs(m) > 1e-3, mean)
    jax.tree.map(
        lambda update, right, where: np.testing.assert_allclose(
            np.where(where, update, 0), np.where(where, right, 0), rtol=1e-3, atol=1e-6
        ),
        updates[-1],
        expected,
        clear,
    )
    for waiting in updates[:-1]:
        assert_equal(waiting, jax.tree.map(np.zeros_like, waiting))


@few
@given(links(), links(), gradient_sequences, trees)
def test_a_state_goes_out_as_a_flat_dictionary_and_comes_back(first, second, gradients, params):
    tx = gdlab.chain(first, second)
    _, state = run(tx, gradients, params)
    flat = {path: np.asarray(array) for path, array in gdlab.flatten_state(state).items()}
    restored, misfits = gdlab.restore_state(tx.init(params), flat)
    assert misfits == {}
    jax.tree.map(np.testing.assert_array_equal, restored, state)
    assert jax.tree.structure(restored) == jax.tree.structure(state)


@law(max_examples=30)
@given(
    st.lists(rates, min_size=2, max_size=4),
    st.lists(st.integers(1, 20), min_size=3, max_size=3),
)
def test_joined_schedules_meet_at_their_boundaries(values, lengths):
    boundaries = np.cumsum(lengths)[: len(values) - 1].tolist()
    ramps = [gdlab.linear_schedule(value, value / 2, 10) for value in values]
    joined = gdlab.join_schedules(ramps, boundaries)
    starts = [0, *boundaries]
    for ramp, start in zip(ramps, starts, strict=True):
        np.testing.assert_allclose(joined(start), ramp(0), rtol=1e-6)
    for ramp, start, end in zip(ramps, starts, boundaries, strict=False):
        np.testing.assert_allclose(joined(end - 1), ramp(end - 1 - start), rtol=1e-6)


@pytest.mark.slow
@law(max_examples=6)
@given(
    st.lists(st.floats(2**-10, 0.25, width=32), min_size=3, max_size=3, unique=True), leaves((3,))
)
def test_a_lane_of_a_sweep_is_the_run_alone(learning_rates, start):
    def loss(params):
        return (params**2).sum()

    result = gdlab.sweep(
        loss,
        start,
        gdlab.adam(gdlab.Axis("learning_rate", learning_rates)),
        steps=5,
        progress=False,
    )
    for index, learning_rate in enumerate(learning_rates):
        alone = gdlab.minimize(loss, start, gdlab.adam(learning_rate), steps=5)
        np.testing.assert_allclose(np.asarray(result.loss)[index, 0], alone.values, **ROUNDING)


@few
@given(links(), links(), gradient_sequences, trees)
def test_a_chain_is_the_composition_of_its_links(first, second, gradients, params):
    between, _ = run(first, gradients, params)
    composed, _ = run(second, between, params)
    assert_equal(run(gdlab.chain(first, second), gradients, params)[0], composed)
