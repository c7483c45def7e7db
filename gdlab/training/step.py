"""One training step, as :func:`gdlab.minimize` and :func:`gdlab.sweep` take it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.apply import apply_updates
from gdlab.core.numerics import cast
from gdlab.core.transformation import GradientTransformation
from gdlab.training.batches import EpochSampler
from gdlab.training.known_gradient import next_value_and_grad
from gdlab.training.objective import Objective


class Progress(NamedTuple):
    """The values that are carried from step to step."""

    params: Any
    """The parameters."""
    state: Any
    """The state of the optimizer."""
    model_state: Any
    """The state of the model beside the parameters, such as batch statistics."""


class Seen(NamedTuple):
    """What a step sees at the parameters that it starts from."""

    value: jax.Array
    """The loss."""
    aux: Any
    """What the loss returns beside it."""
    grad: Any
    """The direction of steepest ascent."""


def sampler_of(data: Any, batch_size: int | None) -> EpochSampler | None:
    """How batches are drawn from the data, or None if there are none."""
    if data is not None:
        return EpochSampler.for_data(data, batch_size)
    if batch_size is not None:
        raise ValueError("batch_size is given, but no data to draw batches from")
    return None


def on_batch_of(
    sampler: EpochSampler | None, data: Any, order: Any, step: Any
) -> Callable[[Callable[[Any], Any]], Any]:
    """``on_batch(fun)``: what ``fun`` makes of the batch of a step."""
    if sampler is None:
        return lambda fun: fun(None)
    return lambda fun: sampler.on_batch(fun, data, order, step)


def take_step(
    objective: Callable[..., Any],
    tx: GradientTransformation,
    progress: Progress,
    on_batch: Callable[[Callable[[Any], Any]], Any],
    key: jax.Array | None,
    is_first: jax.Array | None = None,
) -> tuple[Progress, Seen]:
    """One step of an :class:`~gdlab.training.objective.Objective`.

    Only the loss sees the batch: a batch of another size is a branch of the program, and the
    smaller the branch, the less is compiled twice and copied.

    Args:
        objective: the loss.
        tx: the optimizer.
        progress: where the run stands.
        on_batch: what a function makes of the batch.
        key: the PRNG key of the step.
        is_first: whether it is the first step, given where the loss is the same function at all
            steps: then the value and the gradient that the state knows are not computed again.
    """
    params, state, model_state = progress

    def value_fn(params):
        return on_batch(lambda batch: objective(params, batch, key, model_state)[0])

    def grad_fn(params):
        grad = jax.grad(lambda p, batch: objective(p, batch, key, model_state)[0])
        return _conjugate(on_batch(lambda batch: grad(params, batch)))

    evaluate = jax.value_and_grad(objective, has_aux=True)

    def compute():
        return on_batch(lambda batch: evaluate(params, batch, key, model_state))

    def value_and_grad():
        (value, _), grad = compute()
        return value, grad

    known = None if is_first is None else next_value_and_grad(state)
    if known is None:
        (value, (new_model_state, aux)), grad = compute()
    else:
        shapes = jax.eval_shape(value_and_grad)
        recalled = jax.tree.map(lambda x, shape: cast(x, shape.dtype), known, shapes)
        value, grad = jax.lax.cond(is_first, value_and_grad, lambda: recalled)
        new_model_state, aux = model_state, None
    grad = _conjugate(grad)
    updates, state = tx.update(
        grad,
        state,
        params,
        value=value,
        grad=grad,
        value_fn=value_fn,
        grad_fn=grad_fn,
        key=None if key is None else jax.random.fold_in(key, 1),
    )
    return Progress(apply_updates(params, updates), state, new_model_state), Seen(value, aux, grad)


def step_of(
    objective: Objective,
    sampler: EpochSampler | None,
    tx: GradientTransformation,
    data: Any,
    key: jax.Array | None,
    first_step: jax.Array | int = 0,
) -> Callable[..., Any]:
    """``take((progress, order), step)``: the same after that step of a run, and what it saw."""
    same = objective.has_no_side_results and not objective.takes_key
    same = same and (sampler is None or sampler.batches_per_epoch == 1)

    def take(carry: tuple[Progress, Any], step: jax.Array) -> tuple[tuple[Progress, Any], Seen]:
        progress, order = carry
        if sampler is not None:
            order = sampler.reshuffle(order, key, step)
        step_key = None if key is None else jax.random.fold_in(key, step)
        on_batch = on_batch_of(sampler, data, order, step)
        is_first = step == first_step if same else None
        new, seen = take_step(objective, tx, progress, on_batch, step_key, is_first)
        return (new, order), seen

    return take


def _conjugate(grad: Any) -> Any:
    # JAX's gradient of a complex parameter is the conjugate of the direction of steepest ascent.
    return jax.tree.map(lambda g: jnp.conj(g) if jnp.iscomplexobj(g) else g, grad)
