"""A sweep over learning rates, against what people write by hand.

Adam trains a 64-32-10 network on scikit-learn's digits, batches of 64, 300 steps. Each way ends
with the loss of what it trained on all images and gives the best learning rate. Halving ranks by
that loss on the way as well. Lanes of networks with 256 or 1024 hidden units leave the caches of a
processor unless few are computed at a time; and a sweep of one rate over many examples, against
`gdlab.minimize`, shows what it costs to draw batches of them.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import gdlab

from ..figures import Figure
from ..processes import in_fresh_process
from ..timing import Effort, Sample, Samples, in_turns, ratios, timed, times

STEPS, BATCH, CLOSURES = 300, 64, 8
COUNTS = (64, 512)
BY_HAND = "vmapped by hand"
FIRST = "the first time, 64 lanes"
ON_DEVICES = f"512 lanes on {os.cpu_count()} CPU devices"
WIDE, WIDE_STEPS = ((256, 128), (1024, 32)), 100
"""Numbers of hidden units and of lanes."""
EXAMPLES, EXAMPLE_STEPS = (10_000, 1_000_000, 5_000_000), 2000
HALVING = gdlab.SuccessiveHalving(factor=3, rungs=(20, 100), metric="full_loss")
TARGETS = {"gdlab.sweep": 1.05, "gdlab.sweep, halving": 0.3}


def loss(params: Any, batch: Any) -> jax.Array:
    """The mean cross entropy of a batch."""
    images, labels = batch
    hidden = jax.nn.relu(images @ params["w1"] + params["b1"])
    logits = hidden @ params["w2"] + params["b2"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def problem(hidden: int = 32) -> tuple[Any, Any]:
    """Parameters at the start, and the data."""
    images, labels = load_digits(return_X_y=True)
    data = jnp.asarray(images / 16, jnp.float32), jnp.asarray(labels)
    one, two = jax.random.split(jax.random.key(0))
    params = {
        "w1": jax.random.normal(one, (64, hidden)) / 8,
        "b1": jnp.zeros(hidden),
        "w2": jax.random.normal(two, (hidden, 10)) / np.sqrt(hidden),
        "b2": jnp.zeros(10),
    }
    return params, data


def trained_by_hand(rate: Any, params: Any, data: Any, key: jax.Array, steps: int = STEPS) -> Any:
    """The losses of a run and the loss at its end, written as one does without gdlab."""
    tx = optax.adam(rate)
    size = len(data[1])
    per_epoch = size // BATCH

    def step(carry, t):
        params, state, order = carry
        shuffle = lambda: jax.random.permutation(jax.random.fold_in(key, t), size)  # noqa: E731
        order = jax.lax.cond(t % per_epoch == 0, shuffle, lambda: order)
        rows = jax.lax.dynamic_slice_in_dim(order, t % per_epoch * BATCH, BATCH)
        batch = jax.tree.map(lambda array: array[rows], data)
        value, grads = jax.value_and_grad(loss)(params, batch)
        updates, state = tx.update(grads, state)
        return (optax.apply_updates(params, updates), state, order), value

    start = params, tx.init(params), jnp.arange(size)
    (params, _, _), losses = jax.lax.scan(step, start, jnp.arange(steps))
    return losses, loss(params, data)


def sweep_of(
    rates: jax.Array, params: Any, data: Any, key: jax.Array, **settings: Any
) -> Callable[..., gdlab.SweepResult]:
    """The same runs as a sweep, still to be called."""
    return partial(
        gdlab.sweep,
        loss,
        params,
        gdlab.adam(gdlab.Axis("learning_rate", rates)),
        data,
        batch_size=BATCH,
        key=key,
        evaluate=lambda params: {"full_loss": loss(params, data)},
        progress=False,
        **settings,
    )


def ways(count: int, mesh: Any = None) -> dict[str, Callable[[], float]]:
    """The ways to train with ``count`` learning rates; each returns the best of these."""
    params, data = problem()
    rates, key = jnp.logspace(-4, -0.5, count), jax.random.key(1)
    one = jax.jit(trained_by_hand)
    many = jax.jit(jax.vmap(trained_by_hand, (0, None, None, None)))

    def best_of(judgements: Any) -> float:
        return float(rates[np.nanargmin(np.asarray(judgements))])

    def compiled_anew() -> float:
        def train(rate):
            return jax.jit(lambda *rest: trained_by_hand(rate, *rest))(params, data, key)

        return best_of([train(rate)[1] for rate in rates[:CLOSURES].tolist()])

    def looped() -> float:
        return best_of([one(jnp.asarray(rate), params, data, key)[1] for rate in rates.tolist()])

    swept = sweep_of(rates, params, data, key, steps=STEPS, resources=gdlab.Resources(mesh=mesh))
    return {
        f"compiled anew for each of {CLOSURES}": compiled_anew,
        "compiled once, looped": looped,
        BY_HAND: lambda: best_of(many(rates, params, data, key)[1]),
        "gdlab.sweep": lambda: swept().best("full_loss")["learning_rate"],
        "gdlab.sweep, halving": lambda: swept(policy=HALVING).best("full_loss")["learning_rate"],
    }


def first_time(way: str) -> tuple[Sample, int, int]:
    """The seconds of a way for the first time in this process, and what it compiles then and again.

    The process must be a new one.
    """
    compiled: list[str] = []
    listener = lambda event, *_, **__: compiled.append(event)  # noqa: E731
    call = ways(COUNTS[0])[way]
    jax.monitoring.register_event_duration_secs_listener(listener)
    counts = []
    turn = timed(call)
    sample = turn()
    counts.append(sum("backend_compile" in event for event in compiled))
    compiled.clear()
    turn()
    counts.append(sum("backend_compile" in event for event in compiled))
    return sample, counts[0], counts[1]


def on_devices(rounds: str) -> Samples:
    """A sweep on as many CPU devices as there are cores, and what is written by hand on one."""
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    mesh = jax.make_mesh((jax.device_count(),), ("lanes",))
    turns = {
        BY_HAND: timed(ways(COUNTS[1])[BY_HAND]),
        "gdlab.sweep": timed(ways(COUNTS[1], mesh)["gdlab.sweep"]),
    }
    return in_turns(turns, int(rounds), warm_up=1)


def wide_lanes(effort: Effort) -> list[Figure]:
    """Lanes of which the caches of a processor hold few."""
    figures: list[Figure] = []
    key, steps = jax.random.key(1), effort.choose(WIDE_STEPS, 2)
    for hidden, lanes in WIDE[:1] if effort.quick else WIDE:
        params, data = problem(hidden)
        rates = jnp.logspace(-4, -1.5, lanes)
        by_hand = jax.jit(
            jax.vmap(partial(trained_by_hand, steps=steps), (0, None, None, None)),
        )
        swept = sweep_of(rates, params, data, key, steps=steps)
        turns = {
            BY_HAND: timed(partial(by_hand, rates, params, data, key)),
            "gdlab.sweep": timed(lambda run=swept: run().loss),
        }
        task = f"{lanes} lanes of 64-{hidden}-10"
        samples = in_turns(turns, effort.choose(5, 1), warm_up=1)
        figures += times(task, samples)
        figures += ratios(task, samples, "gdlab.sweep", BY_HAND, 0.8)
    return figures


def many_examples(effort: Effort) -> list[Figure]:
    """One lane over many examples, whose order is drawn once an epoch."""
    figures: list[Figure] = []
    tx, key = gdlab.adam(gdlab.Axis("learning_rate", [0.01])), jax.random.key(0)
    for size in EXAMPLES[:1] if effort.quick else EXAMPLES:
        inputs = jax.random.normal(key, (size, 8))
        setting = {
            "data": (inputs, inputs @ jnp.arange(8.0)),
            "steps": effort.choose(EXAMPLE_STEPS, 20),
            "batch_size": BATCH,
            "key": key,
        }
        alone = partial(gdlab.minimize, squared_error, jnp.zeros(8), gdlab.adam(0.01), **setting)
        swept = partial(gdlab.sweep, squared_error, jnp.zeros(8), tx, **setting, progress=False)
        turns = {
            "gdlab.minimize": timed(lambda run=alone: run(keep_path=False).values),
            "gdlab.sweep": timed(lambda run=swept: run().loss),
        }
        task = f"1 lane over {size:,} examples"
        samples = in_turns(turns, effort.choose(3, 1), warm_up=1)
        figures += times(task, samples)
        figures += ratios(task, samples, "gdlab.sweep", "gdlab.minimize", 1.2)
    return figures


def squared_error(weights: Any, batch: Any) -> jax.Array:
    """The mean squared error of a linear model."""
    inputs, targets = batch
    return jnp.mean((inputs @ weights - targets) ** 2)


def sweep(effort: Effort) -> list[Figure]:
    """The first time, in turns afterwards, of wide lanes, many examples and several devices."""
    figures: list[Figure] = []
    firsts: Samples = {}
    for way in ways(COUNTS[0]) if not effort.quick else ("gdlab.sweep",):
        sample, compiled, again = in_fresh_process("works.sweep:first_time", way)
        firsts[way] = [Sample(*sample)]
        figures.append(Figure(FIRST, way, "compilations", compiled))
        target = 0 if way.startswith("gdlab") else None
        figures.append(Figure("again, 64 lanes", way, "compilations", again, target=target))
    figures += times(FIRST, firsts)
    for count in COUNTS[:1] if effort.quick else COUNTS:
        turns = {way: timed(call) for way, call in list(ways(count).items())[2:]}
        samples = in_turns(turns, effort.choose(7, 1), warm_up=1)
        figures += times(f"{count} lanes", samples)
        for way, target in TARGETS.items():
            figures += ratios(f"{count} lanes", samples, way, BY_HAND, target)
    figures += wide_lanes(effort) + many_examples(effort)
    if not effort.quick and jax.default_backend() == "cpu":
        found = in_fresh_process("works.sweep:on_devices", "7")
        samples = {way: [Sample(*each) for each in taken] for way, taken in found.items()}
        figures += times(ON_DEVICES, samples)
        # What several cores save is wall time.
        figures += ratios(ON_DEVICES, samples, "gdlab.sweep", BY_HAND, 0.75, judged="wall")
    return figures
