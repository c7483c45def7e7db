"""How far does a small convolutional network get on real images, in plain JAX?

    python examples/train_cnn.py

The images are scikit-learn's 1797 handwritten digits, 8×8 pixels each: 1437 to train on and 360 to
test on, split once and for all (stratified, ``random_state=0``). The settings were found by
cross-validation within the 1437; the 360 are looked at once, after the last step.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import gdlab

CHANNELS = (1, 32, 64, 128)
STRIDES = (1, 2, 2)
DROPOUT = 0.3


def digits():
    """Two pairs (images, labels), for training and test; images have the shape (n, 8, 8, 1)."""
    data = load_digits()
    images = (data.images / 16).astype(np.float32)[..., None]
    labels = data.target.astype(np.int32)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0
    )
    return (images[train], labels[train]), (images[test], labels[test])


def random_shift(key, images):
    """Each image moved by at most a pixel in either direction: a digit stays the digit it is."""
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    corners = jax.random.randint(key, (len(images), 2), 0, 3)
    return jax.vmap(lambda image, corner: lax.dynamic_slice(image, (*corner, 0), (8, 8, 1)))(
        padded, corners
    )


def cross_entropy(logits, labels):
    log_probabilities = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(log_probabilities, labels[:, None], axis=1))


def init(key):
    he, keys = jax.nn.initializers.he_normal(), jax.random.split(key, 4)
    params = {
        f"conv{i}": {
            "kernel": he(keys[i], (3, 3, CHANNELS[i], CHANNELS[i + 1])),
            "bias": jnp.zeros(CHANNELS[i + 1]),
        }
        for i in range(3)
    }
    return params | {
        "out": {"kernel": he(keys[3], (2 * 2 * CHANNELS[3], 10)), "bias": jnp.zeros(10)}
    }


def network(params, images, key=None):
    """Logits of the images; with a key, features are dropped at random, as in training."""
    x = images
    for i, stride in enumerate(STRIDES):
        layer = params[f"conv{i}"]
        x = lax.conv_general_dilated(
            x, layer["kernel"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + layer["bias"])
    x = x.reshape(len(x), -1)
    if key is not None:
        x = jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, x.shape), x / (1 - DROPOUT), 0)
    return x @ params["out"]["kernel"] + params["out"]["bias"]


@jax.jit
def step(tx, params, state, batch, key):
    def loss(params):
        images, labels = batch
        shift_key, dropout_key = jax.random.split(key)
        logits = network(params, random_shift(shift_key, images), dropout_key)
        return cross_entropy(logits, labels)

    value, gradient = jax.value_and_grad(loss)(params)
    updates, state = tx.update(gradient, state, params)
    return gdlab.apply_updates(params, updates), state, value


def optimizer(steps):
    """AdamW after clipping, warmed up and annealed; the biases do not decay."""
    learning_rate = gdlab.warmup_cosine_decay_schedule(0.0, 3e-3, steps // 10, steps)
    return gdlab.chain(
        gdlab.clip_by_global_norm(1.0),
        gdlab.adamw(learning_rate, weight_decay=0.1, mask="kernel"),
    )


def main(epochs, batch_size, seed):
    train, test = digits()
    init_key, order_key, step_key = jax.random.split(jax.random.key(seed), 3)
    batches = gdlab.minibatches(train, batch_size, order_key, epochs=epochs, drop_last=True)
    steps = epochs * (len(train[0]) // batch_size)

    tx = optimizer(steps)
    params = init(init_key)
    state = tx.init(params)
    bar = tqdm(batches, total=steps, disable=None)
    for number, batch in enumerate(bar):
        key = jax.random.fold_in(step_key, number)
        params, state, value = step(tx, params, state, batch, key)
        bar.set_postfix(loss=f"{value:.3f}", refresh=False)

    images, labels = test
    right = int(jnp.sum(jnp.argmax(network(params, images), axis=1) == labels))
    print(f"test accuracy {right / len(labels):.2%} ({right} of {len(labels)})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
