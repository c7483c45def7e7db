"""Methods with a preconditioner for each axis, beside their papers and libraries."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.oracles.method import STEPS, Method
from tests.references import kronecker as ref

MATRICES = ("matrix", "wide", "cube")
"""The leaves that have factors: libraries treat vectors in other ways."""

SHARE = np.clip(np.exp(-0.001 * (np.arange(STEPS) - 500)), 0.03, 1.0)
"""The share of steps at which PSGD learns, by default: all of the first five hundred."""


def probe(key, shape, dtype):
    """Probes that are not random, as those of the transcription."""
    del key
    return jnp.asarray(ref.wave(shape), dtype)


class WithProbes:
    """An optimizer of torch's kind for which normal numbers are those of the transcription."""

    def __init__(self, optimizer):
        self.optimizer, self.param_groups = optimizer, optimizer.param_groups

    def step(self):
        import torch

        fixed = lambda x, dtype=None: torch.tensor(ref.wave(tuple(x.shape)), dtype=dtype)  # noqa: E731
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(torch, "randn_like", fixed)
            self.optimizer.step()


def kron_with_probes(library, params):
    import torch

    return WithProbes(
        library.Kron(
            params,
            pre_conditioner_update_probability=0.4,
            precondition_dtype=torch.float64,
            balance_prob=0.0,
        )
    )


FULL = ("scalar", "vector", "matrix", "cube")
"""The leaves whose first gradient has one basis of eigenvectors: 3 by 5 numbers leave a plane of R
without a gradient, where any two directions will do."""

METHODS = {
    "shampoo": Method(
        partial(gdlab.shampoo, eps=1e-2),
        partial(ref.shampoo, eps=1e-2),
        # Its factors start at ε times the identity, and each array has its own root 1/2k.
        others={"pytorch_optimizer": lambda o, p: o.Shampoo(p, matrix_eps=1e-2)},
        leaves=MATRICES,
    ),
    "shampoo on every rank, averaging, with decay and momentum, its roots now and then": Method(
        partial(
            gdlab.shampoo,
            decay=0.9,
            eps=1e-2,
            momentum=0.9,
            weight_decay=0.1,
            every=3,
            relative_eps=True,
        ),
        partial(
            ref.shampoo,
            decay=0.9,
            eps=1e-2,
            momentum=0.9,
            weight_decay=0.1,
            every=3,
            relative_eps=True,
        ),
        also="diagonal on vectors, and invariant to rotations: test_shampoo.py",
    ),
    "shampoo in blocks, on one axis, with another exponent": Method(
        partial(gdlab.shampoo, eps=1e-2, block_size=2, axes=0, exponent=0.3),
        partial(ref.shampoo, eps=1e-2, block_size=2, axes=(0,), exponent=0.3),
        also="blocks are arrays of their own: test_shampoo.py",
    ),
    "shampoo grafted onto Adagrad, which starts alone": Method(
        partial(
            gdlab.shampoo,
            eps=1e-2,
            graft=gdlab.scale_by_rss(0.0, 0.0),
            start=5,
            momentum=0.5,
        ),
        partial(ref.shampoo, eps=1e-2, graft="adagrad", start=5, momentum=0.5),
        also="the length is that of the graft: test_shampoo.py",
    ),
    "kl_shampoo": Method(
        partial(gdlab.kl_shampoo, eps=1e-2, weight_decay=0.1, every=3, relative_eps=False),
        partial(ref.kl_shampoo, eps=1e-2, weight_decay=0.1, every=3),
        also="factors of Gaussian gradients are found: test_kl_shampoo.py",
        leaves=FULL,
    ),
    "kl_shampoo with eigenvectors at each step": Method(
        partial(gdlab.kl_shampoo, eps=1e-2, every=1, relative_eps=True),
        partial(ref.kl_shampoo, eps=1e-2, every=1, relative_eps=True),
        also="factors of Gaussian gradients are found: test_kl_shampoo.py",
    ),
    "caspr": Method(
        partial(gdlab.caspr, eps=1e-2, momentum=0.9),
        partial(ref.shampoo, eps=1e-2, momentum=0.9, summed=True),
        also="bounds Shampoo's preconditioner from above: test_caspr.py",
    ),
    "soap": Method(
        partial(gdlab.soap, weight_decay=0.1, every=3),
        partial(ref.soap, weight_decay=0.1, every=3),
        also="adamw where nothing is turned, and invariant to rotations: test_soap.py",
        leaves=FULL,
    ),
    "soap beside another library": Method(
        partial(gdlab.soap, eps=1e-30, weight_decay=0.0, every=3),
        partial(ref.soap, eps=1e-30, weight_decay=0.0, every=3),
        # Its ε is added to what is not corrected, and its decay sees the step.
        others={
            "pytorch_optimizer": lambda o, p: o.SOAP(
                p, eps=1e-30, weight_decay=0.0, precondition_frequency=3
            )
        },
        leaves=("matrix", "cube"),
        # It rounds the matrices that it orthogonalises to float32.
        rtol=1e-5,
    ),
    "soap with statistics of least divergence": Method(
        partial(gdlab.soap, statistics="kl", factor_decay=0.9, every=2),
        partial(ref.soap, kl=True, factor_decay=0.9, every=2),
        also="means over the other axis where one is turned, and rotations: test_soap.py",
        leaves=FULL,
    ),
    "splus": Method(
        partial(gdlab.splus, every=3, weight_decay=0.1, b2=0.9),
        partial(ref.splus, every=3, weight_decay=0.1, b2=0.9),
        also="signum where nothing is turned: test_splus.py",
        leaves=FULL,
    ),
    "splus beside another library": Method(
        partial(gdlab.splus, every=1, weight_decay=0.0, b2=0.9),
        partial(ref.splus, every=1, weight_decay=0.0, b2=0.9),
        others={
            "pytorch_optimizer": lambda o, p: o.SPlus(
                p, betas=(0.9, 0.9), inverse_steps=1, weight_decay=0.0
            )
        },
        # Bases that are found in float32 turn every step by some 1e-6 of the learning rate.
        leaves=("scalar", "vector", "matrix"),
        rtol=1e-4,
    ),
    "kron": Method(
        partial(gdlab.kron, weight_decay=0.1, probe=probe),
        partial(ref.kron, weight_decay=0.1, probability=SHARE),
        also="whitens Gaussian gradients: test_kron.py",
        # Factors that the random gradients drive for 200 steps multiply roundings.
        rtol=1e-10,
    ),
    "kron beside another library": Method(
        partial(gdlab.kron, preconditioner_update_probability=0.4, probe=probe),
        partial(ref.kron, probability=0.4),
        others={"pytorch_optimizer": kron_with_probes},
        leaves=("matrix",),
        # It solves with its factors in float32, and adds 1e-6 to what it clips.
        rtol=1e-4,
    ),
}
