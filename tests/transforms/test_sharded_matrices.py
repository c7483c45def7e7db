"""Matrices that are split over devices are made whole, and what is made of them is split again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from gdlab import chain, dion, muon, orthogonalize, steepest

CASES = {
    "orthogonalize": (orthogonalize(), ("x", "y"), (8, 16)),
    "several axes": (orthogonalize(weight_dimension_numbers="ioo"), (None, "x", "y"), (8, 4, 16)),
    "a batch": (orthogonalize(weight_dimension_numbers="bio"), ("x", None, "y"), (4, 8, 16)),
    "muon": (muon(0.1), ("y", None), (8, 16)),
    "dion": (dion(0.1, 2), ("x", "y"), (8, 16)),
    "steepest": (chain(steepest(), steepest("row")), ("x", "y"), (8, 16)),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("axis_types", ["Auto", "Explicit"])
@pytest.mark.parametrize("name", CASES)
def test_a_split_matrix_moves_as_a_whole_one_does(name, axis_types):
    tx, spec, shape = CASES[name]
    kind = getattr(jax.sharding.AxisType, axis_types)
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind, kind))
    g = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
    expected, _ = tx.update(g, tx.init(g), g)
    with jax.set_mesh(mesh):
        split = jax.device_put(g, NamedSharding(mesh, PartitionSpec(*spec)))
        state = tx.init(split)
        updates, after = jax.jit(tx.update)(split, state, split)
        # Five steps magnify small singular values, and the rounding of their sums with them.
        np.testing.assert_allclose(updates, expected, atol=1e-4)
        if axis_types == "Explicit":
            assert updates.sharding.spec == PartitionSpec(*spec)
            assert jax.tree.map(jax.typeof, after) == jax.tree.map(jax.typeof, state)
