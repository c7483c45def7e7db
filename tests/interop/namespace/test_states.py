"""What training scripts read from states, and write into them."""

import pickle
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax as theirs
import pytest

import gdlab
from gdlab.interop import optax

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
STEPS = 3


def points():
    return {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.3, -0.7])}


def step(tx, params, state, gradient=None):
    gradient = params if gradient is None else gradient
    updates, state = tx.update(gradient, state, params)
    return optax.apply_updates(params, updates), state


@pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")
def test_moments_are_found_by_name_and_are_optaxs():
    found = []
    for lib in (theirs, optax):
        tx = lib.chain(lib.clip_by_global_norm(1.0), lib.adamw(lib.linear_schedule(0.1, 0.0, 9)))
        params, state = points(), tx.init(points())
        for _ in range(STEPS):
            params, state = step(tx, params, state)
        adam = lambda path, _: "ScaleByAdamState" in str(path) or lib is optax  # noqa: B023, E731
        found.append(
            [lib.tree_utils.tree_get(state, n, filtering=adam) for n in ("mu", "nu", "count")]
        )
    # optax computes its schedule in float32.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), *found)


def test_an_entry_that_is_set_leaves_a_state_that_goes_on():
    tx = optax.chain(optax.clip(1.0), optax.adam(optax.linear_schedule(0.1, 0.0, 10)))
    state = tx.init(points())
    for set_entries in (optax.tree_utils.tree_set, optax.tree.set):
        late = set_entries(state, count=jnp.int32(10))
        assert jax.tree.structure(late) == jax.tree.structure(state)
        updates, _ = tx.update(points(), late, points())
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(updates))


def test_an_entry_is_set_within_the_states_of_groups():
    transforms = {"a": optax.adam(0.1), "b": optax.sgd(0.1, momentum=0.9)}
    tx = optax.partition(transforms, {"w": "a", "b": "b"})
    state = optax.tree_utils.tree_set(tx.init(points()), count=jnp.int32(7))
    assert state.inner_states["a"].inner_state.count == 7
    assert isinstance(state.inner_states["a"], gdlab.State)


def test_a_link_of_a_chain_is_asked_for_by_its_position():
    tx = optax.chain(optax.clip(1.0), optax.inject_hyperparams(optax.sgd)(learning_rate=0.1))
    state = tx.init(points())
    state[1].hyperparams["learning_rate"] = 0.0
    updates, state = tx.update(points(), state, points())
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(updates))
    assert state[1].count == 1


def test_maps_over_what_is_kept_for_each_parameter_tell_it_from_scalars():
    tx = optax.adam(0.1)
    ones = optax.tree_map_params(tx, jnp.ones_like, tx.init(points()))
    assert ones["count"] == 0
    jax.tree.map(np.testing.assert_array_equal, ones["nu"], jax.tree.map(jnp.ones_like, points()))


@pytest.mark.parametrize("jitted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_assigned_hyperparameter_is_in_force_from_the_next_step(jitted):
    found = []
    for lib in (theirs, optax):
        tx = lib.inject_hyperparams(lib.sgd)(learning_rate=0.1, momentum=0.9)
        one = jax.jit(lambda params, state, tx=tx: step(tx, params, state)) if jitted else None
        params, state = points(), tx.init(points())
        for rate in (0.1, 0.5, 0.01):
            state.hyperparams["learning_rate"] = rate
            params, state = one(params, state) if jitted else step(tx, params, state)
        assert state.hyperparams["learning_rate"] == jnp.float32(0.01)
        found.append((params, state.hyperparams, state.count))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), *found)


def test_an_assigned_hyperparameter_does_not_recompile():
    tx = optax.inject_hyperparams(optax.adamw)(learning_rate=0.1)
    one = jax.jit(lambda params, state: step(tx, params, state))
    params, state = one(points(), tx.init(points()))
    for rate in (0.2, 0.3):
        state.hyperparams["learning_rate"] = jnp.float32(rate)
        params, state = one(params, state)
    assert one._cache_size() == 1


def test_scheduled_hyperparameters_are_those_of_the_step_and_cannot_be_assigned():
    schedule = optax.linear_schedule(1.0, 0.0, 4)
    tx = optax.inject_hyperparams(optax.sgd)(schedule)
    params, state = points(), tx.init(points())
    seen = []
    for _ in range(3):
        state.hyperparams["learning_rate"] = 7.0
        params, state = step(tx, params, state)
        seen.append(float(state.hyperparams["learning_rate"]))
    assert seen == [1.0, 0.75, 0.5]
    assert state.count == 3


def test_hyperparameters_of_a_users_own_factory_are_injected():
    def make(lib):
        def optimizer(learning_rate, decay, warm=3):
            del warm
            return lib.chain(lib.trace(decay), lib.scale_by_learning_rate(learning_rate))

        return lib.inject_hyperparams(optimizer, static_args="warm")(lambda t: 0.1 / (t + 1), 0.9)

    found = []
    for lib in (theirs, optax):
        tx = make(lib)
        params, state = points(), tx.init(points())
        for _ in range(STEPS):
            params, state = step(tx, params, state)
        found.append(
            (
                params,
                state.hyperparams,
                state.inner_state[0].trace if lib is theirs else state.inner_state.trace,
            )
        )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), *found)


class HalvedWhenWorse:
    """A stateful schedule: it is halved whenever the value is above the last one."""

    def init(self):
        return jnp.float32(jnp.inf), jnp.float32(1.0)

    def update(self, state, *, value, **_):
        last, rate = state
        return jnp.float32(value), jnp.where(value > last, 0.5 * rate, rate)

    def __call__(self, state, **_):
        return state[1]


def test_a_stateful_schedule_sees_what_is_known_of_the_step():
    found = []
    for lib in (theirs, optax):
        tx = lib.inject_hyperparams(lib.sgd)(HalvedWhenWorse())
        state, rates = tx.init(points()), []
        for value in (1.0, 2.0, 1.5, 3.0, 3.0):
            _, state = tx.update(points(), state, points(), value=value)
            rates.append(float(state.hyperparams["learning_rate"]))
        found.append(rates)
    assert found[0] == found[1]


def test_unknown_static_arguments_are_named():
    with pytest.raises(ValueError, match="learning_rat"):
        optax.inject_hyperparams(optax.adam, static_args=("learning_rat",))


def test_optimizers_here_are_data_and_copies_of_them_are_equal():
    tx = optax.chain(
        optax.adamw(0.1, mask={"w": True, "b": False}), optax.MultiSteps(optax.lion(0.1), 2)
    )
    assert pickle.loads(pickle.dumps(tx)) == tx
    assert repr(optax.adam(0.1, b1=0.95)) == "adam(0.1, b1=0.95)"
    assert gdlab.hyperparameters(optax.nadam(0.1))["learning_rate"] == 0.1
    assert jax.tree.leaves(optax.sgd(0.1)) == [0.1]


@pytest.mark.slow
def test_a_sweep_runs_over_optimizers_of_this_namespace():
    def loss(w):
        return jnp.sum((w - 1) ** 2)

    def clipped(rate):
        return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))

    rates = [0.01, 0.1]
    result = gdlab.sweep(loss, jnp.zeros(2), clipped(gdlab.Axis("lr", rates)), steps=5)
    alone = [gdlab.minimize(loss, jnp.zeros(2), clipped(r), steps=5).values[-1] for r in rates]
    np.testing.assert_allclose(result.final_loss[:, 0], alone, rtol=1e-5)


STATES = {
    "adam": lambda lib: lib.adam(0.1),
    "scheduled": lambda lib: lib.chain(lib.clip(1.0), lib.adamw(lib.linear_schedule(0.1, 0.0, 9))),
    "amsgrad": lambda lib: lib.amsgrad(0.1),
    "lion in a mask": lambda lib: lib.masked(lib.lion(0.1), {"w": True, "b": False}),
    "momentum in groups": lambda lib: lib.partition({"a": lib.sgd(0.1, 0.9)}, {"w": "a", "b": "a"}),
    "injected": lambda lib: lib.chain(lib.inject_hyperparams(lib.rmsprop)(0.1), lib.ema(0.9)),
    "rarely": lambda lib: lib.MultiSteps(lib.apply_if_finite(lib.adam(0.1), 2), 2),
}
CLASSES = [
    *("ScaleByAdamState", "ScaleByAmsgradState", "ScaleByLionState", "ScaleByRmsState"),
    *("TraceState", "EmaState", "MaskedState", "PartitionState", "MultiStepsState"),
    *("ApplyIfFiniteState", "InjectStatefulHyperparamsState"),
]


@pytest.mark.parametrize("make", STATES.values(), ids=STATES)
@pytest.mark.parametrize("name", CLASSES)
def test_a_state_with_the_entries_of_a_class_is_found_where_scripts_ask_for_instances(make, name):
    def found(lib):
        is_one = lambda node: isinstance(node, getattr(lib, name))  # noqa: E731
        state = make(lib).init(points())
        return [node for node in jax.tree.leaves(state, is_leaf=is_one) if is_one(node)]

    there, here = found(theirs), found(optax)
    assert len(there) == len(here)
    for one, other in zip(there, here, strict=True):
        assert all(hasattr(other, field) for field in one._fields)


def test_a_count_that_is_replaced_in_all_states_that_have_one_moves_schedules_on():
    for lib in (theirs, optax):
        classes = (lib.ScaleByAdamState, lib.ScaleByScheduleState)

        def late(node, classes=classes):
            return node._replace(count=jnp.int32(9)) if isinstance(node, classes) else node

        tx = lib.chain(lib.clip(1.0), lib.adam(lib.linear_schedule(0.1, 0.0, 9)))
        state = jax.tree.map(
            late, tx.init(points()), is_leaf=lambda node: hasattr(node, "_replace")
        )
        updates, _ = tx.update(points(), state, points())
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(updates))


def test_a_class_of_states_makes_the_tuple_of_optax():
    made = optax.TraceState(trace=1)
    assert type(made) is theirs.TraceState
    assert isinstance(made, optax.TraceState)
    assert optax.TraceState._fields == ("trace",)


def test_what_a_users_own_link_keeps_is_read_by_its_position():
    class Norm(NamedTuple):
        norm: jax.Array

    def norm(lib):
        def update(updates, state, params=None):
            del state, params
            return updates, Norm(lib.global_norm(updates))

        return lib.GradientTransformation(lambda params: Norm(jnp.zeros(())), update)

    found = []
    for lib in (theirs, optax):
        tx = lib.chain(lib.clip(1.0), norm(lib), lib.masked(lib.adam(0.1), {"w": True, "b": False}))
        _, state = step(tx, points(), tx.init(points()))
        found.append((state[1].norm, state[-1][0][0].mu["w"]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), *found)


NAMES = {"w": "a", "b": "b"}
KEPT_APART = {
    "a mask": lambda lib: lib.masked(lib.adam(0.1), {"w": True, "b": False}),
    "a function": lambda lib: lib.masked(
        lib.adam(0.1), lambda p: {"w": p["w"].ndim > 1, "b": False}
    ),
    "groups": lambda lib: lib.partition({"a": lib.sgd(0.1, 0.9), "b": lib.adam(0.1)}, NAMES),
    "micro-batches": lambda lib: lib.MultiSteps(lib.adamw(0.1, mask={"w": True, "b": False}), 2),
}


@pytest.mark.parametrize("make", KEPT_APART.values(), ids=KEPT_APART)
def test_maps_over_what_is_kept_for_each_parameter_pass_by_the_masked_ones(make):
    found = []
    for lib in (theirs, optax):
        tx = make(lib)
        is_masked = lambda node: isinstance(node, theirs.MaskedNode)  # noqa: E731
        named = lib.tree_map_params(
            tx,
            lambda leaf, name: leaf if isinstance(leaf, theirs.MaskedNode) else name,
            tx.init(points()),
            NAMES,
            transform_non_params=lambda _: "",
            is_leaf=is_masked,
        )
        found.append(sorted(filter(None, jax.tree.leaves(named))))
    assert found[0] == found[1] != []
