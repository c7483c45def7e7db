"""Sweeps with checkpoints in a folder, unless it is ""; whoever reads along may kill them.

They say on the output what they are about to save, and at the end all results are in a file.
"""

import contextlib
import pathlib
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np

from gdlab import (
    Axis,
    Checkpointing,
    Hyperband,
    Hyperparameter,
    PopulationBasedTraining,
    Resources,
    SuccessiveHalving,
    adam,
    chain,
    sgd,
    sweep,
    transformation,
)
from gdlab.sweeps.execute.lane_programs import LanePrograms
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint
from tests.sweeps.noisy import arrays_of, init, noisy


def squared_error(w, batch):
    x, y = batch
    return jnp.mean((x @ w - y) ** 2)


def with_dropout(w, model_state):
    """The state of the model holds a key, which every step uses up."""
    key, now = jax.random.split(model_state["dropout"])
    kept = jax.random.bernoulli(now, 0.8, w.shape)
    return jnp.sum((w * kept - 1) ** 2), {"dropout": key}


def size(w, *_):
    return jnp.sum(w**2)


@transformation
def noise(scale: Hyperparameter):
    """Add noise to gradients, from a key in the state."""

    def update(updates, state):
        now, state = jax.random.split(state)
        return updates + scale * jax.random.normal(now, updates.shape), state

    return lambda params: jax.random.key(3), update


class Batches:
    """The same batches in the same order, whenever they are asked for."""

    def __iter__(self):
        rng = np.random.default_rng(1)
        while True:
            x = rng.normal(size=(8, 3)).astype(np.float32)
            yield x, x @ WEIGHTS


WEIGHTS = np.array([1.0, -2.0, 0.5], np.float32)
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
rates = Axis("learning_rate", np.geomspace(1e-3, 3.0, 10))

CASES = {
    "keys": {
        "loss": with_dropout,
        "tx": {"noisy": chain(noise(1e-3), sgd(rates)), "adam": adam(rates)},
        "model_state": {"dropout": jax.random.key(7)},
        "seeds": 2,
        "steps": 60,
    },
    "population": {
        "loss": squared_error,
        "tx": sgd(rates, momentum=0.9),
        "data": (X, X @ WEIGHTS),
        "batch_size": 8,
        "policy": PopulationBasedTraining(every=15, fraction=0.4),
        "seeds": 2,
        "resources": Resources(lane_chunk=8),
        "steps": 45,
    },
    "halving": {
        "loss": noisy,
        "tx": adam(rates),
        "policy": SuccessiveHalving(factor=2, rungs=[15, 30]),
        "seeds": 2,
        "steps": 45,
    },
    "loader": {
        "loss": squared_error,
        "tx": sgd(rates),
        "data": Batches(),
        "policy": Hyperband(factor=3, least_steps=12),
        "resources": Resources(lane_chunk=3),
        "steps": 45,
    },
}


@contextlib.contextmanager
def watched():
    """Say what is saved, and count the steps that groups of lanes take."""
    advance, save, taken = LanePrograms.advance, FailsafeCheckpoint.save, []

    def counted(self, group, end, *args):
        taken.append(end - group.steps)
        advance(self, group, end, *args)

    def said(self, name, tree):
        print("saving", name, flush=True)
        save(self, name, tree)

    LanePrograms.advance, FailsafeCheckpoint.save = counted, said
    yield taken
    LanePrograms.advance, FailsafeCheckpoint.save = advance, save


def main(file, folder, *names):
    results = {}
    for name in names or CASES:
        checkpoint = pathlib.Path(folder) / name if folder else None
        with watched() as taken:
            result = sweep(
                **CASES[name],
                params=init,
                evaluate=size,
                keep_params="all",
                progress=False,
                checkpoint=checkpoint and Checkpointing(checkpoint, seconds_between_saves=0),
            )
        print("done", name, sum(taken), flush=True)
        results |= {f"{name}{path}": leaf for path, leaf in arrays_of(result).items()}
    np.savez(file, **results)


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(*sys.argv[1:])
