"""The checked inputs of a linearisation: an optimizer, its curvatures, and its fixed scales."""

import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.linear.anatomy import FAR, Anatomy, anatomy_of, random_error
from gdlab.analysis.linear.arguments import checked_curvature, one_each
from gdlab.analysis.linear.frozen import frozen
from gdlab.analysis.linear.linear_system import (
    LinearSystem,
    closed_loop,
    in_succession,
    reachable,
)
from gdlab.analysis.linear.period import (
    Period,
    lengths_at,
    moving_integers,
    period_of,
    require_every_step,
    require_period,
)
from gdlab.analysis.linear.precision import as_float64
from gdlab.checks.kinds import LARGEST_COUNT
from gdlab.checks.values import is_array_of_numbers, real_numbers
from gdlab.core.access import set_hyperparameters
from gdlab.core.schedule import Schedule
from gdlab.core.transformation import GradientTransformation, as_state, as_transformation, expand

Form = Literal["mode", "spectrum", "hessian"]

LINEARITY_TOLERANCE = 1e-9
"""The largest relative deviation from homogeneity and additivity of a linear step."""
SCALE_TOLERANCE = 1e-6
"""The largest relative error of the scales that are held fixed."""
KEYS = 16
"""The number of PRNG keys for which a step is compared, enough for random signs to differ."""


class NoLimitError(ValueError):
    """Scales of a transformation keep changing, so that it has no limit t → ∞."""


class Setting(NamedTuple):
    """An optimizer in float64 on some curvature, one Hessian for each mode."""

    name: str
    """The representation of the transformation as the caller gave it, for messages."""
    anatomy: Anatomy
    period: Period
    tx: GradientTransformation
    params: Any
    """The parameters: a tree of zeros of the right shapes."""
    form: Form
    curvature: np.ndarray
    """The curvature as the caller gave it: a number, a spectrum, or a Hessian."""
    hessians: np.ndarray
    """The Hessian of each mode, of shape (modes, n, n)."""
    gradient_rms: np.ndarray
    """The root mean square of the gradients in each mode, of shape (modes, n)."""
    step: Any
    state: Any
    clock: Any
    """The value of the step counters in the limit of the scales."""
    kept: tuple[bool, ...]
    """A flag for each block of signals: true if it lies on a cycle with w."""

    @property
    def held(self) -> tuple[Any, ...]:
        """The arguments of a linearisation other than the curvature."""
        own = self.tx, self.params, self.step, self.state, self.clock
        return self.anatomy, self.period, *own

    @property
    def kept_coordinates(self) -> np.ndarray:
        """Positions in (signals, w) that a linearisation keeps."""
        sizes = signal_sizes(self.anatomy, self.tx, self.params)
        return np.flatnonzero(np.repeat([*self.kept, True], [*sizes, self.hessians.shape[-1]]))

    def on_spectrum(self, curvatures: np.ndarray) -> "Setting":
        """Return the same setting on other modes, with the gradient sizes of the first mode."""
        hessians = np.asarray(curvatures, np.float64).reshape(-1, 1, 1)
        rms = np.broadcast_to(self.gradient_rms[:1, :1], (len(hessians), 1))
        return self._replace(form="spectrum", hessians=hessians, gradient_rms=rms)

    def shaped(self, array: np.ndarray) -> np.ndarray:
        """Drop the axis of modes, unless the curvature is a spectrum."""
        return array if self.form == "spectrum" else array[0]


def prepare(
    tx: GradientTransformation,
    curvature: Any,
    *,
    step: int | None = None,
    state: Any = None,
    params: Any = None,
    gradient_rms: Any = 1.0,
    clock: int = FAR,
) -> Setting:
    """Check the arguments of an analysis, and classify the state of ``tx``."""
    if not isinstance(tx, GradientTransformation):
        tx = as_transformation(tx)
    if step is not None and state is not None:
        raise ValueError("step and state both say where scales are held: give one of them")
    if step is not None and not 1 <= step <= LARGEST_COUNT:
        raise ValueError(f"step counts from 1, the first update, to {LARGEST_COUNT}, not {step}")
    curvature = checked_curvature(curvature)
    form: Form = ("mode", "spectrum", "hessian")[curvature.ndim]
    if form == "spectrum" and (state is not None or params is not None):
        form, curvature = "hessian", np.diag(curvature)
    n = len(curvature) if form == "hessian" else 1
    if params is None:
        # With a number as curvature, a given state belongs to a scalar parameter.
        params = np.zeros(()) if form == "mode" and state is not None else np.zeros(n)
    if not all(map(is_array_of_numbers, jax.tree.leaves(params))):
        raise TypeError(f"params must be a tree of arrays, not {params!r}")
    params = jax.tree.map(np.zeros_like, as_float64(params))
    size = ravel_pytree(params)[0].size
    if size != n:
        raise ValueError(f"params hold {size} numbers, but the curvature has {n} directions")
    hessians = curvature if form == "hessian" else curvature.reshape(-1, 1)
    hessians = hessians.reshape(-1, n, n)
    rms = real_numbers("gradient_rms", gradient_rms)
    if not np.all(rms > 0):
        raise ValueError(f"gradient_rms must be positive, not {gradient_rms}")
    per = len(hessians) if form == "spectrum" else n
    rms = one_each("gradient_rms", rms, per).reshape((-1, 1) if form == "spectrum" else (1, -1))
    name, tx = repr(tx), as_float64(tx)
    anatomy = anatomy_of(name, tx, params, rms[0])
    period = period_of(anatomy, tx, params, rms[0])
    at_a_moment = step is not None or state is not None or clock != FAR
    if period.endless and at_a_moment:
        apart = _period_apart_from_schedules(name, tx, params, rms[0])
        period = period._replace(length=apart.length, endless=apart.endless)
    if state is not None:
        state = _fitting(name, tx, as_float64(as_state(tx, state)), params)
    # Arrays rather than Python numbers, so that another step does not recompile.
    at = None if step is None else np.asarray(step), np.asarray(clock)
    kept = _kept((anatomy, period, tx, params, at[0], state, at[1]), rms, hessians)
    return Setting(
        name, anatomy, period, tx, params, form, curvature, hessians, rms,
        at[0], state, at[1], kept,
    )  # fmt: skip


def linear_setting(tx: GradientTransformation, curvature: Any, **held: Any) -> Setting:
    """Return the setting of :func:`prepare`, checked to be linear and the same at every step."""
    setting = periodic_setting(tx, curvature, **held)
    require_every_step(setting.name, setting.period, "matrix that is the same at every step")
    return setting


def periodic_setting(tx: GradientTransformation, curvature: Any, **held: Any) -> Setting:
    """Return the setting of :func:`prepare`, checked to be linear and to have a period."""
    setting = prepare(tx, curvature, **held)
    require_period(setting.name, setting.period)
    require_linear(setting)
    return setting


def require_linear(setting: Setting) -> None:
    """Refuse a setting that is not linear, or whose scales cannot be held.

    Raises:
        ValueError: naming the scales.
    """
    anatomy, name = setting.anatomy, setting.name
    systems = _systems(*setting.held, setting.gradient_rms, setting.hessians)
    paths = [anatomy.paths[i] for i in anatomy.positions("scale")]
    endless, miss = np.any(systems.endless, 0), np.max(systems.miss, 0, initial=0)
    growing = [path for path, x in zip(paths, endless, strict=True) if x]
    if growing:
        raise NoLimitError(
            f"{name} has no limit: its scales {', '.join(growing)} keep changing for millions of "
            "steps; name a step=, or hand over a state="
        )
    lost = [path for path, x in zip(paths, miss, strict=True) if not x <= SCALE_TOLERANCE]
    if lost:
        raise ValueError(
            f"{name} cannot be linearised: its scales {', '.join(lost)} do not outlast a step, so "
            "they follow the gradient at hand"
        )
    if not np.max(systems.steps.randomness) <= LINEARITY_TOLERANCE:
        raise random_error(name)
    off = np.max(systems.steps.nonlinearity)
    if not off <= LINEARITY_TOLERANCE:
        raise ValueError(
            f"{name} is not linear in the gradient, even with its scales held: twice the gradient "
            "does not give twice the update, as for a method that takes signs"
        )


class Frozen(NamedTuple):
    """The linear system of each step of a period, and how well the scales are held."""

    steps: LinearSystem
    endless: jax.Array
    miss: jax.Array


def step_loops(setting: Setting) -> LinearSystem:
    """The closed loop of each step of a period on kept coordinates, arrays (period, modes, …)."""
    found = _systems(*setting.held, setting.gradient_rms, setting.hessians).steps
    system, kept = jax.tree.map(np.asarray, found), setting.kept_coordinates
    system = system._replace(
        A=system.A[..., kept, :][..., kept],
        B=system.B[..., kept, :],
        C=system.C[..., kept],
        start=system.start[..., kept, :],
    )
    return jax.tree.map(lambda x: np.moveaxis(x, 1, 0), system)


def closed_loops(setting: Setting) -> LinearSystem:
    """The closed loop over a whole period on the kept coordinates, in arrays (modes, …)."""
    return in_succession(step_loops(setting))


def matrices_at(setting: Setting, names: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """The matrices over a period at N values of hyperparameters, of shape (N, modes, d, d).

    Args:
        setting: the optimizer and its curvature.
        names: the hyperparameters, as :func:`gdlab.set_hyperparameters` takes them.
        values: the values of the hyperparameters, of shape (N, len(names)).
    """
    on = setting.gradient_rms, setting.hessians
    anatomy, period, *own = setting.held
    found = _matrices_at(anatomy, period, names, *own, *on, values)
    kept = setting.kept_coordinates
    steps = np.asarray(found)[..., kept, :][..., kept]
    return functools.reduce(lambda product, A: A @ product, np.moveaxis(steps, 2, 0))


def require_same_period(setting: Setting, names: tuple[str, ...], values: np.ndarray) -> None:
    """Refuse hyperparameters on which the period depends, such as numbers of steps.

    Args:
        setting: the optimizer and its curvature.
        names: the hyperparameters, as :func:`gdlab.set_hyperparameters` takes them.
        values: the values of the hyperparameters, of shape (N, len(names)).

    Raises:
        ValueError: if the period is not that of the setting at all values.
    """
    anatomy, rms = setting.anatomy, setting.gradient_rms[0]
    if not moving_integers(anatomy):
        return
    # If a hyperparameter changes the period, its extreme values show it.
    ends = values[[*np.argmin(values, 0), *np.argmax(values, 0)]]
    present = period_of(anatomy, setting.tx, setting.params, rms)
    lengths = lengths_at(anatomy, setting.tx, setting.params, rms, names, ends)
    if lengths != {None if present.endless else present.length}:
        raise ValueError(
            f"the period of {setting.name} changes with {' or '.join(names)}, so that its "
            f"matrices at several values cannot be compared; linearize it at one value at a time"
        )


def is_scheduled(tx: GradientTransformation) -> bool:
    """Tell whether ``tx``, or any transformation in it, has a schedule as a hyperparameter."""
    return any(map(_is_schedule, jax.tree.leaves(expand(tx), is_leaf=_is_schedule)))


def _is_schedule(node: Any) -> bool:
    return isinstance(node, Schedule)


def _period_apart_from_schedules(name: str, tx: Any, params: Any, rms: Any) -> Period:
    """The period of ``tx`` with constants in place of its schedules."""

    def standing(node):
        return np.asarray(node(1), np.float64) if _is_schedule(node) else node

    constant = jax.tree.map(standing, tx, is_leaf=_is_schedule)
    return period_of(anatomy_of(name, constant, params, rms), constant, params, rms)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _systems(anatomy, period, *on) -> Frozen:
    return _systems_with(anatomy, period, KEYS, *on)


def _systems_with(
    anatomy, period, keys, tx, params, step, state, clock, gradient_rms, hessians
) -> Frozen:
    def of_mode(rms, hessian):
        at = frozen(anatomy, period, tx, params, rms, step, state, clock)

        def loop(position):
            state = jax.tree.map(lambda leaf: leaf[position], at.states)
            return closed_loop(anatomy, tx, params, state, hessian, keys)

        steps = jax.lax.map(loop, jnp.arange(period.length))
        return Frozen(steps, at.endless, at.miss)

    return jax.vmap(of_mode)(gradient_rms, hessians)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _matrices_at(anatomy, period, names, tx, params, *rest):
    *moment, values = rest

    def at(row):
        own = set_hyperparameters(tx, dict(zip(names, row, strict=True)))
        # No keys are compared: the step has been checked for randomness before.
        return _systems_with(anatomy, period, 0, own, params, *moment).steps.A

    return jax.vmap(at)(values)


def _kept(held: tuple[Any, ...], rms: np.ndarray, hessians: np.ndarray) -> tuple[bool, ...]:
    """Tell for each signal whether it lies on a cycle with w.

    A signal does not if it never influences w, or if w never influences it. Hyperparameters are
    perturbed slightly, so that a momentum of 0 counts as momentum; integers from 2 on are left
    alone, because they may count steps.
    """
    anatomy, period, tx, params, *moment = held

    def moved(x):
        if not np.issubdtype(x.dtype, np.floating):
            return x
        return np.where((x >= 2) & (x == np.round(x)), x, 0.999 * x + 0.0005)

    generic = jax.tree.map(moved, tx)
    n = hessians.shape[-1]
    flat = ~np.any(hessians, (1, 2), keepdims=True)
    # All modes at once, because the program for that number of modes is needed anyway.
    hessians = np.where(flat, np.eye(n), hessians)
    found = _systems(anatomy, period, generic, params, *moment, rms, hessians)
    sizes = [*signal_sizes(anatomy, tx, params), n]
    blocks = [slice(end - size, end) for size, end in zip(sizes, np.cumsum(sizes), strict=True)]
    matrix = np.any(np.asarray(found.steps.A), (0, 1))
    leads = np.array([[np.any(matrix[to, of]) for of in blocks] for to in blocks])
    leads = reachable(leads)
    return tuple(bool(leads[-1, i] and leads[i, -1]) for i in range(len(blocks) - 1))


def signal_sizes(anatomy: Anatomy, tx: Any, params: Any) -> list[int]:
    """The number of entries of each signal."""
    leaves = jax.tree.leaves(jax.eval_shape(tx.init, params))
    return [int(np.prod(leaves[i].shape)) for i in anatomy.positions("signal")]


def _fitting(name: str, tx: Any, state: Any, params: Any) -> Any:
    """The given state, cast to the dtypes of the states of ``tx`` and checked for shapes."""
    expected = jax.eval_shape(tx.init, params)
    if jax.tree.structure(state) != jax.tree.structure(expected):
        raise ValueError(
            f"the state is not one of {name} for these params: its structure is "
            f"{jax.tree.structure(state)}, not {jax.tree.structure(expected)}"
        )
    for (path, leaf), other in zip(
        jax.tree_util.tree_leaves_with_path(expected), jax.tree.leaves(state), strict=True
    ):
        if leaf.shape != other.shape:
            raise ValueError(
                f"state{jax.tree_util.keystr(path)} has the shape {other.shape}, where these "
                f"params give {leaf.shape}; hand their tree over as params="
            )
    return jax.tree.map(lambda leaf, other: jnp.asarray(other, leaf.dtype), expected, state)
