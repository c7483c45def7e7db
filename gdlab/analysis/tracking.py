"""A training run with its curvature beside it, against the limit of its own optimizer."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.hessian import MeanLoss
from gdlab.analysis.precision import float64_on_cpu
from gdlab.analysis.preconditioned import inverse_scales
from gdlab.analysis.preconditioner import anatomy_on, require_diagonal
from gdlab.analysis.largest_curvature import follow_sharpness
from gdlab.analysis.stability import reference, sharpness_limit
from gdlab.core.schedule import has_schedules
from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.bar import Bar
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.step import Progress, sampler_of, step_of


class Tracked(NamedTuple):
    """What was measured along a run; arrays have an entry for each measurement."""

    step: np.ndarray
    """How many steps had been taken."""
    loss: np.ndarray
    """The loss over all data."""
    sharpness: np.ndarray
    """The largest eigenvalue of the Hessian."""
    residual: np.ndarray
    """‖Hv − λv‖ of its eigenvector: so far is the nearest eigenvalue at most."""
    preconditioned_sharpness: np.ndarray
    """The same of P⁻¹H, the curvature as the optimizer sees it; NaN before its first step."""
    threshold: np.ndarray
    """The largest curvature at which the optimizer is stable, :func:`sharpness_limit`; NaN if it
    is not linear."""
    alignment: np.ndarray
    """The cosine between −(the update taken there) and the gradient it was made of."""
    params: Any
    """The parameters after the last step."""
    state: Any
    """The state of the optimizer after the last step."""

    def plot(self, ax: Any = None) -> Any:
        """Draw the sharpness that counts against its threshold; needs the extra ``lab``."""
        from gdlab.plots.sharpness import plot_sharpness

        return plot_sharpness(
            self.step, self.preconditioned_sharpness, self.threshold, self.loss, ax=ax
        )


class _Task(NamedTuple):
    """What the program of a run is compiled for."""

    objective: Objective
    mean_loss: MeanLoss
    sampler: Any
    every: int
    iterations: int
    anatomy: Any


class _Carry(NamedTuple):
    progress: Progress
    order: Any
    vector: Any
    preconditioned_vector: Any


def track(
    loss: Callable[..., Any],
    params: Any,
    tx: GradientTransformation,
    steps: int,
    data: Any = None,
    *,
    every: int = 20,
    batch_size: int | None = None,
    curvature_batch_size: int | None = None,
    iterations: int = 20,
    key: jax.Array | None = None,
    progress: bool = True,
) -> Tracked:
    """Train, and every few steps measure the sharpness against the optimizer's own limit.

    wₜ₊₁ = wₜ + uₜ as in :func:`gdlab.minimize`; at steps 0, ``every``, 2·``every``, … the largest
    eigenvalues of H and of P⁻¹H are found by Lanczos' method, from their eigenvectors at the last
    measurement. Steps and measurement are one compiled program.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data.
        params: the start, a tree of real floating-point arrays.
        tx: the optimizer.
        steps: how many steps, a multiple of ``every``.
        data: a tree of arrays whose leading axis counts the examples.
        every: steps from one measurement to the next.
        batch_size: examples in a training batch; ``None`` for all of them.
        curvature_batch_size: examples in memory at a time while measuring; always over all data.
        iterations: of Lanczos' method in each measurement.
        key: PRNG key, needed if batches are drawn.
        progress: whether to show a bar.

    Returns:
        What was :class:`Tracked`. After divergence its numbers are not finite.

    Raises:
        ValueError: if ``steps`` is no multiple of ``every``, or a key is missing.

    Warns:
        RuntimeWarning: if ``tx`` is not linear, so that there is no threshold.

    >>> import jax.numpy as jnp
    >>> from gdlab import sgd
    >>> from gdlab.analysis import track
    >>> tracked = track(lambda w: jnp.sum(w**4), jnp.array([1.0, 0.5]), sgd(0.1), 4, every=2)
    >>> tracked.sharpness.round(2)
    array([12.  ,  3.17,  2.12], dtype=float32)
    >>> tracked.threshold.round(3)
    array([20., 20., 20.])

    Source: J. Cohen et al., Gradient descent on neural networks typically occurs at the edge of
    stability, 2021; Adaptive gradient methods at the edge of stability, 2022.
    """
    if every < 1 or steps < 0 or steps % every:
        raise ValueError(f"steps must be a multiple of every, {every}, not {steps}")
    objective = Objective(ByIdentity(loss), data is not None, False, False)
    sampler = sampler_of(data, batch_size)
    if key is None and sampler is not None and sampler.batches_per_epoch > 1:
        raise ValueError("batches are drawn at random: track needs a PRNG key")
    mean_loss = MeanLoss.of(loss, data, curvature_batch_size)
    params = jax.tree.map(jnp.asarray, params)
    measured_at = np.arange(0, steps + 1, every)
    threshold, unit, anatomy = _limits(tx, params, measured_at)
    task = _Task(objective, mean_loss, sampler, every, iterations, anatomy)
    zeros = jax.tree.map(jnp.zeros_like, params)
    order = None if sampler is None else sampler.order(key, 0)
    carry = _Carry(Progress(params, tx.init(params), None), order, zeros, zeros)
    rows = []
    with Bar(steps if progress else 0) as bar:
        for number, start in enumerate(measured_at):
            last = start == steps
            carry, row = _measured(task, last, carry, tx, data, key, start, unit[number])
            rows.append(jax.device_get(row))
            if number == 0 and anatomy is not None and steps:
                require_diagonal(anatomy, tx, carry.progress.params, carry.progress.state)
            if progress and not last:
                bar.advanced(f"sharpness {rows[-1]['sharpness']:.3g}", every)
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return Tracked(
        step=measured_at,
        threshold=threshold,
        params=carry.progress.params,
        state=carry.progress.state,
        **columns,
    )


def _limits(tx: GradientTransformation, params: Any, steps: np.ndarray) -> tuple[Any, Any, Any]:
    """At each step the threshold and the unit of P, and the anatomy of ``tx`` if it is adaptive."""

    def at(step: int | None) -> tuple[float, float]:
        with float64_on_cpu():
            return sharpness_limit(tx, step=step), reference(tx, step)[1]

    try:
        anatomy = anatomy_on(tx, params)
        scheduled = has_schedules(tx)
        pairs = [at(int(step)) for step in steps] if scheduled else [at(None)] * len(steps)
    except ValueError as error:
        warnings.warn(f"there is no threshold: {error}", RuntimeWarning, stacklevel=3)
        nothing = np.full(len(steps), np.nan)
        return nothing, nothing, None
    threshold, unit = np.array(pairs).T
    return threshold, unit, anatomy if anatomy.adaptive else None


@functools.partial(jax.jit, static_argnums=(0, 1))
def _measured(
    task: _Task, last: bool, carry: _Carry, tx: Any, data: Any, key: Any, step: Any, unit: Any
) -> tuple[_Carry, dict[str, jax.Array]]:
    """A measurement, and unless it is the last the steps to the next one."""
    params, state, _ = carry.progress
    follow = functools.partial(
        follow_sharpness,
        task.mean_loss.objective.fun.function,
        params,
        data=data,
        iterations=task.iterations,
        batch_size=None if task.mean_loss.sampler is None else task.mean_loss.sampler.batch_size,
    )
    plain = follow(carry.vector)
    if task.anatomy is None:
        preconditioned = plain
    else:
        inverse = inverse_scales(task.anatomy, tx, params, state, unit)
        preconditioned = follow(carry.preconditioned_vector, preconditioner=inverse)
        unseen = jnp.where(step > 0, preconditioned.value, jnp.nan)
        preconditioned = preconditioned._replace(value=unseen)
    row = {
        "loss": task.mean_loss.value(params, data),
        "sharpness": plain.value,
        "residual": plain.residual,
        "preconditioned_sharpness": preconditioned.value,
    }
    inner = carry.progress, carry.order
    take = step_of(task.objective, task.sampler, tx, data, key)

    def body(inner, step):
        new, seen = take(inner, step)
        return new, _cosine(inner[0].params, new[0].params, seen.grad)

    after, cosines = jax.lax.scan(body, inner, step + jnp.arange(1 if last else task.every))
    now, order = inner if last else after
    row["alignment"] = cosines[0]
    return _Carry(now, order, plain.vector, preconditioned.vector), row


def _cosine(before: Any, after: Any, gradient: Any) -> jax.Array:
    update = ravel_pytree(jax.tree.map(jnp.subtract, before, after))[0]
    gradient = ravel_pytree(gradient)[0]
    lengths = jnp.linalg.norm(update) * jnp.linalg.norm(gradient)
    return jnp.vdot(update, gradient) / jnp.where(lengths > 0, lengths, 1)
