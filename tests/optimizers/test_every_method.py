"""Every public method is swept over each of its numbers, and analysed or refused."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import Axis, analysis, hyperparameters, set_hyperparameters, sweep
from tests.contract import EXAMPLES

METHODS = [
    pytest.param(EXAMPLES[name][0].tx, id=name)
    for name in gdlab.__all__
    if getattr(getattr(gdlab, name), "__module__", "").startswith("gdlab.optimizers")
    and not name.startswith("scale_by")
    and name in EXAMPLES
]
pytestmark = pytest.mark.slow
every = pytest.mark.parametrize("tx", METHODS)

PARAMS = {
    "matrix": jnp.array([[1.0, -0.5, 0.25], [0.5, 2.0, -1.0]]),
    "vector": jnp.array([1.0, -1.0]),
}


def loss(params, key):
    del key  # asked for, so that methods that draw are given one
    return sum(jnp.sum((w - 0.5) ** 2) for w in jax.tree.leaves(params))


@every
def test_each_number_of_a_method_is_an_axis_of_a_sweep(tx):
    numbers = hyperparameters(tx)
    points = 1 + len(numbers)
    # Number k is changed at point k, and none at the last one.
    values = {
        path: Axis(
            path, [value * (0.97 if at == k else 1.0) for at in range(points)], along="point"
        )
        for k, (path, value) in enumerate(numbers.items())
    }
    swept = set_hyperparameters(tx, values)
    result = sweep(loss, PARAMS, swept, steps=3, key=jax.random.key(0), progress=False)
    assert result.loss.shape[0] == points
    assert np.isfinite(np.asarray(result.loss)).all()


@every
@pytest.mark.x64(rank_promotion="allow")
def test_stable_range_of_the_learning_rate_is_a_number_or_a_refusal_with_a_reason(tx):
    if "learning_rate" not in inspect.signature(tx.factory.public).parameters:
        pytest.skip("it has no learning rate")
    refusal = "nothing"
    try:
        least, most = analysis.stable_range(tx, 1.0, "learning_rate")
    except (ValueError, TypeError) as error:
        refusal = str(error)
    # A reason is a sentence.
    assert len(refusal.split()) > 5 or 0 <= least <= most
