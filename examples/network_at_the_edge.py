"""A network at the edge of stability, on one live page.

    python examples/network_at_the_edge.py

It writes network_at_the_edge.html beside this file: a network of 64, 16 and 10 units that learns
500 handwritten digits, all of them at each step. Press "Train" and watch the sharpness, the largest
eigenvalue of the Hessian, rise to the largest value at which the optimizer is stable, and stay
there while the loss goes on falling: 2/η for gradient descent, 2(1 + β)/η for heavy ball, and for
Adam 38/η for the Hessian as Adam sees it. Move a slider while it trains, and the limit moves and
the sharpness follows. Go back in time, and train on from there with other settings.

The page computes the limit from the optimizer that trains; it is not typed in. The page also shows
the singular values of the momentum of the first layer and of its last update. Muon has no such
limit, and makes the singular values of the update nearly equal.
"""

import argparse
import pathlib

import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

import gdlab

UNITS = 16
EXAMPLES = 500
PAGE = pathlib.Path(__file__).with_suffix(".html")
OPTIMIZERS = {
    "gradient descent": gdlab.sgd(0.3),
    "heavy ball": gdlab.sgd(0.5, momentum=0.7),
    "Adam": gdlab.adam(0.01),
    "Muon": gdlab.muon(0.02),
}

digits = load_digits()
# Roughly centred, but still multiples of 1/16, so that each takes one byte on the page.
images = jnp.asarray((digits.data[:EXAMPLES] - 5) / 16)
labels = jnp.asarray(digits.target[:EXAMPLES])


def start(seed=0):
    """Small random weights, where the loss is nearly flat."""
    random = np.random.default_rng(seed)
    return {
        "hidden": {"b": np.zeros(UNITS), "w": random.normal(size=(64, UNITS)) / 16},
        "output": {"b": np.zeros(10), "w": random.normal(size=(UNITS, 10)) / 8},
    }


def network(params):
    hidden = jnp.tanh(images @ params["hidden"]["w"] + params["hidden"]["b"][None])
    return hidden @ params["output"]["w"] + params["output"]["b"][None]


def loss(params):
    """Half the mean squared distance from the one-hot labels."""
    targets = jnp.asarray(np.eye(10)[np.asarray(labels)])
    return 0.5 * jnp.mean(jnp.sum((network(params) - targets) ** 2, axis=1))


def accuracy(params):
    return jnp.mean(jnp.argmax(network(params), axis=1) == labels)


def weights(params):
    """The weights from the pixels into each hidden unit, as pictures."""
    return params["hidden"]["w"].T.reshape(UNITS, 8, 8)


def main(path=PAGE):
    page = gdlab.explore_training(
        loss,
        OPTIMIZERS,
        start(),
        measure=accuracy,
        tiles=weights,
        matrix=lambda params: params["hidden"]["w"],
        title="A network at the edge of stability",
    )
    page.save(path)
    print(f"{page} is in {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", type=pathlib.Path, default=PAGE)
    main(parser.parse_args().path)
