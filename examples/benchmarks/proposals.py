"""Which search finds good hyperparameters with the fewest runs: gdlab's, Optuna's, or chance?

    python examples/benchmarks/proposals.py            # all of it: an hour on two cores
    python examples/benchmarks/proposals.py --quick    # a smoke test
    python examples/benchmarks/proposals.py --record   # run the twenty sweeps anew

Each search chooses points in batches on twenty recorded sweeps (`bench/recorded_sweeps.py`). The
regret is log(best loss so far / smallest loss of the sweep), divided by log(median loss / smallest
loss): 1 is an average point, 0 the best one. Optuna's searches get the logarithms of losses, and
gdlab's the losses.
"""

import argparse
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from bench.recorded_sweeps import Surface, record, recorded
from scipy.stats import t

from gdlab import Axis, GaussianProcess
from gdlab.sweeps.proposals.proposer import Measured
from gdlab.sweeps.proposals.space import Space

Points = np.ndarray
"""Points in the unit cube, of shape ``(n, axes)``."""
Search = Callable[[int, int, int, int], Iterator[Any]]
"""``search(axes, seed, budget, batch)``: a generator that yields points and is sent the values."""


def gaussian_process(axes: int, seed: int, budget: int, batch: int) -> Iterator[Any]:
    """gdlab's policy."""
    names = [str(axis) for axis in range(axes)]
    space = Space.of([Axis.uniform(name, 0.0, 1.0) for name in names])
    policy, key = GaussianProcess(batch=batch), jax.random.key(seed)
    points, losses = np.zeros((0, axes)), np.zeros(0)
    while True:
        so_far = dict(zip(names, points.T, strict=True))
        measured = Measured(space, so_far, losses, budget, jax.random.fold_in(key, len(losses)))
        chosen = np.stack([*policy.propose(measured, batch).values()], axis=1)
        values = yield chosen
        points = np.concatenate([points, chosen])
        losses = np.concatenate([losses, np.where(np.isnan(values), np.inf, 10.0**values)])


def optuna_search(make: Callable[[Any, int, int], Any]) -> Search:
    """A search by one of Optuna's samplers, which ``make(samplers, seed, batch)`` makes."""

    def search(axes: int, seed: int, budget: int, batch: int) -> Iterator[Any]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=make(optuna.samplers, seed, batch))
        sides = {str(axis): optuna.distributions.FloatDistribution(0, 1) for axis in range(axes)}
        while True:
            trials = [study.ask(sides) for _ in range(batch)]
            values = yield np.array([[trial.params[name] for name in sides] for trial in trials])
            for trial, value in zip(trials, values, strict=True):
                if np.isnan(value):
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                else:
                    study.tell(trial, float(value))

    return search


SEARCHES: dict[str, Search] = {
    "gdlab's Gaussian process": gaussian_process,
    "Optuna's Gaussian process": optuna_search(
        lambda samplers, seed, batch: samplers.GPSampler(seed=seed, n_startup_trials=batch)
    ),
    "Optuna's TPE": optuna_search(
        lambda samplers, seed, _: samplers.TPESampler(seed=seed, constant_liar=True)
    ),
    "random points": optuna_search(lambda samplers, seed, _: samplers.RandomSampler(seed=seed)),
}
OURS = next(iter(SEARCHES))


def regrets(search: Search, surface: Surface, seed: int, budget: int, batch: int) -> np.ndarray:
    """The regret after each evaluation; 1 until a point does not diverge."""
    height = float(np.nanmedian(surface.log_loss)) - surface.minimum
    going, values = search(surface.log_loss.ndim, seed, budget, batch), np.zeros(0)
    points = next(going)
    while len(values) < budget:
        found = surface(points)
        values = np.concatenate([values, found])
        if len(values) < budget:
            points = going.send(found)
    values = np.where(np.isnan(values), np.inf, (values - surface.minimum) / height)
    return np.minimum(np.minimum.accumulate(values), 1.0)[:budget]


def interval(differences: np.ndarray) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval, of one difference for each surface."""
    count = len(differences)
    if count < 2:
        return float(np.mean(differences)), float("nan")
    error = np.std(differences, ddof=1) / np.sqrt(count)
    return float(np.mean(differences)), float(t.ppf(0.975, count - 1) * error)


def report(found: dict[str, np.ndarray], after: list[int]) -> None:
    """Print a table from regrets of shape ``(surfaces, seeds, evaluations)``."""
    print("| search | " + " | ".join(f"regret after {n}" for n in after), end=" | ")
    print(f"minus {OURS}, after {after[-1]} | better than it on |")
    print("|---" * (len(after) + 3) + "|")
    for name, all_regrets in found.items():
        means = all_regrets.mean(axis=1)
        cells = [f"{means[:, n - 1].mean():.3f}" for n in after]
        apart = means[:, -1] - found[OURS].mean(axis=1)[:, -1]
        middle, half = interval(apart)
        versus = ["", ""] if name == OURS else [
            f"{middle:+.3f} ± {half:.3f}", f"{np.sum(apart < 0)} of {len(apart)}",
        ]  # fmt: skip
        print("| " + " | ".join([name, *cells, *versus]) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two sweeps, one seed, 16 points")
    parser.add_argument("--record", action="store_true", help="run the twenty sweeps anew")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=40)
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    if given.record:
        record()
        return
    surfaces, seeds, budget, batch = recorded(), given.seeds, given.budget, given.batch
    if given.quick:
        surfaces, seeds, budget, batch = surfaces[:2], 1, 16, 4
    found = {}
    for name, search in SEARCHES.items():
        if name == "Optuna's Gaussian process" and importlib.util.find_spec("torch") is None:
            print(f"{name} needs torch, which is not installed")
            continue
        found[name] = np.array(
            [
                [regrets(search, surface, seed, budget, batch) for seed in range(seeds)]
                for surface in surfaces
            ]
        )
        print(f"{name}: {found[name][..., -1].mean():.3f}", flush=True)
    report(found, [2 * batch, 3 * batch, budget])


if __name__ == "__main__":
    main()
