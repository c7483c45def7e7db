"""Twenty sweeps of small problems, recorded on grids, as surfaces on which searches are compared.

A surface is the logarithm of the final loss, or of the held-out loss where there are held-out data,
multilinear between the points of its grid. So its minimum is known: it is that of the grid.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab import Axis, adam, adamw, sgd, sweep, warmup_cosine_decay_schedule

FILE = Path(__file__).parent / "recorded_sweeps.npz"
STEPS = 60
GRIDS = {2: (25, 25), 3: (17, 9, 9), 4: (13, 6, 6, 6)}
"""The number of values of each axis, the learning rate first, by the number of axes."""


class Bounds(NamedTuple):
    """The range of an axis."""

    low: float
    high: float
    log: bool = False

    def at(self, quantiles: Any) -> np.ndarray:
        """The values at quantiles in [0, 1]."""
        if self.log:
            return self.low * (self.high / self.low) ** np.asarray(quantiles)
        return self.low + (self.high - self.low) * np.asarray(quantiles)


RATE, DECAY, FAST = Bounds(1e-4, 10.0, log=True), Bounds(0.0, 0.99), Bounds(0.5, 0.999)
PULL, WARMUP = Bounds(1e-4, 1.0, log=True), Bounds(1.0, STEPS / 2)


def with_warmup(peak: Any, warmup: Any, pull: Any) -> Any:
    """AdamW under a schedule."""
    return adamw(warmup_cosine_decay_schedule(0.0, peak, warmup, STEPS, 0.0), weight_decay=pull)


OPTIMIZERS: dict[str, tuple[Callable[..., Any], dict[str, Bounds]]] = {
    "sgd": (
        lambda rate, momentum: sgd(rate, momentum=momentum),
        {"rate": RATE, "momentum": DECAY},
    ),
    "adam": (
        lambda rate, b1, b2: adam(rate, b1=b1, b2=b2),
        {"rate": RATE, "b1": DECAY, "b2": FAST},
    ),
    "schedule": (with_warmup, {"peak": RATE, "warmup": WARMUP, "weight_decay": PULL}),
    "adamw": (
        lambda rate, b1, b2, pull: adamw(rate, b1=b1, b2=b2, weight_decay=pull),
        {"rate": RATE, "b1": DECAY, "b2": FAST, "weight_decay": PULL},
    ),
}


class Surface(NamedTuple):
    """A recorded sweep."""

    name: str
    bounds: dict[str, Bounds]
    log_loss: np.ndarray
    """The decimal logarithm of the loss on the grid, NaN where it diverged."""

    @property
    def minimum(self) -> float:
        """The smallest value."""
        return float(np.nanmin(self.log_loss))

    def __call__(self, quantiles: np.ndarray) -> np.ndarray:
        """Values at points of shape ``(n, axes)`` in the unit cube, NaN beside what diverged."""
        from scipy.interpolate import RegularGridInterpolator

        grid = [np.linspace(0, 1, size) for size in self.log_loss.shape]
        return RegularGridInterpolator(grid, self.log_loss)(np.clip(quantiles, 0, 1))


def recorded() -> list[Surface]:
    """The surfaces in the file."""
    with np.load(FILE) as arrays:
        return [
            Surface(name, OPTIMIZERS[name.split(" ")[-1]][1], arrays[name].astype(np.float64))
            for name in arrays.files
        ]


def record() -> None:
    """Run the twenty sweeps, and write the file."""
    arrays = {}
    for problem_name, problem in problems().items():
        for name, (make, bounds) in OPTIMIZERS.items():
            sizes = GRIDS[len(bounds)]
            axes = [
                Axis(axis, one.at(np.linspace(0, 1, size)))
                for (axis, one), size in zip(bounds.items(), sizes, strict=True)
            ]
            result = sweep(tx=make(*axes), steps=STEPS, **problem)
            held_out = result.metrics.get("held_out_loss", result.final_loss)
            loss = np.where(result.status == "ok", held_out, np.nan)[..., 0]
            log_loss = np.log10(np.maximum(loss, 1e-20)).astype(np.float16)
            arrays[f"{problem_name} {name}"] = log_loss
            print(f"{problem_name} {name}", log_loss.shape, np.nanmin(log_loss), flush=True)
    np.savez_compressed(FILE, **arrays)


def problems() -> dict[str, dict[str, Any]]:
    """The arguments of a sweep for each problem."""
    return dict(_problems())


def _problems() -> Iterator[tuple[str, dict[str, Any]]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = (digits.data / 16).astype(np.float32), digits.target
    train, held_out = (images[:1400], labels[:1400]), (images[1400:], labels[1400:])

    def cross_entropy(logits: Any, labels: Any) -> Any:
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return -jnp.mean(chosen)

    def of_digits(predict: Callable[..., Any], sizes: list[tuple[int, int]]) -> dict[str, Any]:
        def init(key: Any) -> list[Any]:
            keys = jax.random.split(key, len(sizes))
            return [
                jax.random.normal(key, shape) / np.sqrt(shape[0])
                for key, shape in zip(keys, sizes, strict=True)
            ]

        def loss(params: Any, batch: Any) -> Any:
            return cross_entropy(predict(params, batch[0]), batch[1])

        return {
            "loss": loss,
            "params": init,
            "data": train,
            "batch_size": 64,
            "evaluate": lambda params: {"held_out_loss": loss(params, held_out)},
        }

    yield "softmax", of_digits(lambda params, x: x @ params[0], [(64, 10)])
    yield (
        "network",
        of_digits(lambda params, x: jnp.tanh(x @ params[0]) @ params[1], [(64, 16), (16, 10)]),
    )
    curvatures = jnp.asarray(np.geomspace(1e-3, 1.0, 20), jnp.float32)
    yield (
        "quadratic",
        {"loss": lambda w: 0.5 * jnp.sum(curvatures * w**2), "params": jnp.ones(20)},
    )
    yield (
        "valley",
        {
            "loss": lambda w: (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2,
            "params": jnp.array([-1.2, 1.0]),
        },
    )
    rng = np.random.default_rng(0)
    inputs = (rng.normal(size=(600, 20)) * np.geomspace(0.1, 1.0, 20)).astype(np.float32)
    outputs = (inputs @ rng.normal(size=20) + 0.3 * rng.normal(size=600)).astype(np.float32)

    def squares(w: Any, batch: Any) -> Any:
        return jnp.mean((batch[0] @ w - batch[1]) ** 2)

    last = (inputs[400:], outputs[400:])
    yield (
        "regression",
        {
            "loss": squares,
            "params": jnp.zeros(20),
            "data": (inputs[:400], outputs[:400]),
            "batch_size": 16,
            "evaluate": lambda w: {"held_out_loss": squares(w, last)},
        },
    )
