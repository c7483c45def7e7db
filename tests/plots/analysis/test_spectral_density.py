"""A density with a bulk and two eigenvalues far from it."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from gdlab import plots
from gdlab.analysis import spectral_density

GRID = np.linspace(-1, 10, 111)
DENSITY = np.exp(-(GRID**2) / 0.08) + 1e-3 * np.exp(-((GRID - 8) ** 2) / 0.08)


def test_the_scale_is_logarithmic_and_ends_where_smoothing_begins():
    ax = plots.spectral_density(GRID, DENSITY)
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[0] == DENSITY.max() * 1e-7
    assert ax.get_ylim()[1] > DENSITY.max()
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([GRID, DENSITY], 1))


def test_eigenvalues_are_triangles_at_the_foot_whatever_the_scale():
    ax = plots.spectral_density(GRID, DENSITY, eigenvalues=[8.0, -0.5])
    triangles = next(line for line in ax.lines if line.get_marker() == "v")
    np.testing.assert_array_equal(triangles.get_xdata(), [8.0, -0.5])
    assert triangles.get_transform() == ax.get_xaxis_transform()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["density", "eigenvalue"]
    assert plots.spectral_density(GRID, DENSITY).get_legend() is None


def test_zero_is_marked_where_curvature_has_both_signs():
    assert [line.get_linestyle() for line in plots.spectral_density(GRID, DENSITY).lines] == [
        "-",
        ":",
    ]
    assert len(plots.spectral_density(GRID + 2, DENSITY).lines) == 1


def test_it_draws_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert plots.spectral_density(GRID, DENSITY, ax=ax) is ax
    assert ax.get_xlabel() == "eigenvalue λ of the Hessian"
    assert ax.get_ylabel() == "share of eigenvalues per unit of λ"


def test_a_density_draws_itself():
    found = spectral_density(lambda w: jnp.sum(w**2), jnp.ones(3), key=jax.random.key(0))
    _, ax = plt.subplots()
    assert found.plot(ax, eigenvalues=[2.0]) is ax
    np.testing.assert_allclose(ax.lines[0].get_xdata(), found.grid)
