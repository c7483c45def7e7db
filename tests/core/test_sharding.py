"""How a state lies on several devices, told before it is made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import gdlab
from gdlab import (
    accumulate,
    adam,
    adamw,
    chain,
    clip_by_global_norm,
    ema,
    fork,
    identity,
    linear_schedule,
    masked,
    moving_average,
    params_ema,
    partition,
    ratio,
    sgd,
    square,
    state_sharding,
)

AUTO = (jax.sharding.AxisType.Auto,) * 2
MESH = jax.make_mesh((4, 2), ("x", "y"), axis_types=AUTO)


def on(*axes):
    return NamedSharding(MESH, PartitionSpec(*axes))


SHARDINGS = {"kernel": on("x", "y"), "bias": on("x"), "scale": on()}
PARAMS = {
    "kernel": jax.device_put(jnp.ones((8, 6)), SHARDINGS["kernel"]),
    "bias": jax.device_put(jnp.ones(8), SHARDINGS["bias"]),
    "scale": jax.device_put(jnp.ones(()), SHARDINGS["scale"]),
}


@gdlab.leafwise
def mean_of_rows():
    return lambda u: jnp.mean(u, -1, keepdims=True) if u.ndim > 1 else u


OPTIMIZERS = [
    sgd(0.1),
    sgd(0.1, 0.9),
    adam(0.1),
    chain(clip_by_global_norm(1.0), adamw(linear_schedule(0.1, 0.0, 3)), params_ema(0.9)),
    accumulate(gdlab.nadam(0.1, momentum_decay=0.004), 2),
    gdlab.rmsprop(0.1, centered=True, momentum=0.9),
    masked(sgd(0.1, 0.9), "kernel"),
    partition({"a": adam(0.1), "b": sgd(0.1, 0.9)}, [("kernel", "a"), ("", "b")]),
    gdlab.apply_if_finite(gdlab.adadelta()),
]


@pytest.mark.parametrize("tx", OPTIMIZERS, ids=repr)
def test_the_told_sharding_is_that_of_a_state_made_outside_jit(tx):
    told = state_sharding(tx, SHARDINGS)
    made = jax.jit(tx.init, out_shardings=told)(PARAMS)
    eager = tx.init(PARAMS)
    assert jax.tree.structure(made) == jax.tree.structure(eager)
    for one, other in zip(jax.tree.leaves(made), jax.tree.leaves(eager), strict=True):
        if one.ndim and one.shape in ((8, 6), (8,)):
            assert one.sharding.is_equivalent_to(other.sharding, one.ndim)
        else:
            assert one.sharding.is_fully_replicated
        np.testing.assert_array_equal(one, other)


def test_jit_alone_would_lose_it():
    plain = jax.jit(adam(0.1).init)(PARAMS)
    assert not plain.mu["kernel"].sharding.is_equivalent_to(SHARDINGS["kernel"], 2)


@pytest.mark.parametrize(
    "given",
    [
        PARAMS,
        jax.tree.map(lambda w: jax.ShapeDtypeStruct(w.shape, w.dtype, sharding=w.sharding), PARAMS),
    ],
    ids=["arrays", "shapes"],
)
def test_smaller_and_larger_slots_keep_the_axes_that_they_have(given):
    tx = fork(ratio(1e-8), identity(), nu=chain(square(), mean_of_rows(), ema(0.9)))
    told = state_sharding(tx, given)
    assert told.nu["kernel"].spec == PartitionSpec("x", None)
    assert told.nu["bias"].spec == PartitionSpec("x")
    assert state_sharding(moving_average(3), given).moving_average["kernel"].spec == (
        PartitionSpec(None, "x", "y")
    )


def of(tx, spec, shape):
    w = jax.ShapeDtypeStruct(shape, jnp.float32, sharding=on(*spec))
    state = state_sharding(tx, {"w": w})
    spec_of = lambda slot: jax.tree.map(lambda s: s.spec, slot["w"])  # noqa: E731
    return {name: spec_of(slot) for name, slot in state.items() if isinstance(slot, dict)}


def test_the_axes_of_square_matrices_are_told_apart():
    square = (("x", "y"), (8, 8))
    factored = of(gdlab.factored_ema(0.9, 2), *square)
    assert factored == {"rows": PartitionSpec("x", None), "columns": PartitionSpec(None, "y")}
    by_axis = (PartitionSpec("x", None), PartitionSpec("y", None))
    assert of(gdlab.in_eigenbasis(ema(0.9)), *square)["basis"] == by_axis
    assert of(gdlab.scale_by_kron(), *square)["factors"] == by_axis
    covers = (PartitionSpec("x", None), PartitionSpec(None, "y"))
    assert of(gdlab.sum_by_covers(), *square)["covers"] == covers
    assert of(gdlab.in_subspace(ema(0.9), 2), *square) == {
        "ema": PartitionSpec("x", None),
        "basis": PartitionSpec(None, "y"),
    }


def test_the_blocks_of_a_matrix_are_dealt_out_where_they_can_be_and_split_by_rows_elsewhere():
    blocked = lambda size: of(  # noqa: E731
        gdlab.scale_by_kronecker_roots(block_size=size), ("x", "y"), (8, 8)
    )["roots"]
    assert blocked(2) == (PartitionSpec(("x", "y"), None, None),) * 2
    assert blocked(None) == (PartitionSpec(None, "x", None), PartitionSpec(None, "y", None))


def test_an_init_whose_axes_cannot_be_followed_is_named():
    @gdlab.leafwise
    def folded():
        return lambda like: like.reshape(2, -1, 3, 2), lambda u, state: (u, state)

    with pytest.raises(TypeError, match=r"folded.*cannot be followed"):
        state_sharding(folded(), PARAMS["kernel"])


def test_parameters_on_two_meshes_are_refused():
    other = NamedSharding(jax.make_mesh((8,), ("z",)), PartitionSpec("z"))
    with pytest.raises(ValueError, match="on one mesh, not on 2"):
        state_sharding(adam(0.1), {"a": on("x"), "b": other})


def test_parameters_on_one_device_have_their_state_there():
    there = jax.sharding.SingleDeviceSharding(jax.devices()[3])
    assert set(jax.tree.leaves(state_sharding(adam(0.1), {"w": there}))) == {there}


def test_a_bare_array_has_a_state_as_well():
    told = state_sharding(adam(0.1), on("x", "y"))
    assert told.mu.spec == PartitionSpec("x", "y")
    assert told.mu_weight.is_fully_replicated


def test_what_has_no_sharding_is_refused():
    with pytest.raises(TypeError, match="expected a sharding, or an array or a shape that has one"):
        state_sharding(adam(0.1), {"w": 3})


def test_a_nan_on_one_device_is_seen_by_the_guard():
    tx = gdlab.apply_if_finite(sgd(0.1))
    gradient = np.ones((8, 6), np.float32)
    for place in range(8):
        bad = gradient.copy()
        bad[place, 3] = np.nan
        sharded = {"kernel": jax.device_put(bad, SHARDINGS["kernel"])}
        for update in (tx.update, jax.jit(tx.update)):
            updates, state = update(sharded, tx.init(sharded))
            assert not state.last_finite
            assert not np.any(np.asarray(updates["kernel"]))


@pytest.mark.parametrize("axis_types", ["Auto", "Explicit"])
def test_numbers_kept_for_one_mesh_do_not_break_on_the_next(axis_types):
    tx = adam(0.1)
    for shape, names in (((4, 2), ("x", "y")), ((8,), ("z",))):
        kind = getattr(jax.sharding.AxisType, axis_types)
        mesh = jax.make_mesh(shape, names, axis_types=(kind,) * len(names))
        with jax.set_mesh(mesh):
            spec = NamedSharding(mesh, PartitionSpec(names[0]))
            params = {"w": jax.device_put(jnp.ones(8), spec)}
            updates, _ = tx.update(params, tx.init(params), params)
            np.testing.assert_allclose(updates["w"], -0.1, rtol=1e-4)


@pytest.mark.parametrize(
    "tx",
    [
        gdlab.stored(gdlab.adam(0.1), "int8"),
        gdlab.kahan_params(gdlab.adam(0.1)),
    ],
    ids=repr,
)
def test_shardings_alone_do_not_do_where_the_state_depends_on_sizes_and_dtypes(tx):
    mesh = jax.make_mesh((2,), ("rows",))
    by_rows = NamedSharding(mesh, PartitionSpec("rows"))
    with pytest.raises(TypeError, match="depends on the shapes and dtypes of the parameters"):
        gdlab.state_sharding(tx, {"weight": by_rows})
    params = {"weight": jax.device_put(jnp.ones((16, 256), jnp.bfloat16), by_rows)}
    sharding = gdlab.state_sharding(tx, params)
    assert jax.tree.structure(sharding) == jax.tree.structure(tx.init(params))
