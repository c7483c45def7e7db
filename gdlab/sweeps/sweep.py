"""Hyperparameter sweeps: every point of a grid and every seed in one program."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps import engine
from gdlab.sweeps.grid import coordinates
from gdlab.sweeps.merging import stacked
from gdlab.sweeps.progress import progress_bar
from gdlab.sweeps.provenance import provenance
from gdlab.sweeps.result import SweepResult
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.step import sampler_of

SECONDS_PER_CHUNK = 0.25
"""How often the progress bar moves."""


def sweep(
    loss: Callable[..., Any],
    params: Any,
    tx: GradientTransformation | Mapping[str, GradientTransformation],
    data: Any = None,
    *,
    steps: int,
    batch_size: int | None = None,
    seeds: int | Sequence[int] = 1,
    key: jax.Array | None = None,
    evaluate: Callable[..., Any] | None = None,
    has_aux: bool = False,
    model_state: Any = None,
    divergence_factor: float = 1e4,
    record_every: int = 1,
    keep_params: Literal["best", "all"] | None = None,
    progress: bool = True,
) -> SweepResult | dict[str, SweepResult]:
    """Train once for every value of every axis and for every seed, all in one program.

    An :class:`gdlab.Axis` in ``tx``, in place of any number, is a dimension of the result:
    ``adam(Axis("learning_rate", [1e-4, 1e-3, 1e-2]))``. The number of compilations depends on
    neither their number nor that of the seeds.

    A lane diverges when its loss or its parameters are not finite, or its loss exceeds
    ``divergence_factor`` times its first value. That is a result, and no exception: the lane stops
    at its last good parameters, and no other lane is touched. Seeds are paired: with the same seed
    all points of the grid start alike and see the same batches and the same keys.

    Args:
        loss: ``loss(params, batch)``, or ``loss(params)`` without data, a real scalar. If it has a
            parameter ``key``, it is given a fresh PRNG key at each step.
        params: the start, a tree of arrays; or ``init(key)``, so that seeds differ in it.
        tx: an optimizer with axes; or a dictionary of them, which adds the dimension
            ``optimizer``.
        data: a tree of arrays whose leading axis counts the examples.
        steps: the number of steps of each run.
        batch_size: examples in a batch, drawn without replacement; ``None`` for all of them.
        seeds: their number, or the seeds themselves.
        key: PRNG key from which the seeds' keys are made; ``jax.random.key(0)`` unless given.
        evaluate: ``evaluate(params)``, a scalar or a dictionary of scalars, computed at the end of
            each run; it is also given ``model_state`` if there is one.
        has_aux: whether ``loss`` returns ``(loss, aux)``, with ``aux`` a dictionary of scalars,
            which are recorded like the loss.
        model_state: what the loss carries beside the parameters, as in :func:`gdlab.minimize`.
        divergence_factor: see above.
        record_every: of how many steps the loss of one is kept.
        keep_params: whether to return the trained parameters of all runs, or of all seeds at the
            point with the smallest median of final losses.
        progress: whether to show a progress bar, in a terminal or a notebook.

    Returns:
        A :class:`SweepResult`. If ``tx`` is a dictionary of optimizers with different axes, a
        dictionary of one for each.

    Raises:
        ValueError: if sizes do not fit or names of axes clash.
        TypeError: if ``loss`` does not return a real scalar.

    >>> import jax.numpy as jnp
    >>> from gdlab import Axis, sgd, sweep
    >>> result = sweep(
    ...     lambda w: 0.5 * w**2, 1.0, sgd(Axis("learning_rate", [0.5, 1.5, 2.5])), steps=40
    ... )
    >>> result.status[:, 0]
    array(['ok', 'ok', 'diverged'], dtype='<U8')
    >>> result.best()["learning_rate"]
    0.5
    """
    sampler = sampler_of(data, batch_size)
    for name, number in (("steps", steps), ("record_every", record_every)):
        if number < 1:
            raise ValueError(f"{name} must be positive, not {number}")
    if keep_params not in (None, "best", "all"):
        raise ValueError(f"keep_params must be None, 'best' or 'all', not {keep_params!r}")
    numbers = np.arange(seeds) if isinstance(seeds, int) else np.asarray(seeds)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"seeds must be a positive number or a list of integers, not {seeds}")

    objective = Objective(ByIdentity(loss), data is not None, has_aux, model_state is not None)
    plan = engine.Plan(objective, sampler, steps, record_every, divergence_factor)
    keys = engine.keys_of(jax.random.key(0) if key is None else key, jnp.asarray(numbers))
    optimizers = dict(tx) if isinstance(tx, Mapping) else {"": tx}
    if not optimizers:
        raise ValueError("tx is an empty dictionary: there is nothing to sweep")

    # A model may be callable as well, but it is a tree; a function is a leaf.
    is_init = callable(params) and jax.tree_util.all_leaves([params])
    init, tree = (ByIdentity(params), None) if is_init else (None, params)
    of_seeds = engine.start_of_seeds(plan, init, tree, keys)
    results = {}
    for name, one in optimizers.items():
        one = GradientTransformation.convert(one)
        coords = coordinates(one) | {"seed": numbers}
        carry = engine.start(plan, one, of_seeds, keys, data, model_state)
        carry = _run(plan, carry, one, keys, data, name or "sweep", progress)
        results[name] = _result(plan, carry, one, coords, evaluate, keep_params)
    if isinstance(tx, Mapping):
        return stacked("optimizer", results) or results
    return results[""]


def _run(
    plan: engine.Plan,
    carry: engine.Carry,
    tx: GradientTransformation,
    keys: engine.Keys,
    data: Any,
    name: str,
    progress: bool,
) -> engine.Carry:
    """All steps, in chunks between which the progress bar moves."""
    total = plan.steps + 1
    with progress_bar(total, name, progress) as bar:
        begin, chunk = 0, total if bar is None else 1
        while begin < total:
            end = min(begin + chunk, total)
            started = time.perf_counter()
            carry = engine.advance(plan, carry, tx, keys, data, begin, end)
            if bar is not None:
                alive = np.asarray(carry.lanes.diverged_at) == engine.RUNNING
                bar.set_postfix_str(f"{np.sum(alive)} of {alive.size} lanes alive", refresh=False)
                bar.update(end - begin)
                # The first chunk compiles as well, so it says nothing of the speed.
                if begin == 0 or time.perf_counter() - started < SECONDS_PER_CHUNK / 2:
                    chunk *= 2
            begin = end
    return carry


def _result(
    plan: engine.Plan,
    carry: engine.Carry,
    tx: GradientTransformation,
    coords: dict[str, np.ndarray],
    evaluate: Callable[..., Any] | None,
    keep_params: str | None,
) -> SweepResult:
    shape = tuple(len(values) for values in coords.values())

    def by_axis(leaf: Any) -> Any:
        """Seeds × points → the axes in turn, then the seeds."""
        moved = jnp.moveaxis(leaf, 0, 1)
        return moved.reshape(shape + moved.shape[2:])

    def by_axis_and_step(leaf: Any) -> np.ndarray:
        return np.asarray(by_axis(jnp.moveaxis(leaf, 0, 2)))

    lanes = carry.lanes
    loss, aux = carry.records
    metrics = {}
    if evaluate is not None:
        metrics = _evaluated(evaluate, *lanes.last_good)
    stopped_at = np.asarray(by_axis(lanes.diverged_at))
    ran_to_end = stopped_at == engine.RUNNING
    result = SweepResult(
        dims=tuple(coords),
        coords=coords | {"step": np.asarray(plan.recorded_steps)},
        axes={name: name for name in coords if name != "seed"},
        loss=by_axis_and_step(loss),
        aux={name: by_axis_and_step(values) for name, values in _named(aux, "aux").items()},
        metrics={name: np.asarray(by_axis(values)) for name, values in metrics.items()},
        status=np.where(ran_to_end, "ok", "diverged"),
        stopped_at=stopped_at,
        evaluations=np.where(ran_to_end, plan.steps, stopped_at) + 1,
        optimizers=(tx,),
        settings={
            "steps": plan.steps,
            "batch_size": plan.sampler.batch_size if plan.sampler else 0,
            "record_every": plan.record_every,
            "divergence_factor": plan.divergence_factor,
        },
        provenance=provenance(),
    )
    if keep_params is None:
        return result
    params = jax.tree.map(by_axis, lanes.last_good[0])
    if keep_params == "best":
        best = result.best_index()
        params = jax.tree.map(lambda leaf: leaf[best], params)
    dims = ("seed",) if keep_params == "best" else result.dims
    return dataclasses.replace(result, params=params, params_dims=dims)


def _evaluated(evaluate: Callable[..., Any], params: Any, model_state: Any) -> dict[str, Any]:
    values = engine.evaluated(ByIdentity(evaluate), params, model_state)
    name = getattr(evaluate, "__name__", "evaluation")
    return _named(values, name.replace("<lambda>", "evaluation"))


def _named(values: Any, name: str) -> dict[str, Any]:
    if values is None:
        return {}
    return dict(values) if isinstance(values, Mapping) else {name: values}
