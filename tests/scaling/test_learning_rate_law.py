"""Laws and verdicts on curves whose optima are known."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, sgd, sweep
from gdlab.scaling import learning_rate_law
from tests.sweeps.made import made, on_rates

LOGS = np.arange(-11.0, -0.9, 0.5)
WIDTHS = (64, 128, 256, 512)


def losses(vertex, noise=0.01, seeds=3, rng=None):
    rng = rng or np.random.default_rng(0)
    exponent = 0.2 * (LOGS[:, None] - vertex) ** 2
    return np.exp(exponent + noise * rng.normal(size=(len(LOGS), seeds)))


def by_width(exponent, noise=0.01, widths=WIDTHS, at_64=-5.0):
    """A sweep for each width, whose best rate is 2^at_64·(width/64)^exponent."""
    rng = np.random.default_rng(1)
    return {
        width: on_rates(losses(at_64 + exponent * math.log2(width / 64), noise, rng=rng), 2.0**LOGS)
        for width in widths
    }


def test_the_law_has_the_exponent_and_predicts_a_width_that_was_not_seen():
    law = learning_rate_law(by_width(-0.5), ["width"])
    low, high = law.law.intervals["width"]
    assert low <= -0.5 <= high
    assert high - low < 0.1
    found = law.predict(width=2048)
    assert found.is_extrapolated
    assert found.prediction_interval[0] <= 2.0**-7.5 <= found.prediction_interval[1]
    assert law.warnings == ()


def test_a_rate_that_stays_transfers():
    law = learning_rate_law(by_width(0.0), ["width"])
    (found,) = law.transfer()
    assert found.transfers is True
    assert law.verdict().startswith(
        "The learning rate transfers: from width 64 to width 512 the optimum moves by"
    )
    assert "within 1 step" in law.verdict()


def test_a_rate_that_moves_drifts_by_so_many_steps():
    law = learning_rate_law(by_width(-0.5), ["width"])
    (found,) = law.transfer()
    assert found.transfers is False
    # Three doublings by half an octave each, on a grid of half octaves.
    assert found.shift == pytest.approx(-3.0, abs=0.2)
    assert found.interval[0] < -3.0 < found.interval[1]
    assert found.step == pytest.approx(math.sqrt(2.0))
    # The loss 1.5 octaves beside a parabola's vertex.
    assert found.cost == pytest.approx(math.expm1(0.2 * 1.5**2), abs=0.05)
    assert law.verdict().startswith("The learning rate drifts: from width 64 to width 512")
    assert law.transfer(tolerance=4.0)[0].transfers is True


def test_noise_leaves_it_undecided_rather_than_transferred():
    law = learning_rate_law(by_width(0.0, noise=0.15), ["width"])
    assert law.transfer()[0].transfers is None
    assert law.verdict().startswith("It is undecided whether the learning rate transfers")


def test_an_optimum_beyond_the_range_is_left_out_of_the_law_and_bounds_the_drift():
    law = learning_rate_law(by_width(-2.0), ["width"])  # at 512 it would be 2^-11, the lowest
    assert len(law.warnings) == 1
    assert law.warnings[0].startswith(
        "at width 512 the best rate is at the lower end of the range, 0.000488"
    )
    assert law.law.ranges["width"] == (64.0, 256.0)
    (found,) = law.transfer()
    assert found.interval[0] == -math.inf
    assert found.transfers is False  # by at least the distance to the end of the range
    assert "Note: at width 512 the best rate is at the lower end" in law.verdict()


def test_with_all_optima_beyond_the_range_there_is_no_law():
    law = learning_rate_law(by_width(0.0, at_64=-14.0), ["width"])
    assert law.law is None
    assert law.transfer()[0].transfers is None
    with pytest.raises(ValueError, match="there is no law"):
        law.predict(width=64)


def test_a_width_at_which_the_rate_diverges_costs_everything():
    results = by_width(-1.0, widths=(64, 512))
    wide = losses(-8.0)
    wide[LOGS > -5.6] = np.nan
    results[512] = on_rates(wide, 2.0**LOGS)
    law = learning_rate_law(results, ["width"])
    assert law.transfer()[0].cost == math.inf
    assert "With the best rate of width 64, width 512 diverges." in law.verdict()


def test_one_result_with_dimensions_of_sizes_is_cut_into_cells():
    tokens = (1000, 4000)
    table = [[losses(-5.0 - 0.5 * i + 0.25 * j) for j in range(2)] for i in range(3)]
    coords = {"width": [64, 128, 256], "tokens": tokens, "learning_rate": 2.0**LOGS}
    result = made(table, coords, seeds=range(3))
    law = learning_rate_law(result)
    assert law.sizes == ("width", "tokens")
    assert law.law.exponents == pytest.approx({"width": -0.5, "tokens": 0.125}, abs=0.05)
    found = law.transfer("width")
    assert [each.elsewhere for each in found] == [{"tokens": 1000.0}, {"tokens": 4000.0}]
    assert [each.transfers for each in found] == [False, False]
    assert "to width 256 at tokens 4000 the optimum" in law.verdict("width")
    with pytest.raises(ValueError, match="size must be one of width, tokens, not 'None'"):
        law.transfer()
    # The order of dimensions in the result does not matter.
    turned = learning_rate_law(result, ["tokens", "width"])
    assert turned.law.exponents == pytest.approx(dict(law.law.exponents))


def test_an_axis_of_widths_is_swept_and_fitted_in_two_calls():
    # One step of gradient descent on the square of the mean of n parameters multiplies the mean by
    # 1 − 2η/n, so that the loss is a function of η/n and the best rate is proportional to n.
    result = sweep(
        lambda params: 1.0 + jnp.sum(params) ** 2 / jnp.size(params) ** 2,
        lambda key, width: jnp.ones(width),
        sgd(Axis("learning_rate", 2.0 ** np.arange(-4.0, 7.0))),
        steps=1,
        seeds=3,
        hyperparameters={"width": Axis("width", [2, 4, 8])},
        progress=False,
    )
    law = learning_rate_law(result)
    assert law.law.exponents["width"] == pytest.approx(1.0, abs=1e-4)
    assert law.transfer()[0].shift == pytest.approx(2.0, abs=1e-4)


def test_the_table_has_a_row_for_each_cell():
    lines = learning_rate_law(by_width(0.0), ["width"]).table().splitlines()
    assert lines[0].split() == ["width", "best", "rate", "interval", "loss", "warning"]
    assert [line.split()[0] for line in lines[1:]] == ["64", "128", "256", "512"]


@pytest.mark.parametrize(
    ("results", "sizes", "message"),
    [
        ({}, ["width"], "results holds no sweep"),
        (by_width(0.0), None, "sizes must name what the keys of results are"),
        (by_width(0.0), ["width", "tokens"], "but a key of results is 64"),
        ({"wide": by_width(0.0)[64]}, ["width"], "the label 'wide' of 'width' is not a size"),
        (by_width(0.0)[64], ["width"], "beside 'learning_rate' and 'seed' they must be the sizes"),
    ],
)
def test_results_that_are_no_cells_are_refused(results, sizes, message):
    with pytest.raises(ValueError, match=message):
        learning_rate_law(results, sizes)


def test_a_cell_in_which_nothing_trained_is_named():
    results = by_width(0.0, widths=(64,))
    results[128] = on_rates(np.full((len(LOGS), 2), np.nan), 2.0**LOGS)
    with pytest.raises(ValueError, match="at width 128: there is no learning rate at which"):
        learning_rate_law(results, ["width"])
