"""What users of optimizer libraries have reported: small inputs, each with its right value.

Each stands for its kind; the kinds are tested beside the parts that they concern.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab as gd

INTEGER = {"w": jnp.ones(2), "n": jnp.array(3)}
WITHOUT_GRADIENT = {"w": jnp.ones(2), "f": jnp.ones(2)}


@pytest.fixture(scope="module")
def module():
    return eqx.nn.MLP(2, 1, 3, 1, key=jax.random.key(0))


@pytest.fixture(scope="module")
def arrays(module):
    return eqx.filter(module, eqx.is_inexact_array)


def is_matrix(tree):
    return jax.tree.map(lambda x: x.ndim > 1, tree)


def ones(tree):
    return jax.tree.map(jnp.ones_like, tree)


def gradient_with_float0():
    return jax.grad(lambda p: jnp.sum(p["w"] ** 2), allow_int=True)(INTEGER)


def one_update(tx, updates, params):
    return tx.update(updates, tx.init(params), params)[0]


# --- Trees


def test_leaves_that_are_none_need_no_label(arrays):
    label = lambda tree: jax.tree.map(lambda x: "w" if x.ndim > 1 else "b", tree)  # noqa: E731
    tx = gd.partition({"w": gd.sgd(1.0), "b": gd.set_to_zero()}, label)
    updates = one_update(tx, ones(arrays), arrays)
    np.testing.assert_array_equal(updates.layers[0].weight, -1)
    np.testing.assert_array_equal(updates.layers[0].bias, 0)


def test_a_module_that_is_callable_is_a_tree_of_masks_labels_and_numbers(arrays):
    tx = gd.adamw(0.1, weight_decay=0.5, mask=is_matrix(arrays))
    updates = one_update(tx, jax.tree.map(jnp.zeros_like, arrays), arrays)
    np.testing.assert_allclose(updates.layers[0].weight, -0.05 * arrays.layers[0].weight, rtol=1e-6)
    np.testing.assert_array_equal(updates.layers[0].bias, 0)
    labels = jax.tree.map(lambda x: "w" if x.ndim > 1 else "b", arrays)
    rates = jax.tree.map(lambda x: 1.0 if x.ndim > 1 else 2.0, arrays)
    for tx in (gd.partition({"w": gd.sgd(1.0), "b": gd.sgd(2.0)}, labels), gd.sgd(rates)):
        updates = one_update(tx, ones(arrays), arrays)
        np.testing.assert_array_equal(updates.layers[0].weight, -1)
        np.testing.assert_array_equal(updates.layers[0].bias, -2)


@jax.tree_util.register_pytree_node_class
@dataclasses.dataclass
class Checked:
    """A container that takes a vector and nothing else."""

    w: Any

    def __post_init__(self):
        assert self.w.ndim == 1

    def tree_flatten(self):
        return (self.w,), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


def test_nothing_but_arrays_is_put_into_a_users_container():
    params, tx = Checked(jnp.ones(2)), gd.adamw(0.1, weight_decay=0.5)
    updates = one_update(tx, Checked(jnp.zeros(2)), params)
    np.testing.assert_allclose(gd.apply_updates(params, updates).w, 0.95)


@pytest.mark.parametrize(
    ("tx", "expected"),
    [
        (gd.adamw(0.1, weight_decay=0.5), 1 - 0.1 - 0.05),
        (gd.chain(gd.clip_by_global_norm(1.0), gd.sgd(1.0)), 1 - 1 / 2**0.5),
        (gd.accumulate(gd.sgd(1.0), 1), 1 - 2.0),
        (gd.apply_if_finite(gd.sgd(1.0)), 1 - 2.0),
        (gd.partition({"w": gd.sgd(1.0), "n": gd.adam(0.1)}, [("w", "w"), ("n", "n")]), 1 - 2.0),
    ],
    ids=repr,
)
def test_an_integer_is_left_alone_and_its_float0_gradient_passes(tx, expected):
    new = gd.apply_updates(INTEGER, one_update(tx, gradient_with_float0(), INTEGER))
    np.testing.assert_allclose(new["w"], expected, rtol=1e-5)
    assert int(new["n"]) == 3


@pytest.mark.parametrize(
    "tx",
    [gd.accumulate(gd.sgd(1.0), 2), gd.accumulate(gd.chain(gd.sgd(1.0), gd.params_ema(0.5)), 2)],
    ids=repr,
)
def test_a_parameter_without_a_gradient_is_kept_while_others_accumulate(tx):
    state, params = tx.init(WITHOUT_GRADIENT), WITHOUT_GRADIENT
    for _ in range(2):
        updates, state = tx.update({"w": jnp.ones(2), "f": None}, state, params)
    new = gd.apply_updates(params, updates)
    np.testing.assert_array_equal(new["w"], 0)
    np.testing.assert_array_equal(new["f"], 1)


def test_a_whole_module_may_be_the_parameters_inside_and_outside_jit(module, arrays):
    tx = gd.chain(gd.accumulate(gd.sgd(0.5), 1), gd.params_ema(0.5))
    state = tx.init(module)
    eager = tx.update(ones(arrays), state, module)[1]
    jitted = eqx.filter_jit(lambda g, s, m: tx.update(g, s, m)[1])(ones(arrays), state, module)
    for one, other in zip(jax.tree.leaves(eager), jax.tree.leaves(jitted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


# --- Schedules


def test_schedules_are_exact_beyond_the_steps_that_float32_counts():
    step = 2**24 + 1
    tx = gd.sgd(lambda t: (t % 2).astype(jnp.float32))
    state = tx.init(jnp.zeros(1)).replace(count=jnp.int32(step))
    assert float(tx.update(jnp.ones(1), state)[0][0]) == -1.0
    halved = gd.piecewise_constant_schedule(1.0, {step: 0.5})
    assert [float(halved(step - 1)), float(halved(step))] == [1.0, 0.5]


@pytest.mark.parametrize(("start", "end"), [(1.0, 1e-8), (1e-3, 1e-10), (0.3, 1e-9)])
def test_a_schedule_ends_at_its_end_value(start, end):
    ends = {
        "linear": gd.linear_schedule(start, end, 10)(10),
        "polynomial": gd.polynomial_schedule(start, end, 2.0, 10)(10),
        "cosine": gd.warmup_cosine_decay_schedule(0.0, start, 2, 10, end)(10),
        "trapezoid": gd.warmup_stable_decay_schedule(0.0, start, 2, 3, 5, end)(10),
    }
    for name, value in ends.items():
        assert float(value) == np.float32(end), name


@pytest.mark.parametrize("number", [1e100, -1e39, 1e-101, 1e-46])
def test_a_number_that_float32_cannot_hold_is_refused(number):
    with pytest.raises(ValueError, match=r"sgd: argument 'learning_rate': .* does not fit into fl"):
        gd.sgd(number)
    with jax.enable_x64(True):
        assert gd.sgd(number).learning_rate == number


# --- Precision


def test_bfloat16_gradients_do_not_swallow_the_decay_of_float32_parameters():
    new = []
    for decay in (0.0, 1e-3):
        params, tx = jnp.ones(1), gd.adamw(0.1, weight_decay=decay)
        updates = one_update(tx, jnp.ones(1, jnp.bfloat16), params)
        assert updates.dtype == jnp.float32
        new.append(float(gd.apply_updates(params, updates)[0]))
    assert new[0] - new[1] == pytest.approx(1e-4, rel=1e-2)


def test_a_clipped_step_has_derivatives_at_zero_gradients():
    def after(scale, w):
        tx = gd.chain(gd.clip_by_global_norm(1.0), gd.sgd(0.1))
        return jnp.sum(gd.apply_updates(w, one_update(tx, 2 * scale * w, w)))

    by_scale, by_w = jax.grad(after, (0, 1))(1.0, jnp.zeros(2))
    assert float(by_scale) == 0.0
    np.testing.assert_allclose(by_w, 0.8, rtol=1e-6)


@pytest.mark.parametrize(
    "tx", [gd.adam(0.1), gd.adagrad(0.1), gd.rmsprop(0.1), gd.scale_by_stddev()], ids=repr
)
def test_a_gradient_whose_square_overflows_is_skipped_and_counted(tx):
    guarded = gd.apply_if_finite(tx)
    state = guarded.init(jnp.zeros(1))
    for gradient in (1e25, 1.0):
        updates, state = guarded.update(jnp.array([gradient]), state)
    assert int(state.total_notfinite) == 1
    np.testing.assert_allclose(updates, one_update(tx, jnp.ones(1), jnp.zeros(1)), rtol=1e-5)


def test_a_nan_does_not_let_the_others_pass_unclipped():
    updates = {"a": jnp.array([jnp.nan]), "b": jnp.array([300.0, 400.0])}
    clipped, _ = gd.clip_by_global_norm(1.0).update(updates, ())
    np.testing.assert_allclose(clipped["b"], [0.6, 0.8], rtol=1e-6)
    assert np.isnan(clipped["a"][0])


def test_centred_rms_of_a_huge_gradient_is_no_nan():
    tx = gd.scale_by_stddev(bias_correction=True)
    state = tx.init(jnp.zeros(1))
    for gradient in (1e20, 1.0, 2.0):
        updates, state = tx.update(jnp.array([gradient]), state)
        assert not np.isnan(updates[0])


@pytest.mark.parametrize("dtype", [int, "int8", bool])
def test_an_average_is_not_stored_without_fractions(dtype):
    for make in (
        lambda: gd.adam(0.1, mu_dtype=dtype),
        lambda: gd.sgd(0.1, 0.9, accumulator_dtype=dtype),
        lambda: gd.moving_average(3, dtype),
    ):
        with pytest.raises(ValueError, match="dtype must be a floating-point dtype"):
            make()


def test_a_long_moving_average_is_one_array_and_one_sum():
    tx = gd.moving_average(1000)
    state = tx.init(jnp.zeros(2))
    assert state.moving_average.shape == (1000, 2)
    lines = jax.jit(tx.update).lower(jnp.ones(2), state).as_text().splitlines()
    assert len(lines) < 100


# --- Other libraries, and runs that go on


def test_optax_maps_over_the_slots_of_a_masked_method():
    params = {"kernel": jnp.ones(2), "bias": jnp.ones(2)}
    tx = gd.adamw(0.1, mask={"kernel": True, "bias": False})
    moved = optax.tree_utils.tree_map_params(tx, lambda x: x + 7, tx.init(params))
    assert [float(x[0]) for x in jax.tree.leaves(moved) if x.shape == (2,)] == [7.0] * 4


def test_an_integer_in_the_start_of_a_run_is_named():
    with pytest.raises(TypeError, match="x0 at 'n' is int32, which has no gradient"):
        gd.minimize(lambda p: (p["w"] - 3.0) ** 2, {"w": 1.0, "n": 2}, gd.sgd(0.1), steps=2)
