"""What policies decide, by themselves: who goes on, from whom, with what, and when."""

import math

import numpy as np
import pytest

from gdlab.sweeps import Hyperband, PopulationBasedTraining, Ranking, SuccessiveHalving

INF = np.inf


def ranking(scores, seed=0, ranges=(0.1, 10.0), **points):
    points = {name: np.asarray(values, np.float32) for name, values in points.items()}
    return Ranking(
        0,
        0,
        np.asarray(scores, float),
        points,
        dict.fromkeys(points, ranges),
        np.random.default_rng(seed),
    )


@pytest.mark.parametrize(
    ("factor", "scores", "survivors"),
    [
        (2, [3.0, 1.0, 4.0, 2.0], [1, 3]),
        (2, [3.0, 1.0, 4.0, 2.0, 5.0], [0, 1, 3]),
        (4, [3.0, 1.0, 4.0, 2.0, 5.0], [1, 3]),
        (1.5, [3.0, 1.0, 4.0, 2.0], [0, 1, 3]),
        # Of equals the first survive, the dead last of all.
        (2, [1.0, 1.0, 1.0, 1.0], [0, 1]),
        (2, [INF, 1.0, INF, 1e30], [1, 3]),
        (2, [INF, INF, 5.0, INF], [0, 2]),
        (100, [2.0, 1.0], [1]),
        (3, [INF, INF, INF], [0]),
    ],
)
def test_the_best_part_survives_where_it_stands(factor, scores, survivors):
    names = 10.0 * np.arange(len(scores))
    move = SuccessiveHalving(factor=factor).move(ranking(scores, rate=names))
    np.testing.assert_array_equal(move.parents, survivors)
    np.testing.assert_array_equal(move.places, survivors)
    np.testing.assert_array_equal(move.points["rate"], names[survivors])


@pytest.mark.parametrize(
    ("arguments", "steps", "rungs"),
    [
        ({}, 300, [18, 75]),
        ({"factor": 2}, 100, [12, 25, 50]),
        ({"factor": 3, "least_steps": 1}, 81, [1, 3, 9, 27]),
        ({"factor": 3, "least_steps": 2}, 81, [3, 9, 27]),
        ({}, 39, []),
        ({}, 40, [10]),
        ({"rungs": [5, 50, 500]}, 100, [5, 50]),
        ({"rungs": [5, 50]}, 50, [5]),
    ],
)
def test_rungs_are_the_steps_divided_again_and_again_or_those_given(arguments, steps, rungs):
    assert SuccessiveHalving(**arguments).rungs_of(0, steps) == rungs


LI_2018 = {
    # s: (n of each round, r of each round) of algorithm 1 with R = 81 and η = 3, where
    # n = ⌈(5/(s + 1))·3ˢ⌉, nᵢ = ⌊n/3ⁱ⌋ and rᵢ = 81·3ⁱ⁻ˢ.
    4: ([81, 27, 9, 3, 1], [1, 3, 9, 27, 81]),
    3: ([34, 11, 3, 1], [3, 9, 27, 81]),
    2: ([15, 5, 1], [9, 27, 81]),
    1: ([8, 2], [27, 81]),
    0: ([5], [81]),
}


def test_brackets_are_those_of_the_paper():
    policy, steps = Hyperband(factor=3, least_steps=1), 81
    brackets = policy.brackets(sum(sizes[0] for sizes, _ in LI_2018.values()), steps)
    assert len(brackets) == len(LI_2018)
    for bracket, (members, s) in enumerate(zip(brackets, LI_2018, strict=True)):
        sizes, resources = LI_2018[s]
        assert [*policy.rungs_of(bracket, steps), steps] == resources
        left = [len(members)]
        for _ in policy.rungs_of(bracket, steps):
            left.append(len(policy.move(ranking(np.arange(left[-1]))).places))
        assert left == sizes


@pytest.mark.parametrize("size", [1, 2, 7, 50, 143, 1000])
@pytest.mark.parametrize("arguments", [{}, {"factor": 4}, {"factor": 2.5, "least_steps": 3}])
def test_each_point_is_in_one_bracket_and_brackets_have_their_shares(size, arguments):
    policy, steps = Hyperband(**arguments), 200
    brackets = policy.brackets(size, steps)
    np.testing.assert_array_equal(np.sort(np.concatenate(brackets)), np.arange(size))
    highest = len(brackets) - 1
    shares = np.array([(highest + 1) / (s + 1) * policy.factor**s for s in range(highest, -1, -1)])
    # To rounding: the shares themselves are rounded up, and points are whole.
    expected = size * shares / shares.sum()
    sizes = np.array([len(members) for members in brackets])
    assert np.abs(sizes - expected).max() <= 1 + size * len(brackets) / shares.sum()
    for bracket, members in enumerate(brackets):
        rungs = policy.rungs_of(bracket, steps)
        assert len(rungs) == highest - bracket
        assert rungs == [math.floor(steps / policy.factor**k) for k in range(len(rungs), 0, -1)]
        assert all(np.diff(members) > 0)


def test_neighbours_on_a_grid_are_dealt_to_different_brackets():
    for members in Hyperband(factor=3, least_steps=10).brackets(34, 100):
        # Of each 17 points they have 9, 5 and 3, so about each second, fourth and sixth.
        assert np.diff(members).max() <= 2 * 34 / len(members)


def test_no_bracket_dies_out():
    for size in range(1, 6):
        move = Hyperband(factor=8).move(ranking(np.arange(size)))
        np.testing.assert_array_equal(move.places, [0])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("size", "fraction", "count"), [(10, 0.2, 2), (7, 0.5, 3), (5, 0.25, 2)])
def test_the_worst_become_changed_copies_of_the_best(seed, size, fraction, count):
    rng = np.random.default_rng(seed)
    scores, rates = rng.permutation(size).astype(float), rng.uniform(0.1, 10, size)
    scores[scores == size - 1] = INF
    policy = PopulationBasedTraining(every=5, fraction=fraction, factors=(0.5, 3.0))
    move = policy.move(ranking(scores, seed, rate=rates, other=rates + 1))
    order = np.argsort(scores)
    best, middle, worst = order[:count], order[: size - count], order[size - count :]
    np.testing.assert_array_equal(move.places, np.arange(size))
    np.testing.assert_array_equal(move.parents[middle], middle)
    assert set(move.parents[worst]) <= set(best)
    for name, before in (("rate", rates), ("other", rates + 1)):
        before, after = before.astype(np.float32), move.points[name]
        np.testing.assert_array_equal(after[middle], before[middle])
        inherited = before[move.parents[worst]]
        possible = np.clip(np.multiply.outer([0.5, 3.0], inherited), 0.1, 10)
        assert np.isclose(after[worst], possible, rtol=1e-6).any(axis=0).all()


def test_all_factors_and_all_of_the_best_are_drawn_sooner_or_later():
    policy = PopulationBasedTraining(every=5, fraction=0.5, factors=(0.5, 1.0, 2.0))
    parents, factors = set(), set()
    for seed in range(50):
        move = policy.move(ranking([0.0, 1.0, 2.0, 3.0], seed, rate=[1.0] * 4))
        parents |= set(move.parents[2:].tolist())
        factors |= set(move.points["rate"][2:].tolist())
    assert parents == {0, 1}
    assert factors == {0.5, 1.0, 2.0}


def test_what_leaves_the_range_of_the_start_is_put_back_to_its_end():
    policy = PopulationBasedTraining(every=5, fraction=0.5, factors=(100.0,))
    move = policy.move(ranking([0.0, 1.0], ranges=(0.5, 2.0), rate=[1.0, 1.5]))
    np.testing.assert_array_equal(move.points["rate"], [1.0, 2.0])


def test_a_population_of_one_is_left_alone():
    move = PopulationBasedTraining(every=5).move(ranking([1.0], rate=[1.0]))
    np.testing.assert_array_equal(move.parents, [0])
    np.testing.assert_array_equal(move.points["rate"], [1.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SuccessiveHalving(factor=1), r"factor must be .* above 1 and finite, not 1"),
        (
            lambda: SuccessiveHalving(factor=np.nan),
            r"factor must be .* above 1 and finite, not nan",
        ),
        (lambda: Hyperband(factor=0.5), r"factor must be .* above 1 and finite, not 0.5"),
        (lambda: SuccessiveHalving(rungs=[0, 5]), r"rungs must be positive and rise, not \[0, 5\]"),
        (lambda: SuccessiveHalving(rungs=[5, 5]), r"rungs must be positive and rise, not \[5, 5\]"),
        (lambda: PopulationBasedTraining(every=0), "every must be a whole number"),
        (lambda: PopulationBasedTraining(every=5, fraction=0), "fraction must be above 0"),
        (lambda: PopulationBasedTraining(every=5, fraction=0.6), "fraction must be above 0"),
    ],
)
def test_impossible_policies_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
