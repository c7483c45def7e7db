"""Numbers that float32 cannot hold are refused by name, where the computation is in float32."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import Axis, adam, by_leaf, constant_schedule, linear_schedule, sgd

PARAMS = {"a": jnp.ones(2, jnp.float32), "b": jnp.ones(2, jnp.float32)}
TOO_LARGE, TOO_SMALL = 1e39, 1e-50


def stepped(tx, params=PARAMS):
    return tx.update(params, tx.init(params), params)


@pytest.mark.parametrize(("value", "becomes"), [(TOO_LARGE, "infinite"), (TOO_SMALL, "zero")])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda value: adam(0.1, eps=value), id="number"),
        pytest.param(lambda value: adam(0.1, eps=np.float64(value)), id="NumPy scalar"),
        pytest.param(lambda value: adam(np.array([0.1, value])), id="NumPy array"),
        pytest.param(lambda value: adam(linear_schedule(0.1, value, 10)), id="schedule"),
        pytest.param(lambda value: adam(Axis("rate", [0.1, value])), id="axis"),
        pytest.param(lambda value: adam({"a": 0.1, "b": value}), id="tree"),
        pytest.param(lambda value: adam([("a", value), ("", 0.1)]), id="patterns"),
        pytest.param(
            lambda value: stepped(adam(by_leaf(lambda params: {"a": 0.1, "b": value}))),
            id="function of the parameters",
        ),
        pytest.param(lambda value: stepped(jax.tree.map(lambda _: value, sgd(0.1))), id="set"),
        pytest.param(lambda value: adam(0.1).replace(b1=value), id="replaced"),
    ],
)
@pytest.mark.usually(enable_x64="numbers are float64 until the parameters are known")
def test_wherever_it_stands_a_number_that_float32_cannot_hold_is_refused(make, value, becomes):
    with pytest.raises(
        ValueError, match=rf"{re.escape(str(value))} does not fit into float32.*{becomes}"
    ):
        make(value)


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda value: adam(0.1, eps=value), "adam: eps"),
        (lambda value: adam(linear_schedule(0.1, value, 10)), "adam: learning_rate.end_value"),
        (lambda value: adam({"a": 0.1, "b": value}), "adam: learning_rate.b"),
        (lambda value: adam(by_leaf(lambda p: {"a": 0.1, "b": value})), "a value by leaf: b"),
    ],
)
@pytest.mark.parametrize("value", [TOO_LARGE, TOO_SMALL])
@pytest.mark.x64
def test_float64_parameters_take_it_and_float32_ones_refuse_it_by_its_path(make, path, value):
    wide = jax.tree.map(lambda w: w.astype(jnp.float64), PARAMS)
    stepped(make(value), wide)
    narrow = jax.tree.map(lambda w: w.astype(jnp.float32), PARAMS)
    with pytest.raises(
        ValueError, match=f"{path}: {re.escape(str(value))} does not fit into float32"
    ):
        make(value).init(narrow)
    state = make(0.25).init(narrow)
    with pytest.raises(
        ValueError, match=f"{path}: {re.escape(str(value))} does not fit into float32"
    ):
        jax.jit(make(value).update)(narrow, state, narrow)


@pytest.mark.usually(enable_x64="numbers are float64 until the parameters are known")
def test_a_number_that_is_set_is_refused_by_the_path_at_which_it_stands():
    tx = gdlab.chain(gdlab.clip_by_global_norm(1.0), adam(linear_schedule(0.1, 0.0, 10)))
    for key, path in (("b1", "chain.1.b1"), ("end_value", "chain.1.learning_rate.end_value")):
        with pytest.raises(ValueError, match=rf"set_hyperparameters: {path}: 1e\+39 does not fit"):
            gdlab.set_hyperparameters(tx, {key: TOO_LARGE})


@pytest.mark.usually(enable_x64="numbers are float64 until the parameters are known")
def test_a_function_for_parameters_of_one_array_is_refused_at_their_root():
    with pytest.raises(ValueError, match=r"a value by leaf: the root: 1e\+39 does not fit"):
        stepped(sgd(by_leaf(lambda _: TOO_LARGE)), jnp.ones(2, jnp.float32))


@pytest.mark.x64
def test_a_tiny_number_acts_where_parameters_are_float64():
    # The first step of Adam is −α g/(|g| + ε): half of α where ε is as large as the gradient.
    gradient = jnp.full(2, 1e-50)
    updates, _ = adam(0.1, eps=1e-50).update(gradient, adam(0.1).init(gradient))
    np.testing.assert_allclose(updates, -0.05, rtol=1e-12)


def test_infinity_and_zero_are_what_they_say():
    clipped = gdlab.clip_by_global_norm(jnp.inf), gdlab.clip_by_global_norm(float("inf"))
    for tx in (*clipped, gdlab.scale(0.0)):
        stepped(tx)
    assert stepped(clipped[1])[0]["a"].tolist() == [1, 1]
    Axis("cap", [1.0, np.inf])


def test_the_ends_of_float32_are_held():
    ends = np.finfo(np.float32)
    for value in (ends.max, ends.tiny, ends.smallest_subnormal):
        assert sgd(float(value)).learning_rate == value


@pytest.mark.parametrize(
    "count_too_far",
    [
        pytest.param(lambda: linear_schedule(1.0, 0.0, 10)(2**31), id="step"),
        pytest.param(lambda: gdlab.piecewise_constant_schedule(1.0, {2**31: 0.5})(0), id="key"),
        pytest.param(
            lambda: gdlab.minimize(lambda w: w**2, 1.0, sgd(0.1), steps=2**31), id="minimize"
        ),
        pytest.param(
            lambda: gdlab.sweep(
                lambda w: w**2, 1.0, sgd(Axis("rate", [0.1])), steps=2**31, progress=False
            ),
            id="sweep",
        ),
    ],
)
def test_a_number_of_steps_beyond_int32_is_refused(count_too_far):
    with pytest.raises(ValueError, match="2147483648"):
        count_too_far()


def test_an_integer_that_no_float_holds_is_refused():
    with pytest.raises(ValueError, match="adam: argument 'learning_rate': an integer"):
        adam(10**400)
    assert constant_schedule(10).value == 10
