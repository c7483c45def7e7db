"""Bytes moved by compiled steps, in words of four bytes for each parameter, and temporaries.

The counts are those of the compiled program. Where fusion may differ they are bounds.
"""

import collections
import re

import jax
import jax.numpy as jnp
import optax
import pytest

import gdlab

SHAPE = (500, 2000)
ELEMENTS = 10**6
WELL_FUSED = pytest.mark.skipif(
    jax.__version_info__ < (0, 10, 1), reason="the XLA of JAX before 0.10.1 fuses norms less"
)


def compiled(library, tx):
    """A donated step."""

    def step(params, state, gradient):
        updates, state = tx.update(gradient, state, params)
        return library.apply_updates(params, updates), state

    params = jax.ShapeDtypeStruct(SHAPE, jnp.float32)
    arguments = params, jax.eval_shape(tx.init, params), params
    return jax.jit(step, donate_argnums=(0, 1)).lower(*arguments).compile()


def counts(library, tx):
    """The words moved and the words of temporaries, for each parameter, of a donated step."""
    program = compiled(library, tx)
    cost, memory = program.cost_analysis(), program.memory_analysis()
    if not cost or "bytes accessed" not in cost or memory is None:
        pytest.skip(f"the backend {jax.default_backend()} tells no costs of a program")
    return cost["bytes accessed"] / 4 / ELEMENTS, memory.temp_size_in_bytes / 4 / ELEMENTS


METHODS = {
    "sgd": lambda library: library.sgd(0.1),
    "momentum": lambda library: library.sgd(0.1, 0.9),
    "adamw": lambda library: library.adamw(1e-3),
    "nesterov": lambda library: library.sgd(0.1, 0.9, nesterov=True),
    "adam": lambda library: library.adam(1e-3),
    "nadam": lambda library: library.nadam(1e-3),
    "adagrad": lambda library: library.adagrad(0.1),
    "rmsprop": lambda library: library.rmsprop(0.1),
    "amsgrad": lambda library: library.amsgrad(1e-3),
    "adamax": lambda library: library.adamax(1e-3),
    "radam": lambda library: library.radam(1e-3),
    "adadelta": lambda library: library.adadelta(0.1),
    "adabelief": lambda library: library.adabelief(1e-3),
}
STORING = {
    "lion": lambda library: library.lion(1e-3),
}
"""Methods whose update reads what a kernel before it has replaced, so that XLA keeps one array."""
PLAIN = ("momentum", "adamw")


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
@pytest.mark.parametrize(
    "name",
    [name if name in PLAIN else pytest.param(name, marks=pytest.mark.slow) for name in METHODS],
)
def test_a_step_moves_no_more_words_than_that_of_optax_and_stores_nothing(name):
    words, temporaries = counts(gdlab, METHODS[name](gdlab))
    assert words <= counts(optax, METHODS[name](optax))[0] + 0.01
    assert temporaries < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", STORING)
def test_a_step_that_stores_an_array_takes_no_more_than_that_of_optax(name):
    ours, theirs = (counts(library, STORING[name](library)) for library in (gdlab, optax))
    assert ours[0] <= theirs[0] + 0.01
    assert ours[1] <= theirs[1] + 0.01


def kernels(library, tx):
    """The kernels that work on whole arrays, as so many steps of arithmetic of each kind."""
    text = compiled(library, tx).as_text()
    rows, columns = SHAPE
    operation = re.compile(rf"= f32\[{rows},{columns}\]\S* (add|multiply|divide|sqrt|select)\(")
    fused = re.findall(r"^%fused\S* \(.*?^}", text, re.MULTILINE | re.DOTALL)
    found = (frozenset(collections.Counter(operation.findall(one)).items()) for one in fused)
    return collections.Counter(filter(None, found))


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_the_kernels_of_adam_are_those_of_optax_but_for_a_bound_on_gradients():
    if jax.default_backend() != "cpu":
        pytest.skip("elsewhere all results are one kernel")
    ours, theirs = (kernels(library, library.adam(1e-3)) for library in (gdlab, optax))
    assert ours == theirs
    assert ours.total() == 3


@pytest.mark.slow
def test_adadelta_takes_its_step_from_what_it_has_not_replaced():
    # Three words for the one mean, four for the other, and five for the parameters.
    assert counts(gdlab, gdlab.adadelta(0.1))[0] <= 12.01


@pytest.mark.slow
def test_the_second_moment_of_adabelief_is_computed_once():
    # Three words for the first moment, four for the second, and four for the parameters.
    assert counts(gdlab, gdlab.adabelief(1e-3))[0] <= 11.01


@WELL_FUSED
def test_clipping_by_the_global_norm_stores_nothing():
    tx = gdlab.chain(gdlab.clip_by_global_norm(1.0), gdlab.adamw(1e-3))
    words, temporaries = counts(gdlab, tx)
    # AdamW itself, a sum of squares, and in the worst case a maximum and another sum.
    assert words <= counts(gdlab, gdlab.adamw(1e-3))[0] + 3.01
    assert temporaries < 0.01


@WELL_FUSED
@pytest.mark.slow
@pytest.mark.parametrize(
    "tx",
    [gdlab.clip_by_norm(1.0), gdlab.clip_by_block_rms(1.0), gdlab.normalize()],
    ids=repr,
)
def test_a_bound_on_a_norm_stores_nothing(tx):
    assert counts(gdlab, tx)[1] < 0.01
