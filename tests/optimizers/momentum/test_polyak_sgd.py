"""Polyak's step size: its distances, its scales, and where optax departs from it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from tests.paths import agree

CURVATURES = np.array([0.1, 1.0, 3.0])


def loss(w):
    return 0.5 * jnp.sum(CURVATURES * w**2)


def path(tx, loss=loss, steps=12, start=(3.0, -2.0, 0.5)):
    """The points of gdlab's transformation, or of optax's.

    They are few: the step size is a quotient of what vanishes, so that each step magnifies the
    rounding of those before.
    """

    def step(carry, _):
        w, state = carry
        value, gradient = jax.value_and_grad(loss)(w)
        updates, state = tx.update(gradient, state, w, value=value)
        return (w + updates, state), w + updates

    w = jnp.array(start)
    return np.asarray(jax.lax.scan(step, (w, tx.init(w)), length=steps)[1])


@pytest.mark.x64
@pytest.mark.parametrize("variant", ["sps", "sps+"])
@pytest.mark.parametrize("f_min", [0.0, 0.3])
def test_it_takes_the_steps_of_optax(variant, f_min):
    settings = {"max_learning_rate": 0.8, "f_min": f_min, "variant": variant}
    with jax.numpy_dtype_promotion("standard"):
        theirs = path(optax.polyak_sgd(**settings))
    agree(path(gdlab.polyak_sgd(**settings)), theirs)


@pytest.mark.x64
def test_scaling_multiplies_the_step_where_that_of_optax_divides_it():
    # At the first step the cap is far away.
    whole, half = (
        path(gdlab.polyak_sgd(100.0, scaling), steps=1)[0] - [3.0, -2.0, 0.5]
        for scaling in (1.0, 0.5)
    )
    agree(half, 0.5 * whole)
    with jax.numpy_dtype_promotion("standard"):
        theirs = path(optax.polyak_sgd(100.0, 0.5), steps=1)[0] - [3.0, -2.0, 0.5]
    agree(theirs, 2 * whole)


@pytest.mark.x64
@pytest.mark.parametrize("scaling", [0.5, 1.0, 2.0])
def test_no_step_on_a_convex_function_leads_away_from_its_minimiser(scaling):
    distances = np.linalg.norm(path(gdlab.polyak_sgd(2.0, scaling), steps=40), axis=1)
    assert np.all(np.diff(distances) <= 1e-12)


@pytest.mark.x64
def test_scale_of_the_loss_does_not_matter_without_the_cap():
    uncapped = gdlab.polyak_sgd(np.inf)
    agree(path(uncapped, lambda w: 1e-9 * loss(w)), path(uncapped))


@pytest.mark.x64
def test_positive_part_stays_where_the_loss_is_below_its_guessed_minimum():
    far_above = {"f_min": 1e3}
    start = np.array([3.0, -2.0, 0.5])
    agree(path(gdlab.polyak_sgd(variant="sps+", **far_above))[-1], start)
    assert np.linalg.norm(path(gdlab.polyak_sgd(**far_above), steps=1)[0]) > np.linalg.norm(start)


def test_squares_of_norms_neither_overflow_nor_vanish():
    tx = gdlab.scale_by_polyak(max_learning_rate=np.inf)
    for size, value in ((1e25, 1e25), (1e-25, 1e-30)):
        g = jnp.array([size, 0.0])
        updates, _ = tx.update(g, tx.init(g), value=jnp.array(value))
        np.testing.assert_allclose(updates[0], value / size, rtol=1e-5)


def test_it_says_what_it_needs():
    g = jnp.ones(2)
    with pytest.raises(ValueError, match="value"):
        gdlab.polyak_sgd().update(g, gdlab.polyak_sgd().init(g), g)
    with pytest.raises(ValueError, match=r"variant must be 'sps' or 'sps\+', not 'max'"):
        gdlab.polyak_sgd(variant="max").init(g)
