"""A physics-informed network, minimized by L-BFGS with a line search."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.runs import Run, assert_alike

pytestmark = [
    pytest.mark.slow,
    pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard"),
]

STEPS, POINTS = 60, 24


class Solution(eqx.Module):
    """A network as a function on [0, 1] that is 0 at both ends."""

    net: eqx.nn.MLP

    def __init__(self, key):
        self.net = eqx.nn.MLP("scalar", "scalar", 12, 2, jnp.tanh, key=key)

    def __call__(self, x):
        return x * (1 - x) * self.net(x)


def exact(x):
    return jnp.sin(jnp.pi * x) * x


def loss(solution):
    """The mean squared residual of Poisson's equation u″ = f, with the f that exact solves."""
    x = jnp.linspace(0, 1, POINTS)
    second = lambda u: jax.vmap(jax.grad(jax.grad(u)))(x)  # noqa: E731
    return jnp.mean((second(solution) - second(exact)) ** 2)


def train(optax):
    params, functions = eqx.partition(Solution(jax.random.key(0)), eqx.is_inexact_array)
    value_fn = lambda params: loss(eqx.combine(params, functions))  # noqa: E731
    solver = optax.lbfgs(memory_size=10)
    state = solver.init(params)
    value_and_grad = optax.value_and_grad_from_state(value_fn)

    @jax.jit
    def step(params, state):
        value, grad = value_and_grad(params, state=state)
        updates, state = solver.update(
            grad, state, params, value=value, grad=grad, value_fn=value_fn
        )
        return optax.apply_updates(params, updates), state, value

    losses = []
    for _ in range(STEPS):
        params, state, value = step(params, state)
        losses.append(value)
    return Run(jnp.stack(losses), eqx.combine(params, functions))


def in_own_words():
    run = gdlab.minimize(loss, Solution(jax.random.key(0)), gdlab.lbfgs(), STEPS)
    return Run(run.values[:-1], run.params)


def until_solved():
    return gdlab.minimize(loss, Solution(jax.random.key(0)), gdlab.lbfgs(), 500, tol=0.05)


def largest_error(solution):
    x = jnp.linspace(0, 1, 101)
    return jnp.max(jnp.abs(jax.vmap(solution)(x) - exact(x)))


def test_a_physics_informed_network_solves_its_equation_under_either_import_and_in_own_words():
    theirs, with_gdlab = train(optax), train(moved)
    own = in_own_words()
    assert_alike(with_gdlab, own)
    # The first trials of these steps are accepted. Then the searches choose other trials.
    np.testing.assert_allclose(own.losses[:3], theirs.losses[:3], rtol=1e-9)
    for run in (theirs, own):
        assert run.losses[-1] < 1e-3 * run.losses[0]
        assert largest_error(run.params) < 1e-2


def test_it_is_minimized_until_the_gradient_is_small():
    run = until_solved()
    assert run.outcome == gdlab.Outcome.CONVERGED
    assert run.steps < 100
    grads = jax.tree.leaves(eqx.filter_grad(loss)(run.params))
    assert max(jnp.abs(grad).max() for grad in grads) <= 0.05
