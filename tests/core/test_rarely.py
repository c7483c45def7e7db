"""Work that is due at some steps only: counted where it is executed, in lanes as well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import Axis, accumulate, rarely, sweep


class Executions:
    """Counts the lanes for which something was executed."""

    def __init__(self):
        self.times = 0

    def __call__(self, x):
        jax.debug.callback(self._count, x)
        return x

    def _count(self, _):
        self.times += 1


@pytest.fixture
def executions():
    return Executions()


def run_of(executions, every, steps):
    def step(total, count):
        work = lambda total: executions(total) + 1.0  # noqa: E731
        return rarely(count % every == 0, work, lambda total: total, total), None

    return jax.lax.scan(step, jnp.zeros(()), jnp.arange(steps))[0]


@pytest.mark.parametrize("every", [1, 3, 10])
def test_without_lanes_it_is_done_when_it_is_due(executions, every):
    total = jax.jit(lambda: run_of(executions, every, 20))()
    jax.effects_barrier()
    assert executions.times == total == -(-20 // every)


@pytest.mark.parametrize("every", [1, 4, 10])
def test_in_lanes_whose_counts_are_their_own_it_is_done_when_any_is_due(executions, every):
    def step(state, _):
        total, count = state
        work = lambda total: executions(total) + 1.0  # noqa: E731
        total = rarely(count % every == 0, work, lambda total: total, total)
        return (total, count + 1), None

    # Each lane carries its count, so that the predicate has the axis of the lanes.
    lanes = jax.vmap(lambda start: jax.lax.scan(step, (start, jnp.int32(0)), None, 20)[0][0])
    totals = jax.jit(lanes)(jnp.arange(4.0))
    jax.effects_barrier()
    due = -(-20 // every)
    np.testing.assert_array_equal(totals, jnp.arange(4.0) + due)
    assert executions.times == 4 * due


def test_lanes_that_are_not_due_keep_what_they_had():
    step = lambda count, x: rarely(count % 3 == 0, lambda x: x + 100, lambda x: x + 1, x)  # noqa: E731
    counts, x = jnp.arange(6), jnp.arange(6.0)
    expected = np.where(np.arange(6) % 3 == 0, np.arange(6) + 100, np.arange(6) + 1)
    np.testing.assert_array_equal(jax.vmap(step)(counts, x), expected)
    np.testing.assert_array_equal(jax.jit(jax.vmap(step))(counts, x), expected)
    nested = jax.vmap(jax.vmap(step, (0, None)), (None, 0))(counts, x)
    table = np.where(np.arange(6) % 3 == 0, x[:, None] + 100, x[:, None] + 1)
    np.testing.assert_array_equal(nested, table)
    both = jax.vmap(jax.vmap(step))(counts.reshape(2, 3), x.reshape(2, 3))
    np.testing.assert_array_equal(both.ravel(), expected)


def test_what_it_closes_over_may_differ_between_lanes():
    def step(factor, count):
        return rarely(count == 0, lambda: factor * jnp.ones(2), lambda: factor * jnp.zeros(2))

    out = jax.vmap(step)(jnp.array([2.0, 3.0]), jnp.array([0, 1]))
    np.testing.assert_array_equal(out, [[2.0, 2.0], [0.0, 0.0]])


@pytest.mark.parametrize("due", [True, False])
def test_derivatives_are_those_of_a_branch_in_any_order_of_vmap_and_grad(due):
    def f(x, due):
        return rarely(due, jnp.sin, lambda x: x**2, x)

    slope = np.cos(0.7) if due else 1.4
    flag = jnp.array(due)
    np.testing.assert_allclose(jax.grad(f)(0.7, flag), slope, rtol=1e-6)
    xs, flags = jnp.array([0.7, 0.2]), jnp.array([due, not due])
    expected = [slope, np.cos(0.2) if not due else 0.4]
    np.testing.assert_allclose(jax.vmap(jax.grad(f))(xs, flags), expected, rtol=1e-6)
    total = lambda xs: jnp.sum(jax.vmap(f)(xs, flags))  # noqa: E731
    np.testing.assert_allclose(jax.grad(total)(xs), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(lambda x: f(x, flag))(0.7), slope, rtol=1e-6)


@pytest.mark.parametrize("other", [lambda x: (x,), lambda x: {"a": x}, lambda x: x.astype(int)])
def test_results_of_different_types_are_refused(other):
    with pytest.raises(TypeError, match=r"same structure|equal output types"):
        rarely(True, lambda x: x, other, jnp.ones(2))


def test_accumulation_in_a_sweep_runs_the_inner_method_at_every_kth_step(executions):
    @gdlab.transformation
    def watched(rate: gdlab.Hyperparameter):
        def update(updates):
            return jax.tree.map(lambda u: -rate * executions(u), updates)

        return update

    rates = [0.1, 0.2, 0.3]
    tx = accumulate(watched(Axis("rate", rates)), 5)
    start = jnp.ones(2)
    result = sweep(lambda w: 0.5 * jnp.sum(w**2), start, tx, steps=20, key=jax.random.key(0))
    jax.effects_barrier()
    # Every fifth of 20 steps in three lanes; the step that judges the last points is not due.
    assert executions.times == 3 * 20 // 5
    # Between two updates the gradient is constant, so each is a step of gradient descent.
    expected = [0.5 * 2 * (1 - rate) ** (2 * 4) for rate in rates]
    np.testing.assert_allclose(result.final_loss.ravel(), expected, rtol=1e-5)
