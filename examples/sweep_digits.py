"""Which learning rate suits which optimizer? All of them on real images, in one sweep each.

    python examples/sweep_digits.py

A small network learns scikit-learn's 1797 handwritten digits (8×8 pixels) with every optimizer of
gdlab, 64 learning rates and 3 seeds. It prints the best learning rate of each with its validation
accuracy and stable range, and draws the final loss against the learning rate beside this file.
"""

import argparse
import pathlib
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import gdlab
from gdlab import Axis

PICTURE = pathlib.Path(__file__).with_suffix(".png")
WIDTHS = (64, 32, 10)

# Full-matrix Adagrad belongs on small problems: its matrix would have 2410² entries a lane.
OPTIMIZERS = {
    "sgd": lambda lr: gdlab.sgd(lr),
    "momentum": lambda lr: gdlab.sgd(lr, momentum=0.9),
    "nesterov": lambda lr: gdlab.nesterov(lr, momentum=0.9),
    "adagrad": lambda lr: gdlab.adagrad(lr),
    "adadelta": lambda lr: gdlab.adadelta(lr),
    "rmsprop": lambda lr: gdlab.rmsprop(lr),
    "adam": lambda lr: gdlab.adam(lr),
    "adamw": lambda lr: gdlab.adamw(lr),
    "amsgrad": lambda lr: gdlab.amsgrad(lr),
    "adamax": lambda lr: gdlab.adamax(lr),
    "nadam": lambda lr: gdlab.nadam(lr),
}


def digits():
    """Two pairs (images, labels): the training set and the validation set."""
    data = load_digits()
    images, labels = (data.data / 16).astype(np.float32), data.target.astype(np.int32)
    train, validate = train_test_split(
        np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=0
    )
    return (images[train], labels[train]), (images[validate], labels[validate])


def init(key):
    he, keys = jax.nn.initializers.he_normal(), jax.random.split(key, len(WIDTHS) - 1)
    return [
        {"kernel": he(key, (inputs, outputs)), "bias": jnp.zeros(outputs)}
        for key, inputs, outputs in zip(keys, WIDTHS[:-1], WIDTHS[1:], strict=True)
    ]


def network(params, images):
    *hidden, last = params
    x = images
    for layer in hidden:
        x = jax.nn.relu(x @ layer["kernel"] + layer["bias"])
    return x @ last["kernel"] + last["bias"]


def cross_entropy(params, batch):
    images, labels = batch
    log_probabilities = jax.nn.log_softmax(network(params, images))
    return -jnp.mean(jnp.take_along_axis(log_probabilities, labels[:, None], axis=1))


def main(steps=300, learning_rates=64, seeds=3):
    train, (images, labels) = digits()

    def evaluate(params):
        return {
            "training_loss": cross_entropy(params, train),
            "accuracy": jnp.mean(jnp.argmax(network(params, images), axis=-1) == labels),
        }

    started = time.perf_counter()
    rates = Axis("learning_rate", jnp.logspace(-4, 3, learning_rates))
    result = gdlab.sweep(
        cross_entropy,
        init,
        {name: make(rates) for name, make in OPTIMIZERS.items()},
        train,
        steps=steps,
        batch_size=64,
        seeds=seeds,
        key=jax.random.key(0),
        evaluate=evaluate,
    )
    print(table(result))
    runs, seconds = result.status.size, time.perf_counter() - started
    print(f"\n{runs} runs of {steps} steps in {seconds:.0f} s, compilation included")

    panels = result.plot("training_loss")
    panels[0, 0].figure.suptitle(f"Loss on the training images after {steps} steps")
    panels[0, 0].figure.savefig(PICTURE, dpi=150)
    plt.close(panels[0, 0].figure)
    print(f"picture: {PICTURE}")


def table(result):
    """Best learning rate, accuracy there, and stable range of each optimizer."""
    lines = [f"{'':10}  {'best η':>9}  {'loss':>8}  {'accuracy':>8}  stable range of η"]
    rates = result.coords["learning_rate"]
    low, high = result.stable_range("learning_rate")
    losses = np.median(np.nan_to_num(result.values("training_loss"), nan=np.inf), axis=-1)
    accuracies = np.median(result.metrics["accuracy"], axis=-1)
    for row, name in enumerate(result.coords["optimizer"]):
        best = np.argmin(losses[row])
        bound = f"{high[row]:.2g}" if high[row] < rates[-1] else f"≥ {rates[-1]:.2g}"
        lines.append(
            f"{name:10}  {rates[best]:9.2g}  {losses[row, best]:8.2g}  "
            f"{accuracies[row, best]:8.1%}  {low[row]:.1g} … {bound}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    main(parser.parse_args().steps)
