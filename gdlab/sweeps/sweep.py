"""Hyperparameter sweeps: every point of a grid and every seed in one program."""

import contextlib
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from gdlab.axes.sampling import Sampling, require_sampled
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, Key, Length
from gdlab.core.axis import Axis
from gdlab.core.transformation import GradientTransformation
from gdlab.progress.monitor import monitoring
from gdlab.sweeps.execute.collect import collected
from gdlab.sweeps.execute.identity import checkpoint_of
from gdlab.sweeps.execute.options import RunOptions
from gdlab.sweeps.execute.prepared import PreparedRun
from gdlab.sweeps.execute.run import SweepRun
from gdlab.sweeps.execute.tables import KeepParams
from gdlab.sweeps.live import Live, live_picture
from gdlab.sweeps.plan import arguments
from gdlab.sweeps.plan.assembly import planned_runs
from gdlab.sweeps.plan.cells import explaining_traced_sizes
from gdlab.sweeps.plan.host_memory import require_host_memory
from gdlab.sweeps.plan.policies import Policy
from gdlab.sweeps.plan.shared_arguments import SharedArguments
from gdlab.sweeps.plan.sweep_call import SweepCall
from gdlab.sweeps.proposals.proposer import Proposer
from gdlab.sweeps.proposals.rounds import sweep_in_rounds
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.settings import Checkpointing, Resources, Stopping
from gdlab.training.length import Interval


@checked
def sweep(
    loss: Callable[..., Any] | Mapping[str, Callable[..., Any]],
    params: Any,
    tx: GradientTransformation
    | Axis
    | Callable[..., GradientTransformation]
    | Mapping[str, GradientTransformation | Axis | Callable[..., GradientTransformation]],
    data: Any = None,
    *,
    steps: int | Axis | Callable[..., int] | None = None,
    epochs: int | Axis | Callable[..., int] | None = None,
    batch_size: int | Axis | Callable[..., int] | None = None,
    seeds: Length | Sequence[int] = 1,
    key: Key | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    samples: Length | None = None,
    sampling: Sampling = "sobol",
    evaluate: Callable[..., Any] | None = None,
    evaluate_every: Interval | None = None,
    has_aux: bool = False,
    model_state: Any = None,
    policy: Policy | Proposer | None = None,
    stopping: Stopping | None = None,
    record_every: Count = 1,
    keep_params: KeepParams = None,
    resources: Resources | None = None,
    checkpoint: str | os.PathLike[str] | Checkpointing | None = None,
    progress: bool = True,
    live: Live = False,
) -> SweepResult | Any:
    """Train once for every value of every axis and for every seed, all in one program.

    An :class:`gdlab.Axis` in place of any number is a dimension of the result:
    ``adam(Axis("learning_rate", [1e-4, 1e-3, 1e-2]))``. It may stand in an optimizer, in a schedule
    within it, among the ``hyperparameters`` of the loss, or among ``params``. The number of
    compilations depends on neither the number of values nor that of the seeds.

    An axis that changes shapes makes a program for each of its values, and is a dimension of the
    same result: one in the place of ``steps`` or ``batch_size``, whole numbers among the
    ``hyperparameters`` that ``init(key, width)`` takes, and :meth:`gdlab.Axis.choices` anywhere.
    Such values, and other whole numbers that ``init`` takes, reach functions as Python numbers.

    A lane, one point with one seed, diverges when its loss or its parameters are not finite, or its
    loss exceeds 10⁴ times its first value, or another factor in ``stopping``. That is a result, and
    no exception: the lane stops at its last good parameters, and no other lane is touched. Seeds
    are paired: with the same seed all points start alike and see the same batches and the same
    keys.

    Lanes that are computed together agree with each of them alone to rounding, a few units in the
    last place of a step, since the order of sums depends on how many there are;
    ``resources=Resources(exact=True)`` computes one at a time.

    Args:
        loss: ``loss(params, batch)``, or ``loss(params)`` without data, a real scalar. If it has a
            parameter ``key``, it is given a fresh PRNG key at each step. A dictionary of several
            problems adds the dimension ``problem``; ``params``, and ``data`` if there are any, are
            then dictionaries of the same names.
        params: the start, a tree of arrays, or a model as in :func:`gdlab.minimize`; or
            ``init(key)``, so that seeds differ in it.
        tx: an optimizer with axes; a function that makes one of hyperparameters that change shapes,
            such as ``lambda width: adam(1.0 / width)``; or a dictionary of them, which adds the
            dimension ``optimizer``.
        data: a tree of arrays whose leading axis counts the examples; or, for data that do not fit
            on the device, an iterable of batches, such as a loader, which all lanes share. It gives
            a batch for each step and one more, to judge the last point, and is iterated over again
            when it ends, and for each optimizer. An iterator, such as a generator, is read once. A
            list is a tree of arrays: write ``iter(batches)`` for one of batches.
        steps: the number of steps of each run; or an axis of such numbers, or a function of
            hyperparameters that change shapes. The last losses of shorter runs stay.
        epochs: the number of passes over the data, in place of ``steps``.
        batch_size: examples in a batch, drawn without replacement; ``None`` for all of them; or an
            axis or a function likewise.
        seeds: their number, or the seeds themselves, from 0 to 2³² − 1.
        key: PRNG key from which the seeds' keys are made; ``jax.random.key(0)`` unless given.
        hyperparameters: name → number, array or axis, passed by keyword to those of ``loss``,
            ``init`` and ``evaluate`` that have a parameter of that name.
        samples: how many values are drawn for sampled axes, such as :meth:`gdlab.Axis.log_uniform`,
            which share the dimension ``sample``.
        sampling: "sobol" for points that fill the space evenly, "random" for independent ones.
        evaluate: ``evaluate(params)``, a scalar or a dictionary of scalars, computed at the end of
            each run; it is also given ``model_state`` if there is one. No name in it may be that
            of an axis, a dimension or a field of the result, such as "loss".
        evaluate_every: the number of steps from one evaluation on the way to the next, or "epoch";
            its values are the ``curves`` of the result, and ``stopping`` may look at them.
        has_aux: whether ``loss`` returns ``(loss, aux)``, with ``aux`` a dictionary of scalars,
            which are recorded like the loss and named like metrics.
        model_state: what the loss carries beside the parameters, as in :func:`gdlab.minimize`.
        policy: what becomes of the points on the way, such as
            :class:`~gdlab.SuccessiveHalving`, :class:`~gdlab.Hyperband` or
            :class:`~gdlab.PopulationBasedTraining`; or how they are chosen in batches, such as
            :class:`~gdlab.GaussianProcess`.
        stopping: when lanes stop early: at targets, diverged, or without improvement; see
            :class:`Stopping`.
        record_every: of how many steps the loss of one is kept.
        keep_params: whether to return the trained parameters of all runs, or of all seeds at the
            point with the smallest median of final losses.
        resources: devices and memory: how many lanes at once, on which; see :class:`Resources`.
        checkpoint: a folder in which finished work is kept, or :class:`Checkpointing`, which also
            says how often. The same call goes on from there. If it cannot be written any more, the
            sweep warns and goes on without it.
        progress: whether to show a progress bar, in a terminal or a notebook.
        live: whether to redraw the picture of the result every two seconds while it comes in; or
            a function that is called with the result so far, such as one of
            :mod:`gdlab.loggers`; or a list of these.

    Returns:
        A :class:`SweepResult`. If the axes of several optimizers or problems differ, a dictionary
        of one for each.

    Raises:
        ValueError: if sizes do not fit, names of axes clash, nothing takes a hyperparameter, the
            recorded losses do not fit into memory, or the checkpoint is not of this sweep.
        TypeError: if ``loss`` does not return a real scalar, or ``evaluate`` or ``aux`` something
            else than scalars.
        OSError: if something is left to do and the folder of the checkpoint cannot be written from
            the start, or another process is using it (``BlockingIOError``).
        KeyboardInterrupt: on Ctrl-C; like every exception once steps have been taken, it has the
            result so far in its attribute ``result``.

    >>> import jax.numpy as jnp
    >>> from gdlab import Axis, sgd, sweep
    >>> result = sweep(
    ...     lambda w: 0.5 * w**2, 1.0, sgd(Axis("learning_rate", [0.5, 1.5, 2.5])), steps=40
    ... )
    >>> result.status[:, 0]
    array(['ok', 'ok', 'diverged'], dtype='<U...')
    >>> result.best()["learning_rate"]
    0.5

    One dimension of this result is made of three programs:

    >>> result = sweep(
    ...     lambda w: jnp.mean(w**2),
    ...     lambda key, width: jnp.ones(width),
    ...     lambda width: sgd(Axis("rate", [0.1, 0.2]), momentum=0.0),
    ...     steps=10,
    ...     hyperparameters={"width": Axis("width", [1, 2, 4])},
    ... )
    >>> result
    <SweepResult (width: 3, rate: 2, seed: 1), 6 ok>
    """
    params = arguments.opened(loss, params)
    call = SweepCall(sweep, dict(locals()))
    if isinstance(policy, Proposer):
        return sweep_in_rounds(call, policy)
    require_sampled((tx, hyperparameters, params), samples)
    problems = arguments.problems_of(loss, params, data)
    shared = SharedArguments.of(call.arguments)
    with explaining_traced_sizes():
        planned = planned_runs(problems, arguments.optimizers_of(tx), shared)
        require_host_memory(run.task for run in planned)
        prepared = [PreparedRun.of(run, policy) for run in planned]
    saving = Checkpointing.of(checkpoint)
    kept = saving and checkpoint_of(saving.folder, prepared, shared.resources)
    begun: list[SweepRun] = []
    snapshot = functools.partial(collected, begun, call)
    with (
        # What is not known yet is NaN, and a lane that diverges is a result.
        jax.debug_nans(False),
        jax.debug_infs(False),
        arguments.closing(problems),
        contextlib.closing(kept) if kept else contextlib.nullcontext(),
        monitoring(
            sum(run.task.lane_steps for run in planned),
            bar=progress and jax.process_index() == 0,
            draw=live_picture(live),
            snapshot=snapshot,
        ) as monitor,
    ):
        options = RunOptions(policy, keep_params, shared.resources, kept, saving, monitor)
        return _run_all(prepared, options, begun, snapshot)


def _run_all(
    prepared: list[PreparedRun],
    options: RunOptions,
    begun: list[SweepRun],
    snapshot: Callable[[], Any],
) -> Any:
    """The result of all runs, one after the other.

    Args:
        prepared: the runs.
        options: how they are run.
        begun: a list to which each run is appended when it begins.
        snapshot: returns the result of those so far.

    Raises:
        BaseException: whatever ends the sweep, with the result so far in its ``result``.
    """
    try:
        for run in prepared:
            options.monitor.bar.describe(run.planned.name or "sweep")
            begun.append(SweepRun(run, options))
            begun[-1].run()
        result = snapshot()
        options.monitor.picture.show(result)
    except BaseException as error:
        if (so_far := snapshot()) is not None:
            error.result = so_far  # type: ignore[attr-defined]
            error.add_note("What was computed so far is in this exception's `result`.")
        raise
    return result
