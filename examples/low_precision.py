"""Does training in low precision reach the loss of float32? A non-inferiority test, paired seeds.

    python examples/low_precision.py           # AdamW on digits, about a minute on two cores
    python examples/low_precision.py --full    # Muon as well, a model of letters, and more steps

Each format trains the same network as float32, from the same weights (numbers that bfloat16 holds)
and on the same batches, for five seeds. Compared are the loss on all training data after the last
step, and the accuracy on held-out digits. From the five differences to float32, the script computes
their mean and its 95 % interval by Student's t. A format is "not worse" if the whole interval is
below the margin, "worse" if the whole interval is above it, and "undecided" otherwise. The margins
are 5 % of the mean loss in float32, and one percentage point of accuracy.

Models convert their parameters to float32 before they compute, so only the storage differs. The
script prints a table and draws the intervals beside this file.

What the data do not show: the networks are small, and the schedule is one cosine to zero. Five
seeds bound only what is common to most seeds, and intervals are not corrected for the number of
formats. An accuracy is a multiple of 1/450: where all five agree, the interval has no width.
"""

import argparse
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from sklearn import datasets

import gdlab

PICTURE = pathlib.Path(__file__).with_suffix(".png")
SEEDS = 5
LOSS_MARGIN = 5.0  # per cent of the loss in float32
ACCURACY_MARGIN = 1.0  # percentage points

SLOTS = {
    "slots bfloat16": lambda tx: gdlab.stored(tx, "bfloat16"),
    "slots bfloat16, nearest": lambda tx: gdlab.stored(tx, gdlab.BFloat16Format("nearest")),
    "slots bfloat16, stochastic": lambda tx: gdlab.stored(tx, "bfloat16_stochastic"),
    "slots int8": lambda tx: gdlab.stored(tx, "int8"),
}
PARAMETERS = {
    "parameters plain": lambda tx: tx,
    "parameters stochastic": gdlab.stochastic_params,
    "parameters kahan": gdlab.kahan_params,
    "parameters master": gdlab.master_params,
    "parameters split": gdlab.split_params,
}
FORMATS = [*SLOTS, *PARAMETERS]
OPTIMIZERS = {"adamw": (gdlab.adamw, 1e-3), "muon": (gdlab.muon, 5e-3)}


# --- The problems


class Problem(NamedTuple):
    """A classifier, with data that come with scikit-learn."""

    init: Callable[..., Any]
    """``init(key)`` → the initial parameters."""
    logits: Callable[..., Any]
    """``logits(params, inputs)`` → the logits, for parameters in float32."""
    train: tuple[np.ndarray, np.ndarray]
    held_out: tuple[np.ndarray, np.ndarray] | None
    """The data on which accuracy is measured; None if it is not measured."""

    def loss(self, params, batch):
        """The mean cross-entropy of a batch."""
        inputs, labels = batch
        logits = self.logits(in_dtype(params, jnp.float32), inputs)
        return jnp.mean(gdlab.losses.softmax_cross_entropy_with_integer_labels(logits, labels))

    def evaluate(self, params):
        """The metrics by which a run is judged."""
        measured = {"training_loss": self.loss(params, self.train)}
        if self.held_out is not None:
            inputs, labels = self.held_out
            guesses = jnp.argmax(self.logits(in_dtype(params, jnp.float32), inputs), axis=-1)
            measured["accuracy"] = jnp.mean(guesses == labels)
        return measured


def in_dtype(params, dtype):
    return jax.tree.map(lambda x: x.astype(dtype), params)


def layers(key, *widths):
    """Kernels and biases of a network with these widths, drawn by He's rule."""
    he, keys = jax.nn.initializers.he_normal(), jax.random.split(key, len(widths) - 1)
    return [
        {"kernel": he(key, (inputs, outputs)), "bias": jnp.zeros(outputs)}
        for key, inputs, outputs in zip(keys, widths[:-1], widths[1:], strict=True)
    ]


def network(params, x):
    *hidden, last = params
    for layer in hidden:
        x = jax.nn.relu(x @ layer["kernel"] + layer["bias"])
    return x @ last["kernel"] + last["bias"]


def digits():
    """Handwritten digits, by a network of two hidden layers."""
    x, y = datasets.load_digits(return_X_y=True)
    images, labels = (x / 16).astype(np.float32), y.astype(np.int32)
    order = np.random.default_rng(0).permutation(len(labels))
    train, held_out = order[:1347], order[1347:]
    return Problem(
        lambda key: layers(key, 64, 256, 128, 10),
        network,
        (images[train], labels[train]),
        (images[held_out], labels[held_out]),
    )


def letters():
    """The next letter of English prose, from the eight before it."""
    loaders = (datasets.load_iris, datasets.load_digits, datasets.load_wine, datasets.load_diabetes)
    text = "".join(loader().DESCR.lower() for loader in loaders)
    alphabet, codes = np.unique(list(text), return_inverse=True)
    windows = np.lib.stride_tricks.sliding_window_view(codes.astype(np.int32), 9)

    def init(key):
        first, second = jax.random.split(key)
        embedding = 0.3 * jax.random.normal(first, (len(alphabet), 32))
        return {"embedding": embedding, "layers": layers(second, 256, 128, len(alphabet))}

    def logits(params, context):
        embedded = params["embedding"][context].reshape(len(context), -1)
        return network(params["layers"], embedded)

    return Problem(init, logits, (windows[:, :-1], windows[:, -1]), None)


# --- The comparison


class Difference(NamedTuple):
    """A mean of paired differences to float32, with its 95 % interval; more is worse."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, differences):
        """Compute mean and interval from one difference for each seed."""
        mean, error = np.mean(differences), stats.sem(differences)
        half = stats.t.ppf(0.975, len(differences) - 1) * error
        return cls(mean, mean - half, mean + half)

    def verdict(self, margin):
        """The verdict: whether the interval is below the margin, above it, or contains it."""
        if self.high < margin:
            return "not worse"
        return "worse" if self.low > margin else "undecided"


def finals(problem, tx, contenders, dtype, steps):
    """The metrics of each contender after the last step: name → metric → values by seed."""

    def init(key):
        # Rounded in all formats, so that all start from the same numbers.
        return in_dtype(in_dtype(problem.init(key), jnp.bfloat16), dtype)

    result = gdlab.sweep(
        problem.loss, init, {name: wrap(tx) for name, wrap in contenders.items()}, problem.train,
        steps=steps, batch_size=64, seeds=SEEDS, evaluate=problem.evaluate, progress=False,
    )  # fmt: skip
    return {
        name: {metric: values[row] for metric, values in result.metrics.items()}
        for row, name in enumerate(result.coords["optimizer"])
    }


def compare(problem, tx, steps):
    """The metrics in float32, and the differences of every format: metric → format → difference."""
    wide = finals(problem, tx, {"float32": lambda tx: tx, **SLOTS}, jnp.float32, steps)
    narrow = finals(problem, tx, PARAMETERS, jnp.bfloat16, steps)
    exact, others = wide.pop("float32"), wide | narrow
    percent = 100 / np.mean(exact["training_loss"])
    differences = {
        "loss": {
            name: Difference.of(percent * (final["training_loss"] - exact["training_loss"]))
            for name, final in others.items()
        }
    }
    if "accuracy" in exact:
        differences["accuracy"] = {
            name: Difference.of(100 * (exact["accuracy"] - final["accuracy"]))
            for name, final in others.items()
        }
    return {metric: np.mean(values) for metric, values in exact.items()}, differences


def table(title, exact, differences):
    measures = ", ".join(f"{name} {value:.4g}" for name, value in exact.items())
    print(f"\n{title}: in float32 {measures}")
    print(f"{'':28}{'loss, % above float32':40}accuracy, points below float32")
    for name in FORMATS:
        row = f"{name:28}{cell(differences['loss'][name], LOSS_MARGIN):40}"
        if "accuracy" in differences:
            row += cell(differences["accuracy"][name], ACCURACY_MARGIN)
        print(row.rstrip())


def cell(difference, margin):
    mean, low, high = difference
    return f"{mean:+7.2f} ({low:+.2f} to {high:+.2f})".ljust(30) + difference.verdict(margin)


def draw(compared):
    panels = [
        (f"{title}: {metric}", metric, by_format)
        for title, (_, differences) in compared.items()
        for metric, by_format in differences.items()
    ]
    columns = 2 if len(panels) < 3 else 3
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(4.2 * columns + 1.5, 3.8 * rows), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (title, metric, by_format) in zip(axes.flat, panels, strict=False):
        panel(ax, by_format, LOSS_MARGIN if metric == "loss" else ACCURACY_MARGIN)
        unit = "% of the loss above float32" if metric == "loss" else "points below float32"
        ax.set(title=title, xlabel=unit)
    figure.suptitle("Difference to float32, 95 % intervals; margin shaded; arrows lead out of view")
    figure.savefig(PICTURE, dpi=120)
    plt.close(figure)


COLOURS = {"not worse": "#0072B2", "worse": "#D55E00", "undecided": "0.45"}


def panel(ax, by_format, margin):
    """Intervals down the page, on an axis that shows three margins to each side."""
    view = 3 * margin
    ax.axvspan(-view, margin, color="0.93", linewidth=0)
    ax.axvline(0, color="0.6", linewidth=1)
    for row, name in enumerate(FORMATS):
        mean, low, high = by_format[name]
        verdict = by_format[name].verdict(margin)
        colour = COLOURS[verdict]
        ax.hlines(row, max(low, -view), min(high, view), color=colour, linewidth=2)
        if abs(mean) <= view:
            ax.plot(mean, row, "o", color=colour)
        for side, end, mark in ((1, high, ">"), (-1, -low, "<")):
            if end > view:
                ax.plot(0.96 * side * view, row, mark, color=colour)
        if abs(mean) > view:
            side = np.sign(mean)
            text = {"ha": "right" if side > 0 else "left", "va": "center", "color": colour}
            ax.text(0.9 * side * view, row, f"{mean:+.3g}", **text)
    ax.set(xlim=(-view, view), yticks=range(len(FORMATS)), yticklabels=FORMATS)
    ax.set_ylim(len(FORMATS) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def main(full):
    problems = {"digits": digits(), **({"letters": letters()} if full else {})}
    steps, names = (800, list(OPTIMIZERS)) if full else (400, ["adamw"])
    begin, compared = time.perf_counter(), {}
    for problem in problems:
        for name in names:
            method, rate = OPTIMIZERS[name]
            tx = method(gdlab.cosine_decay_schedule(rate, steps))
            title = f"{name} on {problem}"
            compared[title] = compare(problems[problem], tx, steps)
            table(title, *compared[title])
    print(f"\n{SEEDS} paired seeds, {steps} steps, {time.perf_counter() - begin:.0f} s in all")
    print(f"margins: {LOSS_MARGIN:g} % of the loss, {ACCURACY_MARGIN:g} point of accuracy")
    draw(compared)
    print(f"drawn: {PICTURE.name}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--full", action="store_true")
    main(arguments.parse_args().full)
