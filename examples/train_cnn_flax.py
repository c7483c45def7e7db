"""The network of train_cnn.py as a Flax module: ``nnx.Optimizer`` takes gdlab's optimizer as it is.

python examples/train_cnn_flax.py
"""

import argparse

import jax
import jax.numpy as jnp
from flax import nnx
from tqdm import tqdm
from train_cnn import cross_entropy, digits, random_shift

import gdlab


class Network(nnx.Module):
    """Three convolutions, each with more channels on a coarser grid, and a linear layer."""

    def __init__(self, rngs):
        he = nnx.initializers.he_normal()
        self.conv0 = nnx.Conv(1, 32, (3, 3), kernel_init=he, rngs=rngs)
        self.conv1 = nnx.Conv(32, 64, (3, 3), strides=2, kernel_init=he, rngs=rngs)
        self.conv2 = nnx.Conv(64, 128, (3, 3), strides=2, kernel_init=he, rngs=rngs)
        self.dropout = nnx.Dropout(0.3, rngs=rngs)
        self.out = nnx.Linear(2 * 2 * 128, 10, kernel_init=he, rngs=rngs)

    def __call__(self, x):
        """Logits of the images; features are dropped until ``eval`` is called."""
        x = nnx.relu(self.conv0(x))
        x = nnx.relu(self.conv1(x))
        x = nnx.relu(self.conv2(x))
        return self.out(self.dropout(x.reshape(len(x), -1)))


@nnx.jit
def step(model, optimizer, batch, key):
    def loss(model):
        images, labels = batch
        return cross_entropy(model(random_shift(key, images)), labels)

    value, gradient = nnx.value_and_grad(loss)(model)
    optimizer.update(model, gradient)
    return value


def main(epochs, batch_size, seed):
    train, test = digits()
    order_key, shift_key = jax.random.split(jax.random.key(seed))
    batches = gdlab.minibatches(train, batch_size, order_key, epochs=epochs, drop_last=True)
    steps = epochs * (len(train[0]) // batch_size)

    learning_rate = gdlab.warmup_cosine_decay_schedule(0.0, 3e-3, steps // 10, steps)
    tx = gdlab.chain(
        gdlab.clip_by_global_norm(1.0),
        gdlab.adamw(learning_rate, weight_decay=0.1, mask="kernel"),
    )
    model = Network(nnx.Rngs(seed))
    # nnx refuses an attribute that holds arrays: where hyperparameters are arrays and not numbers,
    # hand over optax.GradientTransformationExtraArgs(*tx).
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    bar = tqdm(batches, total=steps, disable=None)
    for number, batch in enumerate(bar):
        value = step(model, optimizer, batch, jax.random.fold_in(shift_key, number))
        bar.set_postfix(loss=f"{value:.3f}", refresh=False)

    model.eval()
    images, labels = test
    right = int(jnp.sum(jnp.argmax(model(images), axis=1) == labels))
    print(f"test accuracy {right / len(labels):.2%} ({right} of {len(labels)})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
