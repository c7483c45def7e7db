"""Every method on parameters that are split over eight devices: as on one, and by what exchange."""

import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

from gdlab import GradientTransformation, adamw, state_sharding, stored
from tests.contract import EXAMPLES

MESH = jax.make_mesh((4, 2), ("x", "y"), axis_types=(AxisType.Auto,) * 2)
SPLIT = {
    "matrix": PartitionSpec("x", "y"),
    "cube": PartitionSpec(None, "x", "y"),
    "vector": PartitionSpec("y"),
}
SHARDINGS = {name: NamedSharding(MESH, spec) for name, spec in SPLIT.items()}
SHAPES = {"matrix": (16, 16), "cube": (2, 16, 8), "vector": (64,)}

NORMS = """
mars amos descend_by_amos lamb novograd scale_by_novograd stable_adamw chain named_chain
conjugate_direction newton_cg nonlinear_cg scale_by_truncated_newton trust_region lbfgs
scale_by_backtracking_linesearch scale_by_lbfgs scale_by_zoom_linesearch descend_on_sphere hyperball
matrix_norm radial_brake scale_to_rms adam_mini limit_norm_growth alig fromage lars polyak_sgd
scale_by_lars scale_by_polyak adaptive_ascent asam ascent close_surrogate_gap friendly_sam gsam
looksam msam reuse_vertical sam wsam clip_by_block_rms clip_by_global_norm clip_by_norm masked
monitor normalize normalize_by_update_norm partition scale_by_param_block_norm
scale_by_param_block_rms scale_by_trust_ratio skip_outliers snapshot cautious sum_over zero_nans
dadapt_adagrad dadapt_adam dadapt_adamw dadapt_adan dadapt_lion dadapt_sgd dog dowg
scale_by_dadapt_sgd ldog mechanize prodigy scale_by_dadapt_adagrad scale_by_distance_over_gradients
scale_by_dog scale_by_dowg trac apply_if_finite
"""
"""Norms, inner products and flags of arrays or trees: their shares are added up."""
MARGINS = """
sparse_adam where_touched mean_over_inputs factored_ema scale_by_factored_rms scale_by_sm3 sm3
sum_by_covers dpsgd centralize differentially_private_aggregate adafactor came mean_over_block
apollo scale_from_subspace adaptive_grad_clip mean_over
"""
"""Sums over some of the axes of an array: what is added up has no more than the others."""
MATRICES = """
shampoo caspr in_eigenbasis scale_by_soap soap splus kl_shampoo scale_by_kl_factors
scale_by_kronecker_roots kron scale_by_kron muon orthogonalize scale_by_muon adago adamuon normuon
scion steepest dion orthogonalize_low_rank galore in_subspace
full_matrix_adagrad scale_by_full_rss gauss_newton levenberg_marquardt scale_by_gauss_newton flatten
"""
"""Products and decompositions of matrices that are split, or of all parameters as one vector."""
EXCHANGES = {
    name: kind
    for kind, names in {"norm": NORMS, "margin": MARGINS, "matrix": MATRICES}.items()
    for name in names.split()
}
TURNED = ("in_eigenbasis",)
"""Averages with a sign, kept in a basis: from the second step on they depend on its signs."""
SIGNS = ("basis", "bases")
"""Eigenvectors have no sign of their own, so that two computations may differ in it."""
UNTYPED = ("gauss_newton", "levenberg_marquardt", "scale_by_gauss_newton")
"""Methods that see the parameters as one vector, which JAX does not make of explicit axes."""


def arrays(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def half_square(params):
    return 0.25 * sum((jnp.sum(w**2) for w in jax.tree.leaves(params)), jnp.zeros(()))


def step_of(tx):
    def step(params, state, grads):
        known = {"value": jnp.ones(()), "grad": grads, "key": jax.random.key(0)}
        known |= {"value_fn": half_square, "grad_fn": jax.grad(half_square)}
        return tx.update(grads, state, params, **known)

    return step


class Exchange(NamedTuple):
    operation: str
    axes: tuple[int, ...]


def exchanges(compiled) -> list[Exchange]:
    """What devices exchange in a compiled program."""
    pattern = (
        r"\w+\[([\d,]*)\][^=]*? (all-reduce|all-gather|all-to-all|collective-\w+|reduce-scatter)"
    )
    return [
        Exchange(found.group(2), tuple(int(n) for n in found.group(1).split(",") if n))
        for line in compiled.as_text().splitlines()
        for found in re.finditer(rf"= \(?{pattern}(-start)?\(", line)
    ]


def is_within(exchange: Exchange, kind: str | None) -> bool:
    if kind == "matrix":
        return True
    # Shares of a norm are a number from each device, and sums over an axis have 32 at most; an
    # array that is put together along any axis has 64 at least.
    number = np.prod(exchange.axes, dtype=int)
    if exchange.operation == "all-gather":
        return kind is not None and number <= MESH.size
    largest = {"norm": MESH.size, "margin": 32}.get(kind or "", 0)
    return exchange.operation == "all-reduce" and number <= largest


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", EXAMPLES)
def test_eight_devices_equal_one_and_exchange_no_more_than_the_rule_needs(name):
    tx: GradientTransformation = EXAMPLES[name][0].tx
    params = jax.device_put(arrays(0), SHARDINGS)
    told = state_sharding(tx, params)
    state = jax.jit(tx.init, out_shardings=told)(params)
    step = jax.jit(step_of(tx), out_shardings=(SHARDINGS, told))
    compiled = step.lower(params, state, jax.device_put(arrays(1), SHARDINGS)).compile()
    assert [e for e in exchanges(compiled) if not is_within(e, EXCHANGES.get(name))] == []

    alone, own = jax.jit(step_of(tx)), tx.init(arrays(0))
    for seed in (1,) if name in TURNED else (1, 2):
        updates, state = compiled(params, state, jax.device_put(arrays(seed), SHARDINGS))
        expected, own = alone(arrays(0), own, arrays(seed))
    pairs = zip(
        jax.tree_util.tree_leaves_with_path((updates, state)),
        jax.tree.leaves((expected, own)),
        strict=True,
    )
    for (path, one), other in pairs:
        if not any(sign in jax.tree_util.keystr(path) for sign in SIGNS):
            # Sums are added up in another order, and inverse roots of them magnify the rounding.
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-4)


@pytest.mark.sampled(20)
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in UNTYPED])
def test_under_explicit_axes_updates_and_states_keep_their_types(name):
    tx = EXAMPLES[name][0].tx
    mesh = AbstractMesh((4, 2), ("x", "y"), axis_types=(AxisType.Explicit,) * 2)
    type_of = lambda x: (x.shape, x.dtype, jax.typeof(x).sharding.spec)  # noqa: E731
    types = lambda tree: list(map(type_of, jax.tree.leaves(tree)))  # noqa: E731

    def kept(params):
        state = tx.init(params)
        updates, after = step_of(tx)(params, state, params)
        assert types(updates) == types(params)
        assert types(after) == types(state)
        return ()

    with jax.sharding.use_abstract_mesh(mesh):
        shapes = {
            name: jax.ShapeDtypeStruct(
                shape, jnp.float32, sharding=NamedSharding(mesh, SPLIT[name])
            )
            for name, shape in SHAPES.items()
        }
        jax.eval_shape(kept, shapes)


def test_the_table_of_exchanges_names_transformations_once_each():
    names = [*NORMS.split(), *MARGINS.split(), *MATRICES.split()]
    assert len(names) == len(set(names))
    assert not set(names) - set(EXAMPLES)


@pytest.mark.parametrize(
    ("slots", "spec", "shape"),
    [
        ("int8", ("x", "y"), (16, 256)),
        ("bfloat16_stochastic", ("x", "y"), (16, 256)),
        pytest.param("int8", (None, "x"), (16, 256), marks=pytest.mark.slow),
    ],
)
def test_slots_in_fewer_bits_are_split_as_the_parameter_and_exchange_nothing(slots, spec, shape):
    tx = stored(adamw(0.1), slots)
    sharding = NamedSharding(MESH, PartitionSpec(*spec))
    rng = np.random.default_rng(0)
    w, g = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    params, grads = jax.device_put((w, g), sharding)
    told = state_sharding(tx, params)
    state = jax.jit(tx.init, out_shardings=told)(params)
    for array, lies in zip(jax.tree.leaves(state), jax.tree.leaves(told), strict=True):
        assert lies.spec == (sharding.spec if array.ndim > 1 else PartitionSpec())
    compiled = jax.jit(tx.update, out_shardings=(sharding, told)).lower(grads, state, params)
    compiled, own = compiled.compile(), tx.init(w)
    assert exchanges(compiled) == []
    for _ in range(2):
        updates, state = compiled(grads, state, params)
        expected, own = jax.jit(tx.update)(g, own, w)
    np.testing.assert_allclose(updates, expected, rtol=1e-4, atol=1e-6)


def test_scales_of_groups_that_lie_on_two_devices_are_not_split_along_them():
    w = jax.ShapeDtypeStruct((16, 96), jnp.float32, sharding=NamedSharding(MESH, SPLIT["matrix"]))
    told = state_sharding(stored(adamw(0.1), "int8"), w)
    assert told.mu.codes.spec == PartitionSpec("x", "y")
    assert told.mu.scales.spec == PartitionSpec("x", None)
