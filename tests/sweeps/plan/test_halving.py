"""Successive halving and Hyperband against a ranking by hand of the sweep that drops nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, Resources, Stopping, sgd, sweep
from gdlab.sweeps import Hyperband, SuccessiveHalving
from tests.sweeps.counting import executed

STEPS, SEEDS, RUNGS = 20, 3, [3, 6, 12]
# From much too small to diverging at once; the flat direction makes the ranking change.
RATES = np.append(np.geomspace(1e-3, 1.5, 13), [1e4, 30.0, 1e3])


def valley(w, batch):
    return jnp.mean((w[0] - batch) ** 2 + 0.02 * (w[1] - 3 * batch) ** 2)


def start(key):
    return jax.random.normal(key, (2,))


def height(w):
    return {"height": jnp.sum(jnp.abs(w)), "depth": -jnp.sum(jnp.abs(w))}


DATA = np.random.default_rng(0).normal(size=12).astype(np.float32)


def run(**arguments):
    rates = Axis("rate", arguments.pop("rates", RATES))
    return sweep(
        valley, start, sgd(rates), DATA,
        **{"steps": STEPS, "seeds": SEEDS, "evaluate": height} | arguments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def full():
    return run()


def median(values):
    """Over seeds, in the last place those without a value."""
    return np.median(np.where(np.isnan(values), np.inf, values), axis=1)


def halved(loss, rungs, factor, rounded=np.ceil, points=None):
    """The rung after which each point was dropped, or −1, from all losses of all points."""
    dropped = np.full(len(loss), -1)
    left = list(range(len(loss))) if points is None else list(points)
    for rung in rungs:
        scores = median(loss[left, :, rung - 1])
        count = max(1, int(rounded(len(left) / factor)))
        # Python's sort is stable, so of equals the first survive.
        kept = sorted(sorted(range(len(left)), key=scores.__getitem__)[:count])
        for place, point in enumerate(left):
            if place not in kept:
                dropped[point] = rung
        left = [left[place] for place in kept]
    return dropped


def assert_halved(result, full, dropped):
    """Survivors have the losses of the full sweep; the others stop where they were dropped."""
    for point, rung in enumerate(dropped):
        for seed in range(result.loss.shape[1]):
            diverged = full.diverged_at[point, seed]
            end = STEPS + 1 if rung < 0 else rung
            np.testing.assert_allclose(
                result.loss[point, seed, :end], full.loss[point, seed, :end], rtol=1e-5
            )
            assert np.isnan(result.loss[point, seed, end:]).all()
            if 0 <= diverged < end:
                expected = ("diverged", diverged)
            else:
                expected = ("ok", -1) if rung < 0 else ("pruned", rung)
            found = (result.status[point, seed], result.stopped_at[point, seed])
            assert found == expected


@pytest.mark.parametrize("chunk", ["auto", 12, 2])
def test_survivors_and_executed_steps_are_those_of_a_ranking_by_hand(full, monkeypatch, chunk):
    policy = SuccessiveHalving(factor=2, rungs=RUNGS)
    with executed(monkeypatch) as noted:
        result = run(policy=policy, resources=Resources(lane_chunk=chunk))
    dropped = halved(full.loss, RUNGS, 2)
    assert_halved(result, full, dropped)
    # What is ranked is neither in order of the rates nor the same from rung to rung.
    assert np.unique(dropped, return_counts=True)[1].tolist() == [2, 8, 4, 2]
    assert "diverged" in result.status
    ends = [*RUNGS, STEPS + 1]
    lengths = np.diff([0, *ends])
    assert noted.lane_steps == SEEDS * np.dot([16, 8, 4, 2], lengths)
    np.testing.assert_array_equal(
        result.evaluations,
        np.where(
            result.status == "diverged",
            result.stopped_at + 1,
            np.where(dropped < 0, STEPS + 1, dropped)[:, None],
        ),
    )


def test_the_best_is_the_best_of_the_survivors(full):
    result = run(policy=SuccessiveHalving(factor=2, rungs=RUNGS), keep_params="best")
    survivors = np.flatnonzero(halved(full.loss, RUNGS, 2) < 0)
    scores = median(full.final_loss)[survivors]
    best = result.best()
    assert best["rate"] == pytest.approx(RATES[survivors[np.argmin(scores)]])
    assert best["final_loss"] == pytest.approx(scores.min(), rel=1e-5)
    alone = run(rates=[best["rate"]], keep_params="all")
    np.testing.assert_allclose(result.params, alone.params[0], rtol=1e-4, atol=1e-6)


def test_what_is_kept_of_pruned_lanes_is_told_apart():
    result = run(policy=SuccessiveHalving(factor=2, rungs=RUNGS), keep_params="all")
    pruned = result.status == "pruned"
    assert np.isfinite(result.metrics["height"][~pruned & (result.status == "ok")]).all()
    assert np.isnan(result.values("height")[pruned]).all()
    assert result.params.shape == (16, SEEDS, 2)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("chunk", ["auto", 6])
@pytest.mark.parametrize(("metric", "maximize"), [("height", True), ("depth", False)])
def test_ranked_by_an_evaluation_the_highest_survive(chunk, metric, maximize):
    """Among runs towards zero the slowest stay highest, which the loss would drop first."""
    rates, rungs = np.geomspace(0.01, 0.5, 8), [3, 6]
    policy = SuccessiveHalving(factor=2, rungs=rungs, metric=metric, maximize=maximize)

    def bowl(w):
        return jnp.sum(w**2)

    result = sweep(
        bowl, start, sgd(Axis("rate", rates)), steps=STEPS, seeds=SEEDS, evaluate=height,
        policy=policy, resources=Resources(lane_chunk=chunk),
    )  # fmt: skip
    assert result.status[:, 0].tolist() == ["ok"] * 2 + ["pruned"] * 6
    assert result.stopped_at[:, 0].tolist() == [-1] * 2 + [6] * 2 + [3] * 4


@pytest.mark.parametrize(("metric", "evaluated"), [("loss", 4), ("height", 16 + 8 + 4)])
def test_lanes_are_evaluated_at_their_end_and_where_an_evaluation_ranks_them(metric, evaluated):
    heights = []

    def noted(w):
        jax.debug.callback(heights.append, w[0])
        return height(w)

    policy = SuccessiveHalving(factor=2, rungs=[3, 6], metric=metric, maximize=False)
    run(rates=np.geomspace(0.01, 0.5, 16), seeds=1, evaluate=noted, policy=policy)
    jax.effects_barrier()
    assert len(heights) == evaluated


def gone(w, doom):
    # Some seeds overflow at the first step, as the number says that decides for each point.
    return w[0] ** 2 * jnp.where(w[1] < doom, 1e30, 1.0)


def test_seeds_live_or_die_together_and_the_median_decides():
    """A point of which most seeds diverge is the worst, one of which few do is not."""

    def init(key, height):
        return jnp.stack([height, jax.random.uniform(key)])

    first = sweep(
        lambda w, height: jnp.sum(w) * 0, init, sgd(0.0), steps=1, seeds=5, keep_params="all",
        hyperparameters={"height": 0.0},
    ).params[:, 1]  # fmt: skip
    ordered = np.sort(first)
    # How many of the five diverge: none, two, three, all; and how good the others are.
    dooms = [0.0, (ordered[1] + ordered[2]) / 2, (ordered[2] + ordered[3]) / 2, 1.0]
    heights = [4.0, 3.0, 1.0, 0.5]
    result = sweep(
        gone, init, sgd(0.1), steps=4, seeds=5, stopping=Stopping(divergence_factor=2.0),
        hyperparameters={
            "height": Axis("height", heights, along="point"),
            "doom": Axis("doom", dooms, along="point"),
        },
        policy=SuccessiveHalving(factor=2, rungs=[2]),
    )  # fmt: skip
    diverged = result.status == "diverged"
    np.testing.assert_array_equal(diverged.sum(axis=1), [0, 2, 3, 5])
    assert set(result.status[0]) == {"ok"}
    assert set(result.status[1]) == {"ok", "diverged"}
    assert set(result.status[2]) == {"pruned", "diverged"}
    assert result.best()["height"] == 3.0


def test_of_equals_the_first_survive():
    # The weight is halved at every step, so that no lane rounds and all have the same losses.
    twins = sgd(Axis("rate", np.full(7, 0.5), along="twin"))
    result = sweep(
        lambda w: 0.5 * w**2, 1.0, twins, steps=STEPS,
        policy=SuccessiveHalving(factor=2, rungs=[3]),
    )  # fmt: skip
    assert result.status[:, 0].tolist() == ["ok"] * 4 + ["pruned"] * 3


def test_if_all_have_diverged_the_first_go_on():
    result = run(rates=np.geomspace(100, 1000, 4), policy=SuccessiveHalving(factor=2, rungs=[15]))
    assert set(result.status.ravel()) == {"diverged"}


def test_a_policy_that_has_no_rung_in_time_drops_nothing(full):
    result = run(policy=SuccessiveHalving(factor=2, least_steps=STEPS))
    np.testing.assert_array_equal(result.status, full.status)
    np.testing.assert_array_equal(result.loss, full.loss)


@pytest.mark.parametrize("chunk", ["auto", 9])
def test_hyperband_halves_each_bracket_by_itself(full, monkeypatch, chunk):
    """Algorithm 1 of the paper in NumPy: brackets are dealt by the policy, ranked here."""
    policy = Hyperband(factor=3, least_steps=2)
    with executed(monkeypatch) as noted:
        result = run(policy=policy, resources=Resources(lane_chunk=chunk))
    # 20, 6 and 2 steps: three brackets, with 9, 5 and 3 of each 17 points.
    brackets = policy.brackets(16, STEPS)
    assert [len(members) for members in brackets] == [8, 5, 3]
    dropped, lane_steps = np.full(16, -1), 0
    for members, rungs in zip(brackets, [[2, 6], [6], []], strict=True):
        of_bracket = halved(full.loss, rungs, 3, np.floor, members)
        dropped[members] = of_bracket[members]
        ends = np.where(dropped[members] < 0, STEPS + 1, dropped[members])
        lane_steps += SEEDS * ends.sum()
    assert_halved(result, full, dropped)
    # Groups that do not divide the points have copies of the last.
    if chunk == "auto":
        assert noted.lane_steps == lane_steps


def test_several_optimizers_are_halved_each_by_itself(full):
    rates = Axis("rate", RATES)
    policy = SuccessiveHalving(factor=2, rungs=RUNGS)
    result = sweep(
        valley, start, {"one": sgd(rates), "other": sgd(rates)}, DATA,
        steps=STEPS, seeds=SEEDS, policy=policy,
    )  # fmt: skip
    for i in range(2):
        assert (result.status[i, :, 0] == "ok").sum() == 2
    np.testing.assert_array_equal(result.status[0], result.status[1])


def test_the_name_of_the_metric_tells_which_points_survive():
    """Of accuracies −w, with w = (1 − 2η)ᵗ, the largest survives, and not the smallest."""
    rates = Axis("learning_rate", [0.1, 0.2, 0.3, 0.4])
    policy = SuccessiveHalving(factor=4, rungs=[2], metric="accuracy")
    result = sweep(
        lambda w: w**2, 1.0, sgd(rates), steps=3, policy=policy, evaluate=lambda w: {"accuracy": -w}
    )
    assert result.status[:, 0].tolist() == ["pruned", "pruned", "pruned", "ok"]
    with pytest.raises(ValueError, match="'quality' does not tell"):
        SuccessiveHalving(metric="quality")
