"""Sharpness-aware methods around momentum beside those of pytorch_optimizer, down a function."""

from functools import partial
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import path_down

pytestmark = pytest.mark.x64

torch = pytest.importorskip("torch", reason="torch is not installed")
library = pytest.importorskip("pytorch_optimizer", reason="pytorch_optimizer is not installed")

STEPS, RATE, MOMENTUM = 20, 0.05, 0.8
START = np.array([1.0, -2.0, 0.5, 3.0])
TILT = np.array([0.3, -0.1, 0.2, 0.4])
DESCENT = {"lr": RATE, "momentum": MOMENTUM}


def gradient(w):
    """Of ½‖w‖² + ‖w‖⁴/8 + tilt·w."""
    return w + jnp.sum(w * w) / 2 * w + TILT


def torch_path_down(make, before_each=lambda optimizer: None):
    """The points of a method of torch's kind, from the second on."""
    tilt = torch.tensor(TILT)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        model = torch.nn.Module()
        model.w = w = torch.nn.Parameter(torch.tensor(START))

        @torch.enable_grad()
        def closure():
            w.grad = None
            value = (w * w).sum() / 2 + (w * w).sum() ** 2 / 8 + (tilt * w).sum()
            value.backward()
            return value, value

        optimizer, path = make(model), []
        for _ in range(STEPS):
            closure()
            before_each(optimizer)
            optimizer.step(closure)
            path.append(w.detach().numpy().copy())
    finally:
        torch.set_default_dtype(default)
    return np.stack(path)


def around(name, **settings):
    """One of its methods around torch's momentum."""
    cls = getattr(library, name)
    return lambda model: cls(
        model.parameters(), base_optimizer=torch.optim.SGD, foreach=False, **settings, **DESCENT
    )


def gsam_of_the_library(model):
    # The radius comes from a scheduler there.
    rho = SimpleNamespace(step=lambda: 0.3)
    descent = torch.optim.SGD(model.parameters(), **DESCENT)
    return library.GSAM(
        model.parameters(), descent, model, rho, alpha=0.4, perturb_eps=0.0, foreach=False
    )


def wsam_of_the_library(decouple):
    return lambda model: library.WSAM(
        model,
        model.parameters(),
        torch.optim.SGD,
        rho=0.3,
        gamma=0.7,
        decouple=decouple,
        eps=0.0,
        **DESCENT,
    )


def start_average_at_zero(optimizer):
    for parameter in optimizer.param_groups[0]["params"]:
        state = optimizer.state[parameter]
        state.setdefault("momentum", torch.zeros_like(parameter))


inner = gdlab.sgd(RATE, MOMENTUM)
PAIRS = {
    "sam": (gdlab.sam(inner, 0.3), partial(torch_path_down, around("SAM", rho=0.3))),
    "asam": (
        gdlab.asam(inner, 0.3, 0.0),
        partial(torch_path_down, around("SAM", rho=0.3, adaptive=True)),
    ),
    "gsam": (gdlab.gsam(inner, 0.3, 0.4), partial(torch_path_down, gsam_of_the_library)),
    "wsam": (gdlab.wsam(inner, 0.3, 0.7), partial(torch_path_down, wsam_of_the_library(False))),
    "wsam with a learning rate for the sharpness": (
        gdlab.wsam(inner, 0.3, 0.7, sharpness_learning_rate=RATE),
        partial(torch_path_down, wsam_of_the_library(True)),
    ),
    "looksam": (
        gdlab.looksam(inner, 0.3, 4, 0.7),
        partial(torch_path_down, around("LookSAM", rho=0.3, k=4, alpha=0.7)),
    ),
    # It subtracts the average before this gradient. With the weight 1 that is the same direction.
    "friendly_sam": (
        gdlab.friendly_sam(inner, 0.3, 1.0, 0.9),
        partial(torch_path_down, around("FriendlySAM", rho=0.3), start_average_at_zero),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_method_takes_the_steps_of_the_library(name):
    tx, theirs = PAIRS[name]
    path = path_down(tx, gradient, jnp.asarray(START), STEPS)[1:]
    # The library computes norms in float32.
    np.testing.assert_allclose(path, theirs(), rtol=1e-5, atol=1e-6)


def test_every_method_goes_a_way_of_its_own():
    plain = path_down(inner, gradient, jnp.asarray(START), STEPS)[-1]
    ends = [path_down(tx, gradient, jnp.asarray(START), STEPS)[-1] for tx, _ in PAIRS.values()]
    distances = [np.abs(np.asarray(end) - np.asarray(plain)).max() for end in ends]
    assert min(distances) > 1e-3
