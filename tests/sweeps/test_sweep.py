"""``sweep`` against single runs, stability limits and a count of compilations."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import Axis, adam, linear_schedule, minimize, set_hyperparameters, sgd, sweep
from gdlab.analysis import sharpness
from tests.sweeps.counting import count_compilations

CURVATURE = 2.0


def quadratic(w):
    return 0.5 * CURVATURE * jnp.sum(w**2)


def squared_error(w, batch):
    x, y = batch
    return jnp.mean((x @ w - y) ** 2)


@pytest.fixture
def regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 3)).astype(np.float32)
    return x, x @ np.array([1.0, -2.0, 0.5], np.float32)


def test_each_lane_is_the_run_of_its_own_hyperparameters():
    rates, momenta = [0.1, 0.3, 0.5], [0.0, 0.9]
    tx = sgd(Axis("learning_rate", rates), momentum=Axis("momentum", momenta))
    result = sweep(quadratic, jnp.ones(2), tx, steps=7)
    assert result.dims == ("learning_rate", "momentum", "seed")
    for i, rate in enumerate(rates):
        for j, momentum in enumerate(momenta):
            run = minimize(quadratic, jnp.ones(2), sgd(rate, momentum), 7)
            np.testing.assert_allclose(result.loss[i, j, 0], run.values, rtol=1e-5)


def test_seeds_are_paired_and_follow_the_closed_loop_of_one_lane(regression):
    """With one seed, every lane sees the same start and the same batches as that lane alone."""
    init = lambda key: jax.random.normal(key, (3,))  # noqa: E731
    arguments = {"steps": 12, "batch_size": 4, "seeds": 3, "key": jax.random.key(5)}
    rates = [0.01, 0.05, 0.1]
    together = sweep(squared_error, init, adam(Axis("rate", rates)), regression, **arguments)
    for i, rate in enumerate(rates):
        alone = sweep(squared_error, init, adam(Axis("rate", [rate])), regression, **arguments)
        np.testing.assert_allclose(together.loss[i], alone.loss[0], rtol=1e-4)
    # The same start for all lanes of a seed, another one for each seed. At the rate zero it stays
    # as it is, to the bit, while losses of equal lanes may be summed in different orders.
    twins = adam(Axis("rate", [0.0, 0.0], along="twin"))
    still = sweep(
        squared_error, init, twins, regression, keep_params="all",
        **arguments,
    )  # fmt: skip
    np.testing.assert_array_equal(still.params[0], still.params[1])
    assert len(np.unique(still.params[0], axis=0)) == 3


def test_the_stable_range_ends_at_two_over_the_curvature():
    limit = 2 / CURVATURE
    rates = limit * np.array([0.5, 0.9, 0.99, 1.01, 1.1, 2.0])
    result = sweep(
        quadratic, jnp.ones(1), sgd(Axis("learning_rate", rates)), steps=2000, record_every=100
    )
    assert list(result.status[:, 0]) == ["ok"] * 3 + ["diverged"] * 3
    low, high = result.stable_range("learning_rate")
    np.testing.assert_allclose([low, high], limit * np.array([0.5, 0.99]), rtol=1e-6)


def test_the_step_of_divergence_is_that_of_the_closed_form():
    # Loss ∝ (1 − 2η)^(2t) first exceeds 10⁴ times its first value at the smallest t with this.
    rate = 2.5
    result = sweep(quadratic, jnp.ones(1), sgd(Axis("rate", [0.1, rate])), steps=50)
    expected = int(np.floor(np.log(1e4) / (2 * np.log(abs(1 - CURVATURE * rate))))) + 1
    np.testing.assert_array_equal(result.diverged_at[:, 0], [-1, expected])
    assert np.isfinite(result.loss[1, 0, :expected]).all()
    assert np.isnan(result.loss[1, 0, expected:]).all()


def test_a_diverged_lane_freezes_at_its_last_finite_point_and_touches_no_other():
    rates = [0.1, 1e30, 0.2]
    result = sweep(
        quadratic, jnp.ones(2), sgd(Axis("rate", rates)), steps=20, keep_params="all",
        evaluate=lambda w: jnp.sum(w),
    )  # fmt: skip
    assert list(result.status[:, 0]) == ["ok", "diverged", "ok"]
    # The first step already leads to a loss that overflows, so the start is all that is good.
    np.testing.assert_array_equal(result.params[1, 0], [1.0, 1.0])
    assert result.metrics["evaluation"][1, 0] == 2.0
    for lane, rate in ((0, 0.1), (2, 0.2)):
        run = minimize(quadratic, jnp.ones(2), sgd(rate), 20)
        np.testing.assert_allclose(result.params[lane, 0], run.params, rtol=1e-5)


def test_parameters_that_are_not_finite_diverge_though_the_loss_does_not_see_them():
    def blind(w):
        # One step overflows the parameter; the loss, which clips it, stays finite and small.
        return 1 + 100 * jnp.sum(jnp.clip(w, -1, 1))

    result = sweep(blind, jnp.zeros(1), sgd(Axis("rate", [0.1, 1e38])), steps=3)
    assert list(result.status[:, 0]) == ["ok", "diverged"]


def test_64_and_512_learning_rates_cost_the_same_number_of_compilations(regression):
    def run(lanes):
        loss = lambda w, batch: squared_error(w, batch)  # noqa: E731
        tx = adam(Axis("learning_rate", np.logspace(-4, -1, lanes)))
        return lambda: sweep(loss, jnp.zeros(3), tx, regression, steps=4, batch_size=5)

    run(8)()  # what is compiled once for good, whatever is swept
    few, many = count_compilations(run(64)), count_compilations(run(512))
    assert few == many > 0


def test_new_values_on_an_axis_compile_nothing(regression):
    def run(start):
        tx = adam(Axis("learning_rate", np.logspace(start, -1, 16)))
        sweep(squared_error, jnp.zeros(3), tx, regression, steps=4, batch_size=5)

    run(-4)
    assert count_compilations(lambda: run(-5)) == 0


def test_an_evaluation_is_compiled_once_for_all_sweeps(regression):
    init = lambda key: jax.random.normal(key, (3,))  # noqa: E731

    def evaluate(w):
        return {"size": jnp.sum(w**2)}

    def run(start):
        rates = Axis("rate", np.logspace(start, -1, 16))
        sweep(squared_error, init, adam(rates), regression, steps=4, evaluate=evaluate)

    run(-4)
    assert count_compilations(lambda: run(-5)) == 0


def test_an_evaluation_and_a_start_need_not_be_hashable():
    class Of:
        __hash__ = None  # type: ignore[assignment]

        def __init__(self, function):
            self.function = function

        def __call__(self, argument):
            return self.function(argument)

    result = sweep(
        quadratic,
        Of(lambda _: jnp.ones(2)),
        sgd(Axis("rate", [0.1])),
        steps=2,
        evaluate=Of(jnp.sum),
    )
    run = minimize(quadratic, jnp.ones(2), sgd(0.1), 2)
    np.testing.assert_allclose(result.metrics["evaluation"][0, 0], jnp.sum(run.params), rtol=1e-6)


def test_a_schedules_own_numbers_can_be_swept():
    lengths = [2.0, 10.0]
    tx = sgd(linear_schedule(0.4, 0.0, Axis("length", lengths)))
    result = sweep(quadratic, jnp.ones(1), tx, steps=10)
    for i, length in enumerate(lengths):
        run = minimize(quadratic, jnp.ones(1), sgd(linear_schedule(0.4, 0.0, length)), 10)
        np.testing.assert_allclose(result.loss[i, 0], run.values, rtol=1e-5)


def test_axes_of_one_name_move_together():
    pair = Axis("decay", [0.5, 0.9])
    result = sweep(quadratic, jnp.ones(1), adam(0.1, b1=pair, b2=pair), steps=5)
    assert result.dims == ("decay", "seed")
    for i, decay in enumerate([0.5, 0.9]):
        run = minimize(quadratic, jnp.ones(1), adam(0.1, decay, decay), 5)
        np.testing.assert_allclose(result.loss[i, 0], run.values, rtol=1e-5)


def test_several_optimizers_with_the_same_axes_share_one_result():
    rates = Axis("learning_rate", [0.01, 0.1])
    result = sweep(quadratic, jnp.ones(2), {"sgd": sgd(rates), "adam": adam(rates)}, steps=5)
    assert result.dims == ("optimizer", "learning_rate", "seed")
    run = minimize(quadratic, jnp.ones(2), adam(0.1), 5)
    np.testing.assert_allclose(result.loss[1, 1, 0], run.values, rtol=1e-5)


def test_several_optimizers_with_different_axes_have_a_result_each():
    optimizers = {"sgd": sgd(Axis("a", [0.1])), "adam": adam(Axis("b", [0.1, 0.2]))}
    results = sweep(quadratic, jnp.ones(2), optimizers, steps=2)
    assert {name: result.dims for name, result in results.items()} == {
        "sgd": ("a", "seed"),
        "adam": ("b", "seed"),
    }


def test_every_kth_loss_and_the_last_one_are_recorded():
    tx = sgd(Axis("rate", [0.1]))
    all_steps = sweep(quadratic, jnp.ones(1), tx, steps=10)
    some = sweep(quadratic, jnp.ones(1), tx, steps=10, record_every=4)
    np.testing.assert_array_equal(some.coords["step"], [0, 4, 8, 10])
    # Ten steps of a few roundings each, in another program.
    np.testing.assert_allclose(some.loss, all_steps.loss[..., [0, 4, 8, 10]], rtol=1e-5)


def test_random_losses_aux_and_model_state_are_carried_in_every_lane(regression):
    def loss(w, batch, key, model_state):
        noise = jax.random.normal(key)
        seen = model_state + 1
        return squared_error(w, batch) + 0.0 * noise, (seen, {"noise": noise, "seen": seen})

    result = sweep(
        loss, jnp.zeros(3), sgd(Axis("rate", [0.01, 0.02])), regression, steps=4, batch_size=5,
        seeds=2, has_aux=True, model_state=jnp.array(0),
        evaluate=lambda params, model_state: {"batches": model_state},
    )  # fmt: skip
    np.testing.assert_array_equal(result.aux["seen"][1, 1], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(result.metrics["batches"], 4)
    # The same noise at all points of the grid, other noise for other seeds and steps.
    np.testing.assert_array_equal(result.aux["noise"][0], result.aux["noise"][1])
    assert len(np.unique(result.aux["noise"])) == 2 * 5


def test_the_trained_parameters_of_the_best_lane_are_returned():
    tx = sgd(Axis("rate", [0.01, 0.4, 0.1]))
    result = sweep(quadratic, jnp.ones(2), tx, steps=10, seeds=2, keep_params="best")
    assert result.best()["rate"] == pytest.approx(0.4)
    run = minimize(quadratic, jnp.ones(2), sgd(0.4), 10)
    np.testing.assert_allclose(result.params, [run.params] * 2, rtol=1e-5)


def test_the_best_point_sets_the_optimizer():
    tx = sgd(Axis("learning_rate", [0.01, 0.4, 0.1]))
    best = sweep(quadratic, jnp.ones(2), tx, steps=10).best()
    assert repr(set_hyperparameters(tx, {"learning_rate": best["learning_rate"]})) == repr(
        sgd(best["learning_rate"])
    )


def test_chunks_behind_a_progress_bar_change_nothing(regression, monkeypatch):
    monkeypatch.setattr("tqdm.std.tqdm.__init__", _tqdm_to_nowhere(monkeypatch))
    tx = adam(Axis("rate", [0.01, 0.1]))
    shown, quiet = (
        sweep(squared_error, jnp.zeros(3), tx, regression, steps=9, batch_size=4, progress=progress)
        for progress in (True, False)
    )
    np.testing.assert_array_equal(shown.loss, quiet.loss)


def _tqdm_to_nowhere(monkeypatch):
    import io

    from tqdm.std import tqdm

    original = tqdm.__init__
    return lambda self, *args, **kwargs: original(self, *args, **kwargs | {"file": io.StringIO()})


def distance(w):
    return jnp.abs(w[0])


def test_an_averaging_method_is_evaluated_and_kept_at_its_average():
    rates = [0.1, 0.3]
    tx = gdlab.chain(gdlab.sgd(Axis("rate", rates)), gdlab.params_ema(0.5))
    found = sweep(
        lambda w: jnp.sum(w**2),
        jnp.array([2.0]),
        tx,
        steps=3,
        evaluate=distance,
        keep_params="all",
        key=jax.random.key(0),
    )
    for lane, rate in enumerate(rates):
        w = average = 2.0
        for _ in range(3):
            w -= rate * 2 * w
            average = 0.5 * average + 0.5 * w
        assert found.metrics["distance"].ravel()[lane] == pytest.approx(average, rel=1e-5)
        assert np.ravel(found.params)[lane] == pytest.approx(average, rel=1e-5)
        assert found.final_loss.ravel()[lane] == pytest.approx(w**2, rel=1e-4)


def test_a_key_that_partial_fixed_stays_the_same_at_each_step():
    def noisy(w, key):
        return jnp.sum((w - jax.random.normal(key, w.shape)) ** 2)

    fixed = functools.partial(noisy, key=jax.random.key(5))
    result = sweep(fixed, jnp.zeros(4), sgd(Axis("learning_rate", [0.0])), steps=5)
    np.testing.assert_array_equal(result.loss, noisy(jnp.zeros(4), jax.random.key(5)))
    assert sharpness(fixed, jnp.zeros(4)) == pytest.approx(2.0, rel=1e-5)
