"""One run of an optimizer, as one compiled program."""

import functools
from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between, Key, Size
from gdlab.core.numerics import common_dtype
from gdlab.core.state import evaluation_params
from gdlab.core.transformation import GradientTransformation, as_state, as_transformation
from gdlab.devices.free_memory import bytes_in_memory, require_memory
from gdlab.training.batches import EpochSampler
from gdlab.training.bounds import Box
from gdlab.training.evaluation import Evaluation
from gdlab.training.length import Interval, evaluation_interval, steps_of
from gdlab.training.loader import is_loader
from gdlab.training.models import ModelState, open_model
from gdlab.training.objective import ByIdentity, Objective, require_state
from gdlab.training.over_loader import run_over_loader
from gdlab.training.start import differentiable
from gdlab.training.step import (
    Progress,
    evaluation_value,
    is_one_function,
    on_batch_of,
    sampler_of,
    step_of,
)
from gdlab.training.trajectory import Trajectory
from gdlab.training.until_converged import run_until_converged


@checked
def minimize(
    fun: Callable[..., Any],
    x0: Any,
    tx: GradientTransformation,
    steps: Size | None = None,
    *,
    epochs: Size | None = None,
    data: Any = None,
    batch_size: int | None = None,
    key: Key | None = None,
    has_aux: bool = False,
    model_state: Any = None,
    keep_path: bool = True,
    state: Any = None,
    first_step: Size | jax.Array | None = None,
    tol: Annotated[float, Between(0)] | jax.Array | None = None,
    bounds: tuple[Any, Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    evaluate_every: Interval | None = None,
) -> Trajectory:
    """Run an optimizer on a function, or on a loss over data, in one compiled program.

    wₜ₊₁ = wₜ + uₜ, with uₜ the update of ``tx`` at step t

    It compiles once per function, whatever the hyperparameters of ``tx``, and works under
    ``jax.vmap`` and ``jax.jit``. ``tx.update`` is given ``value``, ``grad``, ``value_fn``,
    ``grad_fn`` and ``key``, which line searches and look-ahead methods need.

    With a ``tol`` the run ends when the gradient is small, the optimizer finds no better point, the
    loss is not finite, or ``steps`` steps are taken; ``outcome`` says which. The shapes of ``path``
    and ``values`` stay the same: entries after the end repeat the last one. Under ``jax.vmap`` each
    lane ends by itself, and the program ends with the last lane.

    Args:
        fun: ``fun(params)``, or ``fun(params, batch)`` if there are data; it returns a real scalar.
            If it has a parameter ``key``, it is given a fresh PRNG key at each step.
        x0: the initial parameters, a tree of floating-point or complex arrays; or a model (a Flax
            NNX module, a bound linen module or an Equinox module), which ``fun`` is then given and
            which is returned, see :func:`gdlab.interop.trainable`.
        tx: the optimizer; a pair ``(init, update)`` of another library works too.
        steps: the number of steps.
        epochs: the number of passes over the data, in place of ``steps``.
        data: a tree of arrays whose leading axis counts the examples; or, for data that do not fit
            on the device, a loader: an iterable of batches. It gives a batch for each step and one
            more, for the loss of the final parameters. It is iterated over again when it ends, and
            ``first_step`` batches are skipped; an iterator, such as a generator, is read once, and
            its next batch is that of ``first_step``. A list is a tree of arrays: write
            ``iter(batches)`` for a list of batches.
        batch_size: the number of examples in a batch, drawn without replacement; ``None`` for all
            examples. A loader has its own batch sizes.
        key: a PRNG key, needed if batches are drawn or ``fun`` takes a key.
        has_aux: whether ``fun`` returns ``(loss, aux)``.
        model_state: a state that the loss carries from step to step beside the parameters, such as
            batch statistics. If given, ``fun`` takes it as the keyword ``model_state`` and returns
            ``(loss, model_state)``, or ``(loss, (model_state, aux))`` with ``has_aux``.
        keep_path: whether to return the parameters of all steps.
        state: the state that an earlier call returned, to continue from there with its ``params``.
        first_step: the number of steps taken before, ``steps`` of the earlier :class:`Trajectory`;
            needed with a ``state`` if batches or keys are drawn or a loader gives batches, so that
            these continue too.
        tol: the run has converged when no element of the gradient has a modulus above ``tol``. With
            bounds, the projected gradient w − P(w − ∇f(w)) counts.
        bounds: the pair ``(lower, upper)``, each a number, a model or a tree of arrays like the
            parameters (or a prefix of one), or None for no bound. The start and every step are
            projected onto the bounds; ``tx`` is given the loss of the projected parameters.
        evaluate: ``evaluate(params)``, which returns a tree of arrays such as the loss on held-out
            data; called with the averaged parameters if ``tx`` averages, and also with
            ``model_state`` if there is one.
        evaluate_every: the number of steps between evaluations, or "epoch"; the first evaluation is
            before the first step of this call, and the final parameters are evaluated too. Without
            it ``evaluate`` is called at the start and at the end.

    Returns:
        The :class:`Trajectory`. A run that diverges raises no exception.

    Raises:
        ValueError: if a needed key or ``first_step`` is missing, ``steps`` is negative, ``state``
            is not a state of ``tx``, sizes do not fit, ``tol`` is given but the loss changes from
            step to step or there is an ``evaluate``, ``evaluate_every`` is given without
            ``evaluate``, an iterator ends early, or the parameters of all steps do not fit into
            memory.
        TypeError: if ``steps`` is not an integer, ``fun`` does not return a real scalar, ``x0`` has
            a leaf that cannot be differentiated, ``tx`` is not an optimizer, a batch of a loader or
            the return value of ``evaluate`` is not a tree of arrays, or there is a loader and the
            call is traced.
        KeyboardInterrupt: on Ctrl-C. With a loader it has, like every exception after the first
            steps, the :class:`Trajectory` so far in its attribute ``result``, without the loss at
            the last parameters.

    >>> from gdlab import minimize, sgd
    >>> run = minimize(lambda w: 0.5 * w**2, 1.0, sgd(0.5), steps=3)
    >>> run.path
    Array([1.   , 0.5  , 0.25 , 0.125], dtype=float32)
    >>> run.values
    Array([0.5      , 0.125    , 0.03125  , 0.0078125], dtype=float32)
    >>> run = minimize(lambda w: 0.5 * w**2, 1.0, sgd(0.5), 3, evaluate=abs, evaluate_every=2)
    >>> run.evaluated_steps, run.metrics
    (Array([0, 2, 3], dtype=int32), Array([1.   , 0.25 , 0.125], dtype=float32))

    Ten examples in batches of four are three steps an epoch:

    >>> data, key = jnp.ones(10), jax.random.key(0)
    >>> loss = lambda w, batch: jnp.mean((w - batch) ** 2)
    >>> minimize(loss, 0.0, sgd(0.5), epochs=2, data=data, batch_size=4, key=key).steps
    Array(6, dtype=int32)
    """
    for name, number in (("tol", tol), ("first_step", first_step)):
        if number is not None and jnp.shape(number):
            raise ValueError(f"{name} must be one number, not an array of {jnp.shape(number)}")
    require_state(model_state)
    model = open_model(x0)
    objective = Objective(
        ByIdentity(fun), data is not None, has_aux, model_state is not None, model.form
    )
    sampler = sampler_of(data, batch_size)
    if epochs is not None or steps is None:
        steps = steps_of(steps, epochs, sampler)
    every = evaluation_interval(evaluate_every, evaluate is not None, sampler)
    evaluation = None
    if evaluate is not None:
        evaluation = Evaluation(ByIdentity(evaluate), model.form, every or max(steps, 1))
    streamed = is_loader(data)
    _require_randomness(objective, sampler, streamed, key, state is not None, first_step)
    if tol is not None:
        _require_one_function(objective, sampler, streamed, key, evaluation)
    x0 = differentiable(model.params, "x0")
    box = None
    if bounds is not None:
        box = Box.of(_opened(bounds), x0)
        x0 = box.project(x0)
    tx = as_transformation(tx)
    _require_memory(steps, keep_path, x0)
    first_step = jnp.asarray(0 if first_step is None else first_step).astype(int)
    state = None if state is None else as_state(tx, state)
    start = Progress(x0, state, ModelState(model.held, model_state))
    if streamed:
        return run_over_loader(
            objective, steps, keep_path, start, tx, data, key, first_step, box, evaluation
        )
    task = objective, sampler, steps, keep_path, start, tx, data, key, first_step, box
    if tol is None:
        return _run(evaluation, *task).closed(objective.form)
    tol = jnp.asarray(tol, common_dtype(jax.tree.leaves(x0)))
    return _run_until_converged(*task, tol).closed(objective.form)


def _require_memory(steps: int, keep_path: bool, x0: Any) -> None:
    """Refuse a run whose recorded parameters and losses would not fit into memory."""
    of_a_step = common_dtype(jax.tree.leaves(x0)).itemsize + bytes_in_memory(x0) * keep_path
    what = "the parameters and the losses" if keep_path else "the losses"
    advice = "give fewer" + " or keep_path=False" * keep_path
    # Twice the size, since appending the last entry makes a copy.
    require_memory(f"steps: {what} of {steps} steps", 2 * steps * of_a_step, x0, advice)


def _require_randomness(
    objective: Objective,
    sampler: EpochSampler | None,
    streamed: bool,
    key: jax.Array | None,
    goes_on: bool,
    first_step: int | jax.Array | None,
) -> None:
    """Refuse a run that draws without a key, or that continues without ``first_step``."""
    draws = sampler is not None and sampler.batches_per_epoch > 1
    if key is None and (draws or objective.takes_key):
        what = "the batches are drawn at random" if draws else "the loss takes a key"
        raise ValueError(f"{what}: minimize needs a PRNG key, such as key=jax.random.key(0)")
    if goes_on and first_step is None and (draws or streamed or objective.is_random(key)):
        raise ValueError(
            "the run goes on from a state, and batches or keys are drawn: minimize needs "
            "first_step, the number of steps taken before, such as first_step=earlier.steps"
        )


def _require_one_function(
    objective: Objective,
    sampler: EpochSampler | None,
    streamed: bool,
    key: jax.Array | None,
    evaluation: Evaluation | None,
) -> None:
    """Refuse a tolerance if the loss changes from step to step, or the run is evaluated."""
    same = not (streamed or objective.carries_state)
    if not (same and is_one_function(objective, sampler, key)):
        raise ValueError(
            "tol asks whether the gradient of one function is small, but the loss changes from "
            "step to step: leave tol out, or batch_size, the key and the model state, and give "
            "arrays instead of a loader"
        )
    if evaluation is not None:
        raise ValueError(
            "tol ends a run wherever it has converged, and evaluate looks at a run on its way: "
            "leave one of them out, and call evaluate(run.evaluation_params) after the run"
        )


def _opened(bounds: Any) -> Any:
    """The bounds, with models replaced by the arrays that are trained in them."""
    if not isinstance(bounds, tuple | list):
        return bounds
    return tuple(open_model(bound).params for bound in bounds)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _run(
    evaluation: Evaluation | None,
    objective: Objective,
    sampler: EpochSampler | None,
    steps: int,
    keep_path: bool,
    start: Progress,
    tx: GradientTransformation,
    data: Any,
    key: jax.Array | None,
    first_step: jax.Array,
    box: Box | None,
) -> Trajectory:
    take = step_of(objective, sampler, tx, data, key, first_step, box)

    def at(order, step):
        step_key = None if key is None else jax.random.fold_in(key, step)
        return on_batch_of(sampler, data, order, step), step_key

    def body(carry, step):
        carry, metrics = carry
        if evaluation is not None:
            metrics = evaluation.noted(metrics, carry[0], step - first_step)
        new, seen = take(carry, step)
        # ``take`` has renewed the order if an epoch starts, so this is the batch of the step.
        judged = evaluation_value(objective, carry[0], *at(new[1], step))
        record = carry[0].params if keep_path else None, seen.value, seen.aux, judged
        return (new, metrics), record

    order = None if sampler is None else sampler.order(key, first_step)
    if start.state is None:
        start = start._replace(state=tx.init(start.params))
    metrics = None if evaluation is None else evaluation.blank(steps, start)
    every = first_step + jnp.arange(steps)
    carried, (path, values, aux, judged) = jax.lax.scan(body, ((start, order), metrics), every)
    (progress, order), metrics = carried

    # The final loss is that on the batch of the step that would follow.
    end = first_step + steps
    if sampler is not None and order is not None:
        order = sampler.reshuffle(order, key, end)
    on_last, last_key = at(order, end)
    value, (_, last_aux) = on_last(
        lambda batch: objective(progress.params, batch, last_key, progress.model_state)
    )
    last_judged = evaluation_value(objective, progress, on_last, last_key)
    append = lambda old, new: jnp.concatenate([old, jnp.asarray(new)[None]])  # noqa: E731
    return Trajectory(
        params=progress.params,
        path=jax.tree.map(append, path, progress.params) if keep_path else None,
        values=append(values, value),
        aux=jax.tree.map(append, aux, last_aux),
        state=progress.state,
        model_state=progress.model_state,
        steps=end,
        evaluation_params=evaluation_params(progress.state, progress.params),
        evaluation_values=jax.tree.map(append, judged, last_judged),
        metrics=None if evaluation is None else evaluation.ended(metrics, progress),
        evaluated_steps=(
            None if evaluation is None else first_step + jnp.array(evaluation.steps(steps))
        ),
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run_until_converged(
    objective: Objective,
    sampler: EpochSampler | None,
    steps: int,
    keep_path: bool,
    start: Progress,
    tx: GradientTransformation,
    data: Any,
    key: jax.Array | None,
    first_step: jax.Array,
    box: Box | None,
    tol: jax.Array,
) -> Trajectory:
    on_batch = on_batch_of(sampler, data, None, 0)
    if start.state is None:
        start = start._replace(state=tx.init(start.params))
    ended = run_until_converged(
        objective, tx, start, on_batch, key, steps, first_step, tol, keep_path, box
    )
    progress, (path, values, aux, judged) = ended.progress, ended.records
    return Trajectory(
        params=progress.params,
        path=path,
        values=values,
        aux=aux,
        state=progress.state,
        model_state=progress.model_state,
        steps=first_step + ended.taken,
        evaluation_params=evaluation_params(progress.state, progress.params),
        evaluation_values=judged,
        outcome=ended.outcome,
        evaluations=ended.evaluations,
    )
