"""A scale that falls when the loss no longer does."""

import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib
import pytest

from gdlab import chain, minimize, reduce_on_plateau, sgd

RNG = np.random.default_rng(3)
LOSSES = np.round(np.abs(np.cumsum(RNG.normal(size=60))) + 0.5, 1)


def scales(tx, losses):
    def step(state, loss):
        u, state = tx.update(jnp.ones(1), state, value=loss)
        return state, u[0]

    return jax.lax.scan(step, tx.init(jnp.ones(1)), jnp.asarray(losses, jnp.float32))[1]


@pytest.mark.parametrize(
    "arguments",
    [
        {"patience": 2},
        {"factor": 0.5, "patience": 3, "cooldown": 4},
        {"factor": 0.5, "patience": 2, "accumulation_size": 3, "min_scale": 0.2},
        {"factor": 0.5, "patience": 1, "rtol": 0.2, "atol": 0.1},
    ],
)
@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_it_agrees_with_optax(arguments):
    ours = scales(reduce_on_plateau(**arguments), LOSSES)
    theirs = scales(optax.contrib.reduce_on_plateau(**arguments), LOSSES)
    assert len(np.unique(ours)) > 2
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("cooldown", [0, 3])
def test_it_agrees_with_torch(cooldown):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    # torch reduces after more than so many losses that are no better, and so one later.
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=2, cooldown=cooldown, eps=0.0
    )
    expected = []
    for loss in LOSSES:
        plateau.step(float(np.float32(loss)))
        expected.append(optimizer.param_groups[0]["lr"])
    ours = scales(reduce_on_plateau(factor=0.5, patience=3, cooldown=cooldown), LOSSES)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_a_negative_loss_that_hardly_changes_is_a_plateau_where_for_optax_it_improves():
    losses = np.full(8, -100.0)
    tx = reduce_on_plateau(factor=0.5, patience=3)
    assert scales(tx, losses).tolist() == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    worse = -100 + 0.001 * np.arange(8)
    assert scales(optax.contrib.reduce_on_plateau(factor=0.5, patience=3), worse)[-1] == 1


def test_a_nan_is_no_improvement():
    tx = reduce_on_plateau(factor=0.5, patience=2)
    assert scales(tx, [1.0, np.nan, np.nan, 0.5]).tolist() == [1, 1, 0.5, 0.5]


def test_a_step_that_is_too_long_is_shortened_until_it_converges():
    tx = chain(sgd(2.5), reduce_on_plateau(factor=0.5, patience=3))
    run = minimize(lambda w: 0.5 * jnp.sum(w**2), jnp.ones(1), tx, steps=40)
    assert run.values.max() > 1
    assert run.values[-1] < 1e-6
