"""Scikit-learn's digits, in the same batches from loaders of several libraries."""

import os
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from gdlab import losses

SIZE, BATCH_SIZE = 200, 64
BATCHES_PER_PASS = 4
"""Three full batches, and one of eight examples."""


def arrays():
    digits = load_digits()
    return (digits.data[:SIZE] / 16).astype(np.float32), digits.target[:SIZE]


IMAGES, LABELS = arrays()


def start():
    return {"kernel": jnp.zeros((64, 10)), "bias": jnp.zeros(10)}


def cross_entropy(params, batch):
    """The loss of a linear classifier on a pair, a named tuple or a dictionary."""
    images, labels = (batch["images"], batch["labels"]) if isinstance(batch, dict) else batch
    logits = images @ params["kernel"] + params["bias"]
    return jnp.mean(losses.softmax_cross_entropy_with_integer_labels(logits, labels))


def one_pass():
    for begin in range(0, SIZE, BATCH_SIZE):
        rows = slice(begin, begin + BATCH_SIZE)
        yield IMAGES[rows], LABELS[rows]


def endless():
    while True:
        yield from one_pass()


class Example(NamedTuple):
    """A batch whose parts have names."""

    images: np.ndarray
    labels: np.ndarray


class Again:
    """A loader that can be iterated over again, and counts how often it is."""

    def __init__(self, batches=one_pass):
        self.batches, self.passes = batches, 0

    def __iter__(self):
        self.passes += 1
        return self.batches()


def dictionaries():
    return Again(lambda: ({"images": x, "labels": y} for x, y in one_pass()))


def named_tuples():
    return Again(lambda: (Example(x, y) for x, y in one_pass()))


class OfNumPy:
    """A dataset that gives arrays only where it is asked for them, as TensorFlow's do."""

    def __iter__(self):
        raise AssertionError("tensors are not wanted")

    def as_numpy_iterator(self):
        return one_pass()


def torch_loader(**settings):
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(IMAGES), torch.from_numpy(LABELS))
    return torch.utils.data.DataLoader(data, batch_size=BATCH_SIZE, **settings)


def torch_loader_of_dictionaries():
    torch = pytest.importorskip("torch")
    examples = [{"images": x, "labels": y} for x, y in zip(IMAGES, LABELS, strict=True)]
    return torch.utils.data.DataLoader(examples, batch_size=BATCH_SIZE)


def grain_loader():
    grain = pytest.importorskip("grain")
    return grain.DataLoader(
        data_source=list(zip(IMAGES, LABELS, strict=True)),
        sampler=grain.samplers.SequentialSampler(SIZE),
        operations=[grain.transforms.Batch(BATCH_SIZE)],
    )


def map_dataset_of_grain():
    grain = pytest.importorskip("grain")
    return grain.MapDataset.source(list(zip(IMAGES, LABELS, strict=True))).batch(BATCH_SIZE)


def iter_dataset_of_grain():
    return map_dataset_of_grain().to_iter_dataset()


def py_dataset_of_keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")

    class Digits(keras.utils.PyDataset):
        def __len__(self):
            return BATCHES_PER_PASS

        def __getitem__(self, index):
            return list(one_pass())[index]

    return Digits()


LOADERS = [
    endless,
    dictionaries,
    named_tuples,
    OfNumPy,
    torch_loader,
    torch_loader_of_dictionaries,
    grain_loader,
    map_dataset_of_grain,
    iter_dataset_of_grain,
    pytest.param(py_dataset_of_keras, marks=pytest.mark.slow),
]
