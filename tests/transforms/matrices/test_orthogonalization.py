"""Orthogonalisation beside the singular value decomposition, and what theory says of it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import chain, muon, orthogonalize, scale_by_adam, scale_by_shape
from gdlab.transforms.matrices.polar_express import polar_express
from tests.references.matrix import newton_schulz, polar

pytestmark = pytest.mark.x64

SHAPES = [(4, 4), (3, 8), (8, 3), (1, 5)]


def gaussian(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def rotation(n, seed):
    return jnp.linalg.qr(gaussian((n, n), seed))[0]


def after(tx, array):
    # One operation after another: programs for so many shapes and steps take longer to compile.
    with jax.disable_jit():
        return tx.update(array, tx.init(array))[0]


COEFFICIENTS = {
    name: np.reshape(orthogonalize(name).ns_coeffs, (-1, 3))
    for name in ("standard", "dion", "polar_express")
}


@pytest.mark.sampled(9)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("iteration", ["standard", "gram"])
@pytest.mark.parametrize("name", COEFFICIENTS)
def test_products_apply_the_polynomials_to_the_singular_values(name, iteration, shape):
    g = gaussian(shape)
    own = COEFFICIENTS[name]
    for steps in (1, 5, 7):
        expected = newton_schulz(g, own, steps, 1e-3)
        actual = after(orthogonalize(name, steps, 1e-3, iteration=iteration), g)
        # Small singular values are magnified by a factor of 4 to 8 in each step, and with them
        # what was rounded away of the Gram matrix, which has their squares.
        np.testing.assert_allclose(actual, expected, atol=1e-11)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("by", ["frobenius", "spectral", "schatten", "aol"])
def test_each_preconditioning_is_that_of_optax_and_its_norm(by):
    g = gaussian((3, 8))
    tx = orthogonalize(eps=0.0, preconditioning=by)
    theirs = optax.contrib.scale_by_muon(eps=0.0, nesterov=False, beta=0.0, preconditioning=by)
    with jax.numpy_dtype_promotion("standard"):
        np.testing.assert_allclose(after(tx, g), after(theirs, g), atol=1e-12)
    if by != "aol":
        np.testing.assert_allclose(after(tx, g), newton_schulz(g, by=by), atol=1e-12)


def test_polar_express_has_the_coefficients_of_the_paper():
    # Amsel et al. 2025, arXiv:2505.16932, Figure 3 of the first version: ℓ = 1e-3.
    printed = [
        (8.28721201814563, -23.595886519098837, 17.300387312530933),
        (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
        (3.3184196573706015, -2.488488024314874, 0.51004894012372),
        (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
        (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
        (1.875, -1.25, 0.375),
    ]
    own = polar_express(7, safety=1.0)
    # Near convergence the equations are nearly singular: the last are known to fewer digits.
    np.testing.assert_allclose(own[:6], printed[:6], rtol=1e-12)
    np.testing.assert_allclose(own[6], printed[6], rtol=2e-6)
    safe = np.array(polar_express(7)) * 1.01 ** np.array([1, 3, 5])
    np.testing.assert_allclose(safe[:6], own[:6], rtol=1e-12)
    np.testing.assert_allclose(polar_express(7)[6], own[6], rtol=1e-12)


def test_polar_express_ends_with_the_polynomial_that_is_flattest_at_one():
    # p(1) = 1 and p′(1) = p″(1) = 0 have one odd solution of degree 5: Newton–Schulz's.
    powers = np.array([1, 3, 5])
    equations = [powers**0, powers, powers * (powers - 1)]
    flattest = np.linalg.solve(equations, [1.0, 0.0, 0.0])
    # The interval that is left is within 5e-6 of 1.
    np.testing.assert_allclose(polar_express(12, safety=1.0)[-1], flattest, rtol=1e-5)


def test_polar_express_is_nearest_to_one_on_its_interval():
    values = np.geomspace(1e-2, 1, 4001)
    errors = {}
    for cushion in (0.0, 0.5):
        x = values
        for a, b, c in polar_express(3, 1e-2, safety=1.0, cushion=cushion):
            x = a * x + b * x**3 + c * x**5
        errors[cushion] = np.abs(1 - x)
    # The best error alternates, so it is taken at many points, and moving off them costs more.
    best = errors[0.0].max()
    assert np.isclose(errors[0.0], best, rtol=1e-3).sum() > 4
    assert best < errors[0.5].max()


def test_eight_steps_of_polar_express_make_the_polar_factor():
    for shape in SHAPES:
        g = gaussian(shape)
        actual = after(orthogonalize("polar_express", 10), g)
        np.testing.assert_allclose(actual, polar(g), atol=1e-6)


def test_five_standard_steps_bring_singular_values_into_the_declared_range():
    # The norm is 1 after scaling; Jordan's polynomial then moves all above 1/200 into this range.
    sigma = jnp.geomspace(1, 1 / 190, 40)
    g = rotation(40, 1) @ jnp.diag(sigma / jnp.linalg.norm(sigma)) @ rotation(40, 2)
    values = np.linalg.svd(after(orthogonalize(), g))[1]
    x = np.linspace(0.005, 1, 20_001)
    for _ in range(5):
        a, b, c = COEFFICIENTS["standard"][0]
        x = a * x + b * x**3 + c * x**5
    assert x.min() > 0.68
    assert x.max() < 1.21
    of_large = np.asarray(sigma / jnp.linalg.norm(sigma)) > 0.005
    assert values[: of_large.sum()].max() < 1.21
    assert np.sum(values > 0.68) >= of_large.sum()


@pytest.mark.parametrize("iteration", ["standard", "gram"])
def test_scaling_the_gradient_changes_nothing(iteration):
    g = gaussian((3, 8))
    tx = orthogonalize(eps=0.0, iteration=iteration)
    for factor in (1e-200, 1e200):
        np.testing.assert_allclose(after(tx, factor * g), after(tx, g), rtol=1e-11)


def test_it_commutes_with_rotations_from_both_sides():
    g, left, right = gaussian((4, 7)), rotation(4, 1), rotation(7, 2)
    for tx in (orthogonalize(), orthogonalize("polar_express", 8, preconditioning="schatten")):
        np.testing.assert_allclose(
            after(tx, left @ g @ right), left @ after(tx, g) @ right, atol=1e-12
        )


def test_the_transpose_is_orthogonalized_to_the_transpose():
    g = gaussian((3, 8))
    np.testing.assert_allclose(after(orthogonalize(), g.T), after(orthogonalize(), g).T, atol=1e-13)


def test_it_is_shampoo_without_accumulation():
    # (GGᵀ)^(−¼)·G·(GᵀG)^(−¼) = U·Vᵀ, by eigendecompositions.
    g = np.asarray(gaussian((5, 5)))

    def root(a):
        values, vectors = np.linalg.eigh(a)
        return (vectors * values**-0.25) @ vectors.T

    expected = root(g @ g.T) @ g @ root(g.T @ g)
    actual = after(orthogonalize("polar_express", 12), jnp.asarray(g))
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_after_adams_scaling_it_is_muon_squared():
    # Liu et al. 2026, arXiv:2604.09967: O = NS(M/√V) with averages of G and G²; their corrections
    # are one factor, which the orthogonalisation is blind to.
    tx = chain(scale_by_adam(0.9, 0.99, 0.0), orthogonalize(ns_steps=3, eps=0.0))
    grads = [gaussian((3, 5), seed) for seed in range(4)]
    state, m, v = tx.init(grads[0]), 0.0, 0.0
    for g in grads:
        direction, state = tx.update(g, state)
        m, v = 0.9 * m + 0.1 * np.asarray(g), 0.99 * v + 0.01 * np.asarray(g) ** 2
        expected = newton_schulz(m / np.sqrt(v), steps=3)
        np.testing.assert_allclose(direction, expected, atol=1e-12)


@pytest.mark.parametrize("letters", ["bio", "iob"])
def test_matrices_of_a_batch_are_treated_one_by_one(letters):
    g = gaussian((3, 4, 5))
    actual = after(orthogonalize(weight_dimension_numbers=letters), g)
    axis = letters.index("b")
    for k in range(g.shape[axis]):
        one, own = jnp.take(g, k, axis), jnp.take(actual, k, axis)
        np.testing.assert_allclose(own, after(orthogonalize(), one), atol=1e-13)


def test_heads_are_orthogonalized_one_by_one_or_as_one_matrix():
    g = gaussian((6, 2, 3))  # inputs, heads, outputs of a head
    whole = after(orthogonalize(weight_dimension_numbers="ioo"), g)
    np.testing.assert_allclose(whole.reshape(6, 6), after(orthogonalize(), g.reshape(6, 6)))
    by_head = after(orthogonalize(weight_dimension_numbers="ibo"), g)
    np.testing.assert_allclose(by_head[:, 1], after(orthogonalize(), g[:, 1]), atol=1e-13)


def test_complex_matrices_have_their_singular_values_near_one():
    g = jax.lax.complex(gaussian((3, 6)), gaussian((3, 6), 1))
    for iteration in ("standard", "gram"):
        with jax.numpy_dtype_promotion("standard"):
            actual = after(orthogonalize("polar_express", 10, iteration=iteration), g)
        u, _, vh = np.linalg.svd(g, full_matrices=False)
        np.testing.assert_allclose(actual, u @ vh, atol=1e-6)


def test_adaptive_steps_have_the_size_of_the_nuclear_norm():
    g = gaussian((4, 6))
    nuclear = np.sum(np.linalg.svd(g)[1])
    actual = after(orthogonalize("polar_express", 10, adaptive=True), g)
    np.testing.assert_allclose(actual, nuclear * polar(g), rtol=1e-5)


def test_a_zero_matrix_stays_zero_without_an_epsilon():
    for by in ("frobenius", "spectral", "aol", "schatten"):
        tx = orthogonalize(eps=0.0, preconditioning=by)
        np.testing.assert_array_equal(after(tx, jnp.zeros((3, 4))), jnp.zeros((3, 4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"iteration": "cubic"},
            "iteration must be 'auto', 'standard' or 'gram', not 'cubic'",
        ),
        ({"preconditioning": "none"}, "preconditioning must be 'frobenius', "),
        ({"ns_coeffs": "fast"}, "there are the coefficients standard, dion, polar_express"),
        ({"ns_coeffs": (1.0, 2.0)}, "expected three numbers"),
        ({"ns_steps": 0}, "ns_steps must be .* between 1 and .* not 0"),
    ],
)
def test_unknown_names_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        orthogonalize(**options).init(jnp.zeros((2, 2)))


def test_steps_are_scaled_by_the_shape_of_the_matrix_in_its_own_layout():
    ones = jnp.ones((2, 8))
    assert after(scale_by_shape(), ones)[0, 0] == 2.0  # (in, out), as in JAX
    assert after(scale_by_shape("oi"), ones)[0, 0] == 1.0  # as in torch
    assert after(scale_by_shape("oi", at_least=0.0), ones)[0, 0] == 0.5
    np.testing.assert_allclose(after(scale_by_shape(consistent_rms=0.2), ones)[0, 0], 0.2 * 8**0.5)
    steps = after(scale_by_shape(consistent_rms=0.2), polar(gaussian((16, 5))))
    np.testing.assert_allclose(jnp.sqrt(jnp.mean(steps**2)), 0.2)


def test_coefficients_are_numbers_that_can_be_swept():
    tx = muon(0.1, ns_coeffs=[(1.5, -0.5, 0.0)])
    assert tx.ns_coeffs == ((1.5, -0.5, 0.0),)
    g = gaussian((3, 3))
    slope = jax.grad(lambda a: jnp.sum(after(orthogonalize((a, -4.775, 2.0315)), g) * g))(3.4445)
    assert np.isfinite(slope)
    assert slope != 0
