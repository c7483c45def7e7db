"""Which of fifteen optimizers is best on five small real problems, if all are tuned equally?

    python examples/fair_race.py            # about five minutes on two cores
    python examples/fair_race.py --quick    # two minutes, for a look

Every method gets the same number of trials on every problem. Each trial draws *all* hyperparameters
of the method from ranges that are equally wide for all methods: the learning rate over four decades
around the value that its authors advise, decays 1 − β over a decade or two, and weight decay if the
method has it. Seeds are paired: trial k of every method starts from the same weights and sees the
same batches. A trial is judged by the median over seeds of its loss on all training data after the
last step, and separately by the number of steps to a target: the loss that the best trial of AdamW
has after two thirds of its steps.

It prints a table and draws, beside this file, the best and the median trial on each problem and a
performance profile: the share of problems and seeds on which a method reaches the target within τ
times the steps of the quickest.

What the data do not show: these networks have some thousand parameters and train for some hundred
steps, on a CPU. Nothing here says how methods rank on large models, with long schedules, or in
seconds: Muon, Shampoo and SOAP pay for their steps. All learning rates are constant, which favours
methods that average or normalise less than a schedule would. With five problems and three seeds
neighbours in the table are not to be told apart, which is why intervals stand beside the numbers.
The held-out loss is not what is tuned for.
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
from matplotlib.ticker import LogLocator, NullFormatter
from sklearn import datasets

import gdlab
from gdlab import Axis

PICTURE = pathlib.Path(__file__).with_suffix(".png")


# --- The methods, with a range for every number that their authors leave open


def rate(usual):
    """Four decades around a usual learning rate."""
    return Axis.log_uniform("learning_rate", usual / 100, usual * 100)


DECAY = Axis.log_uniform("weight_decay", 1e-5, 1e-1)
B1 = Axis.uniform("b1", 0.8, 0.98)
B2 = Axis.uniform("b2", 0.9, 0.999)
MOMENTUM = Axis.uniform("momentum", 0.5, 0.98)
GRAFT = gdlab.scale_by_rms(0.99, eps_in_sqrt=False, bias_correction=True)

METHODS = {
    "momentum": gdlab.sgd(rate(0.1), momentum=MOMENTUM),
    "adagrad": gdlab.adagrad(rate(0.03)),
    "rmsprop": gdlab.rmsprop(rate(1e-3), decay=B2),
    "adam": gdlab.adam(rate(3e-3), B1, B2),
    "adamw": gdlab.adamw(rate(3e-3), B1, B2, weight_decay=DECAY),
    "nadam": gdlab.nadam(rate(3e-3), B1, B2),
    "cautious adamw": gdlab.cautious(gdlab.adamw(rate(3e-3), B1, B2, weight_decay=DECAY)),
    "ademamix": gdlab.ademamix(rate(3e-3), B1, B2, alpha=Axis.uniform("alpha", 1.0, 10.0)),
    "adopt": gdlab.adopt(rate(3e-3), B1, B2),
    "lion": gdlab.lion(rate(3e-4), B1, B2, weight_decay=DECAY),
    "schedule-free": gdlab.schedule_free_adamw(rate(3e-3), b1=B1, b2=B2, weight_decay=DECAY),
    "prodigy": gdlab.prodigy(rate(1.0), betas=(B1, B2)),
    "muon": gdlab.muon(rate(0.02), beta=MOMENTUM, weight_decay=DECAY),
    "shampoo": gdlab.shampoo(rate(0.03), B2, momentum=MOMENTUM, graft=GRAFT, every=10),
    "soap": gdlab.soap(rate(3e-3), B1, B2, weight_decay=DECAY, every=10),
}
BASELINE = "adamw"


# --- The problems


class Problem(NamedTuple):
    """A loss on data that come with scikit-learn."""

    init: Callable[..., Any]
    """``init(key)`` → the initial parameters."""
    loss: Callable[..., Any]
    """``loss(params, batch)`` → a scalar."""
    train: tuple[Any, ...]
    held_out: tuple[Any, ...]


def layers(*widths):
    """The ``init`` of a network with these widths: kernels by He's rule, and zero biases."""

    def init(key):
        he, keys = jax.nn.initializers.he_normal(), jax.random.split(key, len(widths) - 1)
        return [
            {"kernel": he(key, (inputs, outputs)), "bias": jnp.zeros(outputs)}
            for key, inputs, outputs in zip(keys, widths[:-1], widths[1:], strict=True)
        ]

    return init


def network(params, x, activation=jax.nn.gelu):
    *hidden, last = params
    for layer in hidden:
        x = activation(x @ layer["kernel"] + layer["bias"])
    return x @ last["kernel"] + last["bias"]


def classify(params, batch):
    inputs, labels = batch
    logits = network(params, inputs)
    return jnp.mean(gdlab.losses.softmax_cross_entropy_with_integer_labels(logits, labels))


def regress(params, batch):
    inputs, targets = batch
    return jnp.mean((network(params, inputs) - targets) ** 2)


def predict_letter(params, batch):
    """The loss of predicting each letter from the eight letters before it."""
    context, following = batch
    embedded = params["embedding"][context].reshape(len(context), -1)
    logits = network(params["layers"], embedded)
    return jnp.mean(gdlab.losses.softmax_cross_entropy_with_integer_labels(logits, following))


def split(*arrays):
    """Split data into four fifths for training and one fifth held out, the same at each run."""
    order = np.random.default_rng(0).permutation(len(arrays[0]))
    most = len(order) * 4 // 5
    return tuple(a[order[:most]] for a in arrays), tuple(a[order[most:]] for a in arrays)


def standardised(x):
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32)


def tumours():
    """Logistic regression: is a tumour benign? Convex, and nearly separable."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return Problem(layers(30, 2), classify, *split(standardised(x), y.astype(np.int32)))


def digits():
    """Handwritten digits, by a network of two hidden layers."""
    x, y = datasets.load_digits(return_X_y=True)
    images = (x / 16).astype(np.float32)
    return Problem(layers(64, 32, 32, 10), classify, *split(images, y.astype(np.int32)))


def autoencoder():
    """The same digits, through a bottleneck of six numbers and back: deep, and badly scaled."""
    x, _ = datasets.load_digits(return_X_y=True)
    images = (x / 16).astype(np.float32)
    return Problem(layers(64, 32, 16, 6, 16, 32, 64), regress, *split(images, images))


def photograph():
    """A photograph, as a function of position that a network on Fourier features approximates."""
    image = datasets.load_sample_image("china.jpg")[::16, ::16] / 255
    rows, columns = np.indices(image.shape[:2])
    place = np.stack([rows / rows.max(), columns / columns.max()], -1).reshape(-1, 2)
    waves = np.random.default_rng(1).normal(size=(2, 16)) * 2 * np.pi
    features = np.concatenate([np.sin(place @ waves), np.cos(place @ waves)], -1)
    pixels = image.reshape(-1, 3).astype(np.float32)
    return Problem(layers(32, 48, 48, 3), regress, *split(features.astype(np.float32), pixels))


def prose():
    """The next letter of English prose: scikit-learn's descriptions of its data sets."""
    loaders = (datasets.load_iris, datasets.load_digits, datasets.load_wine, datasets.load_diabetes)
    text = "".join(loader().DESCR.lower() for loader in loaders)
    letters, codes = np.unique(list(text), return_inverse=True)
    windows = np.lib.stride_tricks.sliding_window_view(codes.astype(np.int32), 9)

    def init(key):
        first, second = jax.random.split(key)
        return {
            "embedding": 0.3 * jax.random.normal(first, (len(letters), 6)),
            "layers": layers(48, 48, len(letters))(second),
        }

    return Problem(init, predict_letter, *split(windows[:, :-1], windows[:, -1]))


PROBLEMS = {
    "tumours": tumours,
    "digits": digits,
    "autoencoder": autoencoder,
    "photograph": photograph,
    "prose": prose,
}


# --- The race


class Race(NamedTuple):
    """The results of one method on one problem, arrays of shape (trials, seeds)."""

    final: np.ndarray
    """The loss on all of the training data after the last step; infinite where it diverged."""
    held_out: np.ndarray
    curves: np.ndarray
    """The losses of the batches, averaged over some steps, with a trailing axis of steps."""


def race(problem, tx, steps, trials, seeds):
    def evaluate(params):
        return {
            "training_loss": problem.loss(params, problem.train),
            "held_out_loss": problem.loss(params, problem.held_out),
        }

    result = gdlab.sweep(
        problem.loss, problem.init, tx, problem.train,
        steps=steps, batch_size=64, seeds=seeds, samples=trials, evaluate=evaluate, progress=False,
    )  # fmt: skip
    data = result.to_xarray().transpose("sample", "seed", ...)
    as_rank = lambda values: np.where(np.isfinite(values), values, np.inf)  # noqa: E731
    return Race(
        as_rank(data.training_loss.values),
        as_rank(data.held_out_loss.values),
        smoothed(as_rank(data.loss.values)),
    )


def smoothed(losses, width=15):
    """Average losses over windows of steps, since the loss of a single batch is noisy."""
    padded = np.concatenate([np.repeat(losses[..., :1], width - 1, -1), losses], -1)
    with np.errstate(invalid="ignore"):
        sums = np.lib.stride_tricks.sliding_window_view(padded, width, -1).mean(-1)
    return np.where(np.isfinite(sums), sums, np.inf)


def arrivals(curves, target):
    """The first step at or below a target, for each curve; infinite where there is none."""
    arrived = curves <= target
    return np.where(arrived.any(-1), arrived.argmax(-1) + 1.0, np.inf)


def median_with_interval(values, resamples=2000):
    """The median, and its 90 % bootstrap interval."""
    draws = np.random.default_rng(0).choice(values, (resamples, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.05, 0.95], method="nearest")
    return np.median(values), low, high


def best_trial(run):
    return np.median(run.final, axis=1).argmin()


def steps_to_target(races, problem, steps):
    """For each method, the steps that its quickest trial takes, seed by seed."""
    baseline = races[problem, BASELINE]
    target = np.median(baseline.curves[best_trial(baseline)], axis=0)[2 * steps // 3]
    quickest = {}
    for method in METHODS:
        each = arrivals(races[problem, method].curves, target)
        quickest[method] = each[np.median(each, axis=1).argmin()]
    return quickest


def profile(arrived):
    """τ, and for each method the share of problems and seeds within τ times the quickest."""
    ratios = {
        method: np.concatenate(
            [by_method[method] / np.min(list(by_method.values()), axis=0) for by_method in arrived]
        )
        for method in METHODS
    }
    taus = np.geomspace(1, 8, 200)
    with np.errstate(invalid="ignore"):
        return taus, {m: (r[None, :] <= taus[:, None]).mean(1) for m, r in ratios.items()}


def table(races, arrived, problems):
    for problem, by_method in zip(problems, arrived, strict=True):
        print(f"\n{problem}: {PROBLEMS[problem].__doc__}")
        print(f"{'':16}{'best':>9}{'median':>9}{'held out':>10}   steps to target (90 %)")
        ranked = sorted(METHODS, key=lambda m: np.median(races[problem, m].final, 1).min())
        for method in ranked:
            run = races[problem, method]
            finals = np.median(run.final, axis=1)
            held_out = np.median(run.held_out[best_trial(run)])
            middle, low, high = median_with_interval(by_method[method])
            steps = "–" if np.isinf(middle) else f"{middle:5.0f}  ({low:.0f} to {high:.0f})"
            print(
                f"{method:16}{finals.min():9.4g}{np.median(finals):9.4g}{held_out:10.4g}   {steps}"
            )


def draw(races, arrived, problems):
    figure, axes = plt.subplots(2, 3, figsize=(13.5, 9.5), layout="constrained")
    names = list(METHODS)[::-1]
    for ax, problem in zip(axes.flat, problems, strict=False):
        finals = {m: np.median(races[problem, m].final, axis=1) for m in names}
        best = [finals[m].min() for m in names]
        middle = [np.median(finals[m]) for m in names]
        rows = np.arange(len(names))
        ax.hlines(rows, best, middle, color="0.8", linewidth=2)
        ax.plot(best, rows, "o", color="#0072B2", label="best of the search")
        ax.plot(middle, rows, "s", color="#D55E00", markersize=4, label="median of the search")
        ax.set(yticks=rows, yticklabels=names, title=problem)
        ax.set_xlabel("training loss after the last step")
        if max(middle) > 3 * min(best):
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(
                LogLocator(subs=(1, 2, 5) if max(middle) < 50 * min(best) else (1,), numticks=20)
            )
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.spines[["top", "right"]].set_visible(False)
    marks = axes.flat[0].get_legend_handles_labels()
    figure.legend(*marks, frameon=False, ncols=2, loc="outside upper left")
    taus, shares = profile(arrived)
    ax = axes.flat[5]
    order = sorted(METHODS, key=lambda m: -shares[m].mean())
    for number, method in enumerate(order):
        style = ("-", "--", ":")[number // 5 % 3]
        ax.plot(taus, shares[method], style, color=plt.cm.tab10(number % 10), label=method)
    ax.set(xscale="log", xticks=[1, 2, 4, 8], xticklabels=["1", "2", "4", "8"], ylim=(0, 1.02))
    ax.set(xlabel="τ, times the steps of the quickest", ylabel="share that reaches the target")
    ax.set_title("performance profile")
    ax.minorticks_off()
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=120)
    print(f"\ndrawn: {PICTURE.name}")


def main(quick):
    steps, trials, seeds = (60, 4, 2) if quick else (200, 16, 3)
    problems = list(PROBLEMS)[:2] if quick else list(PROBLEMS)
    begin, races = time.perf_counter(), {}
    for problem in problems:
        made = PROBLEMS[problem]()
        for method, tx in METHODS.items():
            races[problem, method] = race(made, tx, steps, trials, seeds)
            print(f"\r{time.perf_counter() - begin:5.0f} s  {problem}: {method:20}", end="")
    print(f"\n{trials} trials of each method on each problem, {seeds} seeds, {steps} steps")
    arrived = [steps_to_target(races, problem, steps) for problem in problems]
    table(races, arrived, problems)
    draw(races, arrived, problems)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true")
    main(arguments.parse_args().quick)
