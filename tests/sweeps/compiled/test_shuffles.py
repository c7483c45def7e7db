"""How often the examples are shuffled: once an epoch, however many calls the steps are taken in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, Resources, SuccessiveHalving, sgd, sweep
from gdlab.progress import call_length
from gdlab.training import EpochSampler

DATA = np.arange(12.0, dtype=np.float32)
STEPS, BATCH = 20, 3
EPOCHS = 6
"""Of 4 batches each, with the one that judges the last point."""


@pytest.fixture
def shuffles(monkeypatch):
    """Notes the step of every shuffling that is executed."""
    steps, order = [], EpochSampler.order

    def noted(self, key, step):
        jax.debug.callback(lambda step: steps.append(int(step)), step)
        return order(self, key, step)

    monkeypatch.setattr(EpochSampler, "order", noted)
    yield steps
    jax.clear_caches()  # of programs that note


def trained(rates=(0.01, 0.02), **arguments):
    def loss(w, batch):
        return jnp.mean((w - batch) ** 2)

    given = {"steps": STEPS, "batch_size": BATCH, "progress": False} | arguments
    result = sweep(loss, 0.0, sgd(Axis("learning_rate", list(rates))), DATA, **given)
    jax.effects_barrier()
    return result


@pytest.mark.sampled(2)
@pytest.mark.parametrize("first", [1, 3, 8, 100])
def test_the_examples_are_shuffled_once_an_epoch_however_short_the_calls(
    shuffles, monkeypatch, first
):
    monkeypatch.setattr(call_length, "FIRST_STEPS", first)
    monkeypatch.setattr(call_length, "SECONDS_PER_CALL", 0.0)
    trained(seeds=[0])
    assert len(shuffles) == EPOCHS
    assert [step // 4 for step in shuffles] == list(range(EPOCHS))


def test_data_that_are_one_batch_are_never_shuffled(shuffles):
    trained(batch_size=len(DATA))
    trained(batch_size=None)
    assert not shuffles


def test_groups_and_rungs_see_the_same_batches_as_lanes_that_are_computed_together():
    halving = SuccessiveHalving(factor=2, rungs=[6, 9])
    rates = [1e9, 0.01, 0.02, 1e10, 0.03, 0.04]  # some groups have no lane left to train
    for more in ({}, {"policy": halving}):
        together = trained(rates, seeds=2, **more)
        apart = trained(rates, seeds=2, resources=Resources(lane_chunk=2), **more)
        np.testing.assert_array_equal(apart.status, together.status)
        np.testing.assert_allclose(apart.loss, together.loss, rtol=1e-5)
