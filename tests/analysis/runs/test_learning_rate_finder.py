"""What the finder says, against closed forms, NumPy, and long trainings; and accidents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from gdlab import (
    Axis,
    Hyperparameter,
    adagrad,
    adam,
    chain,
    clip,
    linear_schedule,
    sgd,
    sweep,
    transformation,
)
from gdlab.analysis import find_learning_rate
from gdlab.analysis.runs import range_test
from tests.sweeps.counting import count_compilations

CURVATURES = np.array([0.4, 4.0])
CELL = 1e8 ** (1 / 63)
"""The ratio of neighbouring rates unless they are given."""


def quadratic(w):
    return 0.5 * jnp.sum(jnp.asarray(CURVATURES, jnp.float32) * w**2)


def modulus(w):
    return jnp.sum(jnp.abs(w))


def find(tx, loss=quadratic, params=(1.0, 1.0), data=None, **settings):
    params = jnp.asarray(params) if isinstance(params, tuple) else params
    return find_learning_rate(loss, params, tx, data, progress=False, **settings)


def cells_apart(one, other):
    return abs(np.log(one / other)) / np.log(CELL)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_edge_brackets_where_the_largest_root_leaves_the_unit_circle(momentum):
    found = find(sgd(0.1, momentum=momentum))
    below, above = found.edge.bracket
    assert found.edge.value == below < 2 * (1 + momentum) / 4.0 < above
    assert above / below == pytest.approx(CELL, rel=1e-5)
    assert found.edge == found.result.edge()


@pytest.mark.parametrize("steps", [5, 20, 100])
def test_the_minimum_is_near_the_best_constant_rate_of_that_many_steps(steps):
    rates = np.geomspace(1e-3, 0.6, 10_000)
    final = np.sum(CURVATURES * (1 - np.outer(rates, CURVATURES)) ** (2 * steps), axis=-1)
    found = find(sgd(0.1), steps=steps)
    assert cells_apart(found.minimum, rates[np.argmin(final)]) < 2


def test_steepest_is_the_inflection_of_the_loss_over_the_logarithm_of_the_rate():
    # exp(−2ηLt) has its inflection over log η at 2ηLt = 1; the last quarter's middle is 88.
    found = find(sgd(0.1), params=(0.0, 1.0))
    assert cells_apart(found.steepest, 1 / (2 * 4.0 * 88)) < 1.5


def test_the_valley_does_not_depend_on_how_far_down_the_range_goes():
    near, far = (find(sgd(0.1), low=low, high=1e2).valley for low in (1e-6, 1e-10))
    assert cells_apart(near, far) < 3
    assert near < find(sgd(0.1)).minimum


def test_the_suggestion_keeps_away_from_the_edge():
    found = find(sgd(0.1))
    assert found.minimum > found.edge.value / 2
    assert found.suggestion == found.edge.value / 2
    assert "half of the largest stable rate" in found.why


# A network for digits.

DIGITS = load_digits()
IMAGES = (DIGITS.data / 16).astype(np.float32)
TRAIN = IMAGES[:500], DIGITS.target[:500].astype(np.int32)


def init(key):
    first, second = jax.random.split(key)
    return {
        "hidden": jax.random.normal(first, (64, 16)) / 8,
        "output": jax.random.normal(second, (16, 10)) / 4,
    }


def cross_entropy(params, batch):
    images, labels = batch
    logits = jax.nn.relu(images @ params["hidden"]) @ params["output"]
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
    return -jnp.mean(chosen)


SETTING = {"params": init, "data": TRAIN, "batch_size": 32}


def loss_on_all_images(params):
    return {"on_all": cross_entropy(params, jax.tree.map(jnp.asarray, TRAIN))}


@pytest.mark.slow
def test_a_long_training_with_the_suggestion_comes_near_the_best_of_a_long_sweep():
    found = find(adam(0.1), cross_entropy, **SETTING)
    rates = np.append(np.logspace(-3.5, 0.5, 9), found.suggestion)
    long = sweep(
        cross_entropy, init, adam(Axis("learning_rate", rates)), TRAIN, batch_size=32,
        steps=300, record_every=300, seeds=[7], evaluate=loss_on_all_images, progress=False,
    )  # fmt: skip
    losses = long.metrics["on_all"][:, 0]
    untrained = np.log(10)
    assert losses[-1] < 2 * np.nanmin(losses) + 0.01 * untrained
    # The test would fail for a rate ten times off in either direction.
    known = np.nan_to_num(losses[:-1], nan=9.0)
    lower, higher = (
        np.interp(np.log(found.suggestion * factor), np.log(rates[:-1]), known)
        for factor in (0.1, 10)
    )
    assert min(lower, higher) > losses[-1] + 0.01 * untrained


# Accidents.


@pytest.mark.slow
def test_a_spike_in_the_first_steps_of_all_lanes_does_not_move_the_suggestion():
    class Batches:
        def __init__(self, spike):
            self.spike = spike

        def __iter__(self):
            rng = np.random.default_rng(0)
            for step in range(200):
                rows = rng.choice(500, 64, replace=False)
                weight = self.spike if step in (1, 3) else 1.0
                yield TRAIN[0][rows], TRAIN[1][rows], np.float32(weight)

    def loss(params, batch):
        *examples, weight = batch
        return weight * cross_entropy(params, examples)

    setting = {"loss": loss, "params": init, "seeds": 2, "steps": 60}
    calm = find(adam(0.1), data=Batches(1.0), **setting)
    spiky = find(adam(0.1), data=Batches(30.0), **setting)
    assert np.isnan(spiky.bound)
    assert "scalar" in spiky.why
    assert spiky.result.loss[0, 0, 1] > 10 * calm.result.loss[0, 0, 1]
    assert cells_apart(spiky.suggestion, calm.suggestion) <= 1.01


@transformation
def broken_between(
    learning_rate: Hyperparameter, low: Hyperparameter, high: Hyperparameter, what: Hyperparameter
):
    """Gradient descent, whose updates are something else for rates within bounds."""

    def update(updates, state, params=None):
        factor = jnp.where((learning_rate > low) & (learning_rate < high), what, learning_rate)
        return jax.tree.map(lambda g: -factor * g, updates), state

    return lambda params: (), update


@pytest.mark.sampled(7)
@pytest.mark.parametrize("around", [1e-6, 1e-4, 0.02, 0.1])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("what", ["diverges", "stands still", "arrives at once"])
def test_a_lane_or_two_by_accident_do_not_move_what_is_found(around, count, what):
    factor = {"diverges": np.nan, "stands still": 0.0, "arrives at once": 0.25}[what]
    settings = {"steps": 40, "seeds": 1}
    low, high = around / CELL**0.5, around * CELL ** (count - 0.5)
    calm = find(broken_between(1.0, 1.0, 0.0, 0.0), **settings)
    odd = find(broken_between(1.0, float(low), float(high), jnp.array(factor)), **settings)
    changed = ~np.isclose(odd.result.final_loss, calm.result.final_loss, equal_nan=True)
    assert 1 <= changed.sum() <= count or what == "stands still"
    assert odd.edge == calm.edge
    assert cells_apart(odd.suggestion, calm.suggestion) <= 2.01
    assert cells_apart(odd.minimum, calm.minimum) <= 2.01
    assert cells_apart(odd.steepest, calm.steepest) <= 2.01
    assert ("taken for an accident" in odd.why) == (what == "diverges")


def test_three_rates_that_diverge_are_the_end_of_stability():
    found = find(broken_between(1.0, 0.0095, 0.0095 * CELL**3, jnp.array(np.nan)), steps=40)
    assert found.edge.value < 0.0095 < found.edge.bracket[1]
    assert found.suggestion <= found.edge.value / 2


@pytest.mark.parametrize(
    ("diverged", "accidents"),
    [
        ("..........", []),
        (".#........", [1]),
        ("##........", [0, 1]),
        ("###.......", []),
        (".#.##....#", [1, 3, 4]),
        (".#..###.#.", [1]),
        ("........##", []),
        ("##########", []),
    ],
)
def test_short_stretches_below_the_end_of_stability_are_accidents(diverged, accidents):
    flags = np.array([mark == "#" for mark in diverged])
    assert np.flatnonzero(range_test.accidents(flags)).tolist() == accidents


def test_noise_without_trend_is_measured_and_a_trend_is_no_noise():
    losses = 2 + 0.1 * np.random.default_rng(0).normal(size=(2000, 3, 101))
    curve = range_test.curve(losses, np.zeros(2000, bool))
    assert np.median(curve.noise) == pytest.approx(2 * np.std(curve.values), rel=0.2)
    trend = np.linspace(3, 1, 101) * np.ones((5, 1, 1))
    assert np.all(range_test.curve(trend, np.zeros(5, bool)).noise < 0.02)


# What cannot be read off.


def test_when_all_rates_diverge_lower_ones_are_asked_for():
    with pytest.raises(ValueError, match=r"from 1 up diverged.* try lower .* low=0\.0001"):
        find(sgd(0.1), low=1.0)


def test_when_no_rate_moves_the_loss_higher_ones_are_asked_for():
    with pytest.raises(ValueError, match=r"does not fall in 100 steps .* such as high=1e-08"):
        find(sgd(0.1), low=1e-20, high=1e-12)


def test_when_the_lowest_rate_is_the_best_lower_ones_are_asked_for():
    with pytest.raises(ValueError, match=r"smallest at the lowest .*, 0\.2: .* low=2e-05"):
        find(sgd(0.1), modulus, low=0.2, high=1e3)


def test_when_the_loss_falls_to_the_last_rate_this_is_said():
    found = find(sgd(0.1), high=1e-3)
    assert found.edge.bracket == pytest.approx((1e-3, np.inf))
    assert found.suggestion == found.minimum > 5e-4
    assert "raise high" in found.why
    assert "end of stability is not known" in found.why


def test_a_schedule_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"learning_rate follows a schedule.* a number in its"):
        find(adam(linear_schedule(0.1, 0.0, 100)))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"low": 1.0, "high": 0.1}, ValueError, "low and high must be positive, finite and rise"),
        ({"low": 0.0}, ValueError, "low and high must be positive"),
        ({"number": 9}, ValueError, "number: a curve needs 10 rates, not 9"),
        ({"steps": 0}, ValueError, "steps must be a whole number between 1 "),
        ({"tx": sgd(Axis("learning_rate", [0.1]))}, ValueError, "tx has axes"),
        ({"loss": {"one": quadratic}}, TypeError, "loss must be a function, not"),
        ({"hyperparameter": "rate"}, KeyError, "there are learning_rate"),
    ],
)
def test_what_makes_no_range_test_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        find(**{"tx": sgd(0.1)} | changes)


# The bound by curvature.


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_bound_is_where_the_largest_root_leaves_the_unit_circle(momentum):
    found = find(sgd(0.1, momentum=momentum))
    assert found.bound == pytest.approx(2 * (1 + momentum) / 4.0, rel=1e-5)
    assert f"The sharpness at the start, 4, predicts the end of stability at {found.bound:.3g}" in (
        found.why
    )


def test_the_bound_is_that_of_the_first_seed_in_the_loss_as_it_is_called():
    def init(key):
        return jax.random.normal(key, (3,))

    def loss(params, batch, key, model_state):
        value = jnp.mean(jnp.sum(params**4, axis=-1) * batch)
        return value + 0 * jax.random.normal(key), (model_state + 1, {"value": value})

    seeds, data = [5, 2], np.full(40, 2.0, np.float32)
    settings = {"batch_size": 4, "has_aux": True, "model_state": 0, "steps": 20}
    found = find(sgd(0.1), loss, init, data, seeds=seeds, key=jax.random.key(3), **settings)
    # The loss 2 Σ wᵢ⁴ has the curvatures 24 wᵢ², and its first value tells whose start it was.
    first = found.result.loss[0, 0, 0]
    start = np.asarray(init(jax.random.split(jax.random.fold_in(jax.random.key(3), 5), 3)[0]))
    assert first == pytest.approx(2 * np.sum(start**4), rel=1e-5)
    assert found.bound == pytest.approx(2 / (24 * np.max(start**2)), rel=1e-4)


def test_the_bound_of_adam_is_that_of_the_hessian_divided_by_the_size_of_gradients():
    curvature, start = np.array([9.0, 1.0]), np.array([2.0, 0.5])

    def loss(w):
        return 0.5 * jnp.sum(curvature * w**2)

    found = find(adam(0.1), loss, jnp.array(start), steps=20)
    # √v̂ of constant gradients λw is their size, so that P⁻¹H has the eigenvalues 1/w.
    assert found.bound == pytest.approx(38 / np.max(1 / start), rel=1e-4)
    assert "The preconditioned sharpness at the start, 2, predicts" in found.why


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tx": adagrad(0.1)}, "predicts nothing: adagrad(0.1) has no limit"),
        ({"loss": modulus, "high": 0.1}, "predicts nothing"),
    ],
)
def test_where_there_is_no_bound_it_is_nan_and_the_reason_is_given(changes, reason):
    found = find(**{"tx": sgd(0.1), "steps": 20} | changes)
    assert np.isnan(found.bound)
    assert reason in found.why


# How it is run.


def test_other_ranges_compile_nothing_and_the_rate_of_the_optimizer_does_not_matter():
    first = find(sgd(0.1), number=32, steps=30)
    again = []
    assert count_compilations(lambda: again.append(find(sgd(7.0), number=32, steps=30))) == 0
    assert again[0].suggestion == first.suggestion
    assert count_compilations(lambda: find(sgd(0.1), number=32, steps=30, low=1e-4)) == 0


def test_a_rate_within_a_chain_is_found_by_its_name():
    found = find(chain(clip(1e3), sgd(0.1, momentum=0.5)), steps=30)
    assert found.result.dims == ("learning_rate", "seed")
    assert found.edge.value < 2 * 1.5 / 4.0 < found.edge.bracket[1]


def test_losses_may_be_negative_and_return_aux():
    found = find(sgd(0.1), lambda w: (quadratic(w) - 5.0, {"w": w[0]}), has_aux=True)
    plain = find(sgd(0.1))
    assert found.edge == plain.edge
    assert cells_apart(found.steepest, plain.steepest) <= 1.01


def test_it_shows_its_numbers():
    found = find(sgd(0.1), steps=30)
    assert repr(found).startswith(f"<LearningRates suggestion={found.suggestion:.3g}, steepest=")
    assert f"{found.minimum:.3g}" in found.why
    np.testing.assert_allclose(found.rates, np.geomspace(1e-6, 1e2, 64), rtol=1e-5)


def test_the_picture_shows_what_was_found():
    found = find(sgd(0.1), steps=30)
    ax = found.plot()
    labels = ax.get_legend_handles_labels()[1]
    for name in ("suggestion", "steepest", "valley", "minimum"):
        assert f"{name} {getattr(found, name):.3g}" in labels


def test_a_loss_that_is_not_finite_at_the_start_is_said_to_be_so():
    with pytest.raises(ValueError, match="not finite at the start") as refusal:
        find_learning_rate(lambda w: jnp.nan * jnp.sum(w), jnp.ones(2), sgd(0.1))
    assert "low=" not in str(refusal.value)
