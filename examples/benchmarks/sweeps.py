"""How fast is a sweep, against what people write by hand?

Adam trains a 64-32-10 network on scikit-learn's digits, batches of 64, 300 steps, with 64 and with
512 learning rates:

(a) a Python loop that compiles a training run anew for each learning rate
(b) one compiled run, called for each learning rate
(c) one compiled run, vmapped over the learning rates, as one writes it by hand
(d) gdlab.sweep
(e) gdlab.sweep with successive halving

Each ends with the loss of what it trained on all images, by which (e) ranks on the way as well, and
gives the best learning rate. (b) to (e) take turns. (a) is reckoned from a few learning rates, for
each costs the same.
"""

import functools
import json
import os
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _timing import duration, in_fresh_processes, in_turns, options
from sklearn.datasets import load_digits

import gdlab

COUNTS = (64, 512)
STEPS, BATCH = 300, 64
CLOSURES = 16
MANY = (64, 1024, 65_536)
MANY_STEPS = 30
HALVING = gdlab.SuccessiveHalving(factor=3, rungs=(20, 100), metric="judged")


def loss(params: Any, batch: Any) -> jax.Array:
    images, labels = batch
    hidden = jax.nn.relu(images @ params["w1"] + params["b1"])
    logits = hidden @ params["w2"] + params["b2"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def problem() -> tuple[Any, Any]:
    images, labels = load_digits(return_X_y=True)
    data = jnp.asarray(images / 16, jnp.float32), jnp.asarray(labels)
    one, two = jax.random.split(jax.random.key(0))
    params = {
        "w1": jax.random.normal(one, (64, 32)) / 8,
        "b1": jnp.zeros(32),
        "w2": jax.random.normal(two, (32, 10)) / 6,
        "b2": jnp.zeros(10),
    }
    return params, data


def learning_rates(count: int) -> jax.Array:
    return jnp.logspace(-4, -0.5, count)


def run_by_hand(rate: Any, params: Any, data: Any, key: jax.Array) -> tuple[Any, jax.Array]:
    """Trained parameters and losses, written as one does without gdlab."""
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
    (params, _, _), losses = jax.lax.scan(step, start, jnp.arange(STEPS))
    return params, losses


def judged_by_hand(rate: Any, params: Any, data: Any, key: jax.Array) -> Any:
    """The losses of a run, and how it is judged at its end."""
    params, losses = run_by_hand(rate, params, data, key)
    return losses, loss(params, data)


def contenders(count: int, mesh: Any = None) -> dict[str, Any]:
    """The ways to train with ``count`` learning rates; each returns the best of these."""
    params, data = problem()
    rates, key = learning_rates(count), jax.random.key(1)
    one = jax.jit(judged_by_hand)
    many = jax.jit(jax.vmap(judged_by_hand, (0, None, None, None)))

    def evaluate(params):
        return {"judged": loss(params, data)}

    numbers = [jnp.asarray(rate) for rate in rates.tolist()]
    sweep = functools.partial(
        gdlab.sweep,
        loss,
        params,
        gdlab.adam(gdlab.Axis("learning_rate", rates)),
        data,
        steps=STEPS,
        batch_size=BATCH,
        key=key,
        evaluate=evaluate,
        progress=False,
        mesh=mesh,
    )

    def anew() -> float:
        def train(rate):
            return jax.jit(lambda *rest: judged_by_hand(rate, *rest))(params, data, key)

        few = min(CLOSURES, count)
        return best_of([train(rate)[1] for rate in rates[:few].tolist()])

    def looped() -> float:
        return best_of([one(rate, params, data, key)[1] for rate in numbers])

    def vmapped() -> float:
        return best_of(many(rates, params, data, key)[1])

    def best_of(judgements: Any) -> float:
        return float(rates[np.nanargmin(np.asarray(judgements))])

    return {
        "a": anew,
        "b": looped,
        "c": vmapped,
        "d": lambda: sweep().best("judged")["learning_rate"],
        "e": lambda: sweep(policy=HALVING).best("judged")["learning_rate"],
    }


NAMES = {
    "a": "compiled anew for each",
    "b": "compiled once, looped",
    "c": "vmapped by hand",
    "d": "gdlab.sweep",
    "e": "gdlab.sweep, halving",
}


def compilations_of(call: Any) -> tuple[float, int]:
    """Seconds of a first call, and how many programs it compiled."""
    compiled: list[str] = []
    listener = lambda event, *_, **__: compiled.append(event)  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listener)
    seconds = duration(call)
    jax.monitoring.unregister_event_duration_listener(listener)
    return seconds, sum("backend_compile" in event for event in compiled)


def first_and_second(way: str, count: int) -> dict[str, float]:
    """What a way costs for the first time in a process, and what it compiles a second time."""
    call = contenders(count)[way]
    seconds, compiled = compilations_of(call)
    _, again = (0.0, 0) if way == "a" else compilations_of(call)
    if way == "a":
        factor = count / min(CLOSURES, count)
        seconds, compiled = seconds * factor, round(compiled * factor)
    return {"first": seconds, "compilations": compiled, "again": again}


def on_several_devices(count: int, rounds: int) -> float:
    """(d) on as many CPU devices as there are cores, against (c) on one."""
    mesh = jax.make_mesh((jax.device_count(),), ("lanes",))
    alone, spread = contenders(count)["c"], contenders(count, mesh)["d"]
    seconds = in_turns({"c": alone, "d": spread}, rounds)
    return seconds["d"] / seconds["c"]


def of_a_lane_step(counts: tuple[int, ...]) -> dict[int, float]:
    """Seconds for each step of each lane in sweeps of ever more lanes."""
    params, data = problem()

    def sweep(count):
        rates = gdlab.Axis("learning_rate", learning_rates(count))
        return gdlab.sweep(
            loss, params, gdlab.adam(rates), data, steps=MANY_STEPS, batch_size=BATCH,
            record_every=MANY_STEPS, progress=False,
        )  # fmt: skip

    seconds = {}
    for count in counts:
        sweep(count)
        repeats = max(1, 4096 // count)
        started = time.perf_counter()
        for _ in range(repeats):
            sweep(count)
        taken = time.perf_counter() - started
        seconds[count] = taken / (repeats * count * (MANY_STEPS + 1))
    return seconds


def main() -> None:
    given = options(__doc__.splitlines()[0])
    if given.once:
        way, count = given.once.split("-")
        print(json.dumps(first_and_second(way, int(count))))
        return
    counts = COUNTS[:1] if given.quick else COUNTS
    ways = [way for way in NAMES if not (given.quick and way == "a")]
    rounds = 3 if given.quick else 9
    firsts = in_fresh_processes([f"{way}-{count}" for count in counts for way in ways], 1)
    for count in counts:
        calls = contenders(count)
        calls.pop("a")
        seconds = in_turns(calls, rounds)
        best = {way: call() for way, call in calls.items()}
        print(f"\n{count} learning rates, {STEPS} steps")
        head = ("first time", "compilations", "and again", "run", "÷ (c)", "best rate")
        print(f"{'':30}" + "".join(f"{title:>14}" for title in head))
        for way in ways:
            first = firsts[f"{way}-{count}"]
            again, ratio, value = "", "", ""
            if way in seconds:
                again = f"{seconds[way]:.3f} s"
                ratio = f"{seconds[way] / seconds['c']:.2f}"
                value = f"{best[way]:.4f}"
            print(
                f"({way}) {NAMES[way]:26}{first['first']:12.2f} s{first['compilations']:14.0f}"
                f"{first['again']:14.0f}{again:>14}{ratio:>14}{value:>14}"
            )
        if "a" in ways:
            gain = firsts[f"a-{count}"]["first"] / firsts[f"d-{count}"]["first"]
            print(f"(d), compilation included, is {gain:.0f} × faster than (a).")
    print("Targets: (d) ≤ 1.05 × (c), (e) ≤ .3 × (c) at the same best, nothing compiled again.")
    for count in counts:
        print(f"(d) on {os.cpu_count()} CPU devices ÷ (c), {count}: {_spread(count, rounds):.2f}")
    print("Target: ≤ .75.")
    lanes = of_a_lane_step(MANY[:2] if given.quick else MANY)
    for count, seconds in lanes.items():
        ratio = seconds / lanes[MANY[0]]
        print(f"{count:6} lanes: {1e6 * seconds:6.2f} µs a step of a lane, {ratio:.2f} × at 64")
    print("Target: ≤ 1.10.")


def _spread(count: int, rounds: int) -> float:
    """The devices have to be set up before JAX starts, hence in another process."""
    import subprocess

    code = (
        "import jax, os; jax.config.update('jax_num_cpu_devices', os.cpu_count()); "
        f"import sweeps; print(sweeps.on_several_devices({count}, {rounds}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
