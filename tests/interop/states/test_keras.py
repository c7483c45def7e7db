"""Training that Keras has begun and gdlab goes on with, and the other way round."""

import contextlib
import os
import warnings

import jax
import numpy as np
import pytest

from gdlab.interop import from_keras, to_keras
from tests.interop.states.runs import (
    STEPS,
    agree,
    as_jax,
    as_numpy,
    assert_same_bits,
    go_on,
    grads_of,
    start_of,
)
from tests.oracles import METHODS
from tests.oracles.method import GRADS, LEARNING_RATE
from tests.paths import per_step


def imported():
    """Keras on JAX; it warns of NumPy."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings(action="ignore"):
        return pytest.importorskip("keras", reason="keras is not installed")


keras = imported()


@contextlib.contextmanager
def keras_in(dtype):
    """Let Keras make its variables of a dtype, and mix dtypes as it does."""
    default = keras.config.floatx()
    keras.config.set_floatx(np.dtype(dtype).name)
    try:
        with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        keras.config.set_floatx(default)


class Theirs:
    """A run of one of Keras's optimizers along given gradients and learning rates."""

    def __init__(self, make, params, dtype=np.float64):
        self.dtype, self.names = dtype, list(params)
        with keras_in(dtype):
            self.variables = [keras.Variable(w, name=name) for name, w in params.items()]
            self.optimizer = make(keras.optimizers)
            self.optimizer.build(self.variables)

    def go(self, start, steps):
        """The points of these steps, by name."""
        points = []
        with keras_in(self.dtype):
            for step in range(start, start + steps):
                self.optimizer.learning_rate = float(LEARNING_RATE[step])
                self.optimizer.apply(
                    [
                        keras.ops.convert_to_tensor(GRADS[name][step], dtype=self.dtype)
                        for name in self.names
                    ]
                )
                points.append(self.params())
        return {name: np.array([point[name] for point in points]) for name in self.names}

    def params(self):
        return {
            name: np.array(variable.value)
            for name, variable in zip(self.names, self.variables, strict=True)
        }

    def load(self, values):
        with keras_in(self.dtype):
            self.optimizer.load_own_variables(values)


def moves_there_and_back(name, k, rtol, dtype=np.float64):
    """Move after k steps of Keras, and back after some steps of gdlab; compare all points."""
    method = METHODS[name]
    tx = method.gdlab(per_step(LEARNING_RATE))
    params = start_of(method, dtype)
    theirs = Theirs(method.keras, params, dtype)
    theirs.go(0, k)
    here = as_jax(theirs.params())
    state = from_keras(theirs.optimizer, list(params), tx=tx, params=here)
    path, state = go_on(tx, here, state, grads_of(params, k, dtype))
    agree(path, theirs.go(k, STEPS), rtol)

    end = {name: path[name][-1] for name in params}
    where = {"tx": tx, "params": end}
    again = Theirs(method.keras, as_numpy(end), dtype)
    back = to_keras(state, list(params), like=again.optimizer, count=k + STEPS, **where)
    again.load(back)
    # gdlab keeps the variance, and Muon's average, where Keras has the square and the sum.
    rounded = ("variance", "mu") if "muon" in name else ("variance",)
    assert_same_bits(state, from_keras(again.optimizer, list(params), **where), rounded)
    agree(again.go(k + STEPS, STEPS), theirs.go(k + STEPS, STEPS), rtol)


WITH_KERAS = [
    name for name, method in METHODS.items() if method.keras and "schedule_free" not in name
]
PLAIN = ("adam in three links", "sgd with the learning rate inside the momentum")


@pytest.mark.x64
@pytest.mark.parametrize("k", [0, 1, 37])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in PLAIN else pytest.mark.slow) for n in WITH_KERAS]
)
def test_run_that_is_moved_goes_as_one_that_is_not(name, k):
    moves_there_and_back(name, k, METHODS[name].rtol)
