"""Does the best learning rate of a narrow network serve a wide one?

    python examples/learning_rate_transfer.py           about half a minute
    python examples/learning_rate_transfer.py --full    about a quarter of an hour

Dense networks and two-layer transformers learn scikit-learn's 1797 handwritten digits at several
widths, each at a grid of learning rates a factor of √2 apart, with the standard parametrisation and
with the maximal-update parametrisation. The script prints the best learning rate of each width with
its interval, how far it moves with width, and the loss of each width at its own best rate. It draws
these results beside this file.
"""

import argparse
import pathlib
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from gdlab import Axis, adam, cosine_decay_schedule, losses, sweep
from gdlab.scaling import learning_rate_law, mup, standard

PICTURE = pathlib.Path(__file__).with_suffix(".png")
HEAD = 16
"""Width of an attention head; wider models have more of them."""


def digits():
    """Images of shape (1797, 64), and labels."""
    data = load_digits()
    return (data.data / 16).astype(np.float32), data.target.astype(np.int32)


def matrix(key, fan_in, fan_out):
    """Weights of variance 1/fan_in, as libraries draw them."""
    return jax.random.normal(key, (fan_in, fan_out)) / np.sqrt(fan_in)


# --- A dense network: 64 pixels, two hidden layers, 10 classes


def init_dense(key, width):
    keys = jax.random.split(key, 3)
    sizes = [(64, width), (width, width), (width, 10)]
    weights = [matrix(key, *size) for key, size in zip(keys, sizes, strict=True)]
    return dict(zip(["input", "hidden", "output"], weights, strict=True))


def dense(params, images):
    x = jax.nn.relu(images @ params["input"])
    return jax.nn.relu(x @ params["hidden"]) @ params["output"]


# --- A transformer: the 8 rows of an image are 8 tokens, read by two blocks


def init_transformer(key, width):
    keys = jax.random.split(key, 5)
    return {
        "embedding": matrix(keys[0], 8, width),
        "position": jax.random.normal(keys[1], (8, width)) / np.sqrt(8),
        "blocks": [init_block(keys[2], width), init_block(keys[3], width)],
        "output": matrix(keys[4], width, 10),
    }


def init_block(key, width):
    keys = jax.random.split(key, 4)
    return {
        "attend": matrix(keys[0], width, 3 * width),
        "project": matrix(keys[1], width, width),
        "up": matrix(keys[2], width, 4 * width),
        "down": matrix(keys[3], 4 * width, width),
    }


def normalized(x):
    return x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)


def attention(params, x):
    heads = jnp.split(x @ params["attend"], 3, axis=-1)
    q, k, v = (part.reshape(*x.shape[:-1], -1, HEAD) for part in heads)
    weights = jax.nn.softmax(jnp.einsum("bihd,bjhd->bhij", q, k) / np.sqrt(HEAD))
    return jnp.einsum("bhij,bjhd->bihd", weights, v).reshape(x.shape) @ params["project"]


def transformer(params, images):
    x = images.reshape(-1, 8, 8) @ params["embedding"] + params["position"]
    for block in params["blocks"]:
        x = x + attention(block, normalized(x))
        x = x + jax.nn.relu(normalized(x) @ block["up"]) @ block["down"]
    return jnp.mean(normalized(x), axis=1) @ params["output"]


# --- The sweeps

DENSE = {
    "model": dense,
    "init": init_dense,
    "widths": [64, 128, 256],
    "rates": 2.0 ** np.arange(-8.5, -2.9, 0.5),
    "steps": 120,
    "batch_size": 64,
    "seeds": 4,
}
FULL_DENSE = {"widths": [64, 128, 256, 512, 1024], "rates": 2.0 ** np.arange(-9.5, -3.4, 0.5)}
TRANSFORMER = {
    "model": transformer,
    "init": init_transformer,
    "widths": [32, 64, 128, 256],
    "rates": 2.0 ** np.arange(-13, -5.4, 0.5),
    "steps": 60,
    "batch_size": 16,
    "seeds": 4,
}


def law_of(model, init, parametrization, widths, rates, steps, batch_size, seeds):
    """The best learning rate over width, judged by the loss on all images at the end."""
    train = digits()

    def loss(params, batch):
        images, labels = batch
        logits = model(params, images)
        return jnp.mean(losses.softmax_cross_entropy_with_integer_labels(logits, labels))

    # A learning rate that decays to zero averages out the noise of the batches, so that the loss is
    # a smooth function of the initial rate.
    rate = cosine_decay_schedule(Axis("learning_rate", rates), steps)
    result = sweep(
        loss,
        parametrization.init(init),
        parametrization.optimizer(adam(rate)),
        train,
        steps=steps,
        batch_size=batch_size,
        seeds=seeds,
        evaluate=lambda params: {"training_loss": loss(params, train)},
        record_every=steps,
        hyperparameters={"width": Axis("width", widths)},
    )
    return learning_rate_law(result, metric="training_loss")


def parametrizations_of(init, widths):
    """The two parametrisations to compare, by name; at the first width they are the same."""
    return {"standard": standard(), "mup": mup(lambda key: init(key, widths[0]))}


def main(full=False):
    started, cpu = time.perf_counter(), time.process_time()
    models = {"dense": DENSE | (FULL_DENSE if full else {})}
    if full:
        models["transformer"] = TRANSFORMER
    _, panels = plt.subplots(
        2 * len(models), 2, figsize=(9.6, 7.6 * len(models)), layout="constrained", squeeze=False
    )
    rows = iter(panels)
    for model, setting in models.items():
        known = parametrizations_of(setting["init"], setting["widths"])
        for name, parametrization in known.items():
            law = law_of(parametrization=parametrization, **setting)
            print(f"\n{model}, {name}\n\n{law.table()}\n\n{law.verdict()}\n{law.law}", flush=True)
            law.plot(next(rows))[0].set_title(f"{model}, {name}")
    panels[0, 0].figure.savefig(PICTURE, dpi=120)
    plt.close(panels[0, 0].figure)
    spent, of_cpu = time.perf_counter() - started, time.process_time() - cpu
    print(f"\n{spent:.0f} s, {of_cpu:.0f} s of processors; picture: {PICTURE}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="all widths, and the transformer")
    main(parser.parse_args().full)
