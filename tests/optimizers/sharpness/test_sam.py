"""What the sharpness-aware methods are at special numbers, and what they are invariant to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, differ, path_down

START = np.array([1.0, -2.0, 0.5])
TILT = np.array([0.3, -0.1, 0.2])
CURVATURES = np.array([0.5, 1.0, 4.0])
inner = gdlab.sgd(0.05, 0.8)


def gradient(w):
    return w + w**3 + jnp.sum(w) + TILT


def path(tx, grad_fn=gradient):
    return np.asarray(path_down(tx, grad_fn, jnp.asarray(START), 20))


@pytest.mark.sampled(3)
@pytest.mark.x64
@pytest.mark.parametrize(
    ("tx", "simpler"),
    [
        (gdlab.sam(inner, 0.0), inner),
        (gdlab.asam(inner, 0.0), inner),
        (gdlab.gsam(inner, 0.3, 0.0), gdlab.sam(inner, 0.3)),
        (gdlab.wsam(inner, 0.3, 0.5), gdlab.sam(inner, 0.3)),
        (gdlab.wsam(inner, 0.3, 0.0), inner),
        (gdlab.wsam(inner, 0.3, 0.0, sharpness_learning_rate=0.05), inner),
        (gdlab.looksam(inner, 0.3, every=1), gdlab.sam(inner, 0.3)),
        (gdlab.friendly_sam(inner, 0.3, sigma=0.0), gdlab.sam(inner, 0.3)),
    ],
)
def test_it_is_a_simpler_method_at_special_numbers(tx, simpler):
    agree(path(tx), path(simpler))


@pytest.mark.x64
def test_gradient_is_that_at_the_worst_point_of_the_ball():
    tx, w = gdlab.sam(gdlab.sgd(1.0), 0.3), jnp.asarray(START)
    updates, _ = tx.update(gradient(w), tx.init(w), w, grad_fn=gradient)
    g = gradient(w)
    agree(updates, -gradient(w + 0.3 * g / jnp.linalg.norm(g)))


@pytest.mark.x64
def test_to_first_order_the_gradient_is_that_of_the_loss_plus_the_radius_times_its_slope():
    def loss(w):
        return jnp.sum(CURVATURES * w**2) / 2 + jnp.sum(w**4) / 4

    grad_fn, w = jax.grad(loss), jnp.asarray(START)

    def sharp(rho):
        tx = gdlab.gradient_at(gdlab.ascent(rho))
        return tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn)[0]

    slope = jax.grad(lambda w: jnp.linalg.norm(grad_fn(w)))(w)
    agree(jax.jacfwd(sharp)(0.0), slope)


@pytest.mark.x64
def test_scale_of_the_loss_does_not_change_the_displacement():
    g = jnp.asarray(START)
    for probe in (gdlab.ascent(0.3), gdlab.adaptive_ascent(0.3)):
        move = lambda g: probe.update(g, probe.init(g), jnp.asarray(TILT))[0]  # noqa: B023, E731
        agree(move(1e-9 * g), move(g))


@pytest.mark.x64
def test_on_a_valley_of_scales_the_adaptive_displacement_is_scaled_as_the_weights_are():
    scales = np.array([10.0, 0.1, 3.0])
    rescaled = lambda w: gradient(w * scales) * scales  # noqa: E731
    probes = {
        name: (
            probe.update(gradient(jnp.asarray(START)), probe.init(START), jnp.asarray(START))[0],
            probe.update(
                rescaled(jnp.asarray(START / scales)),
                probe.init(START),
                jnp.asarray(START / scales),
            )[0],
        )
        for name, probe in {
            "adaptive": gdlab.adaptive_ascent(0.5, 0.0),
            "plain": gdlab.ascent(0.5),
        }.items()
    }
    plain, adaptive = probes["plain"], probes["adaptive"]
    agree(adaptive[1] * scales, adaptive[0])
    assert differ(plain[1] * scales, plain[0])


@pytest.mark.x64
def test_parts_that_gsam_and_looksam_add_are_orthogonal_to_what_they_are_added_to():
    g, sharp = jnp.asarray(START), jnp.asarray([2.0, 1.0, -1.0])
    adversary = gdlab.chain(gdlab.scale(0.0), gdlab.shift(1.0))  # it makes (1, 1, 1)
    tx = gdlab.close_surrogate_gap(adversary, 0.4)
    updates, _ = tx.update(g, tx.init(g), g)
    agree(jnp.sum(updates - 1), 0.0)
    looking = gdlab.reuse_vertical(adversary, every=2, alpha=0.7)
    first, state = looking.update(g, looking.init(g), g)
    agree(first, 1.0)
    second, _ = looking.update(sharp, state, g)
    vertical = second - sharp
    agree(jnp.sum(vertical * g), 0.0)
    agree(jnp.linalg.norm(vertical), 0.7 * jnp.linalg.norm(sharp))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("radius", [1e-3, 0.3])
def test_looksam_adds_nothing_where_the_adversarial_gradient_is_parallel_to_the_gradient(radius):
    # In float32: of parallel gradients rounding is left.
    w = jnp.asarray(np.random.default_rng(0).normal(size=50), jnp.float32)
    tx = gdlab.looksam(gdlab.sgd(1.0), radius, every=2)
    bowl = lambda w: 3.0 * w  # noqa: E731
    _, state = tx.update(bowl(w), tx.init(w), w, grad_fn=bowl)
    updates, _ = tx.update(bowl(w), state, w, grad_fn=bowl)
    np.testing.assert_allclose(updates, -bowl(w), rtol=1e-6)


def test_adversarial_gradient_is_computed_at_the_due_steps_alone_in_lanes_as_well():
    calls = []

    def counted(w):
        jax.debug.callback(lambda: calls.append(1))
        return w

    tx, w, lanes = gdlab.looksam(gdlab.sgd(0.1), 0.3, every=3), jnp.ones(2), 2

    def step(states, _):
        lane = lambda state: tx.update(w, state, w, grad_fn=counted)  # noqa: E731
        updates, states = jax.vmap(lane)(states)
        return states, updates

    states = jax.tree.map(lambda leaf: jnp.stack([leaf] * lanes), tx.init(w))
    jax.block_until_ready(jax.jit(lambda s: jax.lax.scan(step, s, length=6))(states))
    jax.effects_barrier()
    assert len(calls) == 2


@pytest.mark.parametrize("missing", ["params", "grad_fn"])
def test_it_says_what_it_needs(missing):
    tx = gdlab.sam(gdlab.sgd(0.1))
    given = {"params": jnp.ones(2), "grad_fn": lambda w: w} | {missing: None}
    with pytest.raises(ValueError, match=missing):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)), **given)
