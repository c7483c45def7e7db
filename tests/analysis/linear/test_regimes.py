"""Maps of monotone, oscillating and divergent settings, against closed forms."""

import numpy as np
import pytest

import gdlab
from gdlab import Axis
from gdlab.analysis import linearize, regime_map

pytestmark = pytest.mark.x64  # an axis has values of the session's precision

ETAS = np.linspace(0.02, 4.4, 37)
BETAS = np.linspace(0.0, 0.99, 23)


def heavy_ball_map():
    tx = gdlab.sgd(Axis("eta", ETAS), momentum=Axis("beta", BETAS))
    return regime_map(tx, 1.0)


def largest_root(polynomial):
    roots = np.roots(polynomial)
    return roots[np.argmax(np.abs(roots))]


def test_map_of_the_heavy_ball_is_that_of_the_roots_of_its_polynomial():
    found = heavy_ball_map()
    assert found.dims == ("eta", "beta")
    np.testing.assert_array_equal(found.coords["eta"], ETAS)
    np.testing.assert_array_equal(found.coords["beta"], BETAS)
    assert found.rate.shape == found.regime.shape == (37, 23)
    expected = [[abs(largest_root([1, -(1 + b - x), b])) for b in BETAS] for x in ETAS]
    np.testing.assert_allclose(found.rate, expected, rtol=1e-7)


def test_regimes_of_the_heavy_ball_are_those_of_the_closed_form():
    found = heavy_ball_map()
    x, beta = np.meshgrid(ETAS, BETAS, indexing="ij")
    low, high, limit = (1 - np.sqrt(beta)) ** 2, (1 + np.sqrt(beta)) ** 2, 2 * (1 + beta)
    expected = np.select([x >= limit, x <= low], ["divergent", "monotone"], "oscillating")
    for boundary in (low, limit):  # on which no point of the grid lies
        assert np.abs(x - boundary).min() > 1e-5
    np.testing.assert_array_equal(found.regime, expected)
    # Between the two double roots the poles are a pair of the size √β.
    inside = (x > low) & (x < high)
    np.testing.assert_allclose(found.rate[inside], np.sqrt(beta[inside]), rtol=1e-12)
    assert set(np.unique(found.regime)) == {"monotone", "oscillating", "divergent"}


@pytest.mark.parametrize(
    ("nesterov", "limit"),
    [
        (False, lambda beta: 2 * (1 + beta)),
        (True, lambda beta: 2 * (1 + beta) / (1 + 2 * beta)),
    ],
    ids=["heavy ball", "Nesterov"],
)
def test_contour_of_rate_one_lies_on_the_closed_form(nesterov, limit):
    betas = np.linspace(0.0, 0.95, 6)
    curvature = 3.0
    for share, regime in ((1 - 1e-9, "oscillating"), (1 + 1e-9, "divergent")):
        along = gdlab.sgd(
            Axis("eta", share * limit(betas) / curvature, along="boundary"),
            Axis("beta", betas, along="boundary"),
            nesterov,
        )
        found = regime_map(along, curvature)
        assert found.dims == ("boundary",)
        assert found.rate.shape == (6,)
        assert set(found.coords) == {"eta", "beta", "boundary"}
        np.testing.assert_allclose(found.rate, 1, atol=1e-6)
        assert (found.regime == regime).all()


def test_the_slowest_mode_decides():
    spectrum = [0.1, 1.0]
    found = regime_map(gdlab.sgd(Axis("eta", [0.5, 1.5, 1.95, 2.5])), spectrum)
    # 1 − 0.1η beside 1 − η: the flat mode is the slower one up to η = 2/1.1.
    np.testing.assert_allclose(found.rate, [0.95, 0.85, 0.95, 1.5])
    assert list(found.regime) == ["monotone", "monotone", "oscillating", "divergent"]
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(2, 2)))[0]
    turned = regime_map(
        gdlab.sgd(Axis("eta", [0.5, 1.5, 1.95, 2.5])), rotation * spectrum @ rotation.T
    )
    np.testing.assert_allclose(turned.rate, found.rate)
    np.testing.assert_array_equal(turned.regime, found.regime)


def test_an_axis_may_lie_along_another_one():
    etas = np.array([0.1, 0.5, 2.5])
    tx = gdlab.sgd(
        Axis("eta", etas), momentum=Axis("beta", [0.0, 0.5, 0.9], along="eta"), nesterov=False
    )
    found = regime_map(tx, 1.0)
    assert found.dims == ("eta",)
    expected = [
        linearize(gdlab.sgd(eta, beta), 1.0).spectral_radius
        for eta, beta in zip(etas, [0.0, 0.5, 0.9], strict=True)
    ]
    np.testing.assert_allclose(found.rate, expected)


def test_map_over_a_decay_of_the_scales_of_adam_is_flat_and_over_its_momentum_is_not():
    tx = gdlab.adam(10.0, b1=Axis("b1", [0.5, 0.9]), b2=Axis("b2", [0.9, 0.999]))
    found = regime_map(tx, 1.0)
    np.testing.assert_allclose(found.rate[:, 0], found.rate[:, 1], rtol=1e-9)
    # 2(1 + β)/(1 − β) is 6 and 38.
    assert list(found.regime[:, 0]) == ["divergent", "oscillating"]


@pytest.mark.parametrize(
    ("tx", "message"),
    [
        (gdlab.sgd(0.1), r"one or two axes.*has 0"),
        (
            gdlab.adam(Axis("a", [0.1]), Axis("b", [0.5]), Axis("c", [0.9])),
            r"one or two axes.*has 3",
        ),
        (gdlab.sgd(Axis.log_uniform("eta", 0.1, 1.0)), "give .* its values"),
    ],
    ids=["none", "three", "to be drawn"],
)
def test_what_spans_no_map_is_refused(tx, message):
    with pytest.raises(ValueError, match=message):
        regime_map(tx, 1.0)


def test_a_curvature_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="positive curvature"):
        regime_map(gdlab.sgd(Axis("eta", [0.1])), -1.0)
