"""What a report says of results whose outcome is written down, beside SciPy and closed forms."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from gdlab import Axis, adam, adamw, sgd, sweep
from gdlab.sweeps.report.contestants import Contestant, Measure, contestants_of
from gdlab.sweeps.report.report import sweep_report
from gdlab.sweeps.report.statistics import (
    adjusted,
    expected_minimum,
    paired_comparison,
    seeds_needed,
)
from tests.sweeps.made import made, on_rates, sampled

NAN = np.nan
LOSS = Measure("final_loss", False)
RATES = [0.01, 0.1, 1.0]
RNG = np.random.default_rng(1)


def two(sgd_final, adam_final, rates=RATES, methods=None, **fields):
    """A result of two optimizers, with final losses of shape (rates, seeds) for each."""
    coords = {"optimizer": ["sgd", "adam"], "learning_rate": rates}
    axis = Axis("learning_rate", rates)
    fields = {"optimizers": methods or (sgd(axis), adam(axis))} | fields
    final = np.array([sgd_final, adam_final], float)
    return made(final, coords, seeds=range(final.shape[-1]), **fields)


def only(report, kind, **fields):
    """The one judgement of a kind whose fields are these."""
    (found,) = (
        each
        for each in report.of_kind(kind)
        if all(getattr(each, name) == value for name, value in fields.items())
    )
    return found


# ---------------------------------------------------------------- statistics


def test_the_expected_best_of_k_is_the_mean_over_all_subsets_of_k():
    values = RNG.normal(size=7)
    subsets = [np.mean([min(s) for s in itertools.combinations(values, k)]) for k in range(1, 8)]
    np.testing.assert_allclose(expected_minimum(values), subsets, rtol=1e-12)
    rows = np.stack([values, -values])
    np.testing.assert_allclose(expected_minimum(rows)[1], expected_minimum(-values))


def test_the_expected_smallest_of_k_of_the_first_n_numbers_is_n_plus_1_over_k_plus_1():
    count = 1000
    found = expected_minimum(np.arange(1.0, count + 1))
    np.testing.assert_allclose(found, (count + 1) / (np.arange(1, count + 1) + 1), rtol=1e-10)


@pytest.mark.parametrize(("effect", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_needed_seeds_are_those_of_cohens_tables(effect, seeds):
    """Two-sided paired t tests at 5 % with power 0.8, as G*Power has them."""
    assert seeds_needed(effect, 0.95, 0.8) == seeds_needed(-effect, 0.95, 0.8) == seeds


def power_of_t_test(effect, count, level):
    """The probability of |t| beyond its limit, integrated over the sample's deviation."""
    degrees = count - 1
    limit = stats.t.ppf(1 - level / 2, degrees)

    def density(deviation):
        reach = limit * deviation - effect * np.sqrt(count)
        beyond = stats.norm.sf(reach) + stats.norm.cdf(-reach - 2 * effect * np.sqrt(count))
        return beyond * stats.chi.pdf(deviation * np.sqrt(degrees), degrees) * np.sqrt(degrees)

    return integrate.quad(density, 0, np.inf)[0]


@pytest.mark.parametrize("effect", [0.6, 1.0, 2.0, 4.0])
def test_one_seed_fewer_than_needed_has_too_little_power(effect):
    needed = seeds_needed(effect, 0.95, 0.8)
    assert power_of_t_test(effect, needed - 1, 0.05) < 0.8 <= power_of_t_test(effect, needed, 0.05)


def test_no_number_of_seeds_finds_what_is_not_there_and_two_find_what_never_varies():
    assert seeds_needed(0.0, 0.95, 0.8) == np.inf
    assert seeds_needed(np.nan, 0.95, 0.8) == np.inf
    assert seeds_needed(np.inf, 0.95, 0.8) == 2
    assert seeds_needed(100.0, 0.95, 0.8) == 2


def test_paired_comparisons_are_those_of_scipy():
    one, other = RNG.normal(0.3, 1, 9), RNG.normal(size=9)
    found = paired_comparison(one - other, 0.9)
    expected = stats.ttest_rel(one, other)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    np.testing.assert_allclose(found.interval, expected.confidence_interval(0.9), rtol=1e-12)
    wins = int(np.sum(one > other))
    assert found.sign_p_value == pytest.approx(stats.binomtest(wins, 9).pvalue)
    resampled = stats.bootstrap(
        (one - other,), np.mean, confidence_level=0.9, method="percentile", rng=1
    ).confidence_interval
    np.testing.assert_allclose(found.bootstrap, resampled, atol=0.05)


def test_a_difference_that_is_infinite_leaves_the_sign_test_alone():
    found = paired_comparison(np.array([np.inf, 1.0, 2.0, -1.0]), 0.95)
    assert (found.wins, found.losses) == (3, 1)
    assert np.isnan([found.mean, found.p_value, *found.interval]).all()
    assert found.sign_p_value == pytest.approx(stats.binomtest(3, 4).pvalue)


def test_p_values_of_several_tests_are_adjusted_by_holm():
    # Smallest times 3, next times 2, the largest no smaller than those before.
    found = adjusted(np.array([0.01, 0.04, 0.03, 0.9])[:3])
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06])


def test_each_seed_is_judged_at_the_point_that_is_best_on_all_others():
    final = RNG.normal(size=(6, 5)).round(2)
    final[0, 0] = NAN
    contestant = Contestant("", "", on_rates(final, range(1, 7)))
    filled = np.where(np.isnan(final), np.inf, final)
    expected = []
    for seed in range(5):
        others = [s for s in range(5) if s != seed]
        medians = [np.median(filled[point, others]) for point in range(6)]
        expected.append(filled[np.argmin(medians), seed])
    np.testing.assert_array_equal(contestant.tuned_on_other_seeds(LOSS), expected)


# ---------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("final", "side", "suggested"),
    [
        ([2, 1, 3], "inside", ()),
        ([1, 2, 3], "lowest", (0.001, 0.0001)),
        ([3, 2, 1], "highest", (10, 100)),
        ([3, 1, NAN], "inside", ()),
    ],
)
def test_a_best_value_at_the_end_of_a_range_is_an_alarm(final, side, suggested):
    report = on_rates(np.array(final, float)[:, None], RATES).report()
    found = only(report, "range")
    assert (found.side, found.suggested) == (side, suggested)
    assert found.is_alarm == (side != "inside") == bool(report.alarms)


def test_a_momentum_of_zero_is_a_natural_end_and_one_at_the_top_is_led_towards_1():
    momenta = [0.0, 0.5, 0.9]
    low, high = (made(np.array(f, float)[:, None], {"b1": momenta}, seeds=[0]).report()
                 for f in ([1, 2, 3], [3, 2, 1]))  # fmt: skip
    assert only(low, "range").is_natural
    assert not low.alarms
    assert "natural" in only(low, "range").sentence
    (suggested,) = (each.suggested for each in high.of_kind("range"))
    assert all(0.9 < value < 1 for value in suggested)


def test_below_decays_there_are_smaller_ones_down_to_zero():
    result = made(np.array([[1.0], [2.0], [3.0]]), {"b2": [0.9, 0.99, 0.999]}, seeds=[0])
    # Half as many nines are 1 − 10^(−1/2), and none are 0.
    assert only(result.report(), "range").suggested == (0.68, 0.0)


@pytest.mark.parametrize(
    ("final", "suggested"), [([1, 2], (4, 2)), ([2, 1], (24, 32)), ([1, 2, 3], (4, 2))]
)
def test_beyond_whole_numbers_there_are_whole_ones_above_zero(final, suggested):
    widths = [8, 16, 32][: len(final)]
    result = made(np.array(final, float)[:, None], {"width": widths}, seeds=[0])
    assert only(result.report(), "range").suggested == suggested


def test_sampled_values_near_the_end_of_their_range_are_an_alarm():
    rates, decays = np.geomspace(1e-3, 1, 50), np.linspace(0, 1, 50)[::-1]
    final = np.abs(np.log10(rates) + 2.95)[:, None]
    report = sampled(final, rates, RNG.permutation(decays)).report()
    found = only(report, "range", axis="learning_rate")
    assert found.is_alarm
    assert "near the lowest end" in found.sentence
    assert max(found.suggested) < 1e-3


# ---------------------------------------------------------------- sensitivity


def test_the_basin_is_as_wide_as_that_of_the_loss():
    # max(η, 1/η) is within a factor of 8 of its minimum at 1 from 1/8 to 8.
    rates = 2.0 ** np.arange(-6, 7)
    report = on_rates(np.maximum(rates, 1 / rates)[:, None], rates).report(tolerance=8)
    found = only(report, "sensitivity")
    assert (found.low, found.high, found.factor) == (1 / 8, 8, 64)
    assert not found.open_below
    assert not found.open_above
    assert "a factor of 64 wide" in found.sentence
    wider = only(on_rates(np.ones((13, 1)), rates).report(), "sensitivity")
    assert wider.open_below
    assert wider.open_above
    assert "at least a factor of 4.1e+03 wide" in wider.sentence


def test_a_basin_is_that_at_the_best_value_of_the_other_axes():
    final = np.array([[1.0, 9, 9], [0.5, 0.6, 0.7]])[..., None]
    result = made(final, {"b1": [0.0, 0.5], "learning_rate": RATES}, seeds=[0])
    found = only(result.report(), "sensitivity", axis="learning_rate")
    assert (found.low, found.high) == (0.01, 1.0)


# ---------------------------------------------------------------- the cost of tuning


def test_optimizers_are_compared_at_equal_evaluations():
    # A trial of the second one costs twice as much, so that it has half as many.
    cheap, dear = RNG.random((8, 2)), RNG.random((8, 2))
    result = two(cheap, dear, rates=np.geomspace(1e-3, 1, 8))
    result.evaluations[:] = np.array([10, 20])[:, None, None]
    equal = only(result.report(), "budget")
    np.testing.assert_array_equal(equal.budgets, 20 * np.arange(1, 5))
    np.testing.assert_array_equal(equal.trials["sgd"], [2, 4, 6, 8])
    np.testing.assert_array_equal(equal.trials["adam"], [1, 2, 3, 4])
    by_seed = [expected_minimum(dear[:, seed])[:4] for seed in (0, 1)]
    np.testing.assert_allclose(equal.expected["adam"], np.mean(by_seed, axis=0))


def test_a_trial_that_failed_counts_as_the_worst_that_did_not():
    tuning = only(on_rates([[1.0], [NAN], [3.0]], RATES).report(), "tuning")
    np.testing.assert_allclose(tuning.expected, expected_minimum(np.array([1.0, 3.0, 3.0])))


def test_more_of_an_accuracy_is_better():
    accuracy = np.array([[0.5], [0.9], [0.7]])
    result = on_rates(np.ones((3, 1)), RATES, metrics={"accuracy": accuracy})
    report = result.report("accuracy")
    np.testing.assert_allclose(only(report, "tuning").expected, [0.7, 0.8333333, 0.9])
    assert only(report, "best").point == {"learning_rate": 0.1}


# ---------------------------------------------------------------- differences


def seeds_apart(gap, noise, seeds=8):
    """Two optimizers, each with one rate that is best on all seeds; the second is better."""
    values = RNG.normal(size=(2, seeds))
    first = 1 + noise * values[0]
    second = 1 - gap + noise * values[1]
    return two([first + 5, first, first + 9], [second + 5, second, second + 9]), first, second


def test_a_difference_is_that_of_the_paired_t_test():
    result, first, second = seeds_apart(0.3, 0.1)
    found = only(result.report(), "difference")
    expected = stats.ttest_rel(first, second)
    assert (found.better, found.other) == ("adam", "sgd")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    np.testing.assert_allclose((found.low, found.high), expected.confidence_interval(), rtol=1e-9)
    assert found.is_significant
    assert found.sentence.startswith("adam beats sgd in final loss by 0.")


def test_a_difference_within_the_noise_tells_how_many_seeds_it_would_take():
    result, first, second = seeds_apart(0.02, 0.2)
    found = only(result.report(), "difference")
    gain = np.abs(np.mean(first - second))
    assert not found.is_significant
    assert found.seeds_needed == seeds_needed(gain / np.std(first - second, ddof=1), 0.95, 0.8)
    assert "8 seeds do not decide" in found.sentence


def test_optimizers_that_do_the_same_do_not_differ():
    found = only(two(np.ones((3, 4)), np.ones((3, 4))).report(), "difference")
    assert (found.mean, found.p_value, found.wins, found.losses) == (0, 1, 0, 0)
    assert found.seeds_needed == np.inf


def test_seeds_that_change_nothing_are_no_evidence_of_chance():
    found = only(two(np.ones((3, 4)), 0.5 * np.ones((3, 4))).report(), "difference")
    assert "0.5 on every seed alike" in found.sentence


def test_one_seed_decides_nothing():
    found = only(two([[3], [2], [4]], [[2], [1], [3]]).report(), "difference")
    assert not found.is_significant
    assert found.sentence.startswith("One seed cannot tell whether adam is better than sgd")


def test_two_seeds_are_judged_by_students_t_with_one_degree_of_freedom():
    found = only(
        two([[3, 3.5], [2, 2.5], [4, 4.4]], [[2, 2.9], [1, 1.7], [3, 3]]).report(), "difference"
    )
    # The differences 1 and 0.8 make t = 9, and this t has Cauchy's distribution.
    assert found.p_value == pytest.approx(1 - 2 * np.arctan(9) / np.pi)
    assert found.sentence.startswith("2 seeds do not decide between adam and sgd")


def test_a_seed_that_diverged_is_told():
    final = [[1.0, 1, 1, 1], [0.5, 0.5, 0.5, NAN], [2.0, 2, 2, 2]]
    report = two(final, np.ones((3, 4)) * 0.9).report()
    found = only(report, "difference")
    assert np.isnan(found.mean)
    assert "diverged" in found.sentence


@pytest.mark.parametrize("better", ["sgd", "adam"])
def test_what_is_better_on_most_seeds_is_so_even_if_it_diverged_on_one(better):
    finals = {"sgd": np.full((3, 4), 0.9), "adam": np.full((3, 4), 0.9)}
    finals[better] = [[1.0, 1, 1, 1], [0.5, 0.5, 0.5, NAN], [2.0, 2, 2, 2]]
    found = only(two(finals["sgd"], finals["adam"]).report(), "difference")
    assert (found.better, found.wins, found.losses) == (better, 3, 1)


# ---------------------------------------------------------------- inclusion


def test_adam_that_loses_to_momentum_is_an_alarm_that_says_what_was_not_tuned():
    axis = Axis("learning_rate", RATES)
    methods = sgd(axis, momentum=0.9), adam(axis)
    result, *_ = seeds_apart(-0.3, 0.05)
    report = two(result.final_loss[0], result.final_loss[1], methods=methods).report()
    found = only(report, "inclusion")
    assert found.is_alarm
    assert (found.optimizer, found.included) == ("adam", "sgd")
    assert "eps → ∞" in found.sentence
    assert "the eps of adam was not tuned" in found.sentence


def test_within_the_noise_nothing_is_violated():
    first, second = np.array([1.0, 1.2, 0.8, 1.1]), np.array([1.2, 1.1, 0.9, 1.25])
    assert stats.ttest_rel(first, second).pvalue > 0.05
    found = only(two([first + 9, first], [second + 9, second], [0.1, 1.0]).report(), "inclusion")
    assert found.score > found.included_score
    assert not found.is_alarm


def test_an_inclusion_goes_over_several_methods_and_the_other_way_round_there_is_none():
    axis = Axis("learning_rate", RATES)
    result, *_ = seeds_apart(0.3, 0.05)
    report = two(result.final_loss[0], result.final_loss[1], methods=(sgd(axis), adamw(axis)))
    found = only(report.report(), "inclusion")
    assert not found.is_alarm
    assert "weight_decay = 0, then eps → ∞" in found.limit


# ---------------------------------------------------------------- time to target


def geometric(factors, steps=21):
    """Losses 1, q, q², …"""
    return np.asarray(factors)[..., None] ** np.arange(steps)


def races():
    """On two seeds: the first optimizer takes 10 and 4 steps to 1e-2, the second 5 and 8."""
    target = 1e-2 * (1 + 1e-9)
    first = geometric([[0.9, 0.9], target ** (1 / np.array([10, 4])), [0.9, 0.9]])
    second = geometric([[0.9, 0.9], target ** (1 / np.array([5, 8])), [0.9, 0.9]])
    loss = np.stack([first, second])
    result = two(loss[0, ..., -1], loss[1, ..., -1])
    coords = result.coords | {"step": np.arange(21)}
    return type(result)(**{**vars(result), "loss": loss, "coords": coords,
                           "evaluations": np.full(loss.shape[:-1], 21)})  # fmt: skip


def test_the_time_to_a_target_is_that_of_the_fastest_point():
    report = races().report(target=1e-2 * (1 + 1e-6))
    slow, fast = report.of_kind("target")
    np.testing.assert_array_equal(slow.steps, [10, 4])
    np.testing.assert_array_equal(fast.steps, [5, 8])
    np.testing.assert_array_equal(fast.evaluations, [6, 9])
    assert fast.point == {"learning_rate": 0.1}


def test_a_performance_profile_is_the_share_of_tasks_within_a_factor_of_the_fastest():
    profile = only(races().report(target=1e-2 * (1 + 1e-6)), "profile")
    # Evaluations 11 and 5 against 6 and 9.
    np.testing.assert_allclose(profile.ratios["sgd"], [11 / 6, 1])
    np.testing.assert_allclose(profile.ratios["adam"], [1, 9 / 5])
    assert [profile.share("sgd", factor) for factor in (1, 1.8, 2)] == [0.5, 0.5, 1.0]


def test_a_target_that_is_not_reached_is_no_time():
    report = races().report(target=0.0)
    assert "at no point" in report.of_kind("target")[0].sentence
    assert only(report, "profile").share("sgd", 8) == 0
    # Without a target it is nine tenths of what the best run comes down by, on each seed.
    lowest = races().final_loss.min(axis=(0, 1))
    targets = races().report().of_kind("target")[0].targets
    np.testing.assert_allclose(targets, lowest + 0.1 * (1 - lowest))


# ---------------------------------------------------------------- reports


def test_a_sweep_without_axes_of_one_seed_has_a_report():
    report = on_rates([[1.0]], [0.1]).select(learning_rate=0.1).report()
    assert [each.kind for each in report.judgements] == ["best"]
    assert str(report).splitlines()[-1] == "  The best point has: final loss 1."


def test_a_sweep_in_which_everything_diverged_has_a_report():
    report = on_rates([[NAN], [NAN]], [0.1, 1.0]).report()
    assert [each.is_alarm for each in report.judgements] == [True]
    assert "came to its end at none of 2 points" in str(report)


def test_problems_are_judged_one_by_one():
    coords = {"problem": ["p", "q"], "optimizer": ["sgd", "adam"], "learning_rate": RATES}
    result = made(RNG.random((2, 2, 3, 3)), coords, seeds=range(3))
    report = result.report()
    assert [(each.problem, each.optimizer) for each in report.of_kind("best")] == [
        ("p", "sgd"), ("p", "adam"), ("q", "sgd"), ("q", "adam"),
    ]  # fmt: skip
    assert len(report.of_kind("difference")) == 2
    assert len(only(report, "profile").ratios["sgd"]) == 6


def test_dictionaries_of_results_are_optimizers_if_these_differ_and_else_problems():
    one = on_rates(RNG.random((3, 2)), RATES)
    other = made(RNG.random((2, 3, 2)), {"b1": [0.5, 0.9], "learning_rate": RATES})
    found = contestants_of({"a": one, "b": other})
    assert [(each.problem, each.optimizer) for each in found] == [("", "a"), ("", "b")]
    found = contestants_of({"p": one, "q": one})
    assert [(each.problem, each.optimizer) for each in found] == [("p", ""), ("q", "")]
    found = contestants_of({"p": {"a": one, "b": other}})
    assert [(each.problem, each.optimizer) for each in found] == [("p", "a"), ("p", "b")]
    with pytest.raises(TypeError, match=r"results must be a SweepResult, or .* not \["):
        sweep_report([one])


def test_choices_that_are_no_numbers_have_neither_range_nor_basin():
    coords = {"activation": ["relu", "tanh"], "width": [64, 128, 256], "bias": [False, True]}
    report = made(RNG.random((2, 3, 2, 2)), coords).report()
    for kind in ("range", "sensitivity"):
        assert [each.axis for each in report.of_kind(kind)] == ["width"]
    assert "activation = " in str(report)
    assert "relu" in report.page().html


def test_an_axis_of_truth_values_is_swept_as_numbers_and_judged_as_a_choice():
    flag = Axis("flag", [False, True])
    result = sweep(
        lambda w, flag: w**2 + flag, 1.0, sgd(0.1), steps=2, hyperparameters={"flag": flag}
    )
    np.testing.assert_array_equal(result.coords["flag"], np.array([False, True]))
    np.testing.assert_allclose(result.final_loss[:, 0], [0.8**4, 0.8**4 + 1], rtol=1e-6)
    report = result.report()
    assert not {each.kind for each in report.judgements} & {"range", "sensitivity"}
    assert "flag = False" in str(report)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"confidence": 95.0}, "confidence must be a number above 0 and below 1, not 95"),
        ({"power": -0.1}, "power must be a number above 0 and below 1, not -0.1"),
        ({"tolerance": 0.5}, "tolerance must be a number of at least 1 or None, not 0.5"),
    ],
)
def test_levels_that_are_no_probabilities_and_a_tolerance_below_one_are_refused(argument, words):
    with pytest.raises(ValueError, match=words):
        on_rates([[1.0], [2.0]], [0.1, 0.2]).report(**argument)


def test_numbers_are_a_table():
    report = seeds_apart(0.3, 0.1)[0].report()
    frame = report.to_dataframe("difference")
    assert frame.loc[0, "better"] == "adam"
    assert frame.loc[0, "p_value"] == only(report, "difference").p_value
    everything = report.to_dataframe()
    assert set(everything["kind"]) == {each.kind for each in report.judgements}
    with pytest.raises(ValueError, match="no judgement of the kind 'winner'; it has best"):
        report.to_dataframe("winner")


def test_names_are_no_markup_in_a_report():
    name = "<script>alert(1)</script>"
    html = made(np.ones((1, 2, 1)), {"optimizer": [name], name: [1.0, 2.0]}, seeds=[0]).report()
    assert "<script>" not in html._repr_html_()
    assert "&lt;script&gt;" in html._repr_html_()
