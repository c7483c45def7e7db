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
    """Train at every point of a grid of hyperparameters and for every seed, in one program.

    An :class:`gdlab.Axis` in place of any number becomes a dimension of the result:
    ``adam(Axis("learning_rate", [1e-4, 1e-3, 1e-2]))``. It may stand in an optimizer, in a schedule
    within it, among the ``hyperparameters`` of the loss, or among ``params``. The number of
    compilations does not depend on the number of values or of seeds.

    An axis that changes shapes needs a program for each of its values, and is a dimension of the
    same result. Such axes are those of ``steps`` and ``batch_size``, axes of whole numbers among
    the ``hyperparameters`` that ``init(key, width)`` takes, and :meth:`gdlab.Axis.choices`
    anywhere. Functions receive their values, and other whole numbers that ``init`` takes, as Python
    numbers.

    A lane is the run of one point with one seed. It diverges when its loss or parameters are not
    finite, or its loss exceeds 10⁴ times its first value (``stopping`` can set another factor).
    That is a result, and no exception: the lane stops at its last good parameters, and the other
    lanes go on. Seeds are paired: with the same seed, all points have the same initial parameters,
    batches and keys.

    Lanes that are computed together agree with the same lanes computed alone up to rounding, a few
    units in the last place per step, since the order of summation depends on the number of lanes;
    ``resources=Resources(exact=True)`` computes one lane at a time.

    Args:
        loss: ``loss(params, batch)``, or ``loss(params)`` without data, a real scalar. If it has a
            parameter ``key``, it is given a fresh PRNG key at each step. A dictionary of several
            problems adds the dimension ``problem``; ``params``, and ``data`` if there are any, are
            then dictionaries of the same names.
        params: the initial parameters: a tree of arrays, or a model as in :func:`gdlab.minimize`;
            or a function ``init(key)`` that returns them, so that they differ between seeds.
        tx: an optimizer with axes; a function that makes one of hyperparameters that change shapes,
            such as ``lambda width: adam(1.0 / width)``; or a dictionary of several, which adds the
            dimension ``optimizer``.
        data: a tree of arrays whose leading axis counts the examples; or, for data that do not fit
            on the device, an iterable of batches, such as a loader, which all lanes share. It gives
            a batch for each step and one more, for the loss of the final parameters, and is
            iterated over again when it ends, and for each optimizer. An iterator, such as a
            generator, is read once. A list is a tree of arrays: write ``iter(batches)`` for a list
            of batches.
        steps: the number of steps of each run; or an axis of such numbers, or a function of
            hyperparameters that change shapes. Shorter runs keep their last loss to the end.
        epochs: the number of passes over the data, in place of ``steps``.
        batch_size: the number of examples in a batch, drawn without replacement; ``None`` for all
            examples; or an axis or a function, as for ``steps``.
        seeds: the number of seeds, or a sequence of different seeds from 0 to 2³² − 1.
        key: the PRNG key from which the seeds' keys are derived; by default ``jax.random.key(0)``.
        hyperparameters: name → number, array or axis; passed by keyword to each of the functions
            ``loss``, ``init`` and ``evaluate`` that has a parameter of that name.
        samples: the number of points that are drawn for sampled axes, such as
            :meth:`gdlab.Axis.log_uniform`, which share the dimension ``sample``.
        sampling: "sobol" for points that fill the space evenly, "random" for independent ones.
        evaluate: ``evaluate(params)``, a scalar or a dictionary of scalars, computed at the end of
            each run; it is also given ``model_state`` if there is one. No name in it may be that
            of an axis, a dimension or a field of the result, such as "loss".
        evaluate_every: the number of steps between evaluations during training, or "epoch"; the
            values are the ``curves`` of the result, and ``stopping`` may use them.
        has_aux: whether ``loss`` returns ``(loss, aux)``, with ``aux`` a dictionary of scalars,
            which are recorded like the loss and named like metrics; or one scalar, named ``aux``.
        model_state: a state that the loss carries beside the parameters, as in
            :func:`gdlab.minimize`.
        policy: a policy that drops or changes points during training, such as
            :class:`~gdlab.SuccessiveHalving`, :class:`~gdlab.Hyperband` or
            :class:`~gdlab.PopulationBasedTraining`; or one that chooses the points in batches, such
            as :class:`~gdlab.GaussianProcess`.
        stopping: the conditions under which lanes stop early: at targets, by divergence, or without
            improvement; see :class:`Stopping`.
        record_every: the number of steps between recorded losses.
        keep_params: "all" to return the trained parameters of all runs; "best" for those of all
            seeds at the point with the smallest median of final losses; None for none.
        resources: the devices, and the number of lanes at once; see :class:`Resources`.
        checkpoint: a folder in which finished work is saved, or :class:`Checkpointing`, which also
            says how often. The same call continues from there. If the folder becomes unwritable,
            the sweep warns and goes on without it.
        progress: whether to show a progress bar, in a terminal or a notebook.
        live: whether to redraw the picture of the result every two seconds while it comes in; or
            a function that is called with the result so far, such as one of
            :mod:`gdlab.loggers`; or a list of these.

    Returns:
        A :class:`SweepResult`; if the axes of several optimizers or problems differ, a dictionary
        with a result for each.

    Raises:
        ValueError: if sizes do not fit, names of axes clash, no function takes a hyperparameter,
            the recorded losses do not fit into memory, or the checkpoint belongs to another sweep.
        TypeError: if ``loss`` does not return a real scalar, or ``evaluate`` or ``aux`` is anything
            but scalars.
        OSError: if work is left to do and the checkpoint folder cannot be written at the start, or
            another process is using it (``BlockingIOError``).
        KeyboardInterrupt: on Ctrl-C. Like every exception after the first steps, it has the result
            so far in its attribute ``result``.

    >>> import jax.numpy as jnp
    >>> from gdlab import Axis, sgd, sweep
    >>> result = sweep(
    ...     lambda w: 0.5 * w**2, 1.0, sgd(Axis("learning_rate", [0.5, 1.5, 2.5])), steps=40
    ... )
    >>> result.status[:, 0]
    array(['ok', 'ok', 'diverged'], dtype='<U...')
    >>> result.best()["learning_rate"]
    0.5

    The dimension ``width`` of this result takes three programs, one for each value:

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
        # Unknown records are NaN, and a lane that diverges is a result.
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
    """Execute all runs, one after the other, and return their result.

    Args:
        prepared: the runs.
        options: the options of the sweep.
        begun: a list to which each run is appended when it begins.
        snapshot: a function that returns the result so far.

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
