"""The landscape of a cost: critical points, hidden units that change places, skip connections."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import problems
from gdlab.analysis import classify_critical_point, landscape


@pytest.mark.x64
def test_L8_the_signs_of_the_curvatures_tell_minima_maxima_and_saddles_apart():
    problem = problems.himmelblau()
    kinds = {frozenset({1}): "minimum", frozenset({-1}): "maximum", frozenset({-1, 1}): "saddle"}
    seen = set()
    for x, y in problem.minimisers + problem.saddles + problem.maximisers:
        # By hand, from the gradient 4x(x² + y − 11) + 2(x + y² − 7) and its mirror image.
        gradient = (
            4 * x * (x**2 + y - 11) + 2 * (x + y**2 - 7),
            2 * (x**2 + y - 11) + 4 * y * (x + y**2 - 7),
        )
        np.testing.assert_allclose(gradient, 0, atol=1e-11)
        hessian = [
            [12 * x**2 + 4 * y - 42, 4 * x + 4 * y],
            [4 * x + 4 * y, 12 * y**2 + 4 * x - 26],
        ]
        expected = kinds[frozenset(np.sign(np.linalg.eigvalsh(hessian)).astype(int).tolist())]
        assert classify_critical_point(problem, jnp.array([x, y])) == expected
        seen.add(expected)
    assert seen == set(kinds.values())


def test_L9_the_loss_is_equal_under_every_order_of_the_hidden_units_and_higher_between_two():
    problem = problems.dense_network([4])
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape), problem.start)
    run = gdlab.minimize(problem, params, gdlab.adam(0.03), 200, data=problem.data, keep_path=False)
    units, out = run.params["dense0"], run.params["out"]
    loss = jax.jit(problem)

    def reordered(order):
        moved = jax.tree.map(lambda leaf: leaf[..., order], units)
        return {"dense0": moved, "out": out | {"kernel": out["kernel"][order]}}

    orders = [jnp.array(order) for order in itertools.permutations(range(4))]
    losses = np.array([loss(reordered(order), problem.data) for order in orders])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    halfway = jax.tree.map(lambda a, b: (a + b) / 2, run.params, reordered(orders[-1]))
    assert loss(halfway, problem.data) > 1.2 * losses[0]


@pytest.mark.slow
def test_L10_a_deep_network_stands_larger_changes_of_its_filters_with_skip_connections():
    shares, highest, losses = {}, {}, {}
    for skip in (True, False):
        problem = problems.dense_network([24] * 12, skip=skip, bias=False)
        data = jax.tree.map(lambda leaf: leaf[:400], problem.data)
        run = gdlab.minimize(
            problem, problem.start, gdlab.adam(3e-3), 400, data=data, batch_size=100,
            key=jax.random.key(0), keep_path=False,
        )  # fmt: skip
        found = landscape(problem, run.params, data, points=15, extent=0.5)
        losses[skip], highest[skip] = found.loss, found.losses.max()
        shares[skip] = np.mean(found.losses < np.log(10))
    assert max(losses.values()) < 0.05
    assert shares[True] > 2 * shares[False]
    assert highest[False] > 3 * highest[True]
