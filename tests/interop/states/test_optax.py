"""Runs that change between optax and gdlab on the way, and end where those of one would."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.interop import from_optax, to_optax
from tests.interop.states.optimizers import OPTIMIZERS, parameters, run

# optimistic_adam warns of another name of it, and gdlab has both.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
STEPS = 45
CHANGES = (0, 1, 37)
REPRESENTATIVES = ("adamw", "MultiSteps", "partition", "inject_hyperparams")


def every_optimizer():
    return [
        pytest.param(name, marks=() if name in REPRESENTATIVES else pytest.mark.slow)
        for name in OPTIMIZERS
    ]


def distance(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(jnp.max(jnp.abs(a - b) / (1 + jnp.abs(b)))) for a, b in pairs)


def check_changes(pair, tolerance):
    theirs, ours, start = pair.theirs(), pair.ours(), parameters(pair.leaves)
    in_optax = jax.jit(functools.partial(run, theirs))
    in_gdlab = jax.jit(functools.partial(run, ours))
    like = theirs.init(start)
    end, _ = in_optax(start, like, 0, STEPS)
    end_of_gdlab, _ = in_gdlab(start, ours.init(start), 0, STEPS)
    for change in CHANGES:
        params, state = in_optax(start, like, 0, change)
        carried = from_optax(state, tx=ours, params=params)
        assert jax.tree.structure(carried) == jax.tree.structure(ours.init(start))
        back = to_optax(carried, like, tx=ours, count=change)
        check_return(pair, state, back)
        there, _ = in_gdlab(params, carried, change, STEPS)
        params, state = in_gdlab(start, ours.init(start), 0, change)
        carried = to_optax(state, like, tx=ours, count=change)
        here, _ = in_optax(params, carried, change, STEPS)
        if pair.goes_on:
            assert distance(there, end) < tolerance
            assert distance(here, end_of_gdlab) < tolerance


def check_return(pair, state, back):
    assert jax.tree.structure(back) == jax.tree.structure(state)
    for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(back), strict=True):
        assert (before.dtype, before.shape) == (after.dtype, after.shape)
        if pair.returns:
            np.testing.assert_array_equal(after, before)
        else:
            np.testing.assert_allclose(
                after, before, rtol=4 * jnp.finfo(jnp.result_type(float)).eps
            )


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", every_optimizer())
def test_run_that_changes_library_ends_where_it_would(name):
    check_changes(OPTIMIZERS[name], OPTIMIZERS[name].single)


@pytest.mark.slow
@pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_run_that_changes_library_ends_where_it_would_in_double_precision(name):
    check_changes(OPTIMIZERS[name], OPTIMIZERS[name].double)
