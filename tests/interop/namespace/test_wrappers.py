"""optax's wrappers, and the pairs that users write."""

import functools
from typing import NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax as theirs
import pytest

import gdlab
from gdlab.interop import optax

BOTH = (theirs, optax)
W = jnp.array([1.0, -2.0])
BAD = jnp.array([float("nan"), 1.0])


def followed(tx, gradients, params=W, **extra):
    """The updates of some steps, and the states after them."""
    state, found = tx.init(params), []
    for gradient in gradients:
        updates, state = tx.update(jnp.asarray(gradient), state, params, **extra)
        found.append((updates, state))
    return found


def same(one, other):
    # In float32 optax's own bias correction is wrong by up to 1e-5 of a step.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5), one, other)


def test_bad_steps_are_skipped_until_there_were_too_many_in_a_row():
    gradients = [W, BAD, BAD, W, BAD, BAD, BAD, W]
    for (a, there), (b, here) in zip(
        *(followed(lib.apply_if_finite(lib.sgd(0.1, momentum=0.9), 2), gradients) for lib in BOTH),
        strict=True,
    ):
        same(a, b)
        for name in ("notfinite_count", "last_finite", "total_notfinite"):
            assert getattr(there, name) == getattr(here, name)


SKIPS = {
    "none": {},
    "sum": {"use_grad_mean": False},
    "not finite": {"should_skip_update_fn": "skip_not_finite"},
    "large": {"should_skip_update_fn": "skip_large_updates"},
}


@pytest.mark.parametrize(
    "skip",
    [s if s == "not finite" else pytest.param(s, marks=pytest.mark.slow) for s in SKIPS],
)
def test_updates_out_of_several_calls_are_optaxs(skip):
    gradients = [W, 2 * W, BAD, W, 3 * W, 9 * W, W, W, -W, W]
    if skip in ("none", "sum"):
        gradients = [jnp.nan_to_num(gradient) for gradient in gradients]

    def run(lib):
        options = dict(SKIPS[skip])
        if name := options.get("should_skip_update_fn"):
            function = getattr(lib, name)
            options["should_skip_update_fn"] = (
                functools.partial(function, max_squared_norm=30.0)
                if name == "skip_large_updates"
                else function
            )
        tx = lib.MultiSteps(lib.adam(0.1), lambda updates: 2 + updates % 2, **options)
        return tx, followed(tx, gradients)

    (tx_there, there), (tx_here, here) = map(run, BOTH)
    for (a, before), (b, after) in zip(there, here, strict=True):
        same(a, b)
        assert tx_there.has_updated(before) == tx_here.has_updated(after)
        for name in ("mini_step", "gradient_step", "skip_state", "acc_grads"):
            same(getattr(before, name), getattr(after, name))


def test_multi_steps_is_a_class_and_a_transformation():
    tx = optax.MultiSteps(optax.adam(0.1), every_k_schedule=optax.constant_schedule(2))
    assert isinstance(tx, optax.MultiSteps)
    assert isinstance(tx.gradient_transformation(), optax.GradientTransformation)
    assert tx.inner_opt == optax.adam(0.1)
    assert followed(optax.chain(optax.clip(1.0), tx), [W, W])[1][0][0] != 0


def test_a_program_that_takes_the_optimizer_is_exported():
    tx = optax.MultiSteps(optax.chain(optax.clip(1.0), optax.nadamw(0.1)), 1)
    state = tx.init(W)
    step = jax.jit(lambda tx, g, state, w: tx.update(g, state, w))
    program = jax.export.deserialize(jax.export.export(step)(tx, W, state, W).serialize())
    same(program.call(tx, W, state, W), tx.update(W, state, W))


@pytest.mark.parametrize("key", [7, 2**33, "raw", "typed"])
def test_keys_and_seeds_of_any_kind_draw_optaxs_noise(key):
    keys = {"raw": jax.random.PRNGKey(3), "typed": jax.random.key(3)}
    given = keys.get(key, key)
    if key == "raw":  # which optax takes for the Hessian alone
        loss = {"obj_fn": lambda w: jnp.sum(w**4 + w[0] * w[1])}
        make = lambda lib: lib.contrib.hutchinson_estimator_diag_hessian(given)  # noqa: E731
    else:
        loss = {}
        make = lambda lib: lib.chain(lib.add_noise(0.1, 0.5, given))  # noqa: E731
    same(*([u for u, _ in followed(make(lib), [W, W], **loss)] for lib in BOTH))


def test_a_key_and_a_seed_together_are_refused():
    with pytest.raises(ValueError, match="not both"):
        optax.add_noise(0.1, 0.5, key=1, seed=2)


def test_none_stands_for_no_clipping():
    hessian = {"obj_fn": lambda w: jnp.sum(w**2)}
    tx = optax.contrib.sophia(0.1, clip_threshold=None, weight_decay=0.0, gamma=1.0)
    ((updates, _),) = followed(tx, [W], **hessian)
    assert np.max(np.abs(updates)) > 0.1 + 1e-6


class Counted(NamedTuple):
    calls: jax.Array


def a_users_own(lib):
    """A transformation that a user wrote for optax."""

    def update(updates, state, params=None):
        del params
        scaled = jax.tree.map(lambda u: u / (1 + state.calls), updates)
        return scaled, Counted(state.calls + 1)

    return lib.GradientTransformation(lambda params: Counted(jnp.zeros((), jnp.int32)), update)


def test_a_users_own_pair_keeps_its_own_state_and_is_a_link_of_chains():
    tx = a_users_own(optax)
    init, update = tx
    assert (init, update) == (tx.init, tx.update)
    assert isinstance(tx.init(W), Counted)
    runs = [
        followed(lib.chain(lib.clip(1.0), a_users_own(lib), lib.adam(0.1)), [W, -W, W], value=1.0)
        for lib in BOTH
    ]
    same([updates for updates, _ in runs[0]], [updates for updates, _ in runs[1]])
    assert optax.tree.get(runs[1][-1][1], "calls") == 3


def test_a_users_own_pair_is_wrapped_and_takes_keywords_where_it_asks_for_them():
    def update(updates, state, params=None, *, value, **extra):
        del params, extra
        return jax.tree.map(lambda u: u * value, updates), state

    def make(lib):
        own = lib.GradientTransformationExtraArgs(lambda params: lib.EmptyState(), update)
        return lib.chain(lib.masked(own, True), lib.flatten(own))

    found = [followed(make(lib), [W], value=3.0)[0][0] for lib in BOTH]
    same(*found)
    np.testing.assert_allclose(found[1], 9 * W)


def test_transformations_of_all_kinds_are_instances():
    kinds = optax.GradientTransformation, optax.GradientTransformationExtraArgs
    for tx in (
        optax.adam(0.1),
        gdlab.adam(0.1),
        theirs.lbfgs(),
        optax.MultiSteps(optax.sgd(1.0), 2),
    ):
        assert all(isinstance(tx, kind) for kind in kinds)
    own = a_users_own(optax)
    assert isinstance(own, kinds[0])
    assert not isinstance(own, kinds[1])
    assert isinstance(optax.with_extra_args_support(own), kinds[1])
    assert not any(isinstance(value, kinds[0]) for value in (None, 1.0, (1, 2), optax.adam))


def test_a_users_own_class_of_transformations_has_its_own_instances_alone():
    class Own(optax.GradientTransformation):
        pass

    assert isinstance(Own(None, None), optax.GradientTransformation)
    assert not isinstance(optax.adam(0.1), Own)


def test_keywords_reach_all_links():
    tx = optax.chain(optax.adam(0.1), optax.contrib.reduce_on_plateau(patience=1, factor=0.5))
    params, state = W, tx.init(W)
    for value in (1.0, 1.0, 1.0):
        _, state = tx.update(W, state, params, value=value)
    assert optax.tree.get(state, "scale") == 0.25


@pytest.mark.slow
def test_a_line_search_hands_further_arguments_to_the_loss():
    def loss(w, batch, scale=1.0):
        return scale * jnp.sum((w - batch) ** 2)

    batch, runs = jnp.array([2.0, 1.0]), []
    for lib in BOTH:
        tx, w = lib.lbfgs(), W
        state = tx.init(w)
        value_and_grad = lib.value_and_grad_from_state(loss)
        for _ in range(3):
            value, grad = value_and_grad(w, batch, scale=0.5, state=state)
            updates, state = tx.update(
                grad, state, w, value=value, grad=grad, value_fn=loss, batch=batch, scale=0.5
            )
            w = lib.apply_updates(w, updates)
        runs.append((w, lib.tree.get(state, "value"), lib.tree.get(state, "grad")))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *runs)


def test_value_and_gradient_are_asked_of_a_state_of_optax_as_well():
    state = theirs.lbfgs().init(W)
    value, grad = optax.value_and_grad_from_state(lambda w: jnp.sum(w**2))(W, state=state)
    same((value, grad), (5.0, 2 * W))


@pytest.mark.slow
def test_measurements_are_kept_as_optax_keeps_them():
    def make(lib):
        above = lib.measure_with_ema(lambda u: jnp.sum(u) > 0, 0.5, debias=False)
        mean = lib.measure_with_ema(lambda u: jnp.sum(u**2), 0.5)
        return lib.monitor({"sum": jnp.sum, "above": above, "mean": mean})

    there, here = (followed(make(lib), [W, -W, 2 * W]) for lib in BOTH)
    for (_, before), (_, after) in zip(there, here, strict=True):
        same(before.measurements, after.measurements)
    assert optax.tree.get(here[-1][1], "sum") == -2


@pytest.mark.slow
def test_sharpness_aware_steps_in_one_call_are_optaxs():
    def make(lib):
        ascent = lib.chain(lib.contrib.normalize(), lib.sgd(0.05))
        return lib.contrib.sam(lib.sgd(0.1, momentum=0.9), ascent, 3, opaque_mode=True)

    grad_fn = jax.grad(lambda w, step: jnp.sum(w**4) * (1 + step))
    same(*([u for u, _ in followed(make(lib), [W, W], grad_fn=grad_fn)] for lib in BOTH))


def test_slow_copies_of_parameters_are_optaxs():
    new, old = {"w": W, "b": None}, {"w": 3 * W, "b": None}
    same(*(lib.incremental_update(new, old, 0.1) for lib in BOTH))
    for steps in (9, 10):
        same(*(lib.periodic_update(new, old, steps, 5) for lib in BOTH))


@pytest.mark.slow
def test_axes_of_matrices_are_given_by_optaxs_numbers():
    params = {"heads": jax.random.normal(jax.random.key(0), (4, 2, 3)), "b": jnp.ones(3)}
    found = []
    for make in (theirs, optax):
        for numbers in (theirs.contrib.MuonDimensionNumbers, optax.contrib.MuonDimensionNumbers):
            if make is theirs and numbers is not theirs.contrib.MuonDimensionNumbers:
                continue
            dimensions = {"heads": numbers(0, (1, 2)), "b": None}
            for given in (dimensions, lambda params, own=dimensions: own):
                tx = make.contrib.muon(0.1, muon_weight_dimension_numbers=given, nesterov=False)
                found.append(tx.update(params, tx.init(params), params)[0])
    for other in found[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), found[0], other)


SCHEDULES = {
    "constant_schedule": (0.3,),
    "linear_schedule": (1.0, 0.1, 7, 3),
    "polynomial_schedule": (1.0, 0.1, 2.0, 7, 3),
    "exponential_decay": (1.0, 5, 0.5, 2, True, 0.1),
    "cosine_decay_schedule": (1.0, 11, 0.1, 2.0),
    "cosine_onecycle_schedule": (11, 1.0),
    "linear_onecycle_schedule": (30, 1.0, 0.25, 0.8),
    "piecewise_constant_schedule": (1.0, {3: 0.5, 7: 0.1}),
    "piecewise_interpolate_schedule": ("cosine", 1.0, {3: 0.5, 7: 0.1}),
    "sgdr_schedule": (
        [{"init_value": 0.0, "peak_value": 1.0, "decay_steps": 8, "warmup_steps": 2}] * 2,
    ),
    "warmup_constant_schedule": (0.0, 1.0, 5),
    "warmup_cosine_decay_schedule": (0.0, 1.0, 5, 20, 0.1, 2.0),
    "warmup_exponential_decay_schedule": (0.0, 1.0, 5, 7, 0.5, 2, True, 0.1),
}


def test_each_schedule_of_optax_is_compared_here():
    names = {name for name in dir(theirs.schedules) if "schedule" in name or "decay" in name}
    assert {name for name in names if name[0].islower()} - {"join_schedules"} == set(SCHEDULES)


def test_schedules_are_optaxs():
    count = jnp.arange(25)
    for name, arguments in SCHEDULES.items():
        there, here = (jax.vmap(getattr(lib, name)(*arguments))(count) for lib in BOTH)
        np.testing.assert_allclose(there, here, rtol=2e-5, atol=2e-6, err_msg=name)
    there, here = (
        jax.vmap(
            lib.join_schedules([lib.linear_schedule(0.0, 1.0, 5), lib.constant_schedule(0.5)], [5])
        )(count)
        for lib in BOTH
    )
    np.testing.assert_allclose(there, here, rtol=1e-6)
