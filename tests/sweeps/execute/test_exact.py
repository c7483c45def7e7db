"""A lane of a grid against the sweep of that lane alone: bit for bit if asked, else to rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    Axis,
    Resources,
    SuccessiveHalving,
    adam,
    sgd,
    sweep,
)
from tests.sweeps.counting import executed

STEPS = 25
EPS = np.finfo(np.float32).eps
TERMS = 24
"""How many the longest sum in a step has: the squared errors, of three outputs for eight inputs."""
RATES = [0.003, 0.01, 0.03, 0.1, 0.2]


def network(params, batch):
    x, y = batch
    hidden = jnp.tanh(x @ params["in"] + params["bias"])
    return jnp.mean((hidden @ params["out"] - y) ** 2)


def init(key):
    first, second = jax.random.split(key)
    return {
        "in": jax.random.normal(first, (6, 7)) / 3,
        "bias": jnp.zeros(7),
        "out": jax.random.normal(second, (7, 3)) / 3,
    }


def evaluate(params):
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, 6)).astype(np.float32)
    return x, np.stack([x[:, 0], x[:, 1] * x[:, 2], np.sin(x[:, 3])], 1).astype(np.float32)


OPTIMIZERS = {
    "momentum": lambda rate: sgd(rate, 0.9),
    "adam": lambda rate: adam(rate),
}


def run(make, data, rates=RATES, seeds=(0, 1, 2), **arguments):
    return sweep(
        network, init, make(Axis("rate", rates)), data,
        **{
            "steps": STEPS, "batch_size": 8, "seeds": list(seeds), "keep_params": "all",
            "evaluate": evaluate,
        } | arguments,
    )  # fmt: skip


def assert_same_bits(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.fixture(scope="module", params=OPTIMIZERS)
def alone(request, data):
    """Each lane by itself, in a sweep that is not told to be exact: there is nothing beside it."""
    make = OPTIMIZERS[request.param]
    return make, {
        (i, seed): run(make, data, [RATES[i]], [seed]) for i in range(5) for seed in range(3)
    }


@pytest.mark.parametrize(
    ("places", "seeds"),
    [(range(5), range(3)), ([3, 0], [2, 1]), ([4], [0, 1, 2]), (range(5), [1])],
)
def test_exact_lanes_are_those_alone_bit_for_bit(alone, data, monkeypatch, places, seeds):
    make, lanes = alone
    with executed(monkeypatch) as noted:
        together = run(
            make,
            data,
            [RATES[i] for i in places],
            seeds,
            resources=Resources(exact=True),
        )
    # Some of them would come out alike also if they were computed together.
    assert noted.shapes == [(1, 1)]
    for a, place in enumerate(places):
        for b, seed in enumerate(seeds):
            lane = lanes[place, seed]
            assert_same_bits(together.loss[a, b], lane.loss[0, 0])
            assert_same_bits(together.metrics["evaluate"][a, b], lane.metrics["evaluate"][0, 0])
            for name, leaf in together.params.items():
                assert_same_bits(leaf[a, b], np.asarray(lane.params[name])[0, 0])


def test_exact_survivors_of_halving_are_those_alone_bit_for_bit(alone, data):
    make, lanes = alone
    policy = SuccessiveHalving(factor=2, rungs=[5, 10])
    result = run(make, data, resources=Resources(exact=True), policy=policy)
    left = np.argwhere(result.status == "ok")
    assert len(left) == 2 * 3
    for i, seed in left:
        # Its steps are taken in three calls instead of one.
        assert_same_bits(result.loss[i, seed], lanes[i, seed].loss[0, 0])


def test_lanes_together_differ_from_each_alone_by_rounding_only(alone, data):
    """Sums in another order part by a unit in the last place for each term, at most.

    What a step adds neither dies out nor grows much in these runs.
    """
    make, lanes = alone
    together = run(make, data)
    assert set(together.status.ravel()) == {"ok"}
    apart = np.array([[lanes[i, seed].loss[0, 0] for seed in range(3)] for i in range(5)])
    difference = np.abs(together.loss - apart) / apart
    assert (difference <= TERMS * EPS * np.arange(1, STEPS + 2)).all()
    for name, leaf in together.params.items():
        for i, seed in np.ndindex(5, 3):
            one, other = leaf[i, seed], np.asarray(lanes[i, seed].params[name])[0, 0]
            assert np.abs(one - other).max() <= TERMS * STEPS * EPS * np.abs(other).max()
