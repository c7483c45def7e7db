"""A transformation is written as the call that made it, and that call makes it again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import (
    adam,
    chain,
    clip,
    fork,
    identity,
    ratio,
    scale,
    sgd,
    square,
)
from tests.names import NAMES

ROUND_TRIPS = [
    "adam(0.001)",
    "adam(0.1, b2=0.99, mu_dtype='bfloat16')",
    "adam(linear_schedule(0.1, 0.0, 100.0), b1=Axis('b1', array([0.8, 0.9], 'float32')))",
    "adam(array(0.1, 'float32'))",
    "adam({'bias': 0.2, 'kernel': 0.1})",
    "sgd({'body': linear_schedule(0.1, 0.0, 9.0), 'head': constant_schedule(0.5)})",
    "sgd([0.5, (0.25,), ()])",
    "clip(float('inf'))",
    "clip(array([float('inf'), float('-inf'), 1e-40], 'float32'))",
    "clip(array([0.100098, 3.38953e+38], 'bfloat16'))",
    "adamw(0.1, mask={'bias': False, 'kernel': True})",
    "adamw(0.1, mask=['kernel$', '^head'])",
    "masked(sgd(0.1, momentum=0.9, nesterov=True), {'w': array([True, False], 'bool')})",
    "partition({'b': sgd(0.1), 'a': set_to_zero()}, [('head', 'b'), ('', 'a')])",
    "named_chain(('z', clip(1.0)), ('a', adam(0.1)))",
    "chain(fork(ratio(eps=1e-08), ema(0.9), chain(square(), ema(0.999))), identity())",
    "sgd(join_schedules((linear_schedule(0.0, 1.0, 5.0), constant_schedule(9.0)), (5.0,)))",
    "sgd(piecewise_constant_schedule(1.0, boundaries_and_scales={3: 0.5, 7: 0.1}))",
    "apply_if_finite(accumulate(nadam(0.1, momentum_decay=0.004), 4.0))",
]


@pytest.mark.parametrize("source", ROUND_TRIPS)
@pytest.mark.usually(enable_x64="it shows what is float32")
def test_the_source_makes_a_transformation_that_writes_itself_so(source):
    tx = eval(source, NAMES)
    again = eval(repr(tx), NAMES)
    assert repr(tx) == source
    assert jax.tree.structure(again) == jax.tree.structure(tx)
    for one, other in zip(jax.tree.leaves(again), jax.tree.leaves(tx), strict=True):
        np.testing.assert_array_equal(one, other)


def test_defaults_are_left_out_and_positional_arguments_stay_positional():
    assert repr(adam(learning_rate=0.1, b1=0.9, b2=0.5)) == "adam(0.1, b2=0.5)"
    assert repr(chain(scale(-1), identity())) == "chain(scale(-1.0), identity())"
    assert repr(fork(ratio(), identity(), square())) == "fork(ratio(), identity(), square())"


def test_numbers_of_numpy_are_written_and_stored_as_floats():
    tx = sgd(np.float32(0.5), momentum=np.int64(0))
    assert repr(tx) == "sgd(0.5, momentum=0.0)"
    assert [type(leaf) for leaf in jax.tree.leaves(tx)] == [float, float]


@pytest.mark.usually(enable_x64="it shows what is float32")
def test_a_traced_number_is_written_as_what_it_is():
    written = []
    jax.jit(lambda tx: written.append(repr(tx)))(adam(0.1))
    assert written[0].startswith("adam(<traced float32[]>")
    jax.jit(lambda tx: written.append(repr(tx)))(clip(jnp.ones(2)))
    assert written[1] == "clip(<traced float32[2]>)"


def test_a_schedule_is_written_as_its_source_too():
    for source in (
        "linear_schedule(0.0, 1.0, 2.0)",
        "cosine_decay_schedule(1.0, 2.0, alpha=0.5)",
        "join_schedules((linear_schedule(0.0, 1.0, 2.0),), ())",
        "warmup_cosine_decay_schedule(0.0, 1.0, 2.0, 9.0)",
    ):
        assert repr(eval(source, NAMES)) == source


def test_an_argument_that_has_to_be_named_is_named_without_a_default_too():
    @gdlab.leafwise
    def scaled(first: gdlab.Hyperparameter, *, second: gdlab.Hyperparameter):
        return lambda u: first * second * u

    assert repr(scaled(1.0, second=2.0)) == "scaled(1.0, second=2.0)"
