"""One run over the batches of a loader, with a compiled program for several batches at a time."""

import contextlib
import functools
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.core.numerics import strong
from gdlab.core.state import evaluation_params
from gdlab.core.transformation import GradientTransformation
from gdlab.progress.call_length import CallLength
from gdlab.progress.interrupts import Interrupts
from gdlab.training.bounds import Box
from gdlab.training.evaluation import Evaluation, evaluated_at
from gdlab.training.loader import Block, Stream
from gdlab.training.objective import Objective
from gdlab.training.step import Progress, evaluation_value, on_batch_of, take_step
from gdlab.training.trajectory import Trajectory


def run_over_loader(
    objective: Objective,
    steps: int,
    keep_path: bool,
    start: Progress,
    tx: GradientTransformation,
    loader: Iterable[Any],
    key: jax.Array | None,
    first_step: jax.Array,
    box: Box | None,
    evaluation: Evaluation | None,
) -> Trajectory:
    """The return value of :func:`gdlab.minimize` for data that come from a loader.

    Raises:
        TypeError: if the call is traced.
        BaseException: whatever the loader raises, with the trajectory so far in its ``result``.
    """
    require_concrete("minimize", start, tx, key, first_step, box)
    start = strong(jax.tree.map(jnp.asarray, start))
    if start.state is None:
        start = start._replace(state=_first_state(tx, start.params))
    run = _Run(_Task(objective, keep_path), start, tx, key, box, int(first_step), evaluation)
    end = run.taken + steps
    beside = sum(leaf.nbytes for leaf in jax.tree.leaves(start.params)) if keep_path else 0
    stream = Stream(loader, start=run.taken, bytes_beside=beside)
    with contextlib.closing(stream), Interrupts() as interrupts:
        try:
            for block in stream.blocks(run.taken, end + 1):
                run.take(block._replace(data=jax.device_put(block.data)), end, interrupts)
        except BaseException as error:
            if (so_far := run.so_far()) is not None:
                error.result = so_far  # type: ignore[attr-defined]
                error.add_note("What was computed so far is in this exception's `result`.")
            raise
    return run.trajectory()


def require_concrete(caller: str, *arguments: Any) -> None:
    """Refuse a call within ``jit``, ``vmap`` or ``grad``.

    Raises:
        TypeError: if an argument is a tracer.
    """
    # In a traced call even operations on constants give tracers, whatever the arguments.
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((arguments, jnp.asarray(0)))):
        raise TypeError(
            f"data is a loader, which is read while the program runs: {caller} cannot be called "
            "within jit, vmap or grad then. sweep trains many lanes on the batches of a loader; "
            "arrays can be traced"
        )


class _Task(NamedTuple):
    """The static arguments of the program of a run."""

    objective: Objective
    keep_path: bool


class _Records(NamedTuple):
    """The recorded values of several steps, with a leading axis of steps."""

    path: Any
    """The parameters, None if they are not kept."""
    values: Any
    aux: Any
    evaluation_values: Any


class _Run:
    """A run that is advanced block by block."""

    def __init__(
        self,
        task: _Task,
        start: Progress,
        tx: GradientTransformation,
        key: jax.Array | None,
        box: Box | None,
        taken: int,
        evaluation: Evaluation | None,
    ):
        self._task, self._tx, self._key, self._box = task, tx, key, box
        self._progress, self._call_length = start, CallLength()
        self._records: list[_Records] = []
        self._pending: tuple[_Records, slice] | None = None
        """The records of the last call, and the slice of their valid rows."""
        self._is_judged = False
        self._evaluation, self._begin = evaluation, taken
        self._metrics: dict[int, Any] = {}
        """The values of ``evaluate`` by the number of steps before it."""
        self.taken = taken
        """The number of steps taken so far."""

    def take(self, block: Block, end: int, interrupts: Interrupts) -> None:
        """Take the steps of a block before ``end``, and evaluate the loss after the last step."""
        last = min(block.end, end)
        while self.taken < last:
            started, before = time.perf_counter(), self.taken
            until = self._evaluated_until(min(before + self._call_length.steps, last))
            self._progress, self.taken = self._advanced(block, until), until
            # Do not wait for the last call of a block, which runs while the next block is read.
            if until < last:
                self._settle()
                self._call_length.keep(time.perf_counter() - started, until - before)
            interrupts.check()
        if block.end > end:
            # The loss of one more step is recorded, but the step is not taken.
            self._advanced(block, end + 1)
            self._is_judged = True

    def _evaluated_until(self, end: int) -> int:
        """Evaluate the run if an evaluation is due, and return the step of the next evaluation."""
        if self._evaluation is None:
            return end
        every = self._evaluation.every
        since = (self.taken - self._begin) % every
        if since == 0:
            self._evaluate()
        return min(end, self.taken + every - since)

    def _evaluate(self) -> None:
        if self._evaluation is not None and self.taken not in self._metrics:
            self._metrics[self.taken] = evaluated_at(self._evaluation, self._progress)

    def _advanced(self, block: Block, until: int) -> Progress:
        """The progress after more steps, whose computation may still be running."""
        self._settle()
        progress, records = _take_steps(
            self._task, self._tx, self._progress, block,
            self.taken, until, self._key, self._box,
        )  # fmt: skip
        self._pending = records, slice(self.taken - block.begin, until - block.begin)
        return progress

    def _settle(self) -> None:
        """Wait for the last call, and store its records."""
        if self._pending is not None:
            (records, rows), self._pending = self._pending, None
            self._records.append(jax.tree.map(lambda leaf: np.asarray(leaf)[rows], records))

    def so_far(self) -> Trajectory | None:
        """The trajectory if the run is interrupted now; None if no step was taken."""
        self._settle()
        return self.trajectory() if self._records else None

    def trajectory(self) -> Trajectory:
        """The trajectory; the loss of the last parameters may be missing."""
        self._settle()
        params, state, model_state = self._progress
        path, values, aux, evaluation_values = _joined(self._records)
        if self._task.keep_path and not self._is_judged:
            last = jax.tree.map(lambda leaf: np.asarray(leaf)[None], params)
            path = _joined([path, last])
        self._evaluate()
        on_device = jax.device_put(_Records(path, values, aux, evaluation_values))
        return Trajectory(
            **on_device._asdict(),
            params=params,
            state=state,
            model_state=model_state,
            steps=jnp.asarray(self.taken),
            evaluation_params=evaluation_params(state, params),
            **self._evaluations(),
        ).closed(self._task.objective.form)

    def _evaluations(self) -> dict[str, Any]:
        """The fields of the trajectory with evaluations; empty without an ``evaluate``."""
        if not self._metrics:
            return {}
        metrics = jax.tree.map(lambda *rows: jnp.stack(rows), *self._metrics.values())
        return {"metrics": metrics, "evaluated_steps": jnp.array(list(self._metrics))}


def _joined(parts: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


@jax.jit
def _first_state(tx: GradientTransformation, params: Any) -> Any:
    # Strong types, as the steps return them, so that the second call does not recompile.
    return strong(tx.init(params))


@functools.partial(jax.jit, static_argnums=0)
def _take_steps(
    task: _Task,
    tx: GradientTransformation,
    progress: Progress,
    block: Block,
    begin: Any,
    end: Any,
    key: jax.Array | None,
    box: Box | None,
) -> tuple[Progress, _Records]:
    """Take the steps from ``begin`` to ``end``; how many they are is data, not compiled in.

    The records have a row for each batch of the block.
    """

    def take(progress: Progress, step: Any) -> tuple[Progress, _Records]:
        on_batch = on_batch_of(None, block, None, step)
        step_key = None if key is None else jax.random.fold_in(key, step)
        new, seen = take_step(task.objective, tx, progress, on_batch, step_key, box=box)
        judged = evaluation_value(task.objective, progress, on_batch, step_key)
        path = progress.params if task.keep_path else None
        return new, _Records(path, seen.value, seen.aux, judged)

    def body(step: Any, carried: tuple[Progress, _Records]) -> tuple[Progress, _Records]:
        progress, records = carried
        progress, record = take(progress, step)
        write = lambda rows, new: rows.at[step - block.begin].set(new)  # noqa: E731
        return progress, jax.tree.map(write, records, record)

    width = len(jax.tree.leaves(block.data)[0])
    blank = jax.tree.map(
        lambda leaf: jnp.zeros((width, *leaf.shape), leaf.dtype),
        jax.eval_shape(take, progress, begin)[1],
    )
    return jax.lax.fori_loop(begin, end, body, (progress, blank))
