"""States: their entries by name, how they are stored and restored, and what they say."""

import copy
import pathlib
import pickle
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import (
    State,
    accumulate,
    adam,
    adamw,
    chain,
    clip,
    clip_by_global_norm,
    ema,
    evaluation_params,
    find_slot,
    flatten_state,
    fork,
    hyperparameters,
    identity,
    linear_schedule,
    masked,
    named_chain,
    params_ema,
    partition,
    restore_state,
    sgd,
    trace,
)

PARAMS = {
    "kernel": jnp.array([[1.0, -2.0], [0.5, 3.0]], jnp.float32),
    "bias": jnp.array([1.0, -1.0], jnp.float32),
}


def stepped(tx, steps=3, params=PARAMS):
    state = tx.init(params)
    for step in range(steps):
        gradient = jax.tree.map(lambda w: w * jnp.cos(1.0 + step), params)  # noqa: B023
        _, state = tx.update(gradient, state, params)
    return state


# --- Names


@pytest.mark.usually(enable_x64="it shows what is float32")
def test_printing_a_state_of_adam_says_what_it_keeps():
    state = adam(linear_schedule(0.1, 0.0, 5)).init({"w": jnp.zeros(2)})
    assert repr(state) == (
        "State(count=Array(0, dtype=int32), "
        "mu={'w': Array([0., 0.], dtype=float32)}, nu={'w': Array([0., 0.], dtype=float32)}, "
        "mu_weight=Array([0., 1., 1.], dtype=float32), "
        "nu_weight=Array([0., 1., 1.], dtype=float32))"
    )


METHODS = {
    "adam": adam(0.1),
    "adamw": adamw(linear_schedule(0.1, 0.0, 9)),
    "amsgrad": gdlab.amsgrad(0.1),
    "nadam": gdlab.nadam(0.1, momentum_decay=0.004),
    "clipped": chain(clip_by_global_norm(1.0), adam(0.1)),
    "accumulated": accumulate(adam(0.1), 2),
    "masked": masked(adam(0.1), "kernel"),
    "guarded": gdlab.apply_if_finite(chain(clip(1.0), adam(0.1))),
}


@pytest.mark.parametrize("tx", METHODS.values(), ids=METHODS)
def test_moments_are_found_by_the_names_that_optax_gives_them(tx):
    state = tx.init(PARAMS)
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    for name in ("mu", "nu"):
        found = optax.tree_utils.tree_get(state, name)
        assert found is find_slot(state, name)
        if tx is not METHODS["masked"]:
            jax.tree.map(np.testing.assert_array_equal, getattr(found, "maximum", found), zeros)


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_moments_are_those_of_optax():
    ours, theirs = stepped(adam(0.1), 5), stepped(optax.adam(0.1), 5)
    # optax takes 1 − b2 of Python's floats, which differs from that of float32's by 1.3·10⁻⁵.
    for name in ("mu", "nu"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5),
            optax.tree_utils.tree_get(ours, name),
            optax.tree_utils.tree_get(theirs, name),
        )


def test_a_state_set_by_optax_is_taken():
    tx = adam(linear_schedule(0.5, 0.0, 10))
    changed = optax.tree_utils.tree_set(tx.init(PARAMS), count=jnp.int32(5))
    _, state = tx.update(PARAMS, changed)
    assert hyperparameters(tx, state)["learning_rate"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("tx", "names"),
    [
        (sgd(0.1), ()),
        (sgd(0.1, 0.9), ("trace",)),
        (chain(sgd(0.1, 0.9), clip(1.0), trace(0.5)), ("trace_0", "trace_2")),
        (chain(clip_by_global_norm(1.0), adam(0.1)), ("mu", "nu", "mu_weight", "nu_weight")),
        (fork(jnp.maximum, ema(0.5), slow=ema(0.9)), ("ema", "slow")),
        (named_chain(("a", trace(0.5)), ("b", sgd(0.1))), ("a",)),
        (gdlab.rmsprop(0.1, momentum=0.9), ("nu", "trace")),
        (gdlab.adagrad(0.1), ("sum_of_squares",)),
        (gdlab.scale_by_stddev(), ("mean", "variance", "weight")),
        (accumulate(sgd(0.1), 2), ("micro_step", "weight", "mean", "inner")),
        (chain(params_ema(0.9), masked(trace(0.5), "kernel")), ("params_ema", "inner")),
    ],
    ids=repr,
)
def test_a_state_has_the_entries_of_its_parts_and_wraps_none(tx, names):
    state = tx.init(PARAMS)
    assert state.names == names
    assert stepped(tx).names == names


def test_a_link_without_a_state_changes_no_names():
    plain, longer = sgd(0.1, 0.9), chain(clip_by_global_norm(1.0), clip(2.0), sgd(0.1, 0.9))
    assert flatten_state(plain.init(PARAMS)).keys() == flatten_state(longer.init(PARAMS)).keys()


def test_a_slot_is_found_in_any_wrapper_and_missing_or_several_ones_are_told():
    tx = partition(
        {"a": accumulate(adam(0.1), 2), "b": sgd(0.1, 0.9)}, [("kernel", "a"), ("", "b")]
    )
    state = tx.init(PARAMS)
    assert find_slot(state, "trace")["bias"].shape == (2,)
    assert find_slot(state, "nu")["kernel"].shape == (2, 2)
    with pytest.raises(KeyError, match=r"no entry .* 'sigma'; there are groups, groups\.a\.micro_"):
        find_slot(state, "sigma")
    two = chain(masked(trace(0.5), "kernel"), trace(0.9)).init(PARAMS)
    with pytest.raises(KeyError, match=r"several entries .* 'trace': inner\.trace, trace"):
        find_slot(two, "trace")


def test_a_link_looked_for_by_its_position_is_found_in_the_state_of_all_links():
    state = gdlab.chain(gdlab.clip(1.0), gdlab.sgd(0.1, 0.9)).init(jnp.zeros(1))
    assert state[1].trace is state.trace
    with pytest.raises(KeyError, match=r"no entry 'mu'; it has \('trace',\)"):
        state["mu"]


def test_a_tuple_of_the_states_of_links_is_refused_with_what_would_do():
    tx = chain(clip(1.0), sgd(0.1, 0.9))
    state = tx.init(PARAMS)
    with pytest.raises(ValueError, match="but a tuple; all links share one state, of which repl"):
        tx.update(PARAMS, (state[0], state[1]._replace(trace=PARAMS)), PARAMS)


def test_what_one_link_or_wrapper_alone_keeps_in_its_own_state_is_an_attribute_of_the_whole():
    class Seen(NamedTuple):
        seen: jax.Array

    def seeing(start):
        return optax.GradientTransformation(lambda _: Seen(start), lambda u, s, params=None: (u, s))

    state = chain(masked(sgd(0.1, 0.9), "kernel"), seeing(7)).init(PARAMS)
    assert state[1].seen == 7
    assert state[0].trace is state.inner.trace
    with pytest.raises(AttributeError, match=r"no entry 'seen'; it has \('inner', 'foreign'\)$"):
        state._replace(seen=1)
    two = chain(seeing(1), seeing(2)).init(PARAMS)
    with pytest.raises(AttributeError, match="several of them have one: foreign_0, foreign_1"):
        _ = two.seen


def test_a_state_is_a_dictionary_with_attributes():
    state = sgd(0.1, 0.9).init(PARAMS)
    assert state["trace"] is state.trace
    assert state.replace(trace=1).trace == state._replace(trace=1).trace == 1
    with pytest.raises(AttributeError, match=r"no entry 'mu'; it has \('trace',\)"):
        _ = state.mu
    with pytest.raises(AttributeError, match="no entry 'mu'"):
        state.replace(mu=1)
    for same in (copy.deepcopy(state), pickle.loads(pickle.dumps(state))):
        assert type(same) is State
        assert jax.tree.structure(same) == jax.tree.structure(state)


# --- A state of another optimizer


OTHERS = {
    "another method": (adam(0.1), sgd(0.1, 0.9)),
    "fewer entries": (adam(0.1), clip(1.0)),
    "more entries": (sgd(0.1), adam(0.1)),
    "a schedule": (adam(0.1), adam(gdlab.constant_schedule(0.1))),
    "no schedule": (adam(gdlab.constant_schedule(0.1)), adam(0.1)),
    "optax": (adam(0.1), optax.adam(0.1)),
    "within a wrapper": (accumulate(adam(0.1), 2), accumulate(sgd(0.1, 0.9), 2)),
}


@pytest.mark.parametrize(("tx", "other"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("in_jit", [False, True])
def test_the_state_of_another_optimizer_is_refused_by_name(tx, other, in_jit):
    update = jax.jit(tx.update) if in_jit else tx.update
    with pytest.raises(ValueError, match=r"the state is not one of \w+\("):
        update(PARAMS, other.init(PARAMS), PARAMS)


@pytest.mark.parametrize("state", [None, (), [], 3, {}, {"trace": None}], ids=repr)
def test_what_is_no_state_is_refused_by_name(state):
    with pytest.raises(ValueError, match="the state is not one of"):
        adam(0.1).update(PARAMS, state)


def test_a_transformation_without_a_state_takes_an_empty_tuple():
    updates, state = sgd(1.0).update(PARAMS, ())
    assert state == ()
    jax.tree.map(lambda u, g: np.testing.assert_array_equal(u, -g), updates, PARAMS)


KEEPERS = {
    "arrays": adam(0.1),
    "accumulation": accumulate(adam(0.1), 2),
    "an average of parameters": params_ema(0.9),
    "a guard": gdlab.apply_if_finite(sgd(0.1, 0.9)),
}
OTHER_PARAMETERS = {
    "another shape": PARAMS | {"kernel": jnp.ones((3, 2))},
    "another rank": PARAMS | {"kernel": jnp.ones(2)},
    "fewer": {"bias": jnp.ones(2)},
    "more": PARAMS | {"kernels": jnp.ones(2)},
}


@pytest.mark.parametrize("tx", KEEPERS.values(), ids=KEEPERS)
@pytest.mark.parametrize("other", OTHER_PARAMETERS.values(), ids=OTHER_PARAMETERS)
def test_the_state_of_other_parameters_is_refused_with_the_path(tx, other):
    with pytest.raises(ValueError, match="kernel"):
        tx.update(PARAMS, tx.init(other), PARAMS)


# --- Flat dictionaries


STORED = {
    "adamw": adamw(linear_schedule(0.1, 0.0, 9), mu_dtype="bfloat16"),
    "chain": chain(clip_by_global_norm(1.0), gdlab.rmsprop(0.1, momentum=0.9), params_ema(0.9)),
    "groups": partition({"a": adam(0.1), "b": sgd(0.1, 0.9)}, [("kernel", "a"), ("", "b")]),
    "accumulated": accumulate(gdlab.nadam(0.1, momentum_decay=0.004), 2),
}


@pytest.mark.parametrize("tx", STORED.values(), ids=STORED)
def test_a_flat_dictionary_goes_out_and_comes_back_bit_for_bit(tx):
    state = stepped(tx)
    flat = flatten_state(state)
    assert all(re.fullmatch(r"\w+(\.\w+)*", name) for name in flat)
    back, misfits = restore_state(tx.init(PARAMS), flat)
    assert not misfits
    assert jax.tree.structure(back) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(state), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    one, other = (tx.update(PARAMS, s, PARAMS)[0] for s in (back, state))
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("tx", STORED.values(), ids=STORED)
def test_safetensors_holds_a_state(tx, tmp_path):
    safetensors = pytest.importorskip("safetensors.flax")
    state = stepped(tx)
    file = pathlib.Path(tmp_path, "state.safetensors")
    safetensors.save_file(flatten_state(state), file)
    back, _ = restore_state(tx.init(PARAMS), safetensors.load_file(file))
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(state), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.usually(enable_x64="it shows what is float32")
def test_what_no_longer_fits_is_told_and_what_does_is_kept():
    old = flatten_state(stepped(chain(sgd(0.1, 0.9), params_ema(0.5))))
    old["trace.bias"] = jnp.zeros(7)
    tx = chain(sgd(0.1, 0.9), clip(1.0), adam(0.1))
    with pytest.raises(ValueError, match=r"not a state of this optimizer:\n(.*\n)*.*mu\.bias: the"):
        restore_state(tx.init(PARAMS), old)
    state, misfits = restore_state(tx.init(PARAMS), old, partial=True)
    assert misfits["trace.bias"] == "its shape is (7,), not (2,)"
    assert misfits["params_ema.average.bias"] == "the optimizer keeps no such entry"
    assert misfits["nu.kernel"] == "the arrays have no such entry"
    assert "trace.kernel" not in misfits
    np.testing.assert_array_equal(state.trace["kernel"], old["trace.kernel"])
    np.testing.assert_array_equal(state.trace["bias"], 0)
    wrong = dict(flatten_state(sgd(0.1, 0.9).init(PARAMS)))
    wrong["trace.kernel"] = wrong["trace.kernel"].astype(jnp.float16)
    with pytest.raises(ValueError, match="its dtype is float16, not float32"):
        restore_state(sgd(0.1, 0.9).init(PARAMS), wrong)


# --- Shapes in place of arrays


@pytest.mark.parametrize("tx", {**METHODS, **STORED}.values(), ids={**METHODS, **STORED})
def test_shapes_of_parameters_give_the_shapes_of_the_state(tx):
    shapes = jax.eval_shape(lambda: PARAMS)
    found, real = tx.init(shapes), tx.init(PARAMS)
    kind = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)  # noqa: E731
    assert kind(found) == kind(real)


def test_functions_in_a_module_of_shapes_are_passed_over():
    module = {"w": jax.ShapeDtypeStruct((2,), jnp.float32), "activation": jnp.tanh}
    state = adam(0.1).init(module)
    assert state.mu["activation"] is None
    assert state.mu["w"].shape == (2,)


# --- What is to be evaluated


class Elsewhere(tuple):
    """A part of a state of somebody else, which follows the protocol."""

    def evaluation_params(self, params):
        return jax.tree.map(lambda w: w + 1, params)


def test_a_part_of_any_library_may_say_what_is_to_be_evaluated():
    state = {"theirs": (Elsewhere(), 3)}
    found = evaluation_params(state, PARAMS)
    np.testing.assert_array_equal(found["bias"], PARAMS["bias"] + 1)


def test_identity_alone_keeps_nothing():
    assert identity().init(PARAMS) == State()
