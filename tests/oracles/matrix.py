"""Methods for matrices, beside the singular value decomposition and libraries.

The libraries run Newton–Schulz in bfloat16, which is three digits. Here they are made to run it in
float64, by giving their conversion another dtype, so that all else of them is compared to rounding.
"""

import warnings
from functools import partial
from unittest import mock

import jax.numpy as jnp
import numpy as np
import optax

import gdlab
from tests.oracles.method import Method
from tests.references import matrix as ref

MATRICES = ("matrix", "wide")
WITH_GRADIENTS = ("scalar", "matrix", "wide", "cube")
"""Without the vector, elements of which have no gradient: at ε = 0 libraries make a NaN of them."""


def _while_stepping(optimizer, patched):
    step = optimizer.step

    def stepping():
        with patched():
            step()

    optimizer.step = stepping
    return optimizer


def torch_muon(o, p, **options):
    import torch

    in_float64 = partial(mock.patch.object, torch.Tensor, "bfloat16", torch.Tensor.double)
    return _while_stepping(o.Muon(p, **options), in_float64)


def in_float64(optimizer):
    """An optimizer of pytorch_optimizer whose Newton–Schulz iteration is in float64."""
    import torch
    from pytorch_optimizer.optimizer.utils.matrix import zero_power_via_newton_schulz_5 as function

    defaults = (*function.__defaults__[:-1], torch.float64)
    return _while_stepping(
        optimizer, partial(mock.patch.object, function, "__defaults__", defaults)
    )


def heavyball_sphere(o, p, **options):
    """Hyperball of HeavyBall, whose direction is the gradient over the root of its square."""
    o.utils.compile_mode = None
    # It warns of a learning rate that changes.
    quietly = partial(warnings.catch_warnings, action="ignore")
    return _while_stepping(o.HyperBallAdamW(p, storage_dtype="float64", **options), quietly)


def as_matrices(p, **options):
    return [{"params": p, "use_muon": True, **options}]


def first_basis(rank, letters):
    """The basis with which gdlab's Dion begins, which is random, for an array of parameters."""

    def of(params0):
        tx = gdlab.orthogonalize_low_rank(rank, weight_dimension_numbers=letters)
        return np.asarray(tx.init(jnp.asarray(params0)).basis)

    return of


METHODS = {
    "muon": Method(
        partial(gdlab.muon, eps=0.0, weight_decay=0.1, muon_weight_dimension_numbers="oi"),
        partial(ref.muon, axes="oi", weight_decay=0.1),
        torch=lambda o, p: torch_muon(o, p, weight_decay=0.1),
        others={
            "pytorch_optimizer": lambda o, p: in_float64(
                o.Muon(as_matrices(p, weight_decay=0.1, nesterov=True))
            )
        },
        leaves=MATRICES,
    ),
    "muon with a consistent root mean square": Method(
        partial(gdlab.muon, eps=5e-9, beta=0.95, consistent_rms=0.2, weight_decay=0.1),
        partial(ref.muon, eps=5e-9, rms=0.2, weight_decay=0.1),
        torch=lambda o, p: torch_muon(o, p, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        # Its buffer is the accumulating one, 1/(1 − β) times ours, and its ε is 1e-7.
        keras=lambda o: o.Muon(momentum=0.95, weight_decay=0.1, rms_rate=0.2),
        leaves=MATRICES,
        rtol=1e-7,  # torch's ε is a lower bound, and no summand
    ),
    "muon without Nesterov's look-ahead": Method(
        partial(gdlab.muon, eps=0.0, nesterov=False, weight_decay=0.1, adam_weight_decay=0.2),
        partial(ref.muon, nesterov=False, weight_decay=0.1, adam={"eps": 0.0, "weight_decay": 0.2}),
        partial(
            optax.contrib.muon, eps=0.0, nesterov=False, weight_decay=0.1, adam_weight_decay=0.2
        ),
        leaves=WITH_GRADIENTS,
    ),
    "muon on batches and on several axes": Method(
        partial(
            gdlab.muon,
            eps=0.0,
            nesterov=False,
            consistent_rms=0.2,
            muon_weight_dimension_numbers=[("cube", "bio")],
        ),
        partial(ref.muon, nesterov=False, rms=0.2, axes={3: "bio", 2: "io"}),
        partial(
            optax.contrib.muon,
            eps=0.0,
            nesterov=False,
            consistent_rms=0.2,
            muon_weight_dimension_numbers={
                "cube": optax.contrib.MuonDimensionNumbers(1, 2),
                "matrix": optax.contrib.MuonDimensionNumbers(),
            },
        ),
        leaves=("matrix", "cube"),
    ),
    "muon by the dual norm, with coefficients of each step": Method(
        partial(gdlab.muon, ns_coeffs="dion", eps=0.0, beta=0.0, adaptive=True),
        partial(
            ref.muon,
            beta=0.0,
            coefficients=gdlab.muon(0.1, "dion").ns_coeffs,
            adaptive=True,
        ),
        # optax corrects the average's start at zero, which the size of these steps shows.
        partial(optax.contrib.muon, ns_coeffs="dion", eps=0.0, beta=0.0, adaptive=True),
        leaves=MATRICES,
    ),
    "normuon": Method(
        partial(gdlab.normuon, eps=0.0, weight_decay=0.1, weight_dimension_numbers="oi"),
        partial(ref.normuon, axes="oi", weight_decay=0.1),
        others={
            "pytorch_optimizer": lambda o, p: in_float64(
                o.NorMuon(
                    as_matrices(p, weight_decay=0.1, eps=0.0, update_scale="match_rms"),
                    nesterov=False,
                )
            )
        },
        leaves=MATRICES,
    ),
    "normuon as its authors' code has it": Method(
        partial(
            gdlab.normuon,
            eps=0.0,
            nesterov=True,
            consistent_rms=None,
            beta2=0.9,
            weight_dimension_numbers="oi",
        ),
        partial(ref.normuon, axes="oi", nesterov=True, rms=None, beta2=0.9),
        others={
            "pytorch_optimizer": lambda o, p: in_float64(
                o.NorMuon(as_matrices(p, beta2=0.9, eps=0.0))
            )
        },
        leaves=MATRICES,
    ),
    "normuon on batches": Method(
        partial(
            gdlab.normuon,
            eps=0.0,
            adam_weight_decay=0.1,
            consistent_rms=None,
            weight_dimension_numbers=[("cube", "boi")],
        ),
        partial(
            ref.normuon, axes={2: "io", 3: "boi"}, rms=None, adam={"eps": 0.0, "weight_decay": 0.1}
        ),
        also="the entries above, and matrices one by one: test_normuon.py",
    ),
    "adamuon": Method(
        partial(gdlab.adamuon, eps=0.0, weight_decay=0.1, weight_dimension_numbers="oi"),
        partial(ref.adamuon, axes="oi", weight_decay=0.1),
        also="without the sign it is pytorch_optimizer's, next; blind to scale: test_adamuon.py",
        leaves=MATRICES,
    ),
    "adamuon without the sign": Method(
        partial(
            gdlab.adamuon,
            eps=0.0,
            sign=False,
            weight_decay=0.1,
            beta2=0.99,
            weight_dimension_numbers="oi",
        ),
        partial(ref.adamuon, axes="oi", sign=False, weight_decay=0.1, beta2=0.99),
        others={
            "pytorch_optimizer": lambda o, p: in_float64(
                o.AdaMuon(
                    as_matrices(
                        p, weight_decay=0.1, betas=(0.95, 0.99), use_adjusted_lr=True, eps=0.0
                    )
                )
            )
        },
        leaves=MATRICES,
    ),
    "adago": Method(
        partial(
            gdlab.adago,
            gamma=3.0,
            eps=0.02,
            initial_accumulator_value=1e-4,
            weight_dimension_numbers=[("cube", "bio")],
        ),
        partial(
            ref.adago, axes={2: "io", 3: "bio"}, gamma=3.0, eps=0.02, v0=1e-2, eps_of_norm=1e-8
        ),
        # pytorch_optimizer divides by v² and not by v.
        also="with one direction it is Adagrad on the norm: test_adago.py",
    ),
    "hyperball, AdamH": Method(
        lambda lr: gdlab.hyperball(gdlab.scale_by_adam(), lr),
        ref.hyperball,
        also="the norm is held and the angle is that of the learning rate: test_hyperball.py",
    ),
    "hyperball, MuonH": Method(
        lambda lr: gdlab.hyperball(
            gdlab.scale_by_muon(eps=0.0, weight_dimension_numbers=[("cube", "bio")]),
            lr,
            weight_dimension_numbers=[("cube", "bio")],
        ),
        partial(ref.hyperball, axes={2: "io", 3: "bio"}, beta=0.95),
        also="the norm is held and the angle is that of the learning rate: test_hyperball.py",
    ),
    "hyperball along the gradient over the root of its square": Method(
        lambda lr: gdlab.hyperball(gdlab.scale_by_adam(0.0, 0.95), lr),
        partial(ref.hyperball, b1=0.0, b2=0.95),
        others={"heavyball": lambda o, p: heavyball_sphere(o, p, betas=(0.9, 0.95))},
        leaves=MATRICES,
        rtol=1e-5,  # its learning rates are float32
    ),
    "scion": Method(
        partial(
            gdlab.scion, eps=1e-8, radius=3.0, weight_dimension_numbers=[("matrix|wide", "oi")]
        ),
        partial(ref.scion, axes="oi", eps=1e-8, radius=3.0),
        others={
            "pytorch_optimizer": lambda o, p: in_float64(o.SCION(p, constraint=True, scale=3.0))
        },
        leaves=("scalar", "vector", "matrix", "wide"),
        rtol=1e-6,  # its ε is a lower bound of the spectral norm, and no summand
    ),
    "scion, unconstrained": Method(
        partial(gdlab.scion, eps=0.0, constrained=False, weight_dimension_numbers="oi"),
        partial(ref.scion, axes="oi", constrained=False),
        others={"pytorch_optimizer": lambda o, p: in_float64(o.SCION(p))},
        leaves=MATRICES,
    ),
    "scion by signs": Method(
        partial(gdlab.scion, norms="sign", beta=0.8, weight_dimension_numbers="oi"),
        partial(ref.scion, norm="sign", axes="oi", beta=0.8, eps=1e-8),
        others={
            "pytorch_optimizer": lambda o, p: o.SCION(p, momentum=0.2, constraint=True, norm_type=4)
        },
        leaves=MATRICES,
    ),
    "scion by columns": Method(
        partial(gdlab.scion, norms="column", beta=0.8, weight_dimension_numbers="oi"),
        partial(ref.scion, norm="column", axes="oi", beta=0.8, eps=1e-8),
        others={
            "pytorch_optimizer": lambda o, p: o.SCION(p, momentum=0.2, constraint=True, norm_type=6)
        },
        leaves=MATRICES,
    ),
    "scion by rows": Method(
        partial(gdlab.scion, norms="row", beta=0.8, weight_dimension_numbers="oi"),
        partial(ref.scion, norm="row", axes="oi", beta=0.8, eps=1e-8),
        others={
            "pytorch_optimizer": lambda o, p: o.SCION(p, momentum=0.2, constraint=True, norm_type=7)
        },
        leaves=MATRICES,
    ),
    "dion": Method(
        partial(gdlab.dion, rank=2, mu=0.9, weight_decay=0.1),
        partial(ref.dion, basis=first_basis(2, "io"), mu=0.9, weight_decay=0.1, eps=1e-8),
        also="converges to U·Vᵀ, and loses nothing: test_dion.py",
        leaves=MATRICES,
    ),
    "dion at full rank": Method(
        partial(gdlab.dion, rank=9, eps=0.0),
        partial(ref.dion, basis=first_basis(9, "io")),
        also="converges to U·Vᵀ, and loses nothing: test_dion.py",
        leaves=MATRICES,
    ),
}
