"""The number of steps of a run and between its evaluations, from steps or epochs."""

from typing import Literal

from gdlab.core.ranges import require_positive
from gdlab.training.batches import EpochSampler

Interval = int | Literal["epoch"]
"""A number of steps, or "epoch" for one pass over the data."""


def steps_of(steps: int | None, epochs: int | None, sampler: EpochSampler | None) -> int:
    """The number of steps of a run, from either ``steps`` or ``epochs``.

    Raises:
        ValueError: if not exactly one is given, it is not positive, or the data have no epochs.
    """
    if (steps is None) == (epochs is None):
        given = "both are given" if steps is not None else "neither is given"
        raise ValueError(f"say how long a run is by steps or by epochs: {given}")
    if epochs is None:
        require_positive(steps=steps)
        return steps  # type: ignore[return-value]
    require_positive(epochs=epochs)
    return epochs * _batches_per_epoch(f"epochs={epochs}", sampler)


def evaluation_interval(
    every: Interval | None, has_evaluate: bool, sampler: EpochSampler | None
) -> int | None:
    """The number of steps between evaluations; None without evaluations on the way.

    Raises:
        ValueError: if there is no ``evaluate``, or the number is not positive.
    """
    if every is None:
        return None
    if not has_evaluate:
        raise ValueError(f"evaluate_every={every!r} is given, but no evaluate to be called")
    if every == "epoch":
        return _batches_per_epoch("evaluate_every='epoch'", sampler)
    require_positive(evaluate_every=every)
    return every


def _batches_per_epoch(argument: str, sampler: EpochSampler | None) -> int:
    if sampler is None:
        raise ValueError(
            f"{argument}: an epoch is a pass over data that are arrays, whose number of examples "
            "is known; count steps instead"
        )
    return sampler.batches_per_epoch
