"""Exported programs that take an optimizer: one artefact for every learning rate."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import adam, apply_updates, chain, clip, linear_schedule, sgd

pytest.importorskip("flatbuffers")

PARAMS = {"w": jnp.array([1.0, -2.0, 3.0])}


def step(tx, params, state, gradient):
    updates, state = tx.update(gradient, state, params)
    return apply_updates(params, updates), state


OPTIMIZERS = [
    sgd(0.1, 0.9),
    chain(clip(1.0), gdlab.adamw(linear_schedule(0.1, 0.0, 10), mask="w")),
    gdlab.nadam(0.1, momentum_decay=0.004),
    chain(adam(0.1), gdlab.params_ema(0.9)),
    gdlab.named_chain(("clip", clip(1.0)), ("descend", adam(0.1, mu_dtype="bfloat16"))),
]


@pytest.mark.parametrize("tx", OPTIMIZERS, ids=repr)
def test_a_program_comes_back_and_serves_other_numbers(tx):
    state = tx.init(PARAMS)
    exported = jax.export.export(jax.jit(step))(tx, PARAMS, state, PARAMS)
    back = jax.export.deserialize(exported.serialize())
    for factor in (1.0, 0.5):
        other = jax.tree.map(lambda number: factor * number, tx)  # noqa: B023
        params, _ = back.call(other, PARAMS, state, PARAMS)
        expected, _ = step(other, PARAMS, state, PARAMS)
        np.testing.assert_allclose(params["w"], expected["w"], rtol=1e-6)


SERVE = """
import sys, jax, jax.numpy as jnp
from gdlab import adam, linear_schedule
step = jax.export.deserialize(open(sys.argv[1], "rb").read())
params = {"w": jnp.array([1.0, -2.0, 3.0])}
for rate in (0.1, 0.4):
    tx = adam(linear_schedule(rate, 0.0, 10))
    print(step.call(tx, params, tx.init(params), params)[0]["w"].tolist())
"""


def test_another_process_runs_it(tmp_path):
    tx = adam(linear_schedule(0.2, 0.0, 10))
    file = tmp_path / "step.bin"
    exported = jax.export.export(jax.jit(step))(tx, PARAMS, tx.init(PARAMS), PARAMS)
    file.write_bytes(exported.serialize())
    out = subprocess.run(
        [sys.executable, "-c", SERVE, str(file)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for rate, line in zip((0.1, 0.4), out, strict=True):
        np.testing.assert_allclose(eval(line), np.array([1 - rate, -2 + rate, 3 - rate]), rtol=1e-4)


def test_structure_that_cannot_be_written_is_named():
    tx = gdlab.fork(lambda a, b: a + b, clip(1.0), clip(2.0))
    exported = jax.export.export(jax.jit(step))(tx, PARAMS, tx.init(PARAMS), PARAMS)
    with pytest.raises(ValueError, match=r"lambda.* has no name under which it can be imported"):
        exported.serialize()
