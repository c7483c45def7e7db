"""KL-Shampoo: the Kronecker product that is nearest to the covariance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, gdlab_path, steps_of

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(18)
STEPS = 12
RATES = np.linspace(0.3, 0.1, STEPS)
MATRIX = RANDOM.normal(size=(4, 3))
GRADS = RANDOM.normal(size=(STEPS, 4, 3))


def path(grads=GRADS, params=MATRIX, **settings):
    settings = {"eps": 1e-2, "every": 3, "relative_eps": True} | settings
    return gdlab_path(lambda lr: gdlab.kl_shampoo(lr, **settings), RATES, grads, params)


def test_factors_find_the_covariance_of_gaussian_gradients():
    left, right = (np.tril(RANDOM.normal(size=(n, n))) + 2 * np.eye(n) for n in (3, 4))
    grads = jnp.asarray(left @ RANDOM.normal(size=(6000, 3, 4)) @ right.T)
    covariance = np.kron(left @ left.T, right @ right.T)

    def distance(tx):
        step = lambda state, g: (tx.update(g, state)[1], None)  # noqa: E731
        state, _ = jax.jit(lambda g: jax.lax.scan(step, tx.init(g[0]), g))(grads)
        found = np.kron(*(np.asarray(factor[0]) for factor in state.factors))
        return np.linalg.norm(found - covariance) / np.linalg.norm(covariance)

    # An average over a thousand steps of twelve numbers each knows a factor to a few percent.
    assert distance(gdlab.scale_by_kl_factors(0.998)) < 0.15
    assert distance(gdlab.scale_by_kronecker_roots(0.998)) > 1


def test_turning_the_coordinates_turns_the_path_and_scaling_the_loss_changes_nothing():
    left, right = (np.linalg.qr(RANDOM.normal(size=(n, n)))[0] for n in (4, 3))
    # With eigenvectors at each step; in between their order and sign in a null space would count.
    turned = path(left @ GRADS @ right, left @ MATRIX @ right, every=1)
    agree(turned, left @ path(every=1) @ right, rtol=1e-9, atol=1e-10)
    agree(path(1e4 * GRADS), path(), rtol=1e-9, atol=1e-10)


def test_first_factors_have_one_size_whose_product_is_that_of_the_squares():
    tx = gdlab.scale_by_kl_factors()
    for size in (1e-3, 1e3):
        _, state = tx.update(jnp.asarray(size * GRADS[0]), tx.init(jnp.asarray(MATRIX)))
        means = [float(jnp.trace(factor[0])) / len(factor[0]) for factor in state.factors]
        agree(np.prod(means), size**2 * np.mean(GRADS[0] ** 2))
        agree(means[0], means[1])


def test_gradients_of_zero_at_first_are_no_gradients():
    late = np.concatenate([np.zeros((1, 4, 3)), GRADS[:-1]])
    updates = steps_of(path(late, every=1, b1=0.0), MATRIX)
    later = gdlab_path(
        lambda lr: gdlab.kl_shampoo(lr, 0.0, eps=1e-2, every=1, relative_eps=True),
        RATES[1:],
        GRADS[:-1],
        MATRIX,
    )
    agree(updates[0], np.zeros((4, 3)))
    agree(updates[1:], steps_of(later, MATRIX), atol=1e-12)


def test_a_vector_is_divided_by_the_root_of_its_average_of_squares():
    rms = lambda lr: gdlab.chain(  # noqa: E731
        gdlab.scale_by_kl_factors(0.95, 0.0), gdlab.scale_by_learning_rate(lr)
    )
    ours = steps_of(gdlab_path(rms, RATES, GRADS[:, 0], MATRIX[0]), MATRIX[0])
    mean = GRADS[0, 0] ** 2
    for step, gradient in enumerate(GRADS[:, 0]):
        mean = 0.95 * mean + 0.05 * gradient**2
        agree(ours[step], -RATES[step] * gradient / np.sqrt(mean))
