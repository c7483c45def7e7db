"""What a transformation is: a pair, a pytree, and something that says what is wrong."""

import copy
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import (
    Axis,
    GradientTransformation,
    Hyperparameter,
    Shared,
    accumulate,
    adam,
    adamw,
    apply_if_finite,
    apply_updates,
    chain,
    clip,
    clip_by_global_norm,
    debias,
    ema,
    fork,
    identity,
    leafwise,
    linear_schedule,
    look_ahead,
    masked,
    named_chain,
    nesterov,
    params_ema,
    partition,
    scale,
    sgd,
    trace,
    transformation,
)

PARAMS = {"a": jnp.ones(2), "b": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}}
FEWER = {"a": jnp.ones(2), "b": {"kernel": jnp.ones((2, 2))}}

# --- A pair, and a pytree


def test_it_unpacks_as_the_pair_init_update():
    init, update = adam(0.1)
    updates, _ = update(PARAMS, init(PARAMS))
    expected, _ = adam(0.1).update(PARAMS, adam(0.1).init(PARAMS))
    jax.tree.map(np.testing.assert_array_equal, updates, expected)


def test_those_of_equal_python_numbers_are_equal_and_one_static_argument():
    tx = adam(0.1)
    assert tx == adam(0.1) == copy.copy(tx)
    assert hash(tx) == hash(adam(0.1))
    assert len({tx, adam(0.2), adam(0.1, nesterov=True), sgd(0.1), adam(0.1)}) == 4
    traced = []

    @functools.partial(jax.jit, static_argnames="tx")
    def step(x, tx):
        traced.append(tx)
        return x

    for rate in (0.1, 0.1, 0.2, 0.1):
        step(1.0, tx=adam(rate))
    assert len(traced) == 2


def test_an_array_is_equal_to_itself_alone():
    rates = jnp.array([0.1, 0.2])
    assert adam(rates) == adam(rates)
    assert adam(rates) != adam(rates + 0)
    assert adam(jnp.array(0.1)) != adam(0.1)


def test_arguments_are_attributes_and_can_be_replaced():
    tx = chain(clip(0.5), adam(1e-3, b1=linear_schedule(0.5, 0.9, 10)))
    assert tx.chain[0].max_delta == 0.5
    assert tx.chain[1].b1.end_value == 0.9
    assert adam(0.1).nesterov is False
    assert adam(0.1).replace(learning_rate=0.2, nesterov=True) == adam(0.2, nesterov=True)
    with pytest.raises(AttributeError, match=r"adam has no attribute 'b3'.*learning_rate, b1"):
        _ = adam(0.1).b3
    with pytest.raises(TypeError, match="adam has no argument 'lr'; it has learning_rate"):
        adam(0.1).replace(lr=1)
    with pytest.raises(TypeError, match=r"adam: argument 'b1'.*not 'fast'"):
        adam(0.1).replace(b1="fast")


def test_an_argument_that_would_hide_a_method_is_refused():
    with pytest.raises(TypeError, match="what is data cannot be called 'update'"):

        @leafwise
        def hidden(update: Hyperparameter):
            return lambda u: u


def test_unflattening_converts_and_checks_nothing():
    tx = adam(0.1)
    leaves, treedef = jax.tree.flatten(tx)
    for sentinel in (None, object(), "text"):
        assert isinstance(treedef.unflatten([sentinel] * len(leaves)), GradientTransformation)


def test_one_derivative_flows_through_three_steps_to_every_number():
    def loss(tx):
        w = jnp.array([1.0, -3.0])
        state = tx.init(w)
        for _ in range(3):
            updates, state = tx.update(w, state, w)
            w = apply_updates(w, updates)
        return 0.5 * jnp.sum(w**2)

    slopes = jax.grad(loss)(adam(0.1, b2=0.9, eps=1e-2))
    for path in gdlab.hyperparameters(slopes):
        value = gdlab.hyperparameters(adam(0.1, b2=0.9, eps=1e-2))[path]
        above, below = (
            loss(gdlab.set_hyperparameters(adam(0.1, b2=0.9, eps=1e-2), {path: value + h}))
            for h in (1e-3, -1e-3)
        )
        # Central differences of float32 losses near 4: rounding 2e-7/1e-3, curvature 1e-6.
        difference = (above - below) / 2e-3
        slope = float(gdlab.hyperparameters(slopes)[path])
        assert slope == pytest.approx(float(difference), rel=2e-2, abs=2e-3)


# --- Errors when it is made


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: chain(), ValueError, r"chain needs at least one.*identity"),
        (lambda: named_chain(), ValueError, "named_chain needs at least one pair"),
        (lambda: fork(max), ValueError, r"fork needs at least one branch.*identity"),
        (lambda: fork(), TypeError, "fork: missing a required argument: 'join'"),
        (lambda: fork(1.0, identity()), TypeError, "fork: argument 'join'.*not 1.0"),
        (lambda: fork(max, max), TypeError, "fork: argument 'transforms': expected a transf"),
        (lambda: chain(adam), TypeError, "chain: argument 'transforms'.*function adam"),
        (lambda: chain(max), TypeError, "chain: argument 'transforms'"),
        (lambda: chain(linear_schedule(0, 1, 2)), TypeError, "argument 'transforms'.*linear_sch"),
        (lambda: named_chain(adam(0.1)), TypeError, r"named_chain.*pairs \(name, transf"),
        (lambda: named_chain(("a", scale(1)), ("a", scale(2))), ValueError, "'a' stands twice"),
        (
            lambda: debias(clip_by_global_norm(1.0)),
            TypeError,
            "debias: average must be a linear average",
        ),
        (lambda: adam("fast"), TypeError, "adam: argument 'learning_rate'.*not 'fast'"),
        (lambda: adam(None), TypeError, "adam: argument 'learning_rate'.*not None"),
        (lambda: adam(0.1, b1=True), TypeError, "adam: argument 'b1'.*not True"),
        (lambda: adam(0.1, b2=object()), TypeError, "adam: argument 'b2'.*not <object"),
        (lambda: adam(lr=0.1), TypeError, "adam: .*'learning_rate'"),
        (lambda: adam(0.1, beta=1), TypeError, "adam: .*'beta'"),
        (lambda: sgd(adam(0.1)), TypeError, "sgd: argument 'learning_rate'"),
        (lambda: adamw(0.1, mask="("), ValueError, r"adamw: argument 'mask'.*not a regular exp"),
        (lambda: Axis("", [1.0]), TypeError, "needs a name"),
        (lambda: Axis("a", []), ValueError, "Axis 'a'.*non-empty"),
        (lambda: Axis("a", [[1.0]]), ValueError, r"Axis 'a'.*shape \(1, 1\)"),
    ],
)
def test_a_mistake_is_refused_when_it_is_made_and_the_argument_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_an_author_who_returns_something_else_is_told_what_to_return():
    @leafwise
    def wrong():
        return 3

    with pytest.raises(TypeError, match="wrong must return init and update"):
        wrong()


def test_an_update_that_returns_no_pair_or_another_structure_is_refused():
    @transformation
    def forgets_state():
        return (lambda params: ()), (lambda updates, state: updates)

    @transformation
    def grows():
        return (lambda params: ()), (lambda updates, state: (updates, (state,)))

    for tx, message in ((forgets_state(), "pair"), (grows(), "changed the state's structure")):
        with pytest.raises(TypeError, match=message):
            tx.update(jnp.ones(2), tx.init(jnp.ones(2)))


# --- Errors when it is used


EVERY_KIND = pytest.mark.parametrize(
    "tx",
    [trace(0.9), adam(0.1), chain(clip_by_global_norm(1.0), adam(0.1)), apply_if_finite(adam(0.1))],
    ids=repr,
)


@EVERY_KIND
def test_a_gradient_tree_that_lacks_a_leaf_is_refused_with_its_path(tx):
    with pytest.raises(ValueError, match=r"leaf at 'b\.bias' where updates have none"):
        tx.update(FEWER, tx.init(PARAMS))


@EVERY_KIND
def test_a_gradient_tree_with_a_leaf_too_many_is_refused_with_its_path(tx):
    with pytest.raises(ValueError, match=r"updates have a leaf at 'b\.bias' where"):
        tx.update(PARAMS, tx.init(FEWER))


def test_parameters_of_another_structure_are_refused_with_the_path():
    tx = adamw(0.1)
    with pytest.raises(ValueError, match=r"updates have a leaf at 'b\.bias' where params have non"):
        tx.update(PARAMS, tx.init(PARAMS), FEWER)


def test_a_gradient_where_the_state_has_nothing_is_refused_with_the_path():
    tx = adam(0.1)
    with pytest.raises(ValueError, match=r"array at 'b\.bias'.*had none"):
        tx.update(PARAMS, tx.init(PARAMS | {"b": {"kernel": jnp.ones((2, 2)), "bias": None}}))


@pytest.mark.parametrize(
    ("tx", "who"),
    [
        (adamw(0.1), r"add_decayed_weights.*weight_decay"),
        (chain(clip_by_global_norm(1.0), clip(1.0), adamw(0.1)), r"add_decayed_weights"),
        (apply_if_finite(fork(max, identity(), adamw(0.1))), r"add_decayed_weights"),
        (params_ema(0.9), r"params_ema.*average of the parameters"),
        (nesterov(0.1), r"look_ahead.*gradient"),
    ],
    ids=repr,
)
def test_missing_params_are_asked_for_by_the_one_that_needs_them_with_its_reason(tx, who):
    state = tx.init(PARAMS)
    with pytest.raises(ValueError, match=rf"params are needed by {who}.*update\(updates, state, p"):
        tx.update(PARAMS, state, grad_fn=lambda params: params)


def test_looking_ahead_without_a_gradient_function_says_what_to_pass():
    tx = nesterov(0.1)
    with pytest.raises(ValueError, match=r"grad_fn is needed by look_ahead.*=jax\.grad\(loss\)"):
        tx.update(PARAMS, tx.init(PARAMS), PARAMS)


@pytest.mark.parametrize("use", ["init", "update"])
def test_an_axis_left_in_place_is_explained_with_its_path(use):
    tx = chain(clip(1.0), adam(Axis("rate", [0.1, 0.2])))
    with pytest.raises(ValueError, match=r"chain\.1\.learning_rate is an Axis.*sweep.*set_hyperp"):
        tx.init(PARAMS) if use == "init" else tx.update(PARAMS, adam(0.1).init(PARAMS))


def test_a_rule_that_changes_a_shape_is_refused():
    @leafwise
    def total():
        return jnp.sum

    with pytest.raises(ValueError, match=r"total\(\) made an update of shape \(\) out of \(2,\)"):
        total().update(PARAMS, total().init(PARAMS))


def test_one_value_for_each_leaf_where_all_leaves_share_a_number_is_explained():
    with pytest.raises(TypeError, match=r"what all leaves share.*needs one value"):
        adam(0.1, b1={"a": 0.9, "b": 0.8})
    with pytest.raises(TypeError, match=r"what all leaves share.*needs one value"):
        gdlab.nadam(0.1, b1={"a": 0.9, "b": 0.8})
    with pytest.raises(TypeError, match="'max_norm' is one number for all leaves"):
        clip_by_global_norm({"a": 0.9, "b": 0.8})


# --- Per-leaf values


@pytest.mark.parametrize(
    "rates", [{"a": 1.0, "b": 2.0}, {"a": 1.0, "b": {"kernel": 2.0, "bias": 4}}]
)
def test_a_learning_rate_for_each_leaf_or_subtree_is_that_of_the_leaf(rates):
    updates, _ = sgd(rates).update(PARAMS, sgd(rates).init(PARAMS))
    last = 4.0 if isinstance(rates["b"], dict) else 2.0
    assert (updates["a"] == -1).all()
    assert (updates["b"]["kernel"] == -2).all()
    assert (updates["b"]["bias"] == -last).all()


def test_values_for_each_leaf_can_be_swept_and_differentiated():
    def total(tx):
        updates, _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(updates))

    tx = adamw({"a": 1.0, "b": 2.0}, weight_decay={"a": 0.5, "b": 0.25})
    slopes = gdlab.hyperparameters(jax.grad(total)(tx))
    # −η(±1 + λw) for two and six ones: by η, −n(1 + λ); by λ, −nη.
    assert slopes["learning_rate.a"] == pytest.approx(-2 * 1.5)
    assert slopes["learning_rate.b"] == pytest.approx(-6 * 1.25)
    assert slopes["weight_decay.a"] == pytest.approx(-2 * 1.0)
    assert slopes["weight_decay.b"] == pytest.approx(-6 * 2.0)
    lanes = jax.tree.map(lambda value: jnp.array([value, 2 * value]), tx)
    both = jax.vmap(total)(lanes)
    assert both[0] == pytest.approx(float(total(tx)), rel=1e-6)


def test_values_that_do_not_fit_the_tree_are_refused():
    tx = sgd({"a": 1.0, "c": 2.0})
    with pytest.raises(ValueError, match="not a prefix of the parameters' tree"):
        tx.update(PARAMS, tx.init(PARAMS))


# --- Writing one's own


@leafwise(reads="param")
def friction(strength: Hyperparameter, *, reverse: bool = False):
    def update(u, v, param):
        v = (1 - strength) * v + u - 0.5 * param
        return (-v if reverse else v), v

    return jnp.zeros_like, update


@leafwise(shared="step_number")
def one_over_time(power: Hyperparameter = 1.0):
    """Divide by the number of the step."""

    def update(u, step_number):
        return u / step_number**power

    return None, update, Shared(lambda: 0.0, lambda step: step + 1)


@transformation
def normalise(length: Hyperparameter = 1.0):
    def update(updates):
        norm = gdlab.global_norm(updates)
        return jax.tree.map(lambda u: length * u / norm, updates)

    return update


@transformation
def heavy_ball(rate: Hyperparameter, strength: Hyperparameter = 0.1):
    return chain(friction(strength), normalise(), scale(-1), scale(rate))


def test_a_closure_written_by_a_user_has_all_that_ours_have():
    tx = heavy_ball(linear_schedule(1.0, 0.0, 4), 0.5)
    assert repr(tx) == "heavy_ball(linear_schedule(1.0, 0.0, 4.0), strength=0.5)"
    assert repr(gdlab.expand(heavy_ball(2.0))) == (
        "chain(friction(0.1), normalise(), scale(-1.0), scale(2.0))"
    )
    state = tx.init(PARAMS)
    for step in range(3):
        rate = gdlab.hyperparameters(tx, state)["rate"]
        updates, state = tx.update(PARAMS, state, PARAMS)
        assert float(gdlab.global_norm(updates)) == pytest.approx(1 - step / 4, rel=1e-6)
        assert rate == 1 - step / 4


def test_a_users_rule_of_one_array_is_its_own_loop():
    tx = friction(0.25, reverse=True)
    state = tx.init(PARAMS)
    v = 0.0
    for _ in range(3):
        updates, state = tx.update(PARAMS, state, PARAMS)
        v = 0.75 * v + 1 - 0.5
        assert (updates["a"] == -v).all()


def test_scalars_that_all_arrays_share_are_computed_once_a_step():
    tx = one_over_time(2.0)
    state = tx.init(PARAMS)
    for step in (1, 2, 3):
        updates, state = tx.update(PARAMS, state)
        np.testing.assert_allclose(updates["b"]["bias"], 1 / step**2, rtol=1e-6)
    assert state.step_number == 3


def test_a_users_rule_works_in_every_wrapper():
    for wrap in (apply_if_finite, lambda tx: accumulate(tx, 1), lambda tx: masked(tx, "")):
        tx = wrap(heavy_ball(0.5))
        updates, _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
        assert float(gdlab.global_norm(updates)) == pytest.approx(0.5, rel=1e-6)


def test_a_closure_may_branch_on_structure_but_sees_numbers_alone():
    seen = []

    @leafwise
    def spy(number: Hyperparameter):
        def update(u):
            seen.append(number)
            return u * number

        return update

    tx = spy(linear_schedule(1.0, 2.0, 2))
    tx.update(PARAMS, tx.init(PARAMS))
    assert seen
    assert all(isinstance(number, jax.Array) and number.shape == () for number in seen)


# --- Dtypes


def test_low_precision_gradients_are_computed_in_float32_and_come_back_in_their_dtype():
    seen = []

    @leafwise(reads="param")
    def spy():
        def update(u, param):
            seen.append((u.dtype, param.dtype))
            return u

        return update

    @transformation(reads="params")
    def tree_spy():
        def update(updates, params):
            seen.append((updates.dtype, params.dtype))
            return updates

        return update

    for dtype in (jnp.bfloat16, jnp.float16):
        for tx in (spy(), tree_spy(), chain(tree_spy(), spy())):
            g = jnp.ones(2, dtype)
            assert tx.update(g, tx.init(g), g)[0].dtype == dtype
    assert set(seen) == {(jnp.dtype("float32"), jnp.dtype("float32"))}


def test_a_second_moment_of_bfloat16_gradients_decays():
    tx = adam(1.0)
    g = jnp.ones(1, jnp.bfloat16)
    state = tx.init(g)
    _, state = tx.update(g, state)
    second = [leaf for leaf in jax.tree.leaves(state) if leaf.shape == (1,)][1]
    assert second.dtype == jnp.float32
    for _ in range(3):
        _, state = tx.update(0 * g, state)
    later = [leaf for leaf in jax.tree.leaves(state) if leaf.shape == (1,)][1]
    np.testing.assert_allclose(later, second * 0.999**3, rtol=1e-6)


@pytest.mark.usually(enable_x64="it shows what is float32")
def test_mu_dtype_is_that_of_storage_and_not_of_arithmetic():
    tx = adam(1.0, b1=0.5, mu_dtype=jnp.bfloat16)
    g = jnp.array([1.0 + 2**-12])
    state = tx.init(g)
    updates, state = tx.update(g, state)
    stored = {leaf.dtype.name for leaf in jax.tree.leaves(state) if leaf.shape == (1,)}
    assert stored == {"bfloat16", "float32"}
    # The step is made of the m that is stored, which is the nearest number to g/2.
    np.testing.assert_allclose(updates, -1 / (1 + 2**-12), rtol=1e-7)


def test_links_hand_each_other_float32_and_round_once_at_the_end():
    tx = chain(scale(1.002), clip_by_global_norm(1e9), scale(1.002), scale(1.002))
    updates, _ = tx.update(jnp.array([1.0], jnp.bfloat16), ())
    # 1.002³ rounds to the next number above 1; 1.002 itself would round to 1.
    assert updates == 1 + 2**-7


def test_complex_numbers_are_not_stored_as_real_ones():
    tx = sgd(0.1, 0.9, accumulator_dtype="bfloat16")
    g = jnp.array([1.0 + 2.0j])
    with pytest.raises(TypeError, match="complex numbers cannot be stored as bfloat16"):
        tx.update(g, tx.init(g))


# --- Sharding, donation and debugging


def test_a_state_and_updates_keep_the_sharding_of_the_parameters():
    mesh = jax.make_mesh((8,), ("shard",))
    sharding = jax.NamedSharding(mesh, jax.P("shard"))
    for dtype in (jnp.float32, jnp.bfloat16):
        params = {"w": jax.device_put(jnp.ones((8, 2), dtype), sharding)}
        for tx in (
            adam(0.1),
            chain(clip_by_global_norm(1.0), adamw(linear_schedule(0.1, 0.0, 3))),
            apply_if_finite(accumulate(adamw(0.1), 2)),
            chain(sgd(0.1), params_ema(0.9)),
        ):
            state = tx.init(params)
            updates, after = tx.update(params, state, params)
            new = apply_updates(params, updates)
            shaped = [
                leaf for leaf in jax.tree.leaves((state, after, updates, new)) if leaf.ndim == 2
            ]
            assert len(shaped) >= 4
            assert all(leaf.sharding.is_equivalent_to(sharding, 2) for leaf in shaped)


@pytest.mark.parametrize(
    "tx", [gdlab.adadelta(), apply_if_finite(adam(0.1)), params_ema(0.9)], ids=repr
)
def test_state_and_parameters_can_be_donated_together(tx):
    params = {"w": jnp.ones(2), "b": jnp.ones(3)}
    gradient = {"w": jnp.ones(2), "b": jnp.ones(3)}

    def step(params, state, gradient):
        updates, state = tx.update(gradient, state, params)
        return apply_updates(params, updates), state

    donating = jax.jit(step, donate_argnums=(0, 1))
    state = tx.init(params)
    for _ in range(2):
        params, state = donating(params, state, gradient)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(params))


def test_a_nan_is_found_where_it_arises_by_debug_nans():
    @leafwise
    def undefined():
        return lambda u: jnp.log(u)

    tx = chain(scale(1.0), undefined())
    with jax.debug_nans(True), pytest.raises(FloatingPointError):
        tx.update(jnp.array([-1.0]), tx.init(jnp.ones(1)))


def test_disable_jit_runs_the_rule_on_concrete_arrays():
    seen = []

    @leafwise
    def spy(factor: Hyperparameter):
        def update(u):
            seen.append(float(u[0]))
            return factor * u

        return update

    tx = spy(2.0)
    with jax.disable_jit():
        updates, _ = tx.update(jnp.array([3.0]), tx.init(jnp.ones(1)))
    assert (seen, float(updates[0])) == ([3.0], 6.0)


@pytest.mark.usually(enable_x64="it shows what is float32")
def test_a_state_of_python_numbers_is_made_of_arrays_that_keep_their_types():
    @transformation
    def halving():
        def update(updates, state):
            half = 0.5 * state["x"]
            return updates * half, {"n": state["n"] + 1, "x": half}

        return (lambda params: {"n": 0, "x": 1.0}), update

    tx = halving()
    state = tx.init(jnp.ones(1))
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(state))
    for wide in (state, jax.eval_shape(tx.update, jnp.ones(1), state)[1]):
        assert (wide.halving["n"].dtype, wide.halving["x"].dtype) == (jnp.int32, jnp.float32)
        assert not any(leaf.weak_type for leaf in jax.tree.leaves(wide))
    _, state = jax.lax.scan(lambda s, g: tx.update(g, s)[::-1], state, jnp.ones((3, 1)))
    np.testing.assert_allclose(state[:, 0], [0.5, 0.25, 0.125])


@pytest.mark.parametrize("decorate", [leafwise, transformation])
def test_an_uncompiled_update_is_compiled_once_for_all_values_of_the_numbers(decorate):
    traces = []

    @decorate
    def spy(factor: Hyperparameter):
        def update(u):
            traces.append(factor)
            return factor * u

        return update

    for factor in (1.0, 2, np.float32(3), linear_schedule):
        tx = spy(factor) if factor is not linear_schedule else spy(4.0)
        for _ in range(2):
            tx.update(jnp.ones(2), tx.init(jnp.ones(2)))
    assert len(traces) == 1


def test_leaves_that_are_not_arrays_are_skipped():
    params = {"f": math.sin, "w": jnp.ones(2), "n": None}
    tx = adamw(0.1)
    updates, _ = tx.update({"f": None, "w": jnp.ones(2), "n": None}, tx.init(params), params)
    assert (updates["f"], updates["n"]) == (None, None)
    assert apply_updates(params, updates)["f"] is math.sin


def test_groups_and_looking_ahead_go_together():
    tx = partition({"a": look_ahead(sgd(0.1, 0.9)), "b": sgd(1.0)}, {"a": "a", "b": "b"})
    state = tx.init(PARAMS)
    for _ in range(2):
        updates, state = tx.update(PARAMS, state, PARAMS, grad_fn=lambda params: params)
    # a: v₁ = 1, w̃ = 1 − 0.1·0.9·1, v₂ = 0.9 + w̃; the parameters were left where they are.
    np.testing.assert_allclose(updates["a"], -0.1 * (0.9 + 0.91), rtol=1e-6)
    assert (updates["b"]["bias"] == -1).all()


def test_an_average_of_bfloat16_storage_is_still_debiased_by_an_exact_weight():
    tx = debias(ema(0.9, accumulator_dtype="bfloat16"))
    updates, state = tx.update(jnp.array([7.0]), tx.init(jnp.ones(1)))
    np.testing.assert_allclose(updates, float(jnp.bfloat16(0.7)) / 0.1, rtol=1e-6)
    assert state.ema.dtype == jnp.bfloat16


def test_arrays_of_another_shape_are_named_by_their_path():
    gradient = {"a": jnp.ones(2), "b": {"kernel": jnp.ones((1, 2)), "bias": jnp.ones(2)}}
    tx = sgd(0.1)
    with pytest.raises(ValueError, match=r"updates and params differ in shape at 'b\.kernel'"):
        tx.update(gradient, tx.init(PARAMS), PARAMS)


@pytest.mark.usually(enable_x64="it shows what is float32")
def test_numbers_kept_on_the_device_leak_neither_from_a_trace_nor_between_precisions():
    tx, g = sgd(0.1), jnp.ones(2)
    state = tx.init(g)
    jax.jit(lambda x: x + tx.update(g, state)[0])(g)  # concrete updates within a trace
    np.testing.assert_array_equal(tx.update(g, state)[0], np.float32([-0.1, -0.1]))
    with jax.enable_x64(True):
        wide = jnp.ones(2, jnp.float64)
        np.testing.assert_array_equal(tx.update(wide, tx.init(wide))[0], [-0.1, -0.1])


def test_an_abstract_optimizer_can_be_wired():
    abstract = jax.eval_shape(lambda tx: tx, adam(0.1))
    wired = chain(clip(1.0), abstract)
    assert jax.tree.structure(wired) == jax.tree.structure(chain(clip(1.0), adam(0.1)))
