"""One training step, as :func:`gdlab.minimize` and :func:`gdlab.sweep` take it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.apply import apply_updates
from gdlab.core.numerics import cast, widen
from gdlab.core.state import evaluates_elsewhere, evaluation_params
from gdlab.core.transformation import GradientTransformation
from gdlab.training.batches import EpochSampler
from gdlab.training.bounds import Box
from gdlab.training.known_gradient import next_value_and_grad
from gdlab.training.loader import Block, is_loader, require_own_sizes
from gdlab.training.models import ModelState
from gdlab.training.objective import Objective

OnBatch = Callable[[Callable[[Any], Any]], Any]
"""A function ``on_batch(fun)`` that returns ``fun(batch)`` for the batch of a step."""


class Progress(NamedTuple):
    """The values that are carried from step to step."""

    params: Any
    """The parameters."""
    state: Any
    """The state of the optimizer."""
    model_state: ModelState
    """The state of the model beside the parameters, such as batch statistics."""


class Seen(NamedTuple):
    """The loss and its gradient at the parameters from which a step starts."""

    value: jax.Array
    """The loss."""
    aux: Any
    """The auxiliary return value of the loss."""
    grad: Any
    """The direction of steepest ascent."""


def sampler_of(data: Any, batch_size: int | None) -> EpochSampler | None:
    """The sampler of batches from arrays; None without data or with a loader.

    Raises:
        ValueError: if the sizes do not fit, or a batch size is given with a loader.
    """
    require_own_sizes(data, batch_size=batch_size)
    if is_loader(data):
        return None
    if data is not None:
        return EpochSampler.for_data(data, batch_size)
    if batch_size is not None:
        raise ValueError("batch_size is given, but no data to draw batches from")
    return None


def is_one_function(
    objective: Objective, sampler: EpochSampler | None, key: jax.Array | None
) -> bool:
    """Tell whether the loss is the same function at all steps, apart from a model state."""
    return not objective.is_random(key) and (sampler is None or sampler.batches_per_epoch == 1)


def on_batch_of(sampler: EpochSampler | None, data: Any, order: Any, step: Any) -> OnBatch:
    """The function ``on_batch(fun)`` for the batch of a step.

    Args:
        sampler: the sampler that chooses the examples of the batch.
        data: arrays, or the :class:`~gdlab.training.loader.Block` of a loader that has the step.
        order: the order of the examples.
        step: the number of the step.
    """
    if isinstance(data, Block):
        return on_batch_in(data.data, step - data.begin)
    if sampler is None:
        return lambda fun: fun(None)
    return lambda fun: sampler.on_batch(fun, data, order, step)


def on_batch_in(stack: Any, index: Any) -> OnBatch:
    """The function ``on_batch(fun)`` for one of the batches in a stack."""
    return lambda fun: fun(jax.tree.map(lambda leaf: leaf[index], stack))


def take_step(
    objective: Callable[..., Any],
    tx: GradientTransformation,
    progress: Progress,
    on_batch: OnBatch,
    key: jax.Array | None,
    is_first: jax.Array | None = None,
    box: Box | None = None,
) -> tuple[Progress, Seen]:
    """One step of an :class:`~gdlab.training.objective.Objective`.

    Only the evaluation of the loss depends on the batch. A batch of another size needs a branch of
    the program, and a small branch saves compile time and copies.

    Args:
        objective: the loss.
        tx: the optimizer.
        progress: the parameters and states before the step.
        on_batch: a function that applies a function to the batch.
        key: the PRNG key of the step.
        is_first: whether it is the first step; given only if the loss is the same function at all
            steps, so that value and gradient that the state knows are not computed again.
        box: the bounds of the parameters.
    """
    recalled = None if is_first is None else recall(objective, tx, progress, on_batch, key, box)
    compute = lambda: evaluate(objective, progress, on_batch, key)  # noqa: E731
    if recalled is None:
        seen, model_state = compute()
    else:
        seen = jax.lax.cond(is_first, lambda: compute()[0], lambda: recalled)
        model_state = progress.model_state
    new = advance(objective, tx, progress, seen, on_batch, key, box)
    return new._replace(model_state=model_state), seen


def evaluate(
    objective: Callable[..., Any], progress: Progress, on_batch: OnBatch, key: jax.Array | None
) -> tuple[Seen, Any]:
    """The loss and its gradient at the parameters of ``progress``, and the model state after it."""
    compute = jax.value_and_grad(objective, has_aux=True)
    (value, (model_state, aux)), grad = on_batch(
        lambda batch: compute(progress.params, batch, key, progress.model_state)
    )
    return Seen(value, aux, _conjugate(grad)), model_state


def recall(
    objective: Callable[..., Any],
    tx: GradientTransformation,
    progress: Progress,
    on_batch: OnBatch,
    key: jax.Array | None,
    box: Box | None,
) -> Seen | None:
    """The loss and gradient at ``progress`` if the state of the optimizer knows them, else None."""
    # With bounds a line search knows only the gradient of the free parameters, and if parameters
    # are stored in a low precision, it has evaluated them before rounding.
    if box is not None or not _is_kept(progress.params):
        return None
    known = next_value_and_grad(tx, progress.state, progress.params)
    if known is None:
        return None
    shapes = jax.eval_shape(lambda: evaluate(objective, progress, on_batch, key)[0])
    if shapes.aux is not None:
        return None
    return jax.tree.map(
        lambda x, shape: cast(x, shape.dtype), Seen(known[0], None, known[1]), shapes
    )


def _is_kept(params: Any) -> bool:
    """Tell whether parameters are stored in the precision in which they are computed."""
    return all(
        leaf is wide
        for leaf, wide in zip(*map(jax.tree.leaves, (params, widen(params))), strict=True)
    )


def advance(
    objective: Callable[..., Any],
    tx: GradientTransformation,
    progress: Progress,
    seen: Seen,
    on_batch: OnBatch,
    key: jax.Array | None,
    box: Box | None = None,
) -> Progress:
    """Take the step from ``progress``, given the loss and gradient there."""
    params, state, model_state = progress
    grad, within = seen.grad, lambda params: params
    if box is not None:
        face = box.face_at(params, grad)
        grad, within = face.free(grad), face.project

    def value_fn(params):
        return on_batch(lambda batch: objective(within(params), batch, key, model_state)[0])

    def grad_fn(params):
        grad = jax.grad(lambda p, batch: objective(within(p), batch, key, model_state)[0])
        return _conjugate(on_batch(lambda batch: grad(params, batch)))

    updates, state = tx.update(
        grad,
        state,
        params,
        value=seen.value,
        grad=grad,
        value_fn=value_fn,
        grad_fn=grad_fn,
        key=None if key is None else jax.random.fold_in(key, 1),
    )
    return Progress(within(apply_updates(params, updates)), state, model_state)


def evaluation_value(
    objective: Callable[..., Any], progress: Progress, on_batch: OnBatch, key: jax.Array | None
) -> jax.Array | None:
    """The loss at the averaged parameters, None if the optimizer does not average."""
    if not evaluates_elsewhere(progress.state):
        return None
    params = evaluation_params(progress.state, progress.params)
    return on_batch(lambda batch: objective(params, batch, key, progress.model_state)[0])


def step_of(
    objective: Objective,
    sampler: EpochSampler | None,
    tx: GradientTransformation,
    data: Any,
    key: jax.Array | None,
    first_step: jax.Array | int = 0,
    box: Box | None = None,
) -> Callable[..., Any]:
    """The function ``take((progress, order), step)`` → ((progress, order) after it, ``Seen``)."""
    same = objective.has_no_side_results and is_one_function(objective, sampler, key)
    same = same and not isinstance(data, Block)

    def take(carry: tuple[Progress, Any], step: jax.Array) -> tuple[tuple[Progress, Any], Seen]:
        progress, order = carry
        if sampler is not None:
            order = sampler.reshuffle(order, key, step)
        step_key = None if key is None else jax.random.fold_in(key, step)
        on_batch = on_batch_of(sampler, data, order, step)
        is_first = step == first_step if same else None
        new, seen = take_step(objective, tx, progress, on_batch, step_key, is_first, box)
        return (new, order), seen

    return take


def _conjugate(grad: Any) -> Any:
    # JAX's gradient of a complex parameter is the conjugate of the direction of steepest ascent.
    return jax.tree.map(lambda g: jnp.conj(g) if jnp.iscomplexobj(g) else g, grad)
