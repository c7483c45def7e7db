"""Methods that keep less than one number for each parameter, beside papers and libraries."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import optax

import gdlab
from gdlab import Hyperparameter
from tests.oracles.method import STEPS, Method
from tests.references import memory_light as ref


@gdlab.schedule
def at_most_one_over_root(rate: Hyperparameter):
    """The learning rate where it is at most 1/√t, as torch and Keras have it for Adafactor."""
    return lambda count: jnp.minimum(rate, 1 / jnp.sqrt(count.astype(float) + 1))


LIMIT = 1 / np.sqrt(np.arange(1, STEPS + 1))


def limited(grads, params0, *, learning_rate, **settings):
    """The paper's method with that learning rate."""
    rate = np.minimum(learning_rate, LIMIT)
    return ref.adafactor(grads, params0, learning_rate=rate, **settings)


def optax_sm3(lr):
    # Its own factory takes no schedule.
    return optax.chain(optax.scale_by_sm3(0.9), optax.scale_by_learning_rate(lr))


WITHOUT_EPS = gdlab.scale_by_adam(eps=1e-30)


def galore_of_torch(library, params):
    projected = {"rank": 2, "update_proj_gap": 1000, "scale": 0.25, "projection_type": "std"}
    return library.GaLore([{"params": params, **projected}], eps=1e-30)


def longer_side(grads, params0, *, learning_rate):
    """The paper's method with P on the other side, as optax has it."""
    axis = 0 if params0.shape[0] >= params0.shape[1] else 1
    settings = {"rank": 2, "gap": 1000, "alpha": 1.0, "axis": axis}
    return ref.galore(grads, params0, learning_rate=learning_rate, **settings)


PROJECTION = np.cos(1.0 + 2.7 * np.arange(20)).reshape(2, 10)
"""A projection that is not random, for comparisons."""


def first_columns(key, shape, dtype):
    """That of APOLLO, for a matrix whose shorter side is shape[1]."""
    del key
    return jnp.asarray(PROJECTION[: shape[0], : shape[1]], dtype)


METHODS = {
    "adafactor": Method(
        partial(gdlab.adafactor, min_dim_size_to_factor=3, momentum=0.9, weight_decay_rate=0.1),
        partial(ref.adafactor, least=3, momentum=0.9, weight_decay=0.1),
        also="exact on matrices of rank one: test_adafactor.py",
    ),
    "adafactor beside optax": Method(
        partial(gdlab.adafactor, min_dim_size_to_factor=3, momentum=0.9),
        partial(ref.adafactor, least=3, momentum=0.9),
        partial(optax.adafactor, min_dim_size_to_factor=3, momentum=0.9),
        # optax computes the decay 1 − t^−0.8 in float32, and steps are relative to the weights.
        rtol=1e-4,
    ),
    "adafactor, not factored and not relative": Method(
        partial(gdlab.adafactor, factored=False, multiply_by_parameter_scale=False),
        partial(ref.adafactor, least=1000, relative=False),
        partial(optax.adafactor, factored=False, multiply_by_parameter_scale=False),
        # As before, but for the weights.
        rtol=1e-6,
    ),
    "adafactor, torch's": Method(
        lambda lr: gdlab.adafactor(at_most_one_over_root(lr), 1, eps=0.0, axes="last"),
        partial(limited, eps1=0.0, axes="last", least=1),
        torch=lambda o, p: o.Adafactor(p, eps=(1e-140, 1e-3)),
    ),
    "adafactor, Keras's": Method(
        lambda lr: gdlab.adafactor(at_most_one_over_root(lr), 1, axes="last"),
        partial(limited, axes="last", least=1),
        keras=lambda o: o.Adafactor(),
        # Keras has the exponent −0.8 in float32, and steps are relative to the weights.
        rtol=1e-5,
    ),
    "sm3": Method(
        gdlab.sm3,
        ref.sm3,
        optax_sm3,
        others={"pytorch_optimizer": lambda o, p: o.SM3(p, momentum=0.9, eps=1e-8)},
        # optax has no place for a number without axes.
        leaves=("vector", "matrix", "wide", "cube"),
    ),
    "sm3 of a number": Method(
        gdlab.sm3,
        ref.sm3,
        others={"pytorch_optimizer": lambda o, p: o.SM3(p, momentum=0.9, eps=1e-8)},
        leaves=("scalar",),
    ),
    "came": Method(
        partial(gdlab.came, b3=0.99),
        partial(ref.came, b3=0.99),
        others={"pytorch_optimizer": lambda o, p: o.CAME(p, betas=(0.9, 0.999, 0.99))},
        # Residuals are differences of nearly equal numbers at first.
        rtol=1e-10,
    ),
    "adam_mini by columns": Method(
        partial(gdlab.adam_mini, b2=0.9),
        partial(ref.adam_mini, b2=0.9),
        also="adamw where blocks are elements: test_adam_mini.py",
    ),
    "adam_mini by arrays": Method(
        partial(gdlab.adam_mini, b2=0.9, block="array"),
        partial(ref.adam_mini, b2=0.9, blocks="whole"),
        also="adamw where blocks are elements: test_adam_mini.py",
    ),
    "galore": Method(
        partial(gdlab.galore, rank=2, update_proj_gap=20, weight_decay=0.1),
        partial(ref.galore, rank=2, gap=20, weight_decay=0.1),
        also="adamw where nothing is projected: test_galore.py",
    ),
    "galore beside another library": Method(
        partial(gdlab.galore, rank=2, update_proj_gap=1000, base_optimizer=WITHOUT_EPS),
        partial(ref.galore, rank=2, gap=1000),
        others={"pytorch_optimizer": galore_of_torch},
        # It finds singular vectors in float32, and adds ε to what is not corrected.
        leaves=("matrix", "wide"),
        rtol=1e-5,
    ),
    "galore on the longer side, optax's": Method(
        partial(
            gdlab.galore, rank=2, update_proj_gap=1000, scale=1.0, axis=[("matrix", 0), ("", 1)]
        ),
        longer_side,
        partial(optax.contrib.galore, rank=2, update_proj_gap=1000),
        # optax finds singular vectors in float32.
        leaves=("matrix", "wide"),
        rtol=1e-5,
    ),
    "apollo": Method(
        partial(gdlab.apollo, rank=2, scale=0.5, weight_decay=0.1, projector=first_columns),
        partial(ref.apollo, projection=PROJECTION, alpha=0.5, weight_decay=0.1),
        also="the length of Adam's projected columns: test_apollo.py",
    ),
    "apollo mini": Method(
        partial(gdlab.apollo, rank=1, share="tensor", projector=first_columns),
        partial(ref.apollo, projection=PROJECTION[:1], tensor=True),
        also="the length of Adam's projected columns: test_apollo.py",
    ),
}
