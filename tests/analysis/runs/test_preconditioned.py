"""The curvature as an adaptive method sees it, against NumPy's P and dense Hessians."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    adagrad,
    adam,
    adamw,
    adopt,
    amsgrad,
    chain,
    clip_by_global_norm,
    full_matrix_adagrad,
    muon,
    nadam,
    nesterov,
    rmsprop,
    sgd,
    transformation,
)
from gdlab.analysis import preconditioned_sharpness, sharpness, sharpness_limit
from gdlab.schedules import cosine_decay_schedule
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")

STEPS = 5
DECAYS = 0.9 ** np.arange(1, STEPS + 1), 0.999 ** np.arange(1, STEPS + 1)
TRAINED = ("layer1", "layer2")


def parameters():
    """Kernels of a network whose first layer and biases stay: with each leaf programs grow."""
    whole = networks.parameters()
    return {name: whole[name]["kernel"] for name in TRAINED}


def loss(kernels, batch):
    whole = networks.parameters()
    trained = {name: whole[name] | {"kernel": kernel} for name, kernel in kernels.items()}
    return networks.loss(whole | trained, batch)


@jax.jit
def taken(tx, params, state, batch):
    gradient = jax.grad(loss)(params, batch)
    updates, state = tx.update(gradient, state, params)
    return jax.tree.map(jnp.add, params, updates), state, gradient


def after_steps(tx, batch, steps=STEPS):
    """Parameters, state, and all the gradients on the way."""
    params, gradients = parameters(), []
    state = tx.init(params)
    for _ in range(steps):
        params, state, gradient = taken(tx, params, state, batch)
        gradients.append(networks.flat(gradient))
    return params, state, np.stack(gradients)


def mean_squares(gradients, decay):
    """v after each step."""
    v = np.zeros_like(gradients)
    for t, g in enumerate(gradients):
        v[t] = decay * (v[t - 1] if t else 0) + (1 - decay) * g**2
    return v


def corrected(gradients):
    """v̂ of Adam after the last step."""
    return mean_squares(gradients, 0.999)[-1] / (1 - DECAYS[1][-1])


def scales_of_adam(gradients, eps=1e-8):
    """Cohen et al. 2022: the correction of the first moment is a part of P."""
    return (1 - DECAYS[0][-1]) * (np.sqrt(corrected(gradients)) + eps) / (1 + eps)


def scales_of_amsgrad(gradients):
    largest = np.max(mean_squares(gradients, 0.999), axis=0)
    return (1 - DECAYS[0][-1]) * (np.sqrt(largest / (1 - DECAYS[1][-1])) + 1e-8) / (1 + 1e-8)


def scales_of_nadam(gradients):
    """What weight a gradient has in m̄, against that in the limit t → ∞, is a part of P."""
    now = 0.9 * 0.1 / (1 - 0.9 * DECAYS[0][-1]) + 0.1 / (1 - DECAYS[0][-1])
    return (0.9 * 0.1 + 0.1) / now * (np.sqrt(corrected(gradients)) + 1e-8) / (1 + 1e-8)


def scales_of_rmsprop(gradients):
    return np.sqrt(mean_squares(gradients, 0.9)[-1] + 1e-8) / np.sqrt(1 + 1e-8)


def scales_of_adagrad(gradients):
    """G has no limit: after a single gradient of size 1 it is 0.1 + 1."""
    return np.sqrt(0.1 + np.sum(gradients**2, axis=0) + 1e-7) / np.sqrt(1.1 + 1e-7)


def seen_through(params, batch, scales):
    """The largest eigenvalue of P⁻¹H, which is not symmetric."""
    hessian = networks.dense_hessian(params, batch, loss=loss)
    return np.max(np.linalg.eigvals(hessian / scales[:, None]).real)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("tx", "scales_of"),
    [
        (adam(1e-2), scales_of_adam),
        (adamw(1e-2, weight_decay=0.1), scales_of_adam),
        (amsgrad(1e-2), scales_of_amsgrad),
        (nadam(1e-2), scales_of_nadam),
        (rmsprop(1e-2), scales_of_rmsprop),
        (adagrad(1e-2), scales_of_adagrad),
    ],
    ids=["adam", "adamw", "amsgrad", "nadam", "rmsprop", "adagrad"],
)
def test_it_is_the_largest_eigenvalue_of_the_hessian_over_the_scales(tx, scales_of):
    batch = networks.examples()
    params, state, gradients = after_steps(tx, batch)
    expected = seen_through(params, batch, scales_of(gradients))
    found = preconditioned_sharpness(loss, params, tx, state, batch)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_optax_has_the_same_adam():
    batch = networks.examples()
    with jax.numpy_dtype_promotion("standard"):
        params, state, gradients = after_steps(chain(optax.adam(1e-2)), batch)
        tx = optax.adam(1e-2)
        found = preconditioned_sharpness(loss, params, tx, state.foreign, batch)
    expected = seen_through(params, batch, scales_of_adam(gradients))
    assert found == pytest.approx(expected, rel=1e-9)


def test_beside_its_limit_it_is_that_of_cohen_with_any_eps():
    """λ(P⁻¹H)·η/38, with P = (1 − b1ᵗ)(√v̂ + ε)."""
    batch, tx = networks.examples(), adam(1e-2, eps=0.05)
    params, state, gradients = after_steps(tx, batch)
    scales = (1 - DECAYS[0][-1]) * (np.sqrt(corrected(gradients)) + 0.05)
    found = preconditioned_sharpness(loss, params, tx, state, batch)
    expected = seen_through(params, batch, scales) * 1e-2 / 38
    assert found / sharpness_limit(tx) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_the_learning_rate_is_no_part_of_it():
    """Wherever it stands, though this schedule ends at 0."""
    batch = networks.examples()
    tx = chain(clip_by_global_norm(1e3), adam(cosine_decay_schedule(1e-2, STEPS)))
    params, state, gradients = after_steps(tx, batch)
    expected = seen_through(params, batch, scales_of_adam(gradients))
    found = preconditioned_sharpness(loss, params, tx, state, batch)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("tx", [sgd(0.1), sgd(0.1, momentum=0.9), nesterov(0.1, 0.9)], ids=repr)
def test_of_a_method_that_is_not_adaptive_it_is_the_sharpness(tx):
    batch, params = networks.examples(), parameters()
    largest = np.linalg.eigvalsh(networks.dense_hessian(params, batch, loss=loss))[-1]
    found = preconditioned_sharpness(loss, params, tx, tx.init(params), batch)
    assert found == sharpness(loss, params, batch)
    assert found == pytest.approx(largest, rel=1e-9)


def half_square(w):
    return 0.5 * jnp.sum(jnp.array([4.0, 1.0]) * w**2)


@pytest.mark.parametrize(
    ("tx", "start"),
    [
        (full_matrix_adagrad(0.1), lambda: jnp.ones(2)),
        # Adam serves the vector, and Muon the matrix.
        (muon(0.1), lambda: {"b": jnp.ones(2), "w": jnp.ones((2, 2))}),
    ],
    ids=["full_matrix_adagrad", "muon"],
)
def test_a_method_that_mixes_gradients_is_refused(tx, start):
    w = start()
    _, state = tx.update(w, tx.init(w), w)
    of_first = lambda w: half_square(jax.tree.leaves(w)[0])  # noqa: E731
    with pytest.raises(ValueError, match=r"no diagonal preconditioner"):
        preconditioned_sharpness(of_first, w, tx, state)


@pytest.mark.slow
def test_a_method_whose_first_step_only_fills_its_scales_has_a_diagonal():
    """ADOPT starts with v = g², and after another gradient 2g has v = (0.9999 + 0.0001·4)g²."""
    tx, w = adopt(0.1), jnp.ones(2)
    state = tx.init(w)
    for size in (1.0, 2.0):
        _, state = tx.update(size * jax.grad(half_square)(w), state, w)
    # The gradient of each weight at w = 1 is its curvature, so that all eigenvalues are equal.
    found = preconditioned_sharpness(half_square, w, tx, state)
    assert found == pytest.approx((0.9999 + 0.0001 * 4) ** -0.5, rel=1e-9)


def test_a_method_whose_step_is_not_odd_is_refused():
    @transformation
    def absolute():
        return lambda updates: jax.tree.map(jnp.abs, updates)

    tx, w = chain(absolute(), adam(0.1)), jnp.ones(2)
    with pytest.raises(ValueError, match="opposite gradients do not give the opposite update"):
        preconditioned_sharpness(half_square, w, tx, tx.init(w))


@pytest.mark.parametrize("tx", [adam(0.1), rmsprop(cosine_decay_schedule(0.1, 10))])
def test_a_state_without_gradients_has_no_preconditioner(tx):
    w = jnp.ones(2)
    with pytest.raises(ValueError, match="seen no gradient yet"):
        preconditioned_sharpness(half_square, w, tx, tx.init(w))


def test_a_state_that_is_not_finite_has_no_preconditioner():
    tx, w = adam(0.1), jnp.ones(2)
    _, state = tx.update(jnp.array([jnp.nan, 1.0]), tx.init(w), w)
    with pytest.raises(ValueError, match="preconditioner is not finite: the state is not"):
        preconditioned_sharpness(half_square, w, tx, state)


def test_a_weight_that_no_gradient_reaches_does_no_harm():
    """It has a curvature of 0 and a scale of ε."""
    tx, w = adam(0.1), jnp.ones(3)
    of_two = lambda w: half_square(w[:2])  # noqa: E731
    _, state = tx.update(jax.grad(of_two)(w), tx.init(w), w)
    # After one step P = (1 − b1)|g|: 4/(0.1·4) and 1/(0.1·1).
    assert preconditioned_sharpness(of_two, w, tx, state) == pytest.approx(10.0, rel=1e-7)
