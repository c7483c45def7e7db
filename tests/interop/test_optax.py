"""gdlab's transformations in optax's wrappers, and optax's as links of gdlab's chains."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab

LEARNING_RATE = 0.1


def points():
    return {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.3, -0.7])}


def loss(params):
    return 0.5 * sum(jnp.sum(jnp.arange(1, p.size + 1) * p.ravel() ** 2) for p in params.values())


def descend(tx, steps=6, extra=lambda params: {}, apply_updates=gdlab.apply_updates, jit=True):
    """The parameters and the state after some steps in a scan."""

    def step(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params, **extra(params))
        return (apply_updates(params, updates), state), None

    def run(params):
        return jax.lax.scan(step, (params, tx.init(params)), length=steps)[0]

    return (jax.jit(run) if jit else run)(points())


def assert_same(ours, theirs):
    # In float32 optax's own bias correction is wrong by up to 1e-5 of a step, and steps are of the
    # size of the learning rate, 0.1 or 0.2.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5), ours, theirs)


WRAPPERS = {
    "chain": lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx),
    "named_chain": lambda tx: optax.named_chain(("clip", optax.clip(0.5)), ("descend", tx)),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": False}),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, every_k_schedule=2),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, max_consecutive_errors=3),
    "multi_transform": lambda tx: optax.multi_transform(
        {"fast": tx, "frozen": optax.set_to_zero()}, {"w": "fast", "b": "frozen"}
    ),
    "flatten": optax.flatten,
    "conditionally_transform": lambda tx: optax.conditionally_transform(tx, lambda step: step < 4),
    "with_extra_args_support": optax.with_extra_args_support,
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_of_optax_does_with_gdlabs_adam_what_it_does_with_optaxs(wrapper):
    wrap = WRAPPERS[wrapper]
    ours, _ = descend(wrap(gdlab.adam(LEARNING_RATE)))
    theirs, _ = descend(wrap(optax.adam(LEARNING_RATE)))
    assert_same(ours, theirs)


def test_a_bare_loop_through_optaxs_chain_is_the_compiled_one():
    tx = WRAPPERS["chain"](gdlab.adam(LEARNING_RATE))
    params = points()
    state = tx.init(params)
    for _ in range(3):
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        params = optax.apply_updates(params, updates)
    assert_same(params, descend(tx, 3)[0])


def test_optaxs_apply_if_finite_skips_a_bad_step_of_gdlabs_adam():
    tx = optax.apply_if_finite(gdlab.adam(LEARNING_RATE), max_consecutive_errors=5)
    params = points()
    state = tx.init(params)
    bad = jax.tree.map(lambda p: jnp.full_like(p, jnp.nan), params)
    updates, after = tx.update(bad, state, params)
    assert all(not np.any(u) for u in jax.tree.leaves(updates))
    jax.tree.map(np.testing.assert_array_equal, after.inner_state, state.inner_state)


@pytest.mark.parametrize(
    "link",
    [
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(),
        optax.adamw(0.3, weight_decay=0.1),
        optax.trace(0.9),
        optax.add_decayed_weights(0.01),
        optax.masked(optax.scale(2.0), {"w": True, "b": False}),
    ],
    ids=["clip", "scale_by_adam", "adamw", "trace", "decay", "masked"],
)
def test_a_transformation_of_optax_is_a_link_of_gdlabs_chain(link):
    ours, _ = descend(gdlab.chain(link, gdlab.sgd(LEARNING_RATE, momentum=0.9)))
    theirs, _ = descend(optax.chain(link, optax.sgd(LEARNING_RATE, momentum=0.9)))
    assert_same(ours, theirs)


def test_a_polyak_step_of_optax_reads_the_value_that_gdlabs_chain_hands_on():
    def extra(params):
        return {"value": loss(params)}

    ours, _ = descend(gdlab.chain(optax.polyak_sgd(), gdlab.scale(0.5)), extra=extra)
    theirs, _ = descend(optax.chain(optax.polyak_sgd(), optax.scale(0.5)), extra=extra)
    assert_same(ours, theirs)
    assert loss(ours) < loss(points())


@pytest.mark.parametrize("jitted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_line_search_of_optax_evaluates_the_loss_through_gdlabs_chain(jitted):
    search = optax.scale_by_backtracking_linesearch(max_backtracking_steps=15)

    def run(tx):
        params = points()
        state = tx.init(params)

        def step(params, state):
            value, grad = jax.value_and_grad(loss)(params)
            updates, state = tx.update(grad, state, params, value=value, grad=grad, value_fn=loss)
            return gdlab.apply_updates(params, updates), state

        step = jax.jit(step) if jitted else step
        for _ in range(4):
            params, state = step(params, state)
        return params

    assert_same(run(gdlab.chain(optax.sgd(1.0), search)), run(optax.chain(optax.sgd(1.0), search)))


@pytest.mark.parametrize("wrapped", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_lbfgs_of_optax_is_minimized_with_as_in_a_loop_of_its_own(wrapped):
    valley = gdlab.problems.rosenbrock()
    theirs = optax.lbfgs()
    w, state = jnp.asarray(valley.start, jnp.float32), theirs.init(jnp.zeros(2))
    value_and_grad = optax.value_and_grad_from_state(valley)
    for _ in range(10):
        value, grad = value_and_grad(w, state=state)
        updates, state = theirs.update(grad, state, w, value=value, grad=grad, value_fn=valley)
        w = optax.apply_updates(w, updates)
    ours = gdlab.chain(theirs, gdlab.identity()) if wrapped else theirs
    found = gdlab.minimize(valley, valley.start, ours, 10).params
    # Float32's rounding times the condition number of the valley, 2500.
    np.testing.assert_allclose(found, w, rtol=3e-4)


def test_a_schedule_of_optax_stands_wherever_a_number_can():
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.2, 2, 8)
    assert_same(descend(gdlab.adam(schedule), 8)[0], descend(optax.adam(schedule), 8)[0])
    decaying = optax.linear_schedule(0.9, 0.5, 5)
    tx = gdlab.sgd(LEARNING_RATE, momentum=decaying)
    reference = optax.inject_hyperparams(optax.sgd)(LEARNING_RATE, momentum=decaying)
    assert_same(descend(tx, 8)[0], descend(reference, 8)[0])


def test_optax_applies_the_updates_of_gdlab():
    ours, _ = descend(gdlab.adam(LEARNING_RATE), apply_updates=optax.apply_updates)
    assert_same(ours, descend(gdlab.adam(LEARNING_RATE))[0])


def test_optaxs_chain_drops_keywords_unless_the_link_is_of_its_extra_args_class():
    tx = gdlab.nesterov(LEARNING_RATE, 0.9)

    def extra(params):
        return {"grad_fn": jax.grad(loss)}

    with pytest.raises(ValueError, match="grad_fn"):
        descend(optax.chain(tx), extra=extra)
    wrapped = optax.chain(optax.GradientTransformationExtraArgs(*tx))
    in_optax, _ = descend(wrapped, extra=extra)
    assert_same(in_optax, descend(tx, extra=extra)[0])


def test_optaxs_tree_functions_read_and_change_gdlabs_state():
    tx = gdlab.named_chain(
        ("momentum", gdlab.trace(0.9)),
        ("step", gdlab.scale_by_schedule(optax.linear_schedule(1, 0, 4))),
    )
    params, state = descend(tx, 3)
    assert optax.tree_utils.tree_get(state, "count") == 3
    assert_same(optax.tree_utils.tree_get(state, "momentum"), state.momentum)
    rewound = optax.tree_utils.tree_set(state, count=jnp.zeros((), jnp.int32))
    assert gdlab.hyperparameters(tx, state) != gdlab.hyperparameters(tx, rewound)
    assert gdlab.hyperparameters(tx, rewound) == gdlab.hyperparameters(tx, tx.init(params))
    assert optax.tree_utils.tree_norm(state) > 0 == optax.tree_utils.tree_norm(tx.init(params))


def test_optax_tells_the_slots_of_gdlabs_state_from_its_scalars():
    tx = gdlab.adam(optax.constant_schedule(LEARNING_RATE))
    state = tx.init(points())
    marked = optax.tree_utils.tree_map_params(
        tx, lambda _: "slot", state, transform_non_params=lambda _: "scalar"
    )
    shapes = {leaf: set() for leaf in ("slot", "scalar")}
    jax.tree.map(lambda mark, leaf: shapes[mark].add(leaf.shape), marked, state)
    assert shapes == {"slot": {(2, 2), (2,)}, "scalar": {(), (3,)}}


def test_without_a_momentum_its_settings_count_for_nothing_as_in_optax():
    plain, ours, theirs = (
        descend(tx)[0]
        for tx in (
            gdlab.sgd(LEARNING_RATE),
            gdlab.sgd(LEARNING_RATE, nesterov=True, accumulator_dtype=jnp.bfloat16),
            optax.sgd(LEARNING_RATE, nesterov=True, accumulator_dtype=jnp.bfloat16),
        )
    )
    jax.tree.map(np.testing.assert_array_equal, ours, plain)
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "frozen", [optax.set_to_zero(), gdlab.set_to_zero()], ids=["optax", "gdlab"]
)
def test_optaxs_multi_transform_gives_gdlab_a_group_of_integers(frozen):
    params = {"w": jnp.ones(2), "n": jnp.arange(3)}
    tx = optax.multi_transform({"a": gdlab.sgd(0.1), "b": frozen}, {"w": "a", "n": "b"})
    state = tx.init(params)
    updates, _ = tx.update({"w": jnp.ones(2), "n": jnp.zeros(3)}, state, params)
    np.testing.assert_allclose(updates["w"], -0.1 * np.ones(2), rtol=1e-6)
    np.testing.assert_array_equal(updates["n"], np.zeros(3))
