"""One convention of one method, by its makers."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from tests.paths import gdlab_path, keras_path, optax_path, torch_path, varied

STEPS = 200
LEARNING_RATE = np.geomspace(0.3, 0.003, STEPS) * (1 + 0.5 * np.sin(np.arange(STEPS)))
RANDOM = np.random.default_rng(4)
SHAPES = {"scalar": (), "matrix": (4, 3), "wide": (3, 5), "cube": (2, 3, 4)}
PARAMS = {
    "vector": np.array([1.0, -2.0, 0.5, 3.0, -0.25]),
    **{name: RANDOM.normal(size=shape) for name, shape in SHAPES.items()},
}
"""Parameters of each rank; no matrix is square."""
GRADS = {
    "vector": varied(STEPS),
    **{name: RANDOM.normal(size=(STEPS, *shape)) for name, shape in SHAPES.items()},
}
"""The gradients of all steps, which do not depend on the parameters."""

Path = Any
"""A tree like the parameters, each leaf with a leading axis of steps."""


class Method(NamedTuple):
    """What gdlab calls a convention, and what its paper and other libraries call it."""

    gdlab: Callable[..., Any]
    """From the learning rate, a schedule, to the transformation."""
    paper: Callable[..., np.ndarray]
    """The transcription in ``tests.references``, for one array, or for the ``whole``."""
    optax: Callable[..., Any] | None = None
    """From the learning rate, a schedule, to optax's transformation."""
    torch: Callable[..., Any] | None = None
    """From ``torch.optim`` and the parameters to its optimizer."""
    keras: Callable[..., Any] | None = None
    """From ``keras.optimizers`` to its optimizer."""
    others: Mapping[str, Callable[..., Any]] = MappingProxyType({})
    """From the name of a module to what makes its optimizer, of torch's kind, of that module and
    the parameters."""
    also: str = ""
    """The second witness where no library has the method: a law and the file that tests it."""
    whole: bool = False
    """Whether the rule is about all parameters together: the paper's is given one long vector."""
    leaves: tuple[str, ...] = tuple(PARAMS)
    """The parameters that it is compared on; all of them unless given."""
    rtol: float = 1e-12
    """How far from the others rounding may carry it; a reason stands where it is raised."""

    @property
    def params(self) -> dict[str, np.ndarray]:
        return {name: PARAMS[name] for name in self.leaves}

    @property
    def grads(self) -> dict[str, np.ndarray]:
        return {name: GRADS[name] for name in self.leaves}

    def path(self) -> Path:
        """The path along which gdlab goes."""
        return gdlab_path(self.gdlab, LEARNING_RATE, self.grads, self.params)

    def paper_path(self) -> Path:
        """The path of the transcription."""
        if not self.whole:
            return {
                name: self.paper(self.grads[name], start, learning_rate=LEARNING_RATE)
                for name, start in self.params.items()
            }
        starts, structure = jax.tree.flatten(self.params)
        steps = len(LEARNING_RATE)
        grads = [np.reshape(g, (steps, -1)) for g in jax.tree.leaves(self.grads)]
        path = self.paper(
            np.concatenate(grads, axis=1),
            np.concatenate([np.ravel(w) for w in starts]),
            learning_rate=LEARNING_RATE,
        )
        ends = np.cumsum([np.size(w) for w in starts])[:-1]
        pieces = np.split(path, ends, axis=1)
        shaped = [p.reshape(steps, *np.shape(w)) for p, w in zip(pieces, starts, strict=True)]
        return jax.tree.unflatten(structure, shaped)

    def libraries(self) -> dict[str, Callable[[], Path]]:
        """From the name of each library that has it to the path along which it goes there."""
        where = {
            "learning_rate": LEARNING_RATE,
            "grads": self.grads,
            "params": self.params,
        }
        found = {}
        if self.optax:
            found["optax"] = lambda: optax_path(self.optax, **where)
        if self.torch:
            found["torch"] = lambda: torch_path(self.torch, **where)
        if self.keras:
            found["keras"] = lambda: keras_path(self.keras, **where)
        for module, make in self.others.items():
            found[module] = lambda module=module, make=make: torch_path(
                make, module=module, **where
            )
        return found
