"""Regimes whose boundaries are straight lines."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.contour import QuadContourSet

from gdlab import Axis, plots, sgd
from gdlab.analysis import regime_map

ETA = np.linspace(0.05, 2.95, 59)


def of_factor(factor):
    rate = np.abs(factor)
    approach = np.where(factor > 0, "monotone", "oscillating")
    return rate, np.where(rate >= 1, "divergent", approach)


def curve(eta=ETA):
    return plots.regimes(["eta"], {"eta": eta}, *of_factor(1 - eta))


def gradient_descent_map(**settings):
    """1 − ηλ, so that η = 1/λ is where oscillation begins and η = 2/λ where divergence does."""
    eta, curvature = np.linspace(0.1, 1.9, 37), np.linspace(0.5, 2.5, 41)
    coords = {"learning_rate": eta, "curvature": curvature}
    factors = of_factor(1 - np.multiply.outer(eta, curvature))
    return plots.regimes(["learning_rate", "curvature"], coords, *factors, **settings)


def lines(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def drawn(line):
    """The stretch over which a line is seen."""
    x, y = line.get_data()
    return x[np.isfinite(y)][[0, -1]]


def test_the_curve_changes_colour_and_dashes_with_the_regime_and_has_no_gap():
    pieces = lines(curve())
    assert list(pieces) == ["monotone", "oscillating", "divergent"]
    np.testing.assert_allclose(drawn(pieces["monotone"]), [0.05, 1.0])
    np.testing.assert_allclose(drawn(pieces["oscillating"]), [1.0, 2.0])
    np.testing.assert_allclose(drawn(pieces["divergent"]), [2.0, 2.95])
    for get in ("get_color", "get_linestyle"):
        assert len({getattr(line, get)() for line in pieces.values()}) == 3


def test_the_height_of_the_curve_is_the_rate():
    x, y = lines(curve())["monotone"].get_data()
    np.testing.assert_allclose(y[:10], 1 - x[:10])


def test_what_diverges_is_hatched_stretch_by_stretch():
    (patch,) = curve().patches
    assert patch.get_hatch()
    assert patch.get_x() == pytest.approx(1.975)
    rate = np.array([2.0, 0.5, 2.0, 2.0])
    regime = np.where(rate > 1, "divergent", "monotone")
    patches = plots.regimes(["a"], {"a": np.arange(4.0)}, rate, regime).patches
    assert [p.get_x() for p in patches] == [-0.5, 1.5]


def test_a_rate_that_is_not_finite_leaves_the_rest_in_view():
    rate = np.array([0.5, 0.9, np.inf])
    ax = plots.regimes(
        ["a"], {"a": [1.0, 2.0, 3.0]}, rate, ["monotone", "oscillating", "divergent"]
    )
    assert ax.get_ylim() == (0, 1.25)


def test_rates_that_are_all_near_1_fill_the_height_of_the_curve():
    eta = np.linspace(0.1, 4.0, 40)
    rate = np.where(eta < 3.96, 0.99, 1.3)
    ax = plots.regimes(["eta"], {"eta": eta}, rate, np.where(rate < 1, "oscillating", "divergent"))
    low, high = ax.get_ylim()
    assert 0.98 < low < 0.99
    assert 1 < high < 1.01


def test_values_spaced_by_factors_get_a_logarithmic_scale_and_others_a_linear_one():
    assert curve(np.geomspace(0.01, 3, 50)).get_xscale() == "log"
    assert curve(np.linspace(0.01, 3, 50)).get_xscale() == "linear"


def test_values_in_any_order_give_the_same_curve():
    x, y = lines(curve(ETA[::-1]))["monotone"].get_data()
    np.testing.assert_allclose(x, ETA)
    np.testing.assert_allclose(y[:10], 1 - ETA[:10])


def test_the_map_colours_rates_from_the_lowest_upwards_with_the_first_axis_upwards():
    ax = gradient_descent_map()
    (mesh,) = (c for c in ax.collections if isinstance(c, QuadMesh))
    assert mesh.norm.vmin == pytest.approx(0)
    assert 0.975 <= mesh.norm.vmax <= 0.9999  # some factors are −1 up to rounding
    colours = np.asarray(mesh.get_array()).reshape(37, 41)
    assert colours[0, 0] == pytest.approx(0.95)
    assert colours[-1, -1] == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("curvature", "learning rate")


def test_the_limit_and_the_onset_of_oscillation_lie_where_the_closed_form_says():
    contours = [c for c in gradient_descent_map().collections if isinstance(c, QuadContourSet)]
    beyond, limit, onset, _ = contours
    assert any(beyond.hatches)
    np.testing.assert_allclose(np.prod(limit.get_paths()[0].vertices, axis=1), 2, atol=5e-3)
    # Of regimes only the cell is known: half of 0.05 either way in each coordinate.
    np.testing.assert_allclose(np.prod(onset.get_paths()[0].vertices, axis=1), 1, atol=0.07)


def test_each_region_is_named_within_itself():
    ax = gradient_descent_map()
    products = {text.get_text(): np.prod(text.get_position()) for text in ax.texts}
    assert products["monotone"] < 1 < products["oscillating"] < 2 < products["divergent"]
    assert "ρ = 1" in products


def test_a_map_without_divergence_has_no_limit_and_one_with_nothing_else_no_names_for_it():
    coords = {"a": np.arange(3.0), "b": np.arange(4.0)}
    ones = np.ones((3, 4))
    calm = plots.regimes(["a", "b"], coords, 0.5 * ones, np.full((3, 4), "monotone"))
    assert [text.get_text() for text in calm.texts] == ["monotone"]
    wild = plots.regimes(["a", "b"], coords, np.inf * ones, np.full((3, 4), "divergent"))
    assert [text.get_text() for text in wild.texts] == ["divergent"]


def test_it_draws_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert gradient_descent_map(ax=ax) is ax


def test_one_value_along_an_axis_is_refused():
    with pytest.raises(ValueError, match="of two values or more; a has 1"):
        plots.regimes(["a"], {"a": [1.0]}, [0.5], ["monotone"])
    with pytest.raises(ValueError, match="there are none"):
        plots.regimes([], {}, 0.5, "monotone")


def test_a_regime_map_draws_itself_also_along_a_dimension_that_is_no_axis():
    ax = regime_map(sgd(Axis("learning_rate", [0.5, 1.5, 2.5])), 1.0).plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning rate", "rate ρ of one step")
    paired = sgd(
        Axis("learning_rate", [0.5, 1.5, 2.5], along="setting"),
        momentum=Axis("momentum", [0.1, 0.2, 0.3], along="setting"),
    )
    x, _ = lines(regime_map(paired, 1.0).plot())["oscillating"].get_data()
    np.testing.assert_array_equal(x, [0, 1, 2])


def test_a_map_of_slow_rates_uses_all_colours_for_them():
    coords = {"a": np.arange(3.0), "b": np.arange(4.0)}
    slow = ((0.9, 1.2), 0.9, 0.99), ((0.999, 1.2), 0.99, 0.999), ((1.5, np.inf), 0.99, 0.999)
    for rates, lowest, highest in slow:
        rate = np.resize(rates, (3, 4))
        regime = np.where(rate < 1, "monotone", "divergent")
        ax = plots.regimes(["a", "b"], coords, rate, regime)
        (mesh,) = (c for c in ax.collections if isinstance(c, QuadMesh))
        assert (mesh.norm.vmin, mesh.norm.vmax) == pytest.approx((lowest, highest))


def test_each_further_nine_of_a_rate_has_a_colour_as_far_away():
    rate = np.array([[0.0, 0.9, 0.99], [0.999, 0.9999, 0.99999]])
    coords = {"a": np.arange(2.0), "b": np.arange(3.0)}
    ax = plots.regimes(["a", "b"], coords, rate, np.full((2, 3), "monotone"))
    (mesh,) = (c for c in ax.collections if isinstance(c, QuadMesh))
    places = np.asarray(mesh.norm(rate.ravel()))
    np.testing.assert_allclose(places, [0, 0.25, 0.5, 0.75, 1, 1.25], atol=1e-9)
