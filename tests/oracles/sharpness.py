"""Sharpness-aware methods, beside their papers; beside libraries in their own tests.

A library has to evaluate the gradient itself, which it cannot along gradients given beforehand.
"""

from functools import partial

import gdlab
from tests.oracles.method import Method
from tests.references import sharpness as ref

LIBRARY = "pytorch_optimizer, down a function: test_sharpness_against_libraries.py"


def around_descent(method, **settings):
    """gdlab's method around gradient descent."""
    return lambda learning_rate: method(gdlab.sgd(learning_rate), **settings)


def beside(method, paper, **settings):
    """A method whose arguments the paper's transcription calls by the same names."""
    return Method(
        around_descent(method, **settings),
        partial(paper, **settings),
        also=LIBRARY,
        whole=True,
    )


METHODS = {
    "sam": beside(gdlab.sam, ref.sam, rho=0.5),
    "asam": beside(gdlab.asam, ref.asam, rho=0.5, eta=0.1),
    "gsam": beside(gdlab.gsam, ref.gsam, rho=2.0, alpha=0.4),
    "wsam": beside(gdlab.wsam, ref.wsam, rho=0.5, gamma=0.7),
    "wsam with a learning rate for the sharpness": Method(
        lambda lr: gdlab.wsam(gdlab.sgd(lr), 0.5, 0.7, sharpness_learning_rate=lr),
        partial(ref.wsam, rho=0.5, gamma=0.7),
        also=LIBRARY,
        whole=True,
    ),
    "looksam": beside(gdlab.looksam, ref.looksam, rho=0.5, every=3, alpha=0.7),
    "friendly_sam": beside(gdlab.friendly_sam, ref.friendly_sam, rho=0.5, sigma=0.8, decay=0.7),
    "msam": Method(
        lambda lr: gdlab.msam(gdlab.sgd(lr, 0.8), 0.5),
        partial(ref.msam, momentum=0.8, rho=0.5),
        also="torch's momentum, displaced by hand: test_msam.py",
        whole=True,
    ),
}
