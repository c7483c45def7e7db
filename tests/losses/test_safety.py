"""Losses at large logits, at the probability 0 and in low precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import losses

ONE = jnp.array([1.0, 0.0, 0.0])


def derivatives(loss, z):
    """Value, gradient, and Hessian times ones."""
    value, slope = jax.value_and_grad(loss)(z)
    return value, slope, jax.jvp(jax.grad(loss), (z,), (jnp.ones_like(z),))[1]


SOFTMAXES = {
    "dense": lambda z: losses.softmax_cross_entropy(z, ONE),
    "integers": lambda z: losses.softmax_cross_entropy_with_integer_labels(z, jnp.array(0)),
    "divergence": lambda z: losses.kl_divergence(jax.nn.log_softmax(z), ONE),
    "divergence, logarithms": lambda z: losses.kl_divergence_with_log_targets(
        jax.nn.log_softmax(z), jnp.log(ONE)
    ),
}


@pytest.mark.parametrize("loss", SOFTMAXES.values(), ids=SOFTMAXES)
def test_large_logits_are_told_apart_by_their_differences_alone(loss):
    # Of 10⁸ float32 knows multiples of 8; log ∑ exp z is rounded likewise, and must not appear.
    near, far = jnp.array([8.0, 0.0, 0.0]), jnp.array([1e8 + 8, 1e8, 1e8])
    for at_near, at_far in zip(derivatives(loss, near), derivatives(loss, far), strict=True):
        np.testing.assert_allclose(at_far, at_near, rtol=1e-5, atol=1e-9)
    value, slope, product = derivatives(loss, jnp.array([-1e30, 1e30, 0.0]))
    assert float(value) == pytest.approx(2e30)
    np.testing.assert_array_equal(slope, [-1, 1, 0])
    np.testing.assert_array_equal(product, 0)


@pytest.mark.parametrize("loss", SOFTMAXES.values(), ids=SOFTMAXES)
def test_an_impossible_class_adds_nothing_if_its_label_is_zero(loss):
    z = jnp.array([1.0, 2.0, -jnp.inf])
    value, slope, _ = derivatives(loss, z)
    assert float(value) == pytest.approx(np.log1p(np.e), rel=1e-6)
    p = 1 / (1 + np.e)
    np.testing.assert_allclose(slope, [p - 1, 1 - p, 0], rtol=1e-6)
    assert float(loss(jnp.array([-jnp.inf, 0.0, 0.0]))) == np.inf


@pytest.mark.parametrize(
    ("logit", "label", "value", "slope"),
    [
        (1e30, 0, 1e30, 1), (1e30, 1, 0, 0), (-1e30, 1, 1e30, -1), (-1e30, 0, 0, 0),
        (-30.0, 0, np.exp(-30), np.exp(-30)), (30.0, 1, np.exp(-30), -np.exp(-30)),
        (0.0, 1, np.log(2), -0.5), (np.inf, 1, 0, 0), (-np.inf, 0, 0, 0), (np.inf, 0, np.inf, 1),
    ],
)  # fmt: skip
def test_a_sigmoid_keeps_its_tails(logit, label, value, slope):
    label = jnp.array(float(label))
    found = jax.value_and_grad(losses.sigmoid_binary_cross_entropy)(jnp.array(logit), label)
    np.testing.assert_allclose(found[0], value, rtol=1e-6)
    # The derivative is a difference of σ and the label: it is 1 − 1 from e⁻¹⁶ on.
    np.testing.assert_allclose(found[1], slope, rtol=1e-6, atol=1e-7)


def test_a_divergence_from_what_is_impossible_is_infinite_and_between_the_impossible_none():
    predicted = jnp.log(jnp.array([0.0, 0.5, 0.5]))
    assert float(losses.kl_divergence(predicted, jnp.array([0.5, 0.5, 0.0]))) == np.inf
    for divergence, targets in (
        (losses.kl_divergence, jnp.array([0.0, 0.5, 0.5])),
        (losses.kl_divergence_with_log_targets, predicted),
    ):
        value, slope = jax.value_and_grad(divergence)(predicted, targets)
        assert float(value) == 0
        np.testing.assert_allclose(slope, [0, -0.5, -0.5])


def test_a_prediction_that_is_no_number_is_not_hidden_by_a_label_of_zero():
    broken = jnp.array([jnp.nan, 0.0, 0.0])
    for loss in SOFTMAXES.values():
        assert np.isnan(loss(broken))
    targets = jnp.array([0.0, 1.0, 0.0])
    assert np.isnan(losses.kl_divergence(broken, targets))
    assert np.isnan(losses.kl_divergence_with_log_targets(broken, jnp.log(targets)))
    assert np.isnan(losses.sigmoid_binary_cross_entropy(jnp.nan, 0.0))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_low_precision_is_computed_in_float32(dtype):
    z = jnp.array([3.0, -1.5, 0.25], dtype)
    exact = z.astype(jnp.float32)
    labels = jnp.array([0.5, 0.25, 0.25], dtype)
    for loss in (
        lambda z: losses.softmax_cross_entropy(z, labels),
        lambda z: losses.softmax_cross_entropy_with_integer_labels(z, jnp.array(1)),
        lambda z: losses.sigmoid_binary_cross_entropy(z, labels).sum(),
        lambda z: losses.squared_error(z, labels).sum(),
        lambda z: losses.huber_loss(z, labels).sum(),
        lambda z: losses.kl_divergence(z - 4, labels),
    ):
        assert loss(z).dtype == jnp.float32
        np.testing.assert_array_equal(loss(z), loss(exact))
        slope = jax.grad(loss)(z)
        assert slope.dtype == dtype
        np.testing.assert_array_equal(slope, jax.grad(loss)(exact).astype(dtype))


def test_a_square_of_float16_does_not_overflow():
    assert float(losses.squared_error(jnp.array(300.0, jnp.float16))) == 90000.0


def test_empty_arrays_and_scalars_pass():
    assert losses.squared_error(2.0).shape == ()
    assert losses.softmax_cross_entropy(jnp.ones((0, 3)), jnp.ones((0, 3))).shape == (0,)
    empty = losses.softmax_cross_entropy_with_integer_labels(jnp.ones((0, 3)), jnp.ones(0, int))
    assert empty.shape == (0,)
