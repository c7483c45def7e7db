"""Adaptive methods, beside their papers and libraries."""

from functools import partial

import numpy as np
import optax

import gdlab
from gdlab import bias_correction, chain, ema, fork, ratio, scale_by_learning_rate, square
from tests import references as ref
from tests.oracles.method import STEPS, Method


def adam_in_three_links(learning_rate, b1=0.9, b2=0.999, eps=1e-8, *before_the_rate):
    return chain(
        fork(ratio(eps=eps), ema(b1), chain(square(), ema(b2))),
        bias_correction(b1, b2),
        *before_the_rate,
        scale_by_learning_rate(learning_rate),
    )


def adamw_of_keras(learning_rate, eps, weight_decay):
    return adam_in_three_links(
        learning_rate, 0.9, 0.999, eps, gdlab.add_decayed_weights(weight_decay)
    )


def amsgrad_of_keras(learning_rate, b2, eps):
    largest = chain(square(), ema(b2), gdlab.running_maximum())
    return chain(
        fork(ratio(eps=eps), ema(0.9), largest),
        bias_correction(0.9, b2),
        scale_by_learning_rate(learning_rate),
    )


def after_correction(eps_hat, b2=0.999):
    """The ε after the correction that an ε̂ before it amounts to."""
    return eps_hat / np.sqrt(1 - b2 ** np.arange(1, STEPS + 1))


rmsprop_torch = partial(gdlab.rmsprop, eps_in_sqrt=False, learning_rate_in_momentum=False)
rmsprop_outside = partial(ref.rmsprop, eps_in_sqrt=False, learning_rate_in_buffer=False)
centered_outside = partial(ref.rmsprop_centered, eps_in_sqrt=False, learning_rate_in_buffer=False)

# Centred, a constant gradient has no variance: what is left of it is rounding, and no library's is
# another's. It stands in the vector.
VARYING = ("scalar", "matrix", "wide", "cube")

METHODS = {
    # Adagrad and those that forget
    "adagrad, the paper's": Method(
        partial(gdlab.adagrad, initial_accumulator_value=0.0, eps=0.0),
        ref.adagrad,
        also="the next two at eps = 0",
    ),
    "adagrad with eps inside the root": Method(
        partial(gdlab.adagrad, initial_accumulator_value=0.2, eps=1e-3),
        partial(ref.adagrad, initial_accumulator_value=0.2, eps=1e-3, eps_in_sqrt=True),
        partial(optax.adagrad, initial_accumulator_value=0.2, eps=1e-3),
        keras=lambda o: o.Adagrad(initial_accumulator_value=0.2, epsilon=1e-3),
    ),
    "adagrad with eps outside the root": Method(
        partial(gdlab.adagrad, initial_accumulator_value=0.0, eps=1e-3, eps_in_sqrt=False),
        partial(ref.adagrad, eps=1e-3),
        torch=lambda o, p: o.Adagrad(p, eps=1e-3),
    ),
    "full_matrix_adagrad with eps inside the root": Method(
        partial(gdlab.full_matrix_adagrad, eps=0.1),
        partial(ref.full_matrix_adagrad, eps=0.1, eps_in_sqrt=True),
        also="one-hot gradients make it diagonal: test_adagrad.py",
        whole=True,
        rtol=1e-9,  # an eigendecomposition each
    ),
    "full_matrix_adagrad with eps after the root": Method(
        partial(
            gdlab.full_matrix_adagrad, initial_accumulator_value=0.3, eps=0.1, eps_in_sqrt=False
        ),
        partial(ref.full_matrix_adagrad, initial_accumulator_value=0.3, eps=0.1),
        also="one-hot gradients make it diagonal: test_adagrad.py",
        whole=True,
        rtol=1e-9,  # an eigendecomposition each
    ),
    "adadelta": Method(
        partial(gdlab.adadelta, rho=0.8, eps=1e-3),
        partial(ref.adadelta, rho=0.8, eps=1e-3),
        partial(optax.adadelta, rho=0.8, eps=1e-3),
        lambda o, p: o.Adadelta(p, rho=0.8, eps=1e-3),
        lambda o: o.Adadelta(rho=0.8, epsilon=1e-3),
    ),
    "rmsprop with eps inside the root": Method(
        partial(gdlab.rmsprop, eps=1e-3),
        partial(ref.rmsprop, eps=1e-3),
        partial(optax.rmsprop, eps=1e-3),
        keras=lambda o: o.RMSprop(epsilon=1e-3),
    ),
    "rmsprop with eps outside the root": Method(
        partial(rmsprop_torch, decay=0.99, eps=1e-3),
        partial(rmsprop_outside, decay=0.99, eps=1e-3),
        partial(optax.rmsprop, decay=0.99, eps=1e-3, eps_in_sqrt=False),
        lambda o, p: o.RMSprop(p, alpha=0.99, eps=1e-3),
    ),
    "rmsprop from an initial scale": Method(
        partial(gdlab.rmsprop, eps=0.0, initial_scale=0.2),
        partial(ref.rmsprop, eps=0.0, initial_scale=0.2),
        partial(optax.rmsprop, eps=0.0, initial_scale=0.2),
    ),
    "rmsprop with bias correction": Method(
        partial(gdlab.rmsprop, eps=1e-3, bias_correction=True),
        partial(ref.rmsprop, eps=1e-3, bias_correction=True),
        partial(optax.rmsprop, eps=1e-3, bias_correction=True),
    ),
    "rmsprop with momentum over steps": Method(
        partial(gdlab.rmsprop, eps=1e-3, momentum=0.8),
        partial(ref.rmsprop, eps=1e-3, momentum=0.8),
        partial(optax.rmsprop, eps=1e-3, momentum=0.8),
        keras=lambda o: o.RMSprop(epsilon=1e-3, momentum=0.8),
    ),
    "rmsprop with momentum over scaled gradients": Method(
        partial(rmsprop_torch, eps=1e-3, momentum=0.8),
        partial(rmsprop_outside, eps=1e-3, momentum=0.8),
        torch=lambda o, p: o.RMSprop(p, alpha=0.9, eps=1e-3, momentum=0.8),
    ),
    "rmsprop with Nesterov momentum": Method(
        partial(gdlab.rmsprop, eps=1e-3, momentum=0.8, nesterov=True),
        partial(ref.rmsprop, eps=1e-3, momentum=0.8, nesterov=True),
        partial(optax.rmsprop, eps=1e-3, momentum=0.8, nesterov=True),
    ),
    "rmsprop, centered, with eps inside the root": Method(
        partial(gdlab.rmsprop, centered=True, eps=1e-3, initial_scale=0.2, momentum=0.8),
        partial(ref.rmsprop_centered, eps=1e-3, initial_scale=0.2, momentum=0.8),
        partial(optax.rmsprop, centered=True, eps=1e-3, initial_scale=0.2, momentum=0.8),
        leaves=VARYING,
    ),
    "rmsprop, centered, from zero": Method(
        partial(gdlab.rmsprop, centered=True, eps=1e-3, momentum=0.8),
        partial(ref.rmsprop_centered, eps=1e-3, momentum=0.8),
        keras=lambda o: o.RMSprop(centered=True, epsilon=1e-3, momentum=0.8),
        leaves=VARYING,
    ),
    "rmsprop, centered, with bias correction": Method(
        partial(gdlab.rmsprop, centered=True, eps=1e-3, bias_correction=True),
        partial(ref.rmsprop_centered, eps=1e-3, bias_correction=True),
        partial(optax.rmsprop, centered=True, eps=1e-3, bias_correction=True),
        leaves=VARYING,
    ),
    "rmsprop, centered, with eps outside the root": Method(
        partial(rmsprop_torch, centered=True, decay=0.95, eps=1e-3, momentum=0.8),
        partial(centered_outside, decay=0.95, eps=1e-3, momentum=0.8),
        torch=lambda o, p: o.RMSprop(p, alpha=0.95, eps=1e-3, momentum=0.8, centered=True),
        leaves=VARYING,
    ),
    "rmsprop, Graves's": Method(
        partial(gdlab.rmsprop, centered=True, decay=0.95, eps=1e-4, momentum=0.9),
        ref.rmsprop_graves,
        partial(optax.rmsprop, centered=True, decay=0.95, eps=1e-4, momentum=0.9),
        leaves=VARYING,
    ),
    # Adam and its family
    "adam": Method(
        partial(gdlab.adam, b1=0.8, b2=0.95, eps=1e-3),
        partial(ref.adam, b1=0.8, b2=0.95, eps=1e-3),
        partial(optax.adam, b1=0.8, b2=0.95, eps=1e-3),
        lambda o, p: o.Adam(p, betas=(0.8, 0.95), eps=1e-3),
    ),
    "adam with its defaults": Method(
        gdlab.adam, ref.adam, optax.adam, lambda o, p: o.Adam(p, eps=1e-8)
    ),
    "adam with eps inside the root": Method(
        partial(gdlab.adam, eps=0.0, eps_root=1e-3),
        partial(ref.adam, eps=1e-3, eps_in_sqrt=True),
        partial(optax.adam, eps=0.0, eps_root=1e-3),
    ),
    "adam in three links": Method(
        partial(adam_in_three_links, eps=1e-3),
        partial(ref.adam_efficient, eps=1e-3),
        keras=lambda o: o.Adam(epsilon=1e-3),
    ),
    "adam with Nesterov momentum": Method(
        partial(gdlab.adam, eps=1e-3, nesterov=True),
        partial(ref.nadam, eps=1e-3, psi=np.inf),
        partial(optax.adam, eps=1e-3, nesterov=True),
    ),
    "adamw": Method(
        partial(gdlab.adamw, weight_decay=0.1),
        partial(ref.adamw, weight_decay=0.1),
        partial(optax.adamw, weight_decay=0.1),
        lambda o, p: o.AdamW(p, weight_decay=0.1),
    ),
    "adamw, Keras's": Method(
        partial(adamw_of_keras, eps=1e-3, weight_decay=0.1),
        partial(ref.adamw, eps=after_correction(1e-3), weight_decay=0.1),
        keras=lambda o: o.AdamW(epsilon=1e-3, weight_decay=0.1),
    ),
    "amsgrad on the average": Method(
        partial(gdlab.amsgrad, b2=0.9, eps=1e-3),
        partial(ref.amsgrad, b2=0.9, eps=1e-3),
        torch=lambda o, p: o.Adam(p, betas=(0.9, 0.9), eps=1e-3, amsgrad=True),
    ),
    "amsgrad, Keras's": Method(
        partial(amsgrad_of_keras, b2=0.9, eps=1e-3),
        partial(ref.amsgrad, b2=0.9, eps=after_correction(1e-3, 0.9)),
        keras=lambda o: o.Adam(beta_2=0.9, epsilon=1e-3, amsgrad=True),
    ),
    "amsgrad on the corrected average": Method(
        partial(gdlab.amsgrad, b2=0.9, eps=1e-3, maximum_of_corrected=True),
        partial(ref.amsgrad, b2=0.9, eps=1e-3, maximum_of_corrected=True),
        partial(optax.amsgrad, b2=0.9, eps=1e-3),
    ),
    "amsgrad, the paper's": Method(
        partial(
            gdlab.amsgrad, b2=0.9, eps=1e-3, bias_correction_mu=False, bias_correction_nu=False
        ),
        partial(ref.amsgrad, b2=0.9, eps=1e-3, bias_correction=False),
        partial(
            optax.amsgrad, b2=0.9, eps=1e-3, bias_correction_mu=False, bias_correction_nu=False
        ),
    ),
    "adamax with eps inside the maximum": Method(
        partial(gdlab.adamax, b2=0.9, eps=0.1),
        partial(ref.adamax, b2=0.9, eps=0.1),
        partial(optax.adamax, b2=0.9, eps=0.1),
        lambda o, p: o.Adamax(p, betas=(0.9, 0.9), eps=0.1),
    ),
    "adamax with eps at the division": Method(
        partial(gdlab.adamax, b2=0.9, eps=0.1, eps_in_maximum=False),
        partial(ref.adamax, b2=0.9, eps=0.1, eps_in_max=False),
        keras=lambda o: o.Adamax(beta_2=0.9, epsilon=0.1),
    ),
    "nadam without a schedule": Method(
        partial(gdlab.nadam, b1=0.8),
        partial(ref.nadam, b1=0.8, psi=np.inf),
        partial(optax.nadam, b1=0.8),
        lambda o, p: o.NAdam(p, betas=(0.8, 0.999), momentum_decay=1e6),
    ),
    "nadam, Dozat's": Method(
        partial(gdlab.nadam, eps=1e-3, momentum_decay=0.004),
        partial(ref.nadam, eps=1e-3, psi=0.004),
        also="no schedule where it has run out: test_nadam.py",
    ),
    "nadam, torch's": Method(
        partial(gdlab.nadam, eps=1e-3, momentum_decay=0.004, scheduled_average=False),
        partial(ref.nadam, eps=1e-3, psi=0.004, scheduled_average=False),
        torch=lambda o, p: o.NAdam(p, eps=1e-3),
    ),
    "nadam, Keras's": Method(
        partial(gdlab.nadam, eps=1e-3, momentum_decay=1.0, scheduled_average=False),
        partial(ref.nadam, eps=1e-3, psi=1.0, scheduled_average=False),
        torch=lambda o, p: o.NAdam(p, eps=1e-3, momentum_decay=1.0),
        keras=lambda o: o.Nadam(epsilon=1e-3),
    ),
}
