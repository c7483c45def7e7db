"""Coordinate checks: sizes of activations, and of their changes in training, over width."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import LARGEST_LENGTH, Between, Count, Key
from gdlab.checks.user_functions import called_as
from gdlab.core.apply import apply_updates
from gdlab.core.structure import dotted
from gdlab.core.transformation import GradientTransformation
from gdlab.scaling.laws.fieller import Interval
from gdlab.scaling.laws.power_law import fit_power_law
from gdlab.training.models import open_model

Kind: TypeAlias = Literal["activation", "change"]
"""The measured size: that of an activation, or of its change since the start."""


class Slope(NamedTuple):
    """The exponent p of a size that grows like width^p."""

    value: float
    interval: Interval
    """The 95 % confidence interval of the exponent."""


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class CoordinateCheck:
    """The mean absolute sizes of activations over width; made by :func:`coordinate_check`."""

    widths: np.ndarray
    """The widths in rising order, of shape ``(width,)``."""
    activations: dict[str, np.ndarray]
    """Name → mean absolute value of the activation, of shape ``(width, step, seed)``; step 0 is
    the start."""
    changes: dict[str, np.ndarray]
    """Name → mean absolute change since the start, of the shape of ``activations``."""

    @property
    def steps(self) -> int:
        """The number of training steps."""
        return next(iter(self.activations.values())).shape[1] - 1

    def slope(self, name: str, kind: Kind = "change", step: int | None = None) -> Slope:
        """The exponent p of a size ∝ width^p, by least squares in logarithms over all seeds.

        Args:
            name: the name of an activation.
            kind: "activation" for the activation itself, "change" for its change since the start.
            step: the number of training steps before the measurement; by default all.

        Raises:
            ValueError: if a size is zero or not finite, so that it has no logarithm.
        """
        at = self.steps if step is None else step
        if not 0 <= at <= self.steps:
            raise ValueError(f"step must be from 0 to {self.steps}, not {step}")
        sizes = (self.activations if kind == "activation" else self.changes)[name][:, at]
        if not np.all(np.isfinite(sizes) & (sizes > 0)):
            raise ValueError(
                f"the {kind} of {name!r} after {_counted(at)} is {sizes}, not positive"
            )
        widths = np.broadcast_to(self.widths[:, None], sizes.shape)
        law = fit_power_law({"width": widths.ravel()}, sizes.ravel())
        return Slope(law.exponents["width"], law.intervals["width"])

    @checked
    def failures(self, tolerance: Annotated[float, Between(0)] = 0.25) -> tuple[str, ...]:
        """A sentence for each activation whose size depends on the width.

        A change must neither grow nor vanish with the width, and an activation must not grow. A
        shrinking activation, such as the output at the start under :func:`mup`, is no failure.

        Args:
            tolerance: the largest exponent that counts as zero.
        """
        found = []
        for name in self.activations:
            for kind in ("activation", "change"):
                slope = self.slope(name, kind).value
                if slope > tolerance or (kind == "change" and slope < -tolerance):
                    verb = "grows" if slope > 0 else "vanishes"
                    found.append(
                        f"the {kind} of {name} {verb} like width^{slope:+.2f}".replace("-", "−")
                    )
        return tuple(found)

    @checked
    def verdict(self, tolerance: Annotated[float, Between(0)] = 0.25) -> str:
        """A sentence that says whether sizes depend on the width.

        Sizes must agree after a few steps for a learning rate to transfer, but agreement does not
        prove transfer; :func:`learning_rate_law` measures it.

        Args:
            tolerance: the largest exponent that counts as zero.
        """
        where = f"from width {self.widths[0]:g} to {self.widths[-1]:g} after {_counted(self.steps)}"
        if failures := self.failures(tolerance):
            return f"Sizes depend on the width: {where}, {'; '.join(failures)}."
        return (
            f"Sizes agree over width: {where}, no activation grows and no change grows or vanishes "
            f"by more than width^{tolerance:g}."
        )

    def table(self) -> str:
        """A table of the exponents with their intervals, a row for each activation."""
        width = max(map(len, [*self.activations, "name"]))
        lines = [f"{'name':{width}}  {'activation':>24}  {'change':>24}"]
        for name in self.activations:
            cells = []
            for kind in ("activation", "change"):
                value, (low, high) = self.slope(name, kind)
                cells.append(f"{value:+.2f} ({low:+.2f} to {high:+.2f})")
            lines.append("  ".join([f"{name:{width}}", *(f"{cell:>24}" for cell in cells)]))
        return "\n".join(lines)

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` of both sizes over name, width, step and seed; needs ``lab``."""
        import xarray

        dims = ("name", "width", "step", "seed")
        sizes = {"activation": self.activations, "change": self.changes}
        variables = {kind: (dims, np.stack(list(of.values()))) for kind, of in sizes.items()}
        steps, seeds = variables["activation"][1].shape[2:]
        coords = {"name": list(self.activations), "width": self.widths}
        return xarray.Dataset(
            variables, coords | {"step": np.arange(steps), "seed": np.arange(seeds)}
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the sizes after the last step over the width; needs the extra ``lab``.

        Args:
            ax: two matplotlib axes to draw on; new ones unless given.

        Returns:
            The two matplotlib axes.
        """
        from gdlab.plots.scaling.coordinate_check import plot_coordinate_check

        return plot_coordinate_check(self, ax)

    def __repr__(self) -> str:
        return f"<CoordinateCheck of {', '.join(self.activations)} at {len(self.widths)} widths>"


@checked
def coordinate_check(
    activations: Callable[[Any, Any], Any],
    loss: Callable[[Any, Any], jax.Array],
    inits: Mapping[float, Callable[[jax.Array], Any]],
    tx: GradientTransformation,
    batch: Any,
    *,
    steps: Count = 4,
    seeds: Annotated[int, Between(2, LARGEST_LENGTH)] = 3,
    key: Key | None = None,
) -> CoordinateCheck:
    """Measure the sizes of activations at several widths, after a few steps on one batch.

    For the activation hₜ after t steps these are mean|hₜ| and mean|hₜ − h₀|, over all examples and
    coordinates. Under :func:`mup` neither depends on the width.

    When to use:
        To find mistakes in a parametrisation within seconds. It sees only the first steps: slow
        effects, such as that of weight decay, do not show, so that a learning rate may fail to
        transfer although all sizes agree.

    Args:
        activations: ``activations(params, batch)``, a tree of arrays, whose paths are the names of
            the activations.
        loss: ``loss(params, batch)``, a real scalar.
        inits: width → ``init(key)``; at least two widths.
        tx: the optimizer for all widths, such as ``parametrization.optimizer(adam(0.01))``.
        batch: a tree of arrays, the same at each step.
        steps: the number of steps.
        seeds: the number of random initialisations, at least two.
        key: the PRNG key of the initialisations; by default ``jax.random.key(0)``.

    Raises:
        ValueError: if there are fewer than two widths, or no activations.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import adam
    >>> from gdlab.scaling import coordinate_check, mup
    >>> def init(width):
    ...     return lambda key: {"in": jax.random.normal(key, (1, width)), "out": jnp.zeros(width)}
    >>> def output(params, x):
    ...     return {"output": jnp.tanh(x @ params["in"]) @ params["out"]}
    >>> def loss(params, x):
    ...     return jnp.mean((output(params, x)["output"] - 1) ** 2)
    >>> inits = {width: init(width) for width in (64, 256, 1024)}
    >>> check = coordinate_check(output, loss, inits, adam(0.001), jnp.ones((1, 1)))
    >>> check.verdict()
    'Sizes depend on the width: from width 64 to 1024 after 4 steps, the activation of output ...
    """
    if not all(width > 0 for width in inits):
        raise ValueError(f"inits must have widths above 0, not {list(inits)}")
    if len(inits) < 2:
        raise ValueError(f"inits must hold two widths at least, not {list(inits)}")
    keys = jax.random.split(jax.random.key(0) if key is None else key, seeds)
    found = []
    for width in sorted(inits):
        run = _Run(activations, loss, inits[width], tx, batch, steps)
        # A program for each width: the shapes differ.
        found.append(jax.device_get(jax.jit(jax.vmap(run))(keys)))
    pairs = jax.tree_util.tree_leaves_with_path(found[0][0])
    if not pairs:
        raise ValueError("activations gave no array")
    names = [dotted(path) or "activation" for path, _ in pairs]
    sizes = [
        # From (seed, step) to (width, step, seed).
        [np.stack([leaf.T for leaf in column]) for column in _columns(found, kind)]
        for kind in (0, 1)
    ]
    return CoordinateCheck(
        widths=np.array(sorted(inits), float),
        activations=dict(zip(names, sizes[0], strict=True)),
        changes=dict(zip(names, sizes[1], strict=True)),
    )


def _counted(steps: int) -> str:
    return f"{steps} step{'' if steps == 1 else 's'}"


def _columns(found: list[Any], kind: int) -> list[tuple[Any, ...]]:
    """The arrays of each activation at all widths."""
    return list(zip(*(jax.tree.leaves(of_width[kind]) for of_width in found), strict=True))


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
    """A few training steps from one key, which return the sizes of the activations."""

    activations: Callable[[Any, Any], Any]
    loss: Callable[[Any, Any], jax.Array]
    init: Callable[[jax.Array], Any]
    tx: GradientTransformation
    batch: Any
    steps: int

    def __call__(self, key: jax.Array) -> tuple[Any, Any]:
        """Return trees of the sizes and of the changes, with leaves of shape ``(step,)``."""
        opened = open_model(called_as("init(key)", self.init, key))
        model = lambda params: dataclasses.replace(opened, params=params).close()  # noqa: E731
        loss = lambda params: self.loss(model(params), self.batch)  # noqa: E731
        at = lambda params: called_as(  # noqa: E731
            "activations(params, batch)", self.activations, model(params), self.batch
        )
        first = at(opened.params)

        def sizes(params: Any) -> tuple[Any, Any]:
            now = at(params)
            change = jax.tree.map(lambda h, start: jnp.mean(jnp.abs(h - start)), now, first)
            return jax.tree.map(lambda h: jnp.mean(jnp.abs(h)), now), change

        def step(carry: Any, _: None) -> tuple[Any, Any]:
            params, state = carry
            updates, state = self.tx.update(jax.grad(loss)(params), state, params)
            params = apply_updates(params, updates)
            return (params, state), sizes(params)

        start = opened.params, self.tx.init(opened.params)
        _, later = jax.lax.scan(step, start, length=self.steps)
        return jax.tree.map(
            lambda one, others: jnp.concatenate([one[None], others]), sizes(opened.params), later
        )
