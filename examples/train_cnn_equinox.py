"""The network of train_cnn.py as an Equinox module: the optimizer sees its arrays alone.

python examples/train_cnn_equinox.py
"""

import argparse

import equinox as eqx
import jax
import jax.numpy as jnp
from tqdm import tqdm
from train_cnn import cross_entropy, digits, random_shift

import gdlab


class Network(eqx.Module):
    """Three convolutions, each with more channels on a coarser grid, and a linear layer."""

    convs: list[eqx.nn.Conv2d]
    dropout: eqx.nn.Dropout
    out: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 4)
        self.convs = [
            eqx.nn.Conv2d(1, 32, 3, padding=1, key=keys[0]),
            eqx.nn.Conv2d(32, 64, 3, stride=2, padding=1, key=keys[1]),
            eqx.nn.Conv2d(64, 128, 3, stride=2, padding=1, key=keys[2]),
        ]
        self.dropout = eqx.nn.Dropout(0.3)
        self.out = eqx.nn.Linear(2 * 2 * 128, 10, key=keys[3])

    def __call__(self, image, key=None):
        """Logits of one image; with a key, features are dropped at random, as in training."""
        x = jnp.moveaxis(image, -1, 0)
        for conv in self.convs:
            x = jax.nn.relu(conv(x))
        return self.out(self.dropout(x.ravel(), key=key, inference=key is None))


@eqx.filter_jit
def step(tx, model, state, batch, key):
    @eqx.filter_value_and_grad
    def loss(model):
        images, labels = batch
        shift_key, dropout_key = jax.random.split(key)
        logits = jax.vmap(model)(
            random_shift(shift_key, images), jax.random.split(dropout_key, len(images))
        )
        return cross_entropy(logits, labels)

    value, gradient = loss(model)
    updates, state = tx.update(gradient, state, eqx.filter(model, eqx.is_inexact_array))
    return eqx.apply_updates(model, updates), state, value


def main(epochs, batch_size, seed):
    train, test = digits()
    init_key, order_key, step_key = jax.random.split(jax.random.key(seed), 3)
    batches = gdlab.minibatches(train, batch_size, order_key, epochs=epochs, drop_last=True)
    steps = epochs * (len(train[0]) // batch_size)

    learning_rate = gdlab.warmup_cosine_decay_schedule(0.0, 3e-3, steps // 10, steps)
    tx = gdlab.chain(
        gdlab.clip_by_global_norm(1.0),
        gdlab.adamw(learning_rate, weight_decay=0.1, mask="weight"),
    )
    model = Network(init_key)
    state = tx.init(eqx.filter(model, eqx.is_inexact_array))
    bar = tqdm(batches, total=steps, disable=None)
    for number, batch in enumerate(bar):
        key = jax.random.fold_in(step_key, number)
        model, state, value = step(tx, model, state, batch, key)
        bar.set_postfix(loss=f"{value:.3f}", refresh=False)

    images, labels = test
    right = int(jnp.sum(jnp.argmax(jax.vmap(model)(images), axis=1) == labels))
    print(f"test accuracy {right / len(labels):.2%} ({right} of {len(labels)})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
