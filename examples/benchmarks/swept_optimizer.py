"""What does it cost to train with 64 learning rates, and with 512, instead of one?

Adam trains a 64-32-10 network on scikit-learn's digits. Compilations are counted by JAX itself.
"""

import json
from typing import Any

import jax
import jax.numpy as jnp
import optax
from _timing import duration, in_fresh_processes, options
from sklearn.datasets import load_digits

import gdlab

COUNTS = (64, 512)
STEPS = 300
BATCH = 64
CLOSURES = 3  # of so many learning rates the time is taken, since each costs the same


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
    return jnp.logspace(-5, 0, count)


def train(library: Any, tx: Any, params: Any, batches: Any) -> jax.Array:
    """The losses of one run."""

    def step(carry, batch):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params, batch)
        updates, state = tx.update(grads, state, params)
        return (library.apply_updates(params, updates), state), value

    return jax.lax.scan(step, (params, tx.init(params)), batches)[1]


def train_with_gdlab(tx: Any, params: Any, batches: Any) -> jax.Array:
    return train(gdlab, tx, params, batches)


def closure_over(tx: optax.GradientTransformation) -> Any:
    return jax.jit(lambda params, batches: train(optax, tx, params, batches))


def measured(way: str, count: int) -> dict[str, float]:
    """Compilations, and the seconds of a first and of a second time, in this process."""
    params, data = problem()
    rows = jax.random.randint(jax.random.key(1), (STEPS, BATCH), 0, len(data[1]))
    batches = jax.tree.map(lambda array: array[rows], data)
    rates = learning_rates(count)
    batch_of_optimizers = jax.tree.map(
        lambda number: jnp.broadcast_to(jnp.asarray(number), (count,)), gdlab.adam(1.0)
    )
    batch_of_optimizers = gdlab.set_hyperparameters(batch_of_optimizers, {"learning_rate": rates})
    jax.block_until_ready((batches, batch_of_optimizers))
    mapped = jax.jit(jax.vmap(train_with_gdlab, in_axes=(0, None, None)))
    one = jax.jit(train_with_gdlab)
    axis = gdlab.Axis("learning_rate", rates)
    numbers = rates.tolist()

    def sweep():
        return gdlab.sweep(
            loss, params, gdlab.adam(axis), data, steps=STEPS, batch_size=BATCH, progress=False
        )

    def vmapped():
        return mapped(batch_of_optimizers, params, batches)

    def looped():
        return [one(gdlab.adam(rate), params, batches) for rate in numbers]

    def closed_over():
        return [closure_over(optax.adam(rate))(params, batches) for rate in numbers[:CLOSURES]]

    ways = {"sweep": sweep, "vmap": vmapped, "loop": looped, "closure": closed_over}
    compilations: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compilations.append(event) if "backend_compile" in event else None
    )
    first = duration(ways[way])
    compiled = len(compilations)
    second = duration(ways[way])
    if way == "closure":
        factor = count / CLOSURES
        compiled, first, second = round(compiled * factor), first * factor, second * factor
    return {"compilations": compiled, "first": first, "second": second}


DESCRIPTIONS = {
    "sweep": "gdlab.sweep over an Axis",
    "vmap": "jit(vmap(train)) over tx",
    "loop": "jit(train), called for each tx",
    "closure": "optax closed over, jitted anew",
}


def main() -> None:
    given = options(__doc__)
    if given.once:
        way, count = given.once.split("-")
        print(json.dumps(measured(way, int(count))))
        return
    ways = ["sweep", "vmap"] if given.quick else list(DESCRIPTIONS)
    names = [f"{way}-{count}" for way in ways for count in COUNTS]
    results = in_fresh_processes(names, rounds=1 if given.quick else 3)
    print(f"Adam, {STEPS} steps, {' and '.join(map(str, COUNTS))} learning rates")
    print(f"{'':<32}{'rates':>6}{'compilations':>14}{'first time':>12}{'again':>10}")
    for name, found in results.items():
        way, count = name.split("-")
        print(
            f"{DESCRIPTIONS[way]:<32}{count:>6}{found['compilations']:>14.0f}"
            f"{found['first']:>10.2f} s{found['second']:>8.2f} s"
        )
    if "closure" in ways:
        print(f"(What closures cost is reckoned from {CLOSURES} of them.)")
    print("Target: as many compilations for 512 learning rates as for 64, but for closures.")


if __name__ == "__main__":
    main()
