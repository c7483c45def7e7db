"""One run of an optimizer, as a compiled scan."""

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.numerics import strong
from gdlab.core.transformation import GradientTransformation
from gdlab.training.batches import EpochSampler
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.step import Progress, on_batch_of, sampler_of, step_of


class Trajectory(NamedTuple):
    """Where a run went."""

    params: Any
    """The parameters after the last step."""
    path: Any
    """The parameters at steps 0, 1, …, with a leading axis of ``steps + 1``; None if not kept."""
    values: jax.Array
    """The losses at those parameters, each on the batch of its step, of shape ``(steps + 1,)``."""
    aux: Any
    """The auxiliary values beside them, with a leading axis of ``steps + 1``; None if none."""
    state: Any
    """The state of the optimizer after the last step."""
    model_state: Any
    """The model state after the last step; None if there is none."""


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    tx: GradientTransformation,
    steps: int,
    *,
    data: Any = None,
    batch_size: int | None = None,
    key: jax.Array | None = None,
    has_aux: bool = False,
    model_state: Any = None,
    keep_path: bool = True,
) -> Trajectory:
    """Run an optimizer on a function, or on a loss over data, in one compiled scan.

    wₜ₊₁ = wₜ + uₜ, with uₜ the update of ``tx`` at step t

    It compiles once for a function, whatever the hyperparameters of ``tx``, and runs under
    ``jax.vmap`` and ``jax.jit``. ``tx`` is given ``value``, ``grad``, ``value_fn``, ``grad_fn`` and
    ``key``, so look-ahead methods work as they are.

    Args:
        fun: ``fun(params)``, or ``fun(params, batch)`` if there are data, a real scalar. If it has
            a parameter ``key``, it is given a fresh PRNG key at each step.
        x0: the start, a tree of floating-point or complex arrays.
        tx: the optimizer; a pair ``(init, update)`` of another library will do.
        steps: the number of steps.
        data: a tree of arrays whose leading axis counts the examples.
        batch_size: examples in a batch, drawn without replacement; ``None`` for all of them.
        key: PRNG key, needed if batches are drawn or ``fun`` takes a key.
        has_aux: whether ``fun`` returns ``(loss, aux)``.
        model_state: what the loss carries from step to step beside the parameters, such as batch
            statistics. If given, ``fun`` takes it by the keyword ``model_state`` and returns
            ``(loss, model_state)``, or ``(loss, (model_state, aux))`` with ``has_aux``.
        keep_path: whether to return the parameters of all steps.

    Returns:
        The :class:`Trajectory`. A run that diverges returns what it computed, not an exception.

    Raises:
        ValueError: if a key is needed and missing, ``steps`` is negative, or sizes do not fit.
        TypeError: if ``steps`` is no integer, ``fun`` does not return a real scalar, or ``tx`` is
            no optimizer.

    >>> from gdlab import minimize, sgd
    >>> run = minimize(lambda w: 0.5 * w**2, 1.0, sgd(0.5), steps=3)
    >>> run.path
    Array([1.   , 0.5  , 0.25 , 0.125], dtype=float32)
    >>> run.values
    Array([0.5      , 0.125    , 0.03125  , 0.0078125], dtype=float32)
    """
    if operator.index(steps) < 0:
        raise ValueError(f"steps must be at least 0, not {steps}")
    objective = Objective(ByIdentity(fun), data is not None, has_aux, model_state is not None)
    sampler = sampler_of(data, batch_size)
    draws = sampler is not None and sampler.batches_per_epoch > 1
    if key is None and (draws or objective.takes_key):
        what = "the batches are drawn at random" if draws else "the loss takes a key"
        raise ValueError(f"{what}: minimize needs a PRNG key, such as key=jax.random.key(0)")
    x0 = strong(jax.tree.map(jnp.asarray, x0))
    tx = GradientTransformation.convert(tx)
    return _run(objective, sampler, steps, keep_path, x0, tx, data, model_state, key)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run(
    objective: Objective,
    sampler: EpochSampler | None,
    steps: int,
    keep_path: bool,
    params: Any,
    tx: GradientTransformation,
    data: Any,
    model_state: Any,
    key: jax.Array | None,
) -> Trajectory:
    take = step_of(objective, sampler, tx, data, key)

    def body(carry, step):
        new, seen = take(carry, step)
        return new, (carry[0].params if keep_path else None, seen.value, seen.aux)

    order = None if sampler is None else sampler.order(key, 0)
    start = Progress(params, tx.init(params), model_state)
    (progress, order), (path, values, aux) = jax.lax.scan(body, (start, order), jnp.arange(steps))

    # The last point is evaluated on the batch that the next step would see.
    if sampler is not None and order is not None:
        order = sampler.reshuffle(order, key, jnp.asarray(steps))
    last_key = None if key is None else jax.random.fold_in(key, steps)
    value, (_, last_aux) = on_batch_of(sampler, data, order, jnp.asarray(steps))(
        lambda batch: objective(progress.params, batch, last_key, progress.model_state)
    )
    append = lambda old, new: jnp.concatenate([old, jnp.asarray(new)[None]])  # noqa: E731
    return Trajectory(
        params=progress.params,
        path=jax.tree.map(append, path, progress.params) if keep_path else None,
        values=append(values, value),
        aux=jax.tree.map(append, aux, last_aux),
        state=progress.state,
        model_state=progress.model_state,
    )
