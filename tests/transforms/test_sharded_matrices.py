"""Matrices that are split over devices are made whole, and what is made of them is split again."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from gdlab import chain, dion, muon, orthogonalize, state_sharding, steepest

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


@pytest.mark.parametrize(
    ("spec", "gathers"),
    [((("x", "y"), None, None), False), ((None, "x", "y"), True)],
    ids=["by layers", "by rows and columns"],
)
def test_the_iteration_of_muon_has_no_collective_inside(spec, gathers):
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    sharding = NamedSharding(mesh, PartitionSpec(*spec))
    layers = jax.ShapeDtypeStruct((8, 16, 32), jnp.float32, sharding=sharding)
    tx = muon(0.1, muon_weight_dimension_numbers="bio")
    told = state_sharding(tx, layers)
    state = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), tx.init(layers), told
    )
    step = jax.jit(tx.update, out_shardings=(sharding, told))
    with jax.set_mesh(mesh):
        text = step.lower(layers, state, layers).compile().as_text()
    products = [n for n, line in enumerate(text.splitlines()) if " dot(" in line]
    assert len(products) >= 15  # five steps of three products
    made = re.findall(r"(all-reduce|all-gather|all-to-all|collective-permute)(?:-start)?\(", text)
    # Each of the two axes of a matrix is put together once, before the first step.
    assert made == (["all-gather"] * 2 if gathers else [])
