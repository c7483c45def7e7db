"""A training run with measurements of its sharpness and the optimizer's stability limit."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.parameter_space import in_one_dtype
from gdlab.analysis.curvature.sharpness import follow_sharpness_of
from gdlab.analysis.linear.precision import float64_on_cpu
from gdlab.analysis.linear.setting import is_scheduled
from gdlab.analysis.linear.stability import sharpness_limit, unit_response
from gdlab.analysis.runs.preconditioned import inverse_scales
from gdlab.analysis.runs.preconditioner import anatomy_on, require_diagonal
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, Key, Size
from gdlab.core.numerics import common_dtype
from gdlab.core.state import evaluation_params
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.core.warning import warn_caller
from gdlab.progress.bar import Bar
from gdlab.progress.interrupts import Interrupts
from gdlab.training.loader import Block, Stream, is_loader, is_read_once, require_own_sizes
from gdlab.training.models import ModelState, open_model
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.start import differentiable
from gdlab.training.step import Progress, sampler_of, step_of


class Tracked(NamedTuple):
    """The measurements along a run, in arrays of shape ``(measurements,)``."""

    step: np.ndarray
    """The number of steps taken before each measurement."""
    loss: np.ndarray
    """The loss over all data."""
    sharpness: np.ndarray
    """The largest eigenvalue of the Hessian."""
    residual: np.ndarray
    """The norm ‖Hv − λv‖: an eigenvalue lies within this distance of ``sharpness``."""
    preconditioned_sharpness: np.ndarray
    """The largest eigenvalue of the preconditioned Hessian P⁻¹H; NaN before the first step."""
    threshold: np.ndarray
    """The largest curvature at which the optimizer is stable, :func:`sharpness_limit`; NaN if it
    is not linear."""
    alignment: np.ndarray
    """The cosine between the negative update of the next step and the step's gradient."""
    params: Any
    """The parameters after the last step."""
    state: Any
    """The state of the optimizer after the last step."""

    def plot(self, ax: Any = None) -> Any:
        """Draw the (preconditioned) sharpness and the threshold; needs the extra ``lab``."""
        from gdlab import plots

        counts = self.preconditioned_sharpness
        plain = np.array_equal(counts, self.sharpness, equal_nan=True)
        name = "sharpness" if plain else "preconditioned sharpness"
        return plots.sharpness(self.step, counts, self.threshold, self.loss, ax=ax, name=name)


class _Task(NamedTuple):
    """The static settings of the programs of a run, beside the measured loss."""

    objective: Objective
    sampler: Any
    is_streamed: bool
    """True if the batches come from a loader."""
    iterations: int
    anatomy: Any


class _Carry(NamedTuple):
    progress: Progress
    order: Any
    vector: Any
    preconditioned_vector: Any


@checked
def track(
    loss: Callable[..., Any],
    params: Any,
    tx: GradientTransformation,
    steps: Size,
    data: Any = None,
    *,
    every: Count = 20,
    batch_size: Count | None = None,
    curvature_batch_size: Count | None = None,
    iterations: Count = 20,
    key: Key | None = None,
    progress: bool = True,
) -> Tracked:
    """Train, and every few steps measure the sharpness and the optimizer's stability limit.

    Training is that of :func:`gdlab.minimize`. At steps 0, ``every``, 2·``every``, … the largest
    eigenvalues of H and of P⁻¹H are computed by Lanczos' method, starting from their eigenvectors
    at the last measurement. Steps and measurements are compiled once each.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data.
        params: the initial parameters: a tree of real floating-point arrays, or a model as in
            :func:`gdlab.minimize`. The curvature needs a deterministic loss, so call the model in
            evaluation mode, without dropout.
        tx: the optimizer.
        steps: the number of steps, a multiple of ``every``; 0 to measure at the start alone.
        data: a tree of arrays whose leading axis counts the examples; or a loader that can be
            iterated over again, whose batches are those of the steps as in :func:`gdlab.minimize`.
            One pass over it, which must end, is held in memory for the measurements.
        every: the number of steps from one measurement to the next.
        batch_size: the number of examples in a training batch; ``None`` for all examples.
        curvature_batch_size: the number of examples in memory at a time while measuring, which
            always covers all data.
        iterations: the number of Lanczos iterations in each measurement.
        key: a PRNG key, needed if batches are drawn.
        progress: whether to show a progress bar.

    Returns:
        The measurements, a :class:`Tracked`. After divergence they are not finite.

    Raises:
        ValueError: if ``steps`` is no multiple of ``every``, a key is missing, ``tx`` divides
            by scales without being diagonal, or ``data`` is an iterator.
        KeyboardInterrupt: on Ctrl-C. Like every exception after the first measurement, it has the
            measurements so far in its attribute ``result``.

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
    if steps % every:
        raise ValueError(f"steps must be a multiple of every, {every}, not {steps}")
    model = open_model(params)
    objective = Objective(ByIdentity(loss), data is not None, False, False, model.form)
    sampler = sampler_of(data, batch_size)
    if key is None and sampler is not None and sampler.batches_per_epoch > 1:
        raise ValueError("batches are drawn at random: track needs a PRNG key")
    require_own_sizes(data, curvature_batch_size=curvature_batch_size)
    stream = _stream(data)
    mean_loss, _, data = MeanLoss.over(loss, model, data, curvature_batch_size)
    params = differentiable(model.params, "params")
    tx = as_transformation(tx)
    measured_at = np.arange(0, steps + 1, every)
    threshold, unit, anatomy = _limits(tx, params, measured_at)
    if anatomy is not None:
        require_diagonal(anatomy, tx, params)
    task = _Task(objective, sampler, stream is not None, iterations, anatomy)
    zeros = jax.tree.map(jnp.zeros_like, params)
    order = None if sampler is None else sampler.order(key, 0)
    start = Progress(params, tx.init(params), ModelState(model.held))
    carry = _Carry(start, order, zeros, zeros)
    rows: list[dict[str, np.ndarray]] = []

    def tracked() -> Tracked:
        columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return Tracked(
            step=measured_at[: len(rows)],
            threshold=threshold[: len(rows)],
            params=model.form.close(carry.progress.params, carry.progress.model_state.held),
            state=carry.progress.state,
            **columns,
        )

    with contextlib.ExitStack() as stack:
        if stream is not None:
            stack.enter_context(contextlib.closing(stream))
        interrupts = stack.enter_context(Interrupts())
        bar = stack.enter_context(Bar(steps)) if progress else Bar(steps)
        try:
            for start, own_unit in zip(measured_at.tolist(), unit, strict=True):
                last = start == steps
                carry, row = _measured(task, mean_loss, carry, tx, data, start, own_unit)
                ahead = carry
                # The last measurement evaluates one more step, which is not taken.
                end = start + (1 if last else every)
                whole = [Block(start, end, data)]
                for block in whole if stream is None else stream.blocks(start, end):
                    ahead, cosine = _trained(task, ahead, tx, block, key)
                    row.setdefault("alignment", cosine)
                rows.append(jax.device_get(row))
                if not last:
                    carry = ahead
                    bar.advanced(f"sharpness {rows[-1]['sharpness']:.3g}", every)
                interrupts.check()
        except BaseException as error:
            if rows:
                error.result = tracked()  # type: ignore[attr-defined]
                error.add_note("What was measured so far is in this exception's `result`.")
            raise
    return tracked()


def _stream(data: Any) -> Stream | None:
    """The stream of a loader's batches, None if data are arrays.

    Raises:
        ValueError: if the loader cannot be iterated over again.
    """
    if not is_loader(data):
        return None
    if is_read_once(data):
        raise ValueError(
            f"data is an iterator ({type(data).__name__}), which can be read once, but track reads "
            "them for the measurements and for the steps: give a loader that can be iterated over "
            "again, an object whose __iter__ returns a new iterator"
        )
    return Stream(data)


def _limits(tx: GradientTransformation, params: Any, steps: np.ndarray) -> tuple[Any, Any, Any]:
    """The thresholds and units of P at the steps, and the anatomy of ``tx`` if it is adaptive."""

    def at(step: int | None) -> tuple[float, float]:
        # The limit is that of the next step, while P is that of the last one.
        last = None if step is None else max(step - 1, 0)
        with float64_on_cpu():
            unit = unit_response(tx, last) if anatomy.adaptive else np.nan
            return sharpness_limit(tx, step=step), unit

    try:
        anatomy = anatomy_on(tx, params)
        pairs = [at(int(s)) for s in steps] if is_scheduled(tx) else [at(None)] * len(steps)
    except ValueError as error:
        warn_caller(f"there is no threshold: {error}", RuntimeWarning)
        nothing = np.full(len(steps), np.nan)
        return nothing, nothing, None
    threshold, unit = np.array(pairs).T
    return threshold, unit, anatomy if anatomy.adaptive else None


@functools.partial(jax.jit, static_argnums=0)
def _measured(
    task: _Task, mean_loss: MeanLoss, carry: _Carry, tx: Any, data: Any, step: Any, unit: Any
) -> tuple[_Carry, dict[str, jax.Array]]:
    """Measure at a step; also return the vectors from which the next measurement starts."""
    params, state, model_state = carry.progress
    mean_loss = dataclasses.replace(mean_loss, held=model_state.held)
    follow = functools.partial(
        follow_sharpness_of, mean_loss, in_one_dtype(params), data=data, iterations=task.iterations
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
        "loss": mean_loss.value(evaluation_params(state, params), data),
        "sharpness": plain.value,
        "residual": plain.residual,
        "preconditioned_sharpness": preconditioned.value,
    }
    return carry._replace(vector=plain.vector, preconditioned_vector=preconditioned.vector), row


@functools.partial(jax.jit, static_argnums=0)
def _trained(
    task: _Task, carry: _Carry, tx: Any, block: Block, key: Any
) -> tuple[_Carry, jax.Array]:
    """Take the steps of a block; also return the alignment of the first step."""
    source = block if task.is_streamed else block.data
    take = step_of(task.objective, task.sampler, tx, source, key)

    def body(step, carried):
        inner, at_first = carried
        new, seen = take(inner, step)
        now = _cosine(inner[0].params, new[0].params, seen.grad)
        return new, jnp.where(step == block.begin, now, at_first)

    nothing = jnp.full((), jnp.nan, common_dtype(jax.tree.leaves(carry.progress.params)))
    inner = carry.progress, carry.order
    inner, alignment = jax.lax.fori_loop(block.begin, block.end, body, (inner, nothing))
    return carry._replace(progress=inner[0], order=inner[1]), alignment


def _cosine(before: Any, after: Any, gradient: Any) -> jax.Array:
    update = ravel_pytree(jax.tree.map(jnp.subtract, before, after))[0]
    gradient = ravel_pytree(gradient)[0]
    lengths = jnp.linalg.norm(update) * jnp.linalg.norm(gradient)
    return jnp.vdot(update, gradient) / jnp.where(lengths > 0, lengths, 1)
