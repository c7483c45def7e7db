"""One run that ends when it has converged, as a compiled loop."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.state import evaluations_made, has_stalled
from gdlab.core.transformation import GradientTransformation
from gdlab.training.bounds import Box
from gdlab.training.objective import Objective
from gdlab.training.outcome import Outcome, outcome_at
from gdlab.training.step import (
    OnBatch,
    Progress,
    Seen,
    advance,
    evaluate,
    evaluation_value,
    recall,
)


class Ended(NamedTuple):
    """The end of a run, and the records of its steps."""

    progress: Progress
    records: Any
    """Parameters, losses, auxiliary values and losses at the averaged parameters, each with a
    leading axis of ``steps + 1``; entries after the end repeat the last one."""
    taken: jax.Array
    outcome: jax.Array
    evaluations: jax.Array


class _Run(NamedTuple):
    progress: Progress
    seen: Seen
    records: Any
    taken: jax.Array
    outcome: jax.Array
    evaluations: jax.Array


def run_until_converged(
    objective: Objective,
    tx: GradientTransformation,
    start: Progress,
    on_batch: OnBatch,
    key: jax.Array | None,
    steps: int,
    first_step: jax.Array,
    tol: jax.Array,
    keep_path: bool,
    box: Box | None,
) -> Ended:
    """Take steps until a run ends for one of the reasons in :class:`Outcome`.

    Each iteration of the loop takes a step and then evaluates the loss, so that no step is taken
    from a point at which the run has converged.
    """
    made_before = evaluations_made(start.state)

    def outcome_of(progress, seen):
        grad = seen.grad if box is None else box.projected_gradient(progress.params, seen.grad)
        return outcome_at(seen.value, grad, tol, has_stalled(progress.state))

    def record_of(progress, seen):
        judged = evaluation_value(objective, progress, on_batch, None)
        return progress.params if keep_path else None, seen.value, seen.aux, judged

    def goes_on(run):
        return (run.outcome == Outcome.STEP_LIMIT) & (run.taken < steps)

    def take(run):
        step_key = None if key is None else jax.random.fold_in(key, first_step + run.taken)
        progress = advance(objective, tx, run.progress, run.seen, on_batch, step_key, box)
        seen = recall(objective, tx, progress, on_batch, None, box)
        computed = seen is None
        if seen is None:
            seen = evaluate(objective, progress, on_batch, None)[0]
        taken = run.taken + 1
        write = lambda record, new: record.at[taken].set(new)  # noqa: E731
        return _Run(
            progress,
            seen,
            jax.tree.map(write, run.records, record_of(progress, seen)),
            taken,
            outcome_of(progress, seen),
            run.evaluations + int(computed),
        )

    seen = evaluate(objective, start, on_batch, None)[0]
    everywhere = lambda leaf: jnp.broadcast_to(leaf, (steps + 1, *jnp.shape(leaf)))  # noqa: E731
    records = jax.tree.map(everywhere, record_of(start, seen))
    none = jnp.zeros_like(first_step)
    first = _Run(start, seen, records, none, outcome_of(start, seen), jnp.int32(1))
    run = jax.lax.while_loop(goes_on, take, first)

    def padded(record):
        behind = jnp.arange(steps + 1) > run.taken
        behind = behind.reshape(-1, *[1] * (record.ndim - 1))
        return jnp.where(behind, record[run.taken], record)

    return Ended(
        run.progress,
        jax.tree.map(padded, run.records),
        run.taken,
        run.outcome,
        run.evaluations + evaluations_made(run.progress.state) - made_before,
    )
