"""The layouts of optax's states of transformations that wrap others."""

import numpy as np

from gdlab.core.structure import Tree, Value
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.states.optax.correspondence import (
    Arrays,
    BesideOurs,
    BesideTheirs,
    Count,
    Fresh,
    Item,
    Moved,
    Refused,
    Wrapped,
    same,
)
from gdlab.interop.states.optax.methods import CONVERSION_DTYPE, Layout, scheduled

WEIGHTED = "micro-batches with weights of their own are unknown to optax"


def _accumulate(tx: GradientTransformation) -> list[Item]:
    if scheduled(tx.steps):
        reason = "gdlab's period follows the calls of update, and optax's the updates applied"
        return [Refused("mini_step", reason)]
    return [
        same("mini_step", "micro_step"),
        Fresh("weight", WEIGHTED),
        same("acc_grads", "mean"),
        Wrapped("inner_opt_state", ("inner",), tx.inner, counts=("gradient_step",), in_step=False),
    ]


def _multi_steps(tx: GradientTransformation) -> list[Item]:
    kept = ("mini_step", "gradient_step", "acc_grads", "skip_state")
    return [
        *map(same, kept),
        Wrapped("inner_opt_state", ("inner_opt_state",), tx.opt, in_step=False),
    ]


def _apply_every(_: GradientTransformation) -> list[Item]:
    """Optax keeps the sum of the gradients, and gdlab their mean."""

    def forward(theirs: Arrays, _: Arrays, beside: BesideTheirs) -> Arrays:
        total, seen = theirs[0], int(beside.theirs("count"))
        mean = total.astype(CONVERSION_DTYPE) / seen if seen else np.zeros(total.shape)
        return [mean.astype(total.dtype)]

    def backward(ours: Arrays, beside: BesideOurs) -> Arrays:
        mean = ours[0]
        return [(mean.astype(CONVERSION_DTYPE) * int(beside.ours("micro_step"))).astype(mean.dtype)]

    return [
        same("count", "micro_step"),
        Fresh("weight", WEIGHTED),
        Moved(("grad_acc",), ("mean",), forward, backward),
    ]


def _apply_if_finite(tx: GradientTransformation) -> list[Item]:
    kept = map(same, ("last_finite", "notfinite_count", "total_notfinite"))
    return [*kept, Wrapped("inner_state", ("inner_state",), tx.inner, in_step=False)]


def _conditionally(tx: GradientTransformation) -> list[Item]:
    return [same("step"), Wrapped("inner_state", ("inner_state",), tx.inner, in_step=False)]


def _lookahead(tx: GradientTransformation) -> list[Item]:
    def forward(theirs: Arrays, _: Arrays, beside: BesideTheirs) -> Arrays:  # noqa: ARG001
        is_synchronized = int(beside.theirs("steps_since_sync")) == 0
        return [beside.param() if is_synchronized else beside.slow_param()]

    return [
        same("steps_since_sync"),
        Wrapped("fast_state", ("inner",), tx.fast_optimizer),
        Moved((), ("slow.weights",), forward, lambda *_: []),
    ]


def _groups(tx: GradientTransformation) -> list[Item]:
    def keys(name: str) -> tuple[str, ...]:
        return ("inner_states", name, "inner_state") if _is_of_optax(tx) else ("groups", name)

    return [
        Wrapped(f"inner_states.{name}.inner_state", keys(name), inner)
        for name, inner in tx.transforms.items()
    ]


def _masked(tx: GradientTransformation) -> list[Item]:
    return [Wrapped("inner_state", ("inner_state" if _is_of_optax(tx) else "inner",), tx.inner)]


def _is_of_optax(tx: GradientTransformation) -> bool:
    """Tell whether a transformation is of ``gdlab.interop.optax``, and keeps optax's names."""
    return tx.factory.function.__module__.startswith("gdlab.interop.optax")


def _monitor(tx: GradientTransformation) -> list[Item]:
    reason = "gdlab keeps an average with its weight, and optax with a count of its own"
    averaged = {
        name
        for name, measure in tx.measures.items()
        if getattr(getattr(measure, "factory", None), "name", "") == "measure_with_ema"
    }
    return [
        Refused(f"measurements.{name}", reason)
        if name in averaged
        else same(f"measurements.{name}", name)
        for name in tx.measures
    ]


def _snapshot(tx: GradientTransformation) -> list[Item]:
    return [same(f"measurement.{tx.measure_name}", tx.measure_name)]


def _injected(tx: GradientTransformation) -> list[Item]:
    """The numbers that the state of gdlab's own ``inject_hyperparams`` keeps as well."""
    numbers = dict(tx.numbers.items())
    counts = [Count(f"hyperparams_states.{name}.count") for name in tx.scheduled]
    inner = tx.call({name: _at_start(value) for name, value in numbers.items()})
    kept = [same(f"hyperparams.{name}") for name in numbers]
    return [Count("count"), *counts, *kept, Wrapped("inner_state", ("inner_state",), inner)]


def _at_start(value: Value) -> Tree:
    return value(0) if scheduled(value) else value


WRAPPERS: dict[str, Layout] = {
    "accumulate": _accumulate,
    "MultiSteps": _multi_steps,
    "apply_every": _apply_every,
    "apply_if_finite": _apply_if_finite,
    "conditionally_mask": _conditionally,
    "conditionally_transform": _conditionally,
    "flatten": lambda tx: [Wrapped("", ("inner",), tx.inner)],
    "foreign": lambda _: [same("", "foreign")],
    "inject": _injected,
    "lookahead": _lookahead,
    "masked": _masked,
    "monitor": _monitor,
    "partition": _groups,
    "selective_transform": lambda tx: [
        Wrapped("inner_states.train.inner_state", ("inner",), tx.optimizer)
    ],
    "snapshot": _snapshot,
    "split_real_and_imaginary": lambda tx: [Wrapped("inner_state", ("inner",), tx.inner)],
}
"""The layouts by the name of the transformation."""
