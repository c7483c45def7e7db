"""Stacks of alike arrays: the updates of the method itself, in few kernels."""

import pickle
import re

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import gdlab
from examples.benchmarks.bench.compiled import compiled_in_place, launches
from gdlab import (
    Hyperparameter,
    adam,
    adamw,
    apply_updates,
    by_leaf,
    chain,
    clip_by_global_norm,
    flatten_state,
    leafwise,
    lookahead,
    masked,
    restore_state,
    sgd,
    stacked,
    stacked_like,
    state_sharding,
    stored,
    unstacked,
)
from tests.contract import EXAMPLES

ONE_EACH = [examples[0].tx for examples in EXAMPLES.values() if examples]
STEPS = 3


def several(count=2):
    """Parameters of several layers: two kinds of arrays, and one that is alone."""
    rng = np.random.default_rng(0)
    layer = lambda: {"matrix": rng.normal(size=(3, 2)), "bias": rng.normal(size=2)}  # noqa: E731
    tree = {f"layer{index}": layer() for index in range(count)} | {"matrix": np.array([0.5, -1.0])}
    return jax.tree.map(jnp.asarray, tree)


def loss(params):
    leaves = jax.tree.leaves(params)
    return sum(jnp.sum((w - 0.1) ** 2) * (1 + 0.1 * i) for i, w in enumerate(leaves))


def trained(tx, params, state=None, steps=STEPS):
    """The parameters and the state after some steps on a bowl, in one program."""

    def step(carried, key):
        params, state = carried
        value, grad = jax.value_and_grad(loss)(params)
        grad_fn = jax.grad(loss)
        known = {"value": value, "grad": grad, "value_fn": loss, "grad_fn": grad_fn, "key": key}
        updates, state = tx.update(grad, state, params, **known)
        return (apply_updates(params, updates), state), None

    keys = jax.random.split(jax.random.key(0), steps)
    run = lambda params, state: jax.lax.scan(step, (params, state), keys)[0]  # noqa: E731
    return jax.jit(run)(params, tx.init(params) if state is None else state)


def assert_close(ours, theirs, rtol=1e-9):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-3 * rtol)


@pytest.mark.x64(dtype_promotion="standard")
@pytest.mark.sampled(2)
@pytest.mark.parametrize("tx", ONE_EACH, ids=repr)
def test_every_method_goes_as_it_goes_without_stacks(tx):
    params = several()
    # The method may be one in stacks itself.
    within, alone = (trained(method, params) for method in (stacked(tx), tx))
    assert_close(unstacked(within), unstacked(alone))


@pytest.mark.x64(dtype_promotion="standard")
@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "tx",
    [
        sgd([("layer0", 0.1), ("layer1", 0.2), ("", 0.3)], momentum=0.9),
        sgd(by_leaf(lambda params: jax.tree.map(lambda w: 0.1 / w.size, params)), momentum=0.9),
        adamw(0.1, weight_decay=0.1, mask="layer1"),
        adamw(gdlab.linear_schedule(0.1, 0.01, 3)),
        masked(adam(0.1), "layer.*matrix"),
        chain(clip_by_global_norm(0.1), adam(0.1)),
        gdlab.partition({"a": adam(0.1), "b": sgd(0.1, 0.9)}, [("bias", "a"), ("", "b")]),
        stored(adam(0.1), [("nu.*matrix", "bfloat16")]),
        lookahead(adam(0.1), 2, 0.5, reset_state=True),
    ],
    ids=repr,
)
def test_choices_by_path_norms_of_the_tree_and_wrappers_see_the_tree_itself(tx):
    params = several()
    ours, state = trained(stacked(tx), params)
    assert_close((ours, unstacked(state)), trained(tx, params))


def test_what_a_rule_does_with_an_array_it_does_with_each_of_a_stack():
    @leafwise(reads="key")
    def to_unit_size(scale: Hyperparameter):
        def update(u, kept, key):
            noise = jax.random.normal(key, u.shape)
            return scale * u / jnp.max(jnp.abs(u)) + noise, kept

        return jnp.zeros_like, update

    tx, key = to_unit_size(2.0), jax.random.key(3)
    params = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([-10.0, 5.0])}
    ours, _ = stacked(tx).update(params, stacked(tx).init(params), params, key=key)
    keys = jax.random.split(key)
    for name, own, at in zip("ab", ([1.0, 2.0], [-2.0, 1.0]), keys, strict=True):
        noise = jax.random.normal(jax.random.fold_in(at, 0), (2,))
        np.testing.assert_allclose(ours[name], np.array(own) + noise, rtol=1e-6)


def shapes(tx, params):
    return {name: stack.shape for name, stack in tx.init(params).trace.by_name().items()}


def test_stacks_are_of_bounded_length_and_size_and_named_after_their_first_leaf():
    params = {f"p{index}": jnp.zeros(4) for index in range(7)} | {"scalar": jnp.zeros(())}
    method = sgd(0.1, momentum=0.9)
    assert shapes(stacked(method), params) == {"p0": (7, 4), "scalar": (1,)}
    # Of nearly equal length, so that few lengths are compiled.
    in_threes = {"p0": (2, 4), "p2": (2, 4), "p4": (3, 4), "scalar": (1,)}
    assert shapes(stacked(method, most=3), params) == in_threes
    assert shapes(stacked(method, elements=12), params) == in_threes
    assert shapes(stacked(method, elements=1), params)["p0"] == (1, 4)
    labels = [("p[12]", "apart"), ("", "others")]
    assert shapes(stacked(method, labels=labels), params) == {
        "p0": (5, 4),
        "p1": (2, 4),
        "scalar": (1,),
    }
    one = stacked(method).init(jnp.zeros(3))
    assert flatten_state(one).keys() == {"trace.0"}


def test_arrays_that_differ_in_dtype_or_in_what_is_kept_are_not_alike():
    params = {"a": jnp.zeros(2), "b": jnp.zeros(2, jnp.float16), "c": jnp.zeros(2), "d": None}
    assert shapes(stacked(sgd(0.1, 0.9)), params) == {"a": (2, 2), "b": (1, 2)}
    formats = [("trace.a", "bfloat16")]
    assert shapes(stacked(stored(sgd(0.1, 0.9), formats)), params) == {
        "a": (1, 2),
        "b": (1, 2),
        "c": (1, 2),
    }


def test_a_rule_is_traced_once_for_the_stacks_of_a_kind():
    traced = []

    @leafwise
    def watched():
        def update(u, kept):
            traced.append(u.shape)
            return u, kept

        return jnp.zeros_like, update

    params = {f"p{index}": jnp.zeros(4) for index in range(8)}
    tx = stacked(watched(), most=2)
    state = tx.init(params)
    traced.clear()
    jax.jit(tx.update).lower(params, state)
    assert traced == [(4,)]


def test_calls_outside_jit_trace_a_rule_once_for_the_stacks_of_a_kind():
    traced = []

    @leafwise
    def twice():
        def update(u, kept):
            traced.append(u.shape)
            return 2 * u, kept + u

        return jnp.zeros_like, update

    params = {f"p{index}": jnp.full(4, 1.0 + index) for index in range(40)}
    tx = stacked(twice(), most=8)
    state = tx.init(params)
    traced.clear()
    for _ in range(2):
        updates, state = tx.update(params, state)
    assert traced == [(4,)]
    for name, w in params.items():
        np.testing.assert_array_equal(updates[name], 2 * w)
        np.testing.assert_array_equal(unstacked(state).twice[name], 2 * w)


def compiled(tx, params):
    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return apply_updates(params, updates), state

    return compiled_in_place(step, params, jax.eval_shape(tx.init, params), params)


def many(dtype):
    shapes = [(8, 8), (8,)] * 32
    return {f"p{i}": jax.ShapeDtypeStruct(shape, dtype) for i, shape in enumerate(shapes)}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_step_launches_a_kernel_for_each_array_and_a_few_for_each_stack(dtype):
    params = many(dtype)
    count = lambda tx: launches("", compiled(tx, params)).value  # noqa: E731
    leaves, stacks, shared = 64, 4, 6
    # On a CPU XLA converts each gradient of bfloat16 before it puts them together.
    conversions = leaves if dtype == "bfloat16" and jax.default_backend() == "cpu" else 0
    assert count(adam(0.1)) >= 3 * leaves
    # The stack of the gradients, the two moments and the update; each parameter is its own array.
    assert count(stacked(adam(0.1))) <= leaves + conversions + 4 * stacks + shared


def test_gradients_of_low_precision_are_put_together_before_they_are_widened():
    params, tx = many("bfloat16"), stacked(adam(0.1))
    text = jax.jit(tx.update).lower(params, jax.eval_shape(tx.init, params), params).as_text()
    # XLA does not join kernels of two dtypes. Each update is rounded to its own array.
    widened = re.findall(r"stablehlo.convert .*xbf16>\) -> tensor<.*xf32>", text)
    assert len(widened) <= 4


def test_a_step_keeps_at_most_one_copy_of_the_gradients_that_are_in_stacks():
    params = many("float32")
    temporaries = lambda tx: compiled(tx, params).memory_analysis().temp_size_in_bytes  # noqa: E731
    vectors = 32 * 8 * 4
    few = 1024  # scalars
    assert temporaries(stacked(adam(0.1))) <= 9 * vectors + few
    # Matrices of 64 elements are too large for a stack of several.
    assert temporaries(stacked(adam(0.1), elements=64)) <= vectors + few


def test_a_state_is_written_to_files_and_read_again():
    params = several()
    tx = stacked(adam(0.1))
    _, state = trained(tx, params)
    arrays = flatten_state(state)
    assert "mu.layer0.matrix" in arrays
    again, misfits = restore_state(tx.init(params), arrays)
    assert not misfits
    for copied in (again, pickle.loads(pickle.dumps(state))):
        assert_close(copied, state, rtol=0)
        assert_close(trained(tx, params, copied), trained(tx, params, state), rtol=0)


def test_a_run_goes_on_with_stacks_or_without_them():
    params = several()
    tx = adam(0.1)
    params, state = trained(tx, params)
    entered = stacked_like(state, stacked(tx).init(params))
    assert_close(unstacked(entered), state, rtol=0)
    assert_close(trained(stacked(tx), params, entered)[0], trained(tx, params, state)[0], 1e-6)


def test_a_program_with_a_stacked_state_can_be_exported():
    params, tx = several(), stacked(sgd(0.1, momentum=0.9))
    state = tx.init(params)
    program = jax.export.export(jax.jit(tx.update))(params, state, params)
    again = jax.export.deserialize(program.serialize())
    assert_close(again.call(params, state, params), tx.update(params, state, params), rtol=1e-6)


@pytest.mark.slow
def test_a_state_of_optax_enters_stacks_and_leaves_them():
    params = jax.tree.map(lambda w: w.astype(jnp.float32), several())
    _, theirs = optax.adam(0.1).update(params, optax.adam(0.1).init(params), params)
    tx = stacked(adam(0.1))
    state = gdlab.interop.from_optax(theirs, tx=tx, params=params)
    np.testing.assert_allclose(
        state.mu.by_name()["layer0.bias"][1], theirs[0].mu["layer1"]["bias"], rtol=1e-6
    )
    assert_close(gdlab.interop.to_optax(state, tx=tx, like=theirs), theirs, rtol=1e-6)


def test_flax_writes_stacks_by_name():
    serialization = pytest.importorskip("flax.serialization", reason="needs Flax")
    state = stacked(adam(0.1)).init(several())
    again = serialization.from_bytes(state, serialization.to_bytes(state))
    assert_close(again, state, rtol=0)
    other = stacked(adam(0.1), most=1).init(several())
    with pytest.raises(ValueError, match="stacks"):
        serialization.from_bytes(other, serialization.to_bytes(state))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w | {"layer0": None}, "differ in structure"),
        (lambda w: w | {"layer0": w["layer0"] | {"bias": None}}, "'layer0.bias'"),
        (lambda w: w | {"layer1": w["layer1"] | {"bias": jnp.ones(3)}}, "'layer1.bias'"),
        (lambda w: jax.tree.map(lambda x: jnp.ones((5,) * x.ndim), w), "mu"),
    ],
)
def test_updates_for_other_parameters_are_refused_by_path(change, message):
    params = several()
    tx = stacked(adam(0.1))
    state, other = tx.init(params), change(params)
    with pytest.raises(ValueError, match=message):
        tx.update(other, state, other)


def test_other_choices_by_path_need_a_state_of_their_own():
    params = several()
    one, other = (stacked(masked_sum(mask)) for mask in ("layer", "layer1"))
    with pytest.raises(ValueError, match="in one stack of the state"):
        other.update(params, one.init(params), params)


@leafwise
def masked_sum(choice: gdlab.Mask):
    return jnp.zeros_like, lambda u, kept: (u, kept + u if choice else kept)


def test_misuse_is_refused_by_name():
    with pytest.raises((ValueError, TypeError), match="most"):
        stacked(sgd(0.1), most=0)
    with pytest.raises((ValueError, TypeError), match="elements"):
        stacked(sgd(0.1), elements=0.5)
    with pytest.raises(TypeError, match=r"stacked\(stored"):
        stored(stacked(adam(0.1)), "bfloat16").init(several())


MESH = jax.make_mesh((8,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))


def placed(*specs):
    return {
        f"w{index}": jax.device_put(jnp.ones((8, 8)), NamedSharding(MESH, spec))
        for index, spec in enumerate(specs)
    }


def test_a_sharded_stack_lies_as_its_leaves_do_and_no_device_asks_another():
    rows = PartitionSpec("rows")
    params = placed(rows, rows, rows)
    tx = stacked(adam(0.1))
    sharding = state_sharding(tx, params)
    state = jax.jit(tx.init, out_shardings=sharding)(params)
    assert state.mu.by_name()["w0"].sharding.spec == PartitionSpec(None, "rows", None)
    program = jax.jit(tx.update).lower(params, state, params).compile().as_text()
    assert not any(word in program for word in ("all-gather", "all-reduce", "collective-permute"))


def test_arrays_that_lie_differently_need_different_labels():
    params = placed(PartitionSpec("rows"), PartitionSpec(None, "rows"))
    for make in (lambda tx: tx.init(params), lambda tx: state_sharding(tx, params)):
        with pytest.raises(ValueError, match="'w0' and 'w1' lies differently"):
            make(stacked(adam(0.1)))
        make(stacked(adam(0.1), labels=[("w0", "by rows"), ("w1", "by columns")]))


def test_the_sharding_of_stacks_needs_shapes():
    params = placed(PartitionSpec("rows"))
    with pytest.raises(TypeError, match="shapes"):
        state_sharding(stacked(adam(0.1)), jax.tree.map(lambda w: w.sharding, params))
