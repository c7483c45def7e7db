"""Each method and each of its conventions against its paper and other libraries: tests.oracles."""

import inspect
import re
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from tests import references as ref
from tests.oracles import FAMILIES, METHODS
from tests.oracles.adaptive import adam_in_three_links
from tests.paths import (
    GRADS,
    LEARNING_RATE,
    PARAMS,
    STEPS,
    agree,
    differ,
    gdlab_path,
    optax_path,
    path_along,
    per_step,
)

pytestmark = pytest.mark.x64


CLASSIC = ("adadelta", "adagrad", "adam", "adamw", "amsgrad", "nadam", "rmsprop", "sgd")
FIRST = {re.match(r"\w+", name).group(): name for name in reversed(METHODS)}
COMPARED_EACH_TIME = {FIRST[name] for name in CLASSIC} | {next(iter(t)) for t in FAMILIES.values()}
"""One convention of each classic method, and of one method of each family, which are compared at
each run; the others are slow together."""


def marks_of(name, library="optax"):
    # optax is always there; the others are asked where they are, which takes its time.
    return () if name in COMPARED_EACH_TIME and library == "optax" else pytest.mark.slow


CONVENTIONS = [pytest.param(name, marks=marks_of(name)) for name in METHODS]
WITH_A_LIBRARY = [
    pytest.param(name, library, marks=marks_of(name, library))
    for name, method in METHODS.items()
    for library in method.libraries()
]


@cache
def our_path(name):
    return METHODS[name].path()


def agree_by_leaf(path, other, rtol):
    assert path.keys() == other.keys()
    for name in path:
        np.testing.assert_allclose(path[name], other[name], rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", CONVENTIONS)
def test_method_takes_the_steps_of_its_paper(name):
    method = METHODS[name]
    agree_by_leaf(our_path(name), method.paper_path(), method.rtol)


@pytest.mark.parametrize(("name", "library"), WITH_A_LIBRARY)
def test_method_takes_the_steps_of_a_library(name, library):
    method = METHODS[name]
    agree_by_leaf(our_path(name), method.libraries()[library](), method.rtol)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_has_one_witness_alone(name):
    method = METHODS[name]
    assert method.libraries() or method.also


def test_every_public_method_is_compared_with_its_paper():
    methods = {
        name
        for name in gdlab.__all__
        if getattr(getattr(gdlab, name), "__module__", "").startswith("gdlab.optimizers")
        and "learning_rate" in inspect.signature(getattr(gdlab, name)).parameters
    }
    # The look-ahead form needs the gradient as a function: test_sgd.py.
    assert methods - {"nesterov"} <= {re.match(r"\w+", name).group() for name in METHODS}


# Hyperparameters that vary from step to step, one beside the learning rate. Libraries take no
# schedules there, or (optax's injected ones) mistake what a varying decay leaves uncorrected.

RISING = np.linspace(0.5, 0.99, STEPS)
WAVING = 0.05 * (2 + np.sin(np.arange(STEPS)))

SCHEDULED = {
    "momentum of sgd": (gdlab.sgd, ref.heavy_ball, {"momentum": RISING}),
    "momentum of sgd inside": (
        partial(gdlab.sgd, learning_rate_in_momentum=True),
        ref.heavy_ball_inside,
        {"momentum": RISING},
    ),
    "momentum of Nesterov": (
        partial(gdlab.sgd, nesterov=True),
        ref.nesterov_rewritten,
        {"momentum": RISING},
    ),
    "eps of adagrad": (
        partial(gdlab.adagrad, initial_accumulator_value=0.0),
        partial(ref.adagrad, eps_in_sqrt=True),
        {"eps": WAVING},
    ),
    "eps of full-matrix adagrad": (
        gdlab.full_matrix_adagrad,
        partial(ref.full_matrix_adagrad, eps_in_sqrt=True),
        {"eps": WAVING},
    ),
    "rho of adadelta": (gdlab.adadelta, ref.adadelta, {"rho": RISING, "eps": WAVING}),
    "decay of rmsprop": (gdlab.rmsprop, ref.rmsprop, {"decay": RISING, "momentum": RISING[::-1]}),
    "decay of corrected rmsprop": (
        partial(gdlab.rmsprop, bias_correction=True),
        partial(ref.rmsprop, bias_correction=True),
        {"decay": RISING, "eps": WAVING},
    ),
    "decay of centered rmsprop": (
        partial(gdlab.rmsprop, centered=True, bias_correction=True),
        partial(ref.rmsprop_centered, bias_correction=True),
        {"eps": WAVING},
    ),
    "decays of adam": (gdlab.adam, ref.adam, {"b1": RISING, "b2": RISING[::-1], "eps": WAVING}),
    "decays of adam in three links": (
        adam_in_three_links,
        ref.adam_efficient,
        {"b1": RISING, "b2": RISING[::-1], "eps": WAVING},
    ),
    "weight decay of adamw": (gdlab.adamw, ref.adamw, {"weight_decay": WAVING, "b1": RISING}),
    "decays of amsgrad, the paper's": (
        partial(gdlab.amsgrad, bias_correction_mu=False, bias_correction_nu=False),
        partial(ref.amsgrad, bias_correction=False),
        {"b1": RISING, "b2": RISING[::-1], "eps": WAVING},
    ),
    "decays of amsgrad on the corrected average": (
        partial(gdlab.amsgrad, maximum_of_corrected=True),
        partial(ref.amsgrad, maximum_of_corrected=True),
        {"b1": RISING, "b2": RISING[::-1], "eps": WAVING},
    ),
    "decays of adamax": (gdlab.adamax, ref.adamax, {"b1": RISING, "b2": RISING, "eps": WAVING}),
    "decay of nadam": (
        partial(gdlab.nadam, momentum_decay=0.004),
        partial(ref.nadam, psi=0.004),
        {"b2": RISING, "eps": WAVING},
    ),
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", SCHEDULED)
def test_scheduled_hyperparameters_take_the_steps_of_the_paper(name):
    make, paper, varying = SCHEDULED[name]
    schedules = {key: per_step(values) for key, values in varying.items()}
    path = gdlab_path(partial(make, **schedules))
    agree(path, paper(GRADS, PARAMS, learning_rate=LEARNING_RATE, **varying))


def test_scheduled_decay_of_an_average_form_is_that_of_both_its_weights():
    path = gdlab_path(partial(gdlab.sgd, momentum=per_step(RISING), averaging=True))
    paper = ref.heavy_ball_averaging(GRADS, PARAMS, learning_rate=LEARNING_RATE, decay=RISING)
    agree(path, paper)


def test_schedule_made_by_optax_drives_both_libraries_alike():
    with jax.numpy_dtype_promotion("standard"):
        cosine = optax.warmup_cosine_decay_schedule(0.0, 0.3, 5, STEPS)
        rates = [float(cosine(step)) for step in range(STEPS)]
        ours = path_along(gdlab.adam(cosine), jnp.asarray(GRADS), jnp.asarray(PARAMS))
    # optax evaluates its schedules in float32 here and there.
    np.testing.assert_allclose(ours, optax_path(optax.adam, rates), rtol=1e-5, atol=1e-6)


# Without a gradient

WITHOUT_EPSILON = {
    "sgd": partial(gdlab.sgd, momentum=0.9),
    "adagrad": partial(gdlab.adagrad, initial_accumulator_value=0.0, eps=0.0),
    "full_matrix_adagrad": partial(gdlab.full_matrix_adagrad, eps=0.0),
    "adadelta": partial(gdlab.adadelta, eps=0.0),
    "rmsprop": partial(gdlab.rmsprop, eps=0.0),
    "rmsprop, centered": partial(gdlab.rmsprop, eps=0.0, centered=True, bias_correction=True),
    "adam": partial(gdlab.adam, eps=0.0),
    "adam in three links": partial(adam_in_three_links, eps=0.0),
    "adamw": partial(gdlab.adamw, eps=0.0, weight_decay=0.0),
    "amsgrad": partial(gdlab.amsgrad, eps=0.0),
    "adamax": partial(gdlab.adamax, eps=0.0),
    "nadam": partial(gdlab.nadam, eps=0.0, momentum_decay=0.004),
}


@pytest.mark.parametrize("name", WITHOUT_EPSILON)
def test_zero_gradients_move_nothing_even_without_an_epsilon(name):
    path = gdlab_path(WITHOUT_EPSILON[name], grads=0 * GRADS)
    np.testing.assert_array_equal(path, np.tile(PARAMS, (STEPS, 1)))


# Where libraries part, so that agreeing with one is more than agreeing with all


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("sgd with accumulating momentum", "sgd with the learning rate inside the momentum"),
        ("sgd with accumulating momentum", "sgd with Nesterov momentum"),
        ("rmsprop with momentum over steps", "rmsprop with momentum over scaled gradients"),
        ("rmsprop with eps inside the root", "rmsprop with eps outside the root"),
        ("amsgrad on the average", "amsgrad on the corrected average"),
        ("amsgrad on the average", "amsgrad, the paper's"),
        ("adamax with eps inside the maximum", "adamax with eps at the division"),
        ("nadam, Dozat's", "nadam, torch's"),
        ("nadam, torch's", "nadam, Keras's"),
        ("adam with its defaults", "nadam without a schedule"),
    ],
)
def test_conventions_with_different_names_take_different_steps(one, another):
    assert differ(gdlab_path(METHODS[one].gdlab), gdlab_path(METHODS[another].gdlab))
