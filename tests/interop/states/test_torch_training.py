"""A network of torch that is trained on handwritten digits, and goes on in gdlab in mid-run."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from sklearn.datasets import load_digits

import gdlab
from gdlab.interop import from_torch, params_from_torch, params_to_torch, to_torch

torch = pytest.importorskip("torch", reason="torch is not installed")

NAMES = {
    "convolution.weight": "convolution.kernel",
    "convolution.bias": "convolution.bias",
    "hidden.weight": "layers.0.kernel",
    "hidden.bias": "layers.0.bias",
    "output.weight": "layers.1.kernel",
    "output.bias": "layers.1.bias",
}
LAYOUT = [("convolution.kernel", "conv2d"), ("kernel", "linear")]
BATCH, BEFORE, AFTER = 64, 20, 12


class Network(torch.nn.Module):
    """A convolution and two dense layers."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, 8, 3)
        self.hidden = torch.nn.Linear(288, 16)
        self.output = torch.nn.Linear(16, 10)

    def forward(self, x):
        x = torch.relu(self.convolution(x)).permute(0, 2, 3, 1).flatten(1)
        return self.output(torch.relu(self.hidden(x)))


def network(params, x):
    """The same network, with channels last as in Flax."""
    kernel, (hidden, output) = params["convolution"]["kernel"], params["layers"]
    axes = ("NHWC", "HWIO", "NHWC")
    x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=axes)
    x = jax.nn.relu(x + params["convolution"]["bias"]).reshape(len(x), -1)
    x = jax.nn.relu(x @ hidden["kernel"] + hidden["bias"])
    return x @ output["kernel"] + output["bias"]


def parameters():
    dense = lambda inputs, outputs: {  # noqa: E731
        "kernel": jnp.zeros((inputs, outputs)),
        "bias": jnp.zeros(outputs),
    }
    convolution = {"kernel": jnp.zeros((3, 3, 1, 8)), "bias": jnp.zeros(8)}
    return {"convolution": convolution, "layers": [dense(288, 16), dense(16, 10)]}


@pytest.fixture(scope="module")
def batches():
    digits = load_digits()
    pictures = (digits.data / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    count = BEFORE + AFTER
    order = np.random.default_rng(0).permutation(len(pictures))[: BATCH * 27]
    order = np.resize(order, (count, BATCH))
    return pictures[order], digits.target[order]


def train_torch(model, optimizer, scheduler, batches):
    """Train it on the batches; the loss at each."""
    losses = []
    for pictures, labels in zip(*batches, strict=True):
        optimizer.zero_grad()
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        loss = torch.nn.functional.cross_entropy(model(x), torch.from_numpy(labels))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


@jax.jit
def train_gdlab(tx, params, state, batches):
    """The losses, the parameters and the state after these batches."""

    def loss(params, pictures, labels):
        logits = jax.nn.log_softmax(network(params, pictures))
        return -jnp.mean(jnp.take_along_axis(logits, labels[:, None], 1))

    def step(carry, batch):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params, *batch)
        updates, state = tx.update(grads, state, params)
        return (gdlab.apply_updates(params, updates), state), value

    (params, state), losses = jax.lax.scan(step, (params, state), batches)
    return losses, params, state


def setups():
    """What torch trains with, and the same in gdlab."""
    steps = BEFORE + AFTER
    adamw = gdlab.adamw(gdlab.cosine_decay_schedule(3e-3, steps), weight_decay=0.01)
    sgd = gdlab.sgd(gdlab.linear_schedule(0.3, 0.03, steps), 0.9, nesterov=True)
    return {
        "adamw": (
            lambda params: torch.optim.AdamW(params, lr=3e-3, weight_decay=0.01),
            lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
            gdlab.chain(gdlab.clip_by_global_norm(1.0), adamw),
        ),
        "sgd": (
            lambda params: torch.optim.SGD(params, lr=0.3, momentum=0.9, nesterov=True),
            lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, steps),
            gdlab.chain(gdlab.clip_by_global_norm(1.0), sgd),
        ),
    }


def begun(name, batches):
    """A model of torch with its optimizer and scheduler, after the first batches."""
    make, schedule, tx = setups()[name]
    torch.manual_seed(0)
    model = Network()
    optimizer = make(model.parameters())
    scheduler = schedule(optimizer)
    first = train_torch(model, optimizer, scheduler, [part[:BEFORE] for part in batches])
    assert first[-1] < first[0]
    return model, optimizer, scheduler, tx


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["adamw", pytest.param("sgd", marks=pytest.mark.slow)])
def test_training_that_is_moved_has_the_losses_of_one_that_is_not(name, batches):
    model, optimizer, scheduler, tx = begun(name, batches)
    params = params_from_torch(model.state_dict(), NAMES, LAYOUT, params=parameters())
    count = scheduler.state_dict()["last_epoch"]
    state = from_torch(optimizer.state_dict(), NAMES, LAYOUT, tx=tx, params=params, count=count)
    rest = [part[BEFORE:] for part in batches]
    losses, params, state = train_gdlab(tx, params, state, rest)
    stay = train_torch(model, optimizer, scheduler, rest)
    # Twelve steps through two implementations of a convolution in float32.
    np.testing.assert_allclose(losses, stay, rtol=2e-5)

    back = params_to_torch(params, NAMES, LAYOUT, like=model.state_dict())
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(back[name], tensor, rtol=1e-4, atol=1e-5)
    there = to_torch(state, NAMES, LAYOUT, tx=tx, params=params, like=optimizer.state_dict())
    model.load_state_dict(back)
    optimizer.load_state_dict(there)
    again = from_torch(
        optimizer.state_dict(), NAMES, LAYOUT, tx=tx, params=params, count=BEFORE + AFTER
    )
    jax.tree.map(np.testing.assert_array_equal, state, again)


# --- Through files, where one of the two is not installed


def flat(optimizer):
    return {
        f"state.{index}.{name}": np.asarray(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def run_without(module, code, *paths):
    """Run code where a module cannot be imported."""
    code = f"import sys; sys.modules[{module!r}] = None\n{code}"
    subprocess.run([sys.executable, "-c", code, *map(str, paths)], check=True, timeout=300)


@pytest.mark.slow
def test_state_goes_through_a_file_to_where_torch_is_not_installed(batches, tmp_path):
    model, optimizer, _, tx = begun("adamw", batches)
    safetensors.numpy.save_file(flat(optimizer), tmp_path / "optimizer.safetensors")
    weights = {name: w.numpy() for name, w in model.state_dict().items()}
    safetensors.numpy.save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "names.json").write_text(json.dumps([NAMES, LAYOUT]))
    run_without("torch", WITHOUT_TORCH, tmp_path)
    found = safetensors.numpy.load_file(tmp_path / "state.safetensors")
    params = params_from_torch(model.state_dict(), NAMES, LAYOUT, params=parameters())
    state = from_torch(optimizer.state_dict(), NAMES, LAYOUT, tx=tx, params=params)
    expected = gdlab.flatten_state(state)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


WITHOUT_TORCH = """
import json, pathlib
import jax, jax.numpy as jnp, safetensors.numpy
import gdlab
from gdlab.interop import from_torch, params_from_torch

folder = pathlib.Path(sys.argv[1])
names, layout = json.loads((folder / "names.json").read_text())
dense = lambda i, o: {"kernel": jnp.zeros((i, o)), "bias": jnp.zeros(o)}
like = {"convolution": {"kernel": jnp.zeros((3, 3, 1, 8)), "bias": jnp.zeros(8)},
        "layers": [dense(288, 16), dense(16, 10)]}
weights = safetensors.numpy.load_file(folder / "model.safetensors")
params = params_from_torch(weights, names, layout, params=like)
adamw = gdlab.adamw(gdlab.cosine_decay_schedule(3e-3, 32), weight_decay=0.01)
tx = gdlab.chain(gdlab.clip_by_global_norm(1.0), adamw)
theirs = safetensors.numpy.load_file(folder / "optimizer.safetensors")
state = from_torch(theirs, names, layout, tx=tx, params=params)
safetensors.numpy.save_file(
    jax.tree.map(jax.device_get, gdlab.flatten_state(state)), folder / "state.safetensors"
)
"""


@pytest.mark.slow
def test_state_goes_through_a_file_to_where_jax_is_not_installed(batches, tmp_path):
    model, optimizer, _, tx = begun("adamw", batches)
    params = params_from_torch(model.state_dict(), NAMES, LAYOUT, params=parameters())
    state = from_torch(optimizer.state_dict(), NAMES, LAYOUT, tx=tx, params=params)
    theirs = to_torch(state, NAMES, LAYOUT, tx=tx, params=params, like="AdamW")
    safetensors.numpy.save_file(theirs, tmp_path / "optimizer.safetensors")
    run_without("jax", WITHOUT_JAX, tmp_path)
    found = torch.load(tmp_path / "optimizer.pt", weights_only=True)
    torch.testing.assert_close(found["state"], dict(optimizer.state_dict()["state"]))


WITHOUT_JAX = """
import pathlib
import safetensors.torch, torch

folder = pathlib.Path(sys.argv[1])
layers = torch.nn.Conv2d(1, 8, 3), torch.nn.Linear(288, 16), torch.nn.Linear(16, 10)
optimizer = torch.optim.AdamW(torch.nn.Sequential(*layers).parameters())
state = {}
for key, tensor in safetensors.torch.load_file(folder / "optimizer.safetensors").items():
    _, index, name = key.split(".")
    state.setdefault(int(index), {})[name] = tensor
optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
torch.save(optimizer.state_dict(), folder / "optimizer.pt")
"""
