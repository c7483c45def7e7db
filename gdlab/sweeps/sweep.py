"""Hyperparameter sweeps: every point of a grid and every seed in one program."""

import contextlib
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
from jax.sharding import Mesh

from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.execute.run import Manner, Run
from gdlab.sweeps.execute.tables import KeepParams
from gdlab.sweeps.execute.watch import Watch
from gdlab.sweeps.live import live_picture
from gdlab.sweeps.persist.identity import checkpoint_of
from gdlab.sweeps.plan import arguments
from gdlab.sweeps.plan.grid import Sampling, require_sampled
from gdlab.sweeps.plan.policies import Policy
from gdlab.sweeps.plan.recipe import Recipe
from gdlab.sweeps.results.collect import Entry, collected
from gdlab.sweeps.results.result import SweepResult


def sweep(
    loss: Callable[..., Any] | Mapping[str, Callable[..., Any]],
    params: Any,
    tx: GradientTransformation | Mapping[str, GradientTransformation],
    data: Any = None,
    *,
    steps: int,
    batch_size: int | None = None,
    seeds: int | Sequence[int] = 1,
    key: jax.Array | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    samples: int | None = None,
    sampling: Sampling = "sobol",
    evaluate: Callable[..., Any] | None = None,
    has_aux: bool = False,
    model_state: Any = None,
    policy: Policy | None = None,
    targets: Mapping[str, float] | None = None,
    divergence_factor: float = 1e4,
    record_every: int = 1,
    keep_params: KeepParams = None,
    lane_chunk: int | Literal["auto"] = "auto",
    exact: bool = False,
    mesh: Mesh | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    seconds_between_saves: float = 60.0,
    progress: bool = True,
    live: bool | Callable[[SweepResult], Any] = False,
) -> SweepResult | dict[str, Any]:
    """Train once for every value of every axis and for every seed, all in one program.

    An :class:`gdlab.Axis` in place of any number is a dimension of the result:
    ``adam(Axis("learning_rate", [1e-4, 1e-3, 1e-2]))``. It may stand in an optimizer, in a schedule
    within it, among the ``hyperparameters`` of the loss, or among ``params``. The number of
    compilations depends on neither the number of values nor that of the seeds.

    A lane, one point with one seed, diverges when its loss or its parameters are not finite, or its
    loss exceeds ``divergence_factor`` times its first value. That is a result, and no exception:
    the lane stops at its last good parameters, and no other lane is touched. Seeds are paired: with
    the same seed all points start alike and see the same batches and the same keys.

    Lanes that are computed together agree with each of them alone to rounding, a few units in the
    last place of a step, since the order of sums depends on how many there are; ``exact=True``
    computes one at a time.

    Args:
        loss: ``loss(params, batch)``, or ``loss(params)`` without data, a real scalar. If it has a
            parameter ``key``, it is given a fresh PRNG key at each step. A dictionary of several
            problems adds the dimension ``problem``; ``params``, and ``data`` if there are any, are
            then dictionaries of the same names.
        params: the start, a tree of arrays, or a model as in :func:`gdlab.minimize`; or
            ``init(key)``, so that seeds differ in it.
        tx: an optimizer with axes; or a dictionary of them, which adds the dimension
            ``optimizer``.
        data: a tree of arrays whose leading axis counts the examples; or, for data that do not fit
            on the device, an iterable of batches, such as a loader, which all lanes share. It gives
            a batch for each step and one more, to judge the last point, and is iterated over again
            when it ends, and for each optimizer. An iterator, such as a generator, is read once. A
            list is a tree of arrays: write ``iter(batches)`` for one of batches.
        steps: the number of steps of each run.
        batch_size: examples in a batch, drawn without replacement; ``None`` for all of them.
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
        has_aux: whether ``loss`` returns ``(loss, aux)``, with ``aux`` a dictionary of scalars,
            which are recorded like the loss and named like metrics.
        model_state: what the loss carries beside the parameters, as in :func:`gdlab.minimize`.
        policy: what becomes of the points on the way, such as
            :class:`~gdlab.SuccessiveHalving`, :class:`~gdlab.Hyperband` or
            :class:`~gdlab.PopulationBasedTraining`.
        targets: "loss", "gradient_norm" or a name in ``aux`` → a number; a lane stops, and has
            converged, at the step at which all of them are at or below theirs.
        divergence_factor: see above.
        record_every: of how many steps the loss of one is kept.
        keep_params: whether to return the trained parameters of all runs, or of all seeds at the
            point with the smallest median of final losses.
        lane_chunk: how many lanes are computed together at most; "auto" for as many as fit into
            the free memory, by the compiled program's own account.
        exact: whether each lane is to be bit for bit what it is in a sweep by itself.
        mesh: devices over which the lanes are spread; if it holds those of several processes, each
            process computes a part, and all return all.
        checkpoint: a folder in which finished work is kept. The same call goes on from there. If
            it cannot be written any more, the sweep warns and goes on without it.
        seconds_between_saves: how often the state of lanes that have not come to their end is
            kept there as well; it also is when an exception ends the sweep.
        progress: whether to show a progress bar, in a terminal or a notebook.
        live: whether to redraw the picture of the result every two seconds while it comes in; or
            a function that is called with the result so far.

    Returns:
        A :class:`SweepResult`. If the axes of several optimizers or problems differ, a dictionary
        of one for each.

    Raises:
        ValueError: if sizes do not fit, names of axes clash, nothing takes a hyperparameter, or the
            checkpoint is not of this sweep.
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
    """
    params = arguments.opened(loss, params)
    recipe = Recipe(dict(locals()))
    key = jax.random.key(0) if key is None else key
    arguments.require_positive(steps=steps, record_every=record_every)
    if keep_params not in (None, "best", "all"):
        raise ValueError(f"keep_params must be None, 'best' or 'all', not {keep_params!r}")
    if lane_chunk != "auto":
        arguments.require_positive(lane_chunk=lane_chunk)
    require_sampled((tx, hyperparameters, params), samples)
    problems = arguments.problems_of(loss, params, data)
    optimizers = arguments.optimizers_of(tx)
    arguments.require_readable(problems, optimizers)
    numbers = arguments.seeds_of(seeds)
    shared, row = mesh is not None and mesh.is_multi_process, arguments.row_of_devices(mesh)
    if exact and row is not None:
        raise ValueError(
            f"exact=True computes one lane at a time: it cannot spread them over {row.size} devices"
        )
    settings = {
        "steps": steps,
        "batch_size": batch_size or 0,
        "record_every": record_every,
        "divergence_factor": divergence_factor,
        "key": arguments.name_of_key(key),
    }
    bounds = arguments.bounds_of(targets or {})
    settings |= {f"target {name}": bound for name, bound in bounds.items()}
    settings |= {"policy": repr(policy)} if policy else {}
    watch = Watch(progress and jax.process_index() == 0, live_picture(live))
    manner = Manner(
        policy=policy,
        keep_params=keep_params,
        lane_chunk=None if lane_chunk == "auto" else lane_chunk,
        exact=exact,
        shared=shared,
        seconds_between_saves=seconds_between_saves,
        watch=watch,
    )
    entries: list[Entry] = []
    for problem_name, problem in problems.items():
        for name, one in optimizers.items():
            setup, grid, swept = arguments.assembled(
                problem,
                one,
                hyperparameters or {},
                samples=samples,
                sampling=sampling,
                key=key,
                evaluate=evaluate,
                has_aux=has_aux,
                model_state=model_state,
                batch_size=batch_size,
                seeds=numbers,
                steps=steps,
                record_every=record_every,
                divergence_factor=divergence_factor,
                targets=tuple(bounds.items()),
                mesh=row,
            )
            run = Run(setup, manner, ".".join([*filter(None, (problem_name, name)), ""]))
            arguments.require_free_names(run.lanes, grid)
            entries.append(Entry(problem_name, name, run, grid, swept, settings))
    if checkpoint is not None:
        manner.checkpoint = checkpoint_of(
            checkpoint,
            entries,
            shared,
            exact=exact,
            lane_chunk=lane_chunk,
            mesh=mesh and mesh.shape,
        )

    with contextlib.ExitStack() as stack:
        # What is not known yet is NaN, and a lane that diverges is a result.
        stack.enter_context(jax.debug_nans(False))
        stack.enter_context(jax.debug_infs(False))
        stack.enter_context(arguments.closing(problems))
        if manner.checkpoint is not None:
            stack.enter_context(contextlib.closing(manner.checkpoint))
        stack.enter_context(watch)
        watch.expect(sum(entry.run.lane_steps for entry in entries))
        watch.snapshot = functools.partial(collected, entries, recipe)
        try:
            for entry in entries:
                names = filter(None, (entry.problem, entry.optimizer))
                watch.bar.describe(".".join(names) or "sweep")
                entry.run.run()
            result = collected(entries, recipe)
            watch.show(result)
        except BaseException as error:
            if (so_far := collected(entries, recipe)) is not None:
                error.result = so_far  # type: ignore[attr-defined]
                error.add_note("What was computed so far is in this exception's `result`.")
            raise
    return result
