"""Which points a sweep has: products, pairs and samples, laid out as labelled dimensions.

What a lane was given is read off its own loss, so that nothing rests on what the result says of it.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from gdlab import Axis, adam, map_axes, sgd, sweep


def given(w, a=0.0, b=0.0):
    """A loss that tells both numbers: neither moves while it is trained at the rate zero."""
    return jnp.sum(w) * 0 + a + b


def read(**hyperparameters):
    """The sum of the two numbers at each point."""
    samples = hyperparameters.pop("samples", None)
    result = sweep(
        given, jnp.zeros(1), sgd(0.0), steps=1, hyperparameters=hyperparameters, samples=samples
    )
    return result, result.loss[..., 0, 0]


A, B = [1.0, 2.0, 3.0], [10.0, 20.0, 30.0]


def test_axes_of_different_names_multiply_and_the_first_is_the_outermost():
    result, seen = read(a=Axis("one", A), b=Axis("other", B[:2]))
    assert result.dims == ("one", "other", "seed")
    np.testing.assert_array_equal(seen, np.add.outer(A, B[:2]))
    np.testing.assert_array_equal(result.coords["other"], B[:2])


def test_axes_along_one_dimension_are_paired():
    result, seen = read(a=Axis("one", A), b=Axis("other", B, along="one"))
    assert result.dims == ("one", "seed")
    assert result.axes == {"one": "one", "other": "one"}
    np.testing.assert_array_equal(seen, np.add(A, B))
    np.testing.assert_array_equal(result.coords["other"], B)


def test_a_dimension_along_which_axes_lie_need_not_be_an_axis():
    result, seen = read(a=Axis("one", A, along="pair"), b=Axis("other", B, along="pair"))
    assert result.dims == ("pair", "seed")
    np.testing.assert_array_equal(result.coords["pair"], [0, 1, 2])
    np.testing.assert_array_equal(seen, np.add(A, B))


def test_an_axis_in_two_places_is_one_dimension():
    axis = Axis("both", A)
    result, seen = read(a=axis, b=axis)
    assert result.dims == ("both", "seed")
    np.testing.assert_array_equal(seen, np.multiply(A, 2))


def test_pairs_and_products_go_together():
    tx = sgd(Axis("rate", [0.0, 0.0, 0.0], along="pair"))
    loss = lambda w, a, b: jnp.sum(w) * 0 + a + b  # noqa: E731
    result = sweep(
        loss,
        jnp.zeros(1),
        tx,
        steps=1,
        hyperparameters={"a": Axis("a", A, along="pair"), "b": Axis("b", B[:2])},
    )
    assert result.dims == ("pair", "b", "seed")
    np.testing.assert_array_equal(result.loss[..., 0, 0], np.add.outer(A, B[:2]))


def refused(message, **hyperparameters):
    with pytest.raises(ValueError, match=message):
        read(**hyperparameters)


def test_axes_along_one_dimension_must_be_equally_long():
    refused(
        "hyperparameters.b: axis 'other' has 2 values, but the dimension 'one' .* has 3",
        a=Axis("one", A),
        b=Axis("other", B[:2], along="one"),
    )


@pytest.mark.parametrize("values", [A[:2], [1.0, 2.0, 4.0]])
def test_axes_of_one_name_must_have_the_same_values(values):
    refused(
        "hyperparameters.b: another axis is named 'one' and has other values",
        a=Axis("one", A),
        b=Axis("one", values),
    )


def test_axes_of_one_name_must_lie_along_the_same_dimension():
    refused(
        "hyperparameters.b: another axis is named 'one'", a=Axis("one", A), b=Axis("one", A, "p")
    )


@pytest.mark.parametrize("name", ["optimizer", "problem", "seed", "step", "rung", "sample"])
def test_names_of_dimensions_that_sweeps_have_anyway_are_refused(name):
    refused(f"hyperparameters.a: every sweep has a dimension '{name}'", a=Axis(name, A))


@pytest.mark.parametrize("name", ["optimizer", "problem", "seed", "step", "rung"])
def test_axes_cannot_lie_along_dimensions_that_sweeps_have_anyway(name):
    refused(f"hyperparameters.a: every sweep has a dimension '{name}'", a=Axis("a", A, along=name))


def test_samples_may_be_drawn_by_hand():
    result, seen = read(a=Axis("a", A, along="sample"), b=Axis("b", B, along="sample"))
    assert result.dims == ("sample", "seed")
    np.testing.assert_array_equal(result.coords["sample"], [0, 1, 2])
    np.testing.assert_array_equal(seen, np.add(A, B))


@pytest.fixture(scope="module")
def sampled():
    return read(a=Axis.uniform("a", -1.0, 3.0), b=Axis.log_uniform("b", 1e-3, 10.0), samples=64)


def test_sampled_axes_share_the_dimension_sample(sampled):
    result, seen = sampled
    assert result.dims == ("sample", "seed")
    assert result.axes == {"a": "sample", "b": "sample"}
    np.testing.assert_allclose(seen, result.coords["a"] + result.coords["b"], rtol=1e-6)


def test_samples_lie_within_their_bounds_and_are_spread_as_they_should(sampled):
    a, b = sampled[0].coords["a"], sampled[0].coords["b"]
    assert a.min() >= -1
    assert a.max() <= 3
    assert b.min() >= np.float32(1e-3)
    assert b.max() <= 10
    # Of 64 = 2⁶ points of a Sobol sequence exactly one lies in each 64th, in either scale.
    np.testing.assert_array_equal(np.histogram((a + 1) / 4, 64, (0, 1))[0], 1)
    np.testing.assert_array_equal(np.histogram((np.log10(b) + 3) / 4, 64, (0, 1))[0], 1)


def test_samples_and_other_axes_multiply():
    result, seen = read(a=Axis("a", A), b=Axis.uniform("b", 0.0, 1.0), samples=5)
    assert result.dims == ("a", "sample", "seed")
    np.testing.assert_allclose(seen, np.add.outer(A, result.coords["b"]), rtol=1e-6)


def quantiles(sampling, seed):
    mapped = map_axes(lambda x, y: (x, y), samples=128, sampling=sampling, seed=seed)(
        Axis.uniform("x", 0.0, 1.0), Axis.uniform("y", 0.0, 1.0)
    )
    return np.stack(mapped.values, axis=1)


def test_sobol_points_are_more_even_than_independent_ones():
    for seed in range(3):
        even = qmc.discrepancy(quantiles("sobol", seed))
        assert even < qmc.discrepancy(quantiles("random", seed)) / 5


def test_the_same_seed_draws_the_same_and_another_others():
    for sampling in ("sobol", "random"):
        np.testing.assert_array_equal(quantiles(sampling, 1), quantiles(sampling, 1))
        assert not np.isin(quantiles(sampling, 1), quantiles(sampling, 2)).any()


def test_the_key_of_a_sweep_decides_what_is_drawn():
    def rates(key):
        tx = sgd(Axis.log_uniform("rate", 1e-3, 1.0))
        result = sweep(
            given, jnp.zeros(1), tx, steps=1, samples=8, sampling="random", key=jax.random.key(key)
        )
        return result.coords["rate"]

    np.testing.assert_array_equal(rates(1), rates(1))
    assert not np.isin(rates(1), rates(2)).any()


def test_several_optimizers_are_tried_at_the_same_samples():
    rates = Axis.log_uniform("rate", 1e-3, 1.0)
    # Its own axis besides does not change what the first is drawn.
    optimizers = {"sgd": sgd(rates), "adam": adam(rates)}
    result = sweep(given, jnp.zeros(1), optimizers, steps=1, samples=16)
    assert result.dims == ("optimizer", "sample", "seed")
    alone = sweep(given, jnp.zeros(1), adam(rates), steps=1, samples=16)
    np.testing.assert_array_equal(result.coords["rate"], alone.coords["rate"])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (None, "axis 'rate' is sampled: say how often"),
        (0, "samples must be a whole number between 1 and 1000000 or None, not 0"),
        (-3, "samples must be a whole number between 1 and 1000000 or None, not -3"),
    ],
)
def test_a_sampled_axis_asks_how_often(samples, message):
    with pytest.raises(ValueError, match=message):
        sweep(given, jnp.zeros(1), sgd(Axis.uniform("rate", 0.1, 1.0)), steps=1, samples=samples)


def test_samples_without_a_sampled_axis_are_refused():
    with pytest.raises(ValueError, match="samples=4 is given, but no axis is sampled"):
        sweep(given, jnp.zeros(1), sgd(Axis("rate", A)), steps=1, samples=4)


def test_a_sampling_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="sampling must be 'sobol' or 'random', not 'latin'"):
        sweep(
            given,
            jnp.zeros(1),
            sgd(Axis.uniform("rate", 0.1, 1.0)),
            steps=1,
            samples=4,
            sampling="latin",
        )


def test_axes_are_ordered_optimizer_then_loss_then_start():
    start = {"w": Axis("start", [0.0, 1.0])}
    loss = lambda w, shift: jnp.sum((w["w"] - shift) ** 2)  # noqa: E731
    rates, shifts, starts = [0.1, 0.2], [0.0, 2.0, 4.0], [0.0, 1.0]
    result = sweep(
        loss,
        start,
        sgd(Axis("rate", rates)),
        steps=3,
        hyperparameters={"shift": Axis("shift", shifts)},
    )
    assert result.dims == ("rate", "shift", "start", "seed")
    for (i, rate), (j, shift), (k, first) in itertools.product(
        enumerate(rates), enumerate(shifts), enumerate(starts)
    ):
        # The distance to the minimum shrinks by the factor 1 − 2η a step.
        distances = (first - shift) * (1 - 2 * rate) ** np.arange(4)
        np.testing.assert_allclose(result.loss[i, j, k, 0], distances**2, rtol=1e-5)


def test_samples_are_drawn_for_those_optimizers_that_have_sampled_axes():
    sampled = sgd(Axis.log_uniform("learning_rate", 1e-3, 1.0))
    found = sweep(lambda w: w**2, 1.0, {"sampled": sampled, "plain": adam(0.1)}, steps=2, samples=4)
    assert found["sampled"].dims == ("sample", "seed")
    assert found["plain"].dims == ("seed",)
