"""Curvature along a run, against dense Hessians at the iterates of minimize."""

import io
import itertools
import os
import signal

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import adam, chain, full_matrix_adagrad, minimize, params_ema, sgd
from gdlab.analysis import track
from gdlab.analysis.runs import tracking
from gdlab.progress import bar as bars
from gdlab.schedules import linear_schedule

pytestmark = pytest.mark.x64(rank_promotion="allow")

STEPS, EVERY = 12, 3
AT = np.arange(0, STEPS + 1, EVERY)


def start():
    rng = np.random.default_rng(0)
    return {"hidden": jnp.asarray(rng.normal(size=(2, 3))), "out": jnp.asarray(rng.normal(size=3))}


def examples():
    rng = np.random.default_rng(1)
    return jnp.asarray(rng.normal(size=(10, 2))), jnp.asarray(rng.normal(size=10))


def squared_error(params, batch):
    inputs, targets = batch
    return jnp.mean((jnp.tanh(inputs @ params["hidden"]) @ params["out"] - targets) ** 2)


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


@jax.jit
def hessian(params):
    vector, unravel = jax.flatten_util.ravel_pytree(params)
    return jax.hessian(lambda vector: squared_error(unravel(vector), examples()))(vector)


def tracked(tx, **more):
    settings = {"every": EVERY, "iterations": 9, "progress": False} | more
    return track(squared_error, start(), tx, STEPS, examples(), **settings)


def iterates(tx, **more):
    run = minimize(squared_error, start(), tx, STEPS, data=examples(), **more)
    return run, [jax.tree.map(lambda leaf: leaf[t], run.path) for t in range(STEPS + 1)]  # noqa: B023


def gradients_on_the_way(tx, **more):
    """Those on the batches of the steps."""

    def loss(params, batch):
        return squared_error(params, batch), jax.grad(squared_error)(params, batch)

    run = minimize(loss, start(), tx, STEPS, data=examples(), has_aux=True, **more)
    return [flat(jax.tree.map(lambda leaf: leaf[t], run.aux)) for t in range(STEPS + 1)]  # noqa: B023


def assert_same(ours, theirs):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), ours, theirs)


def test_it_trains_as_minimize_does_and_measures_on_the_way():
    tx = sgd(linear_schedule(0.2, 0.1, STEPS), momentum=0.5)
    run, path = iterates(tx)
    found = tracked(tx)
    np.testing.assert_array_equal(found.step, AT)
    assert_same((found.params, found.state), (run.params, run.state))
    np.testing.assert_allclose(found.loss, run.values[AT], rtol=1e-12)
    largest = [np.linalg.eigvalsh(hessian(path[t]))[-1] for t in AT]
    np.testing.assert_allclose(found.sharpness, largest, rtol=1e-10)
    np.testing.assert_array_equal(found.preconditioned_sharpness, found.sharpness)
    assert np.all(found.residual < 1e-10)
    # 2(1 + β)/η, with the η of the step to come.
    np.testing.assert_allclose(found.threshold, 3 / (0.2 - 0.1 * AT / STEPS), rtol=1e-12)


@pytest.mark.slow
def test_with_adam_on_minibatches_it_measures_on_all_data_what_numpy_does():
    """The step sees 4 or 2 of 10 examples, the curvature all of them."""
    key, data, tx = jax.random.key(3), examples(), adam(0.02)
    run, path = iterates(tx, batch_size=4, key=key)
    gradients = gradients_on_the_way(tx, batch_size=4, key=key)
    found = tracked(tx, batch_size=4, curvature_batch_size=5, key=key)
    assert_same((found.params, found.state), (run.params, run.state))
    np.testing.assert_allclose(found.loss, [squared_error(path[t], data) for t in AT], rtol=1e-12)
    np.testing.assert_allclose(found.threshold, 38 / 0.02, rtol=1e-7)

    updates = [flat(new) - flat(old) for old, new in itertools.pairwise(path)]
    v, expected = np.zeros(9), {}
    for t, w in enumerate(path):
        if t in AT[1:]:
            scales = (1 - 0.9**t) * (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            expected[t] = np.max(np.linalg.eigvals(hessian(w) / scales[:, None]).real)
        v = 0.999 * v + 0.001 * gradients[t] ** 2
    assert np.isnan(found.preconditioned_sharpness[0])
    np.testing.assert_allclose(
        found.preconditioned_sharpness[1:], list(expected.values()), rtol=3e-8
    )
    cosines = [
        -updates[t] @ gradients[t] / np.linalg.norm(updates[t]) / np.linalg.norm(gradients[t])
        for t in AT[:-1]
    ]
    np.testing.assert_allclose(found.alignment[:-1], cosines, rtol=1e-9)
    assert 0.1 < min(cosines) < 0.9


def test_it_compiles_once_whatever_the_hyperparameters_and_steps():
    traces = []

    def counted(w):
        traces.append(w)
        return jnp.sum(w**4)

    def traces_of(tx, steps, every):
        traces.clear()
        track(counted, jnp.ones(2), tx, steps, every=every, progress=False)
        return len(traces)

    assert traces_of(sgd(0.01, momentum=0.5), 4, 2) > 0
    assert traces_of(sgd(0.02, momentum=0.9), 6, 3) == 0


def quadratic(w):
    return 0.5 * jnp.sum(jnp.array([4.0, 1.0]) * w**2)


def short(tx, loss=quadratic, **more):
    return track(loss, jnp.array([1.0, 2.0]), tx, 6, **{"every": 2, "progress": False} | more)


@pytest.mark.parametrize(
    ("tx", "threshold"),
    [
        (sgd(0.1), 2 / 0.1),
        (sgd(0.1, momentum=0.5), 2 * 1.5 / 0.1),
        (sgd(0.1, momentum=0.5, nesterov=True), 2 * 1.5 / (1 + 2 * 0.5) / 0.1),
    ],
    ids=["gradient descent", "heavy ball", "nesterov"],
)
def test_the_threshold_is_that_of_the_method(tx, threshold):
    found = short(tx)
    np.testing.assert_allclose(found.threshold, np.full(4, threshold), rtol=1e-12)
    np.testing.assert_allclose(found.sharpness, np.full(4, 4.0), rtol=1e-12)
    assert found.alignment[0] == pytest.approx(1.0, rel=1e-12)


def test_a_method_that_is_not_linear_has_sharpness_and_no_threshold():
    with (
        jax.numpy_dtype_promotion("standard"),
        pytest.warns(RuntimeWarning, match="there is no threshold: .* is not linear") as warned,
    ):
        found = short(optax.lion(1e-3, weight_decay=0.0))
    assert warned[0].filename == __file__
    assert np.isnan(found.threshold).all()
    np.testing.assert_allclose(found.sharpness, np.full(4, 4.0), rtol=1e-12)
    # Every weight falls by the learning rate in each step.
    np.testing.assert_allclose(found.params, [1 - 6e-3, 2 - 6e-3], rtol=1e-12)


def test_a_method_that_mixes_gradients_is_refused_before_anything_is_computed():
    def never(w):
        raise AssertionError

    with pytest.raises(ValueError, match=r"full_matrix_adagrad.* no diagonal preconditioner"):
        short(full_matrix_adagrad(0.1), never)


@pytest.mark.parametrize(
    ("tx", "diverging"),
    [
        (sgd(10.0), ("loss", "sharpness", "preconditioned_sharpness")),
        (adam(1e38), ("loss", "sharpness")),
    ],
    ids=["sgd", "adam"],
)
def test_divergence_is_a_result(tx, diverging):
    found = short(tx, lambda w: jnp.sum(w**4) ** 3)
    assert np.isfinite([found.loss[0], found.sharpness[0]]).all()
    for column in diverging:
        assert not np.isfinite(getattr(found, column)[-1])


def test_the_preconditioned_sharpness_of_a_diverged_run_of_adam_is_finite_and_far_above_its_limit():
    """The second moments have a bound. At w = (c, c) the largest eigenvalue of H is 528 c¹⁰."""
    found = short(adam(1e30), lambda w: jnp.sum(w**4) ** 3)
    assert not np.isfinite(found.loss[-1])
    w, v = np.asarray(found.params), np.asarray(found.state.nu)
    np.testing.assert_allclose(w, w[0], rtol=1e-10)
    scale = (1 - 0.9**6) * np.sqrt(v[0] / (1 - 0.999**6))
    largest = 528 * w[0] ** 10 / scale
    np.testing.assert_allclose(found.preconditioned_sharpness[-1], largest, rtol=1e-7)
    assert np.all(found.preconditioned_sharpness[1:] > 1e100 * found.threshold[1:])


def test_an_averaging_method_is_judged_at_its_average():
    found = track(
        lambda w: jnp.sum(w**2), jnp.array([2.0]), chain(sgd(0.25), params_ema(0.5)), 3, every=1
    )
    w = average = 2.0
    losses = [average**2]
    for _ in range(3):
        w -= 0.25 * 2 * w
        average = 0.5 * average + 0.5 * w
        losses.append(average**2)
    np.testing.assert_allclose(found.loss, losses, rtol=1e-5)


def test_weights_that_no_gradient_reaches_do_no_harm():
    """With Adam they have a scale of ε, and no curvature."""
    found = short(adam(0.1), lambda w: quadratic(jnp.stack([w[0], 0.0])))
    for column in (found.loss, found.sharpness, found.preconditioned_sharpness[1:]):
        assert np.isfinite(column).all()
    # From one weight P is its own √v̂, with gradients 4w.
    assert found.preconditioned_sharpness[1] > 4 / (4 * 1.0)


@pytest.mark.parametrize(
    ("steps", "every", "message"),
    [
        (10, 3, "steps must be a multiple of every, 3, not 10"),
        (-2, 2, "steps must be a whole number between 0 and .* not -2"),
        (4, 0, "every must be a whole number between 1 and .* not 0"),
    ],
)
def test_steps_that_are_no_multiple_are_refused(steps, every, message):
    with pytest.raises(ValueError, match=message):
        track(quadratic, jnp.ones(2), sgd(0.1), steps, every=every)


def test_batches_need_a_key():
    with pytest.raises(ValueError, match="track needs a PRNG key"):
        tracked(sgd(0.1), batch_size=4)


@pytest.fixture
def at_second_call(monkeypatch):
    """Do something after the second call of the compiled program."""
    program, calls = tracking._measured, []

    def set_up(act):
        def measured(*args):
            calls.append(args)
            found = program(*args)
            if len(calls) == 2:
                act()
            return found

        monkeypatch.setattr(tracking, "_measured", measured)

    return set_up


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def fail():
    raise RuntimeError("out of memory")


@pytest.mark.parametrize(
    ("act", "error", "measured"), [(interrupt, KeyboardInterrupt, 2), (fail, RuntimeError, 1)]
)
def test_what_was_measured_before_ctrl_c_or_an_error_is_in_the_exception(
    at_second_call, act, error, measured
):
    expected = short(sgd(0.1))
    at_second_call(act)
    with pytest.raises(error) as raised:
        short(sgd(0.1))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    found = raised.value.result
    for ours, whole in zip(found[:-2], expected[:-2], strict=True):
        np.testing.assert_array_equal(ours, whole[:measured])
    # w falls by the factors 1 − ηλ in each of the steps that were taken.
    after = [0.6 ** (2 * measured), 2 * 0.9 ** (2 * measured)]
    np.testing.assert_allclose(found.params, after, rtol=1e-12)


class Terminal(io.StringIO):
    def __init__(self, is_one):
        super().__init__()
        self.isatty = lambda: is_one


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_seen_in_a_terminal_if_it_is_wanted(monkeypatch, capsys, is_terminal, progress):
    shown = Terminal(is_terminal)
    monkeypatch.setattr(bars, "LOOK", bars.LOOK | {"file": shown, "ncols": 80, "mininterval": 0})
    short(sgd(0.1), progress=progress)
    frames = [frame for frame in shown.getvalue().split("\r") if frame.strip()]
    assert capsys.readouterr() == ("", "")
    if not (is_terminal and progress):
        assert frames == []
    else:
        assert "100%" in frames[-1]
        assert frames[-1].rstrip().endswith("sharpness 4")


def test_it_is_drawn_against_its_threshold():
    sharpness, _ = short(sgd(0.1)).plot()
    curve, limit = sharpness.lines
    np.testing.assert_array_equal(curve.get_xdata(), [0, 2, 4, 6])
    np.testing.assert_allclose(curve.get_ydata(), 4.0)
    np.testing.assert_allclose(limit.get_ydata(), 20.0)
