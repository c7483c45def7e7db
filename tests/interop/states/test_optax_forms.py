"""The forms in which states of optax come, and what is refused."""

import functools
import inspect
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.interop import from_optax, to_optax
from tests.interop.states.optimizers import OPTIMIZERS, parameters, run

PARAMS = {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.1, 0.2])}


def after(tx, steps, params=PARAMS):
    state = tx.init(params)
    for step in range(steps):
        grad = jax.tree.map(lambda w, t=step: w * (t + 1), params)
        _, state = tx.update(grad, state, params)
    return state


def flat(state):
    pairs, _ = jax.tree_util.tree_flatten_with_path(state)
    name = functools.partial(jax.tree_util.keystr, simple=True, separator=".")
    return {name(path): np.asarray(leaf) for path, leaf in pairs}


def assert_same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


SCHEDULE = gdlab.linear_schedule(0.1, 0.0, 100)
CHAIN = (
    optax.chain(optax.clip(1.0), optax.adamw(SCHEDULE), optax.trace(0.5)),
    gdlab.chain(gdlab.clip(1.0), gdlab.adamw(SCHEDULE), gdlab.trace(0.5)),
)


def test_what_orbax_restores_without_a_target_is_taken(tmp_path):
    checkpoint = pytest.importorskip("orbax.checkpoint")
    theirs, tx = CHAIN
    state = after(theirs, 3)
    with checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", state)
    with checkpoint.StandardCheckpointer() as checkpointer:
        restored = checkpointer.restore(tmp_path / "state")
    assert not any(hasattr(node, "_fields") for node in restored)
    carried = from_optax(restored, tx=tx, params=PARAMS)
    assert_same(carried, from_optax(state, tx=tx, params=PARAMS))


def test_what_flax_restores_without_a_target_is_taken():
    serialization = pytest.importorskip("flax.serialization")
    theirs, tx = CHAIN
    state = after(theirs, 3)
    restored = serialization.msgpack_restore(serialization.to_bytes(state))
    carried = from_optax(restored, tx=tx, params=PARAMS)
    assert_same(carried, from_optax(state, tx=tx, params=PARAMS))


def test_flat_dictionary_of_numpy_arrays_is_taken_and_given():
    theirs, tx = CHAIN
    state = after(theirs, 3)
    carried = from_optax(flat(state), tx=tx, params=PARAMS)
    assert_same(carried, from_optax(state, tx=tx, params=PARAMS))
    given = to_optax(carried, None, tx=tx)
    assert all(type(array) is np.ndarray for array in given.values())
    assert_same(given, flat(state))


def in_a_process_without(module, script):
    code = f"import sys; sys.modules[{module!r}] = None\n{script}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_file_written_where_gdlab_is_goes_on_where_it_is_not_installed(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    tx = gdlab.adam(SCHEDULE)
    state = after(tx, 3)
    safetensors.save_file(to_optax(state, None, tx=tx), tmp_path / "state.safetensors")
    script = f"""
import jax, jax.numpy as jnp, optax, safetensors.numpy
arrays = safetensors.numpy.load_file({str(tmp_path / "state.safetensors")!r})
params = {{"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.1, 0.2])}}
theirs = optax.adam(optax.linear_schedule(0.1, 0.0, 100))
pairs, treedef = jax.tree_util.tree_flatten_with_path(theirs.init(params))
name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
state = treedef.unflatten([jnp.asarray(arrays.pop(name(path))) for path, _ in pairs])
assert not arrays
print(theirs.update(params, state, params)[0]["w"].tolist())
"""
    expected = tx.update(PARAMS, state, PARAMS)[0]["w"]
    found = np.array(eval(in_a_process_without("gdlab", script)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
def test_file_written_where_optax_is_goes_on_where_it_is_not_installed(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    theirs = optax.adam(optax.linear_schedule(0.1, 0.0, 100))
    state = after(theirs, 3)
    safetensors.save_file(flat(state), tmp_path / "state.safetensors")
    script = f"""
import gdlab, jax.numpy as jnp, safetensors.numpy
arrays = safetensors.numpy.load_file({str(tmp_path / "state.safetensors")!r})
params = {{"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.1, 0.2])}}
tx = gdlab.adam(gdlab.linear_schedule(0.1, 0.0, 100))
state = gdlab.interop.from_optax(arrays, tx=tx, params=params)
print(tx.update(params, state, params)[0]["w"].tolist())
"""
    expected = theirs.update(PARAMS, state, PARAMS)[0]["w"]
    found = np.array(eval(in_a_process_without("optax", script)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
def test_optimizers_of_the_namespace_take_the_states_as_well():
    from gdlab.interop import optax as namespace

    for name, args in [("adamw", (SCHEDULE,)), ("lion", (0.1,)), ("muon", (SCHEDULE,))]:
        make = lambda lib: getattr(lib, name, None) or getattr(lib.contrib, name)  # noqa: B023, E731
        theirs, tx = make(optax)(*args), make(namespace)(*args)
        state = after(theirs, 3)
        carried = from_optax(state, tx=tx, params=PARAMS)
        assert carried.count == 3
        assert_same(to_optax(carried, theirs.init(PARAMS), tx=tx), state)


def test_namespace_injects_what_optax_injects():
    from gdlab.interop import optax as namespace

    make = lambda lib: lib.inject_hyperparams(lib.adam)(SCHEDULE, b1=0.5)  # noqa: E731
    theirs, tx = make(optax), make(namespace)
    state = after(theirs, 3)
    carried = from_optax(state, tx=tx, params=PARAMS)
    assert_same(to_optax(carried, theirs.init(PARAMS), tx=tx), state)


def test_injected_number_that_was_changed_is_asked_for():
    theirs = optax.inject_hyperparams(optax.sgd)(0.1, momentum=0.9)
    state = after(theirs, 1)
    state.hyperparams["learning_rate"] = jnp.array(0.02)
    tx = gdlab.sgd(0.1, momentum=0.9)
    with pytest.raises(ValueError, match=r"learning_rate: it is 0\.02, but tx has 0\.1"):
        from_optax(state, tx=tx, params=PARAMS)
    tx = gdlab.set_hyperparameters(tx, {"learning_rate": 0.02})
    assert_same(from_optax(state, tx=tx, params=PARAMS).trace, state.inner_state[0].trace)


def test_state_in_bfloat16_comes_back_to_the_bit():
    params = jax.tree.map(lambda w: w.astype(jnp.bfloat16), PARAMS)
    theirs, tx = optax.adam(0.1), gdlab.adam(0.1)
    state = after(theirs, 3, params)
    assert state[0].mu["w"].dtype == jnp.bfloat16
    carried = from_optax(state, tx=tx, params=params)
    assert carried.mu["w"].dtype == jnp.float32
    assert_same(to_optax(carried, theirs.init(params), tx=tx), state)


def test_wider_moments_than_the_optimizer_keeps_are_refused():
    state = after(optax.adam(0.1), 1)
    with pytest.raises(
        ValueError, match=r"0\.mu\.w: its dtype is float32, where mu\.w is kept in bf"
    ):
        from_optax(state, tx=gdlab.adam(0.1, mu_dtype=jnp.bfloat16), params=PARAMS)


def test_none_among_the_parameters_is_passed_over():
    params = PARAMS | {"none": None}
    theirs, tx = optax.adam(0.1), gdlab.adam(0.1)
    state = after(theirs, 2, params)
    carried = from_optax(state, tx=tx, params=params)
    assert_same(to_optax(carried, theirs.init(params), tx=tx), state)


@pytest.mark.slow
def test_parts_of_complex_numbers_are_carried():
    params = {"z": jnp.array([1.0 + 2.0j, -0.5j]), "w": jnp.ones(2)}
    for make in (
        lambda lib: lib.adam(0.1),
        lambda lib: getattr(lib, "contrib", lib).split_real_and_imaginary(lib.adam(0.1)),
    ):
        theirs, tx = make(optax), make(gdlab)
        state = after(theirs, 3, params)
        carried = from_optax(state, tx=tx, params=params)
        assert_same(to_optax(carried, theirs.init(params), tx=tx), state)


@pytest.mark.slow
def test_shapes_alone_are_enough_to_come_back_to():
    theirs, tx = optax.contrib.muon(0.1), gdlab.muon(0.1)
    state = after(theirs, 2)
    carried = from_optax(state, tx=tx, params=PARAMS)
    shapes = jax.eval_shape(theirs.init, PARAMS)
    assert_same(to_optax(carried, shapes, tx=tx, count=2), state)


def test_count_is_recovered_from_weights_while_they_tell_it():
    theirs, tx = optax.adam(0.1), gdlab.adam(0.1)
    for count in (0, 1, 1000, 50_000):
        state = optax.tree_utils.tree_set(theirs.init(PARAMS), count=jnp.int32(count))
        carried = from_optax(state, tx=tx, params=PARAMS)
        assert to_optax(carried, theirs.init(PARAMS), tx=tx)[0].count == count


def test_count_that_the_state_does_not_tell_is_asked_for():
    theirs, tx = optax.lion(0.1), gdlab.lion(0.1)
    state = after(tx, 3)
    with pytest.raises(ValueError, match=r"0\.count: the state does not tell.*count="):
        to_optax(state, theirs.init(PARAMS), tx=tx)
    assert to_optax(state, theirs.init(PARAMS), tx=tx, count=3)[0].count == 3
    late = optax.tree_utils.tree_set(optax.adam(0.1).init(PARAMS), count=jnp.int32(10**6))
    late = from_optax(late, tx=gdlab.adam(0.1), params=PARAMS)
    with pytest.raises(ValueError, match="count="):
        to_optax(late, None, tx=gdlab.adam(0.1))


def test_weights_follow_scheduled_decays():
    decay = gdlab.linear_schedule(0.5, 0.9, 20)
    tx = gdlab.adam(0.1, b1=decay)
    state = after(tx, 30)
    theirs = {name: value for name, value in flat(to_optax(state, None, tx=tx)).items()}
    carried = from_optax(theirs, tx=tx, params=PARAMS)
    np.testing.assert_allclose(carried.mu_weight, state.mu_weight, rtol=1e-6)


def following():
    from gdlab.interop import optax as namespace

    decay = gdlab.linear_schedule(0.5, 0.9, 20)
    injected = namespace.inject_hyperparams(namespace.adam)(0.1, b1=decay)
    return {
        "muon": gdlab.muon(0.1, beta=decay, adam_b1=decay),
        "inject_hyperparams": injected,
        "inject_hyperparams around muon": namespace.inject_hyperparams(namespace.contrib.muon)(
            0.1, adam_b1=decay
        ),
        "inject_hyperparams in masked": namespace.masked(injected, {"w": True, "b": False}),
    }


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "inject_hyperparams" else pytest.mark.slow)
        for name in following()
    ],
)
def test_weights_in_a_wrapper_follow_the_scheduled_decays_of_the_method_around_it(name):
    tx = following()[name]
    state = after(tx, 12)
    carried = from_optax(to_optax(state, None, tx=tx), tx=tx, params=PARAMS)
    same = functools.partial(np.testing.assert_allclose, rtol=1e-6)
    jax.tree.map(same, carried, state)


def test_weights_follow_the_decay_that_was_assigned_in_the_state():
    from gdlab.interop import optax as namespace

    make = lambda lib: lib.inject_hyperparams(lib.adam)(0.1, b1=0.9)  # noqa: E731
    theirs, tx = make(optax), make(namespace)
    state = theirs.init(PARAMS)
    state.hyperparams["b1"] = jnp.float32(0.5)
    for _ in range(5):
        _, state = theirs.update(PARAMS, state, PARAMS)
    carried = from_optax(state, tx=tx, params=PARAMS)
    np.testing.assert_allclose(carried.inner_state.mu_weight, [1 - 0.5**5, 0.5**5, 1], rtol=1e-6)
    expected, _ = theirs.update(PARAMS, state, PARAMS)
    found, _ = tx.update(PARAMS, carried, PARAMS)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4), found, expected)
    assert_same(to_optax(carried, theirs.init(PARAMS), tx=tx), state)


def test_scheduled_decays_of_a_wrapper_that_leaves_out_steps_are_refused():
    from gdlab.interop import optax as namespace

    def make(learning_rate, b1):
        return namespace.apply_if_finite(namespace.adam(learning_rate, b1=b1), 3)

    decay = gdlab.linear_schedule(0.5, 0.9, 20)
    tx = namespace.inject_hyperparams(make)(SCHEDULE, decay)
    with pytest.raises(ValueError, match=r"inner_state: .* has decays that follow a schedule out"):
        to_optax(tx.init(PARAMS), None, tx=tx)
    tx = namespace.inject_hyperparams(make)(SCHEDULE, 0.9)
    assert "inner_state.inner_state.0.count" in to_optax(tx.init(PARAMS), None, tx=tx)


def test_lookahead_takes_the_slow_parameters_of_optax():
    theirs, tx = (lib.lookahead(lib.adam(0.1), 5, 0.5) for lib in (optax, gdlab))
    pair = optax.LookaheadParams(PARAMS, jax.tree.map(lambda w: w - 1, PARAMS))
    _, state = theirs.update(PARAMS, theirs.init(pair), pair)
    carried = from_optax(state, tx=tx, params=pair)
    assert carried.steps_since_sync == 1
    assert_same(gdlab.evaluation_params(carried, PARAMS), pair.slow)
    assert_same(to_optax(carried, theirs.init(pair), tx=tx), state)


def test_slow_parameters_that_are_not_handed_over_are_asked_for():
    theirs, tx = (lib.lookahead(lib.sgd(0.1), 5, 0.5) for lib in (optax, gdlab))
    pair = optax.LookaheadParams.init_synced(PARAMS)
    state = theirs.init(pair)
    assert_same(from_optax(state, tx=tx, params=PARAMS).slow.weights, PARAMS)
    _, state = theirs.update(PARAMS, state, pair)
    with pytest.raises(ValueError, match=r"params=LookaheadParams\(fast, slow\)"):
        from_optax(state, tx=tx, params=PARAMS)


@pytest.mark.slow
@pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")
def test_memory_of_lbfgs_is_put_into_the_order_of_time():
    theirs = optax.chain(optax.scale_by_lbfgs(4), optax.scale(-0.1))
    tx = gdlab.chain(gdlab.scale_by_lbfgs(4), gdlab.scale(-0.1))
    params = {"w": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), "b": jnp.array([0.5, 2.0])}

    def train(tx, params, state, steps):
        # A bowl that is at rest, where both libraries keep all pairs.
        for _ in range(steps):
            grads = jax.tree.map(
                lambda w: jnp.sinh(w) * (1 + jnp.arange(w.size).reshape(w.shape)), params
            )
            updates, state = tx.update(grads, state, params)
            params = optax.apply_updates(params, updates)
        return params, state

    for change in (0, 1, 2, 3, 4, 5, 7):
        there, state = train(theirs, params, theirs.init(params), change)
        carried = from_optax(state, tx=tx, params=there)
        assert_same(to_optax(carried, theirs.init(params), tx=tx), state)
        here, _ = train(tx, there, carried, 5)
        there, _ = train(theirs, there, state, 5)
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-10), here, there)


@pytest.mark.slow
@pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")
def test_mechanize_goes_on_where_optax_has_stopped():
    # optax adds ε to the scale by which it divides, and gdlab does not.
    theirs = optax.contrib.mechanize(optax.sgd(0.1, momentum=0.9), eps=1e-20)
    tx = gdlab.mechanize(gdlab.sgd(0.1, momentum=0.9), eps=1e-20)
    start = parameters()
    params, state = run(theirs, start, theirs.init(start), 0, 20)
    end, _ = run(theirs, params, state, 20, 40)
    here, _ = run(tx, params, from_optax(state, tx=tx, params=params), 20, 40)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-10), here, end)


def test_injected_number_that_tx_has_nowhere_is_asked_for():
    def make(rate):
        return optax.chain(optax.clip(1.0), optax.sgd(rate, 0.9))

    theirs = optax.inject_hyperparams(make)(rate=0.1)
    state = after(theirs, 1)
    tx = gdlab.chain(gdlab.clip(1.0), gdlab.sgd(0.1, 0.9))
    assert from_optax(state, tx=tx, params=PARAMS).trace["w"].any()
    state.hyperparams["rate"] = jnp.array(0.02)
    with pytest.raises(ValueError, match=r"rate: it is 0\.02, which no hyperparameter of tx is"):
        from_optax(state, tx=tx, params=PARAMS)


def test_injected_schedule_where_tx_has_a_number_is_refused():
    theirs = optax.inject_hyperparams(optax.sgd)(SCHEDULE, momentum=0.9)
    with pytest.raises(ValueError, match=r"learning_rate: it follows a schedule, but tx has 0\.1"):
        from_optax(theirs.init(PARAMS), tx=gdlab.sgd(0.1, momentum=0.9), params=PARAMS)


REFUSED = {
    "another method": (optax.sgd(0.1, 0.9), gdlab.adam(0.1), r"0\.trace\.w: adam.* has no entry"),
    "nothing where something is kept": (optax.sgd(0.1), gdlab.adam(0.1), r"0\.mu\.w: it is miss"),
    "a schedule on one side": (
        optax.adam(SCHEDULE),
        gdlab.adam(0.1),
        r"1\.count: adam.* has no entry for it",
    ),
    "a schedule on the other side": (
        optax.adam(0.1),
        gdlab.adam(SCHEDULE),
        r"1\.count: it is missing",
    ),
    "a link that is elsewhere": (
        optax.chain(optax.adam(0.1), optax.clip(1.0)),
        gdlab.chain(gdlab.clip(1.0), gdlab.adam(0.1)),
        r"1\.0\.mu\.w: it is missing",
    ),
    "the maximum of corrected moments": (
        optax.amsgrad(0.1),
        gdlab.amsgrad(0.1),
        "maximum_of_corrected=True",
    ),
    "noisy_sgd": (
        optax.noisy_sgd(0.1, key=0),
        gdlab.noisy_sgd(0.1),
        r"0\.rng_key: optax keeps a random key",
    ),
    "add_noise": (optax.add_noise(0.1, 0.5, 0), gdlab.add_noise(0.1, 0.5), "rng_key: optax keeps"),
    "dpsgd": (
        optax.chain(
            optax.contrib.differentially_private_aggregate(1.0, 0.5, key=0), optax.scale(-0.1)
        ),
        gdlab.dpsgd(0.1, 1.0, 0.5),
        "rng_key: optax keeps a random key",
    ),
    "differentially_private_aggregate": (
        optax.contrib.differentially_private_aggregate(1.0, 0.5, key=0),
        gdlab.differentially_private_aggregate(1.0, 0.5),
        "rng_key: optax keeps a random key",
    ),
    "sophia": (optax.contrib.sophia(0.1), gdlab.sophia(0.1), "hessian_fn_state: optax keeps a"),
    "lbfgs": (optax.lbfgs(0.1), gdlab.lbfgs(0.1), r"2: gdlab's line search keeps other"),
    "scale_by_backtracking_linesearch": (
        optax.scale_by_backtracking_linesearch(5),
        gdlab.scale_by_backtracking_linesearch(5),
        "gdlab's line search keeps other numbers",
    ),
    "scale_by_zoom_linesearch": (
        optax.scale_by_zoom_linesearch(5),
        gdlab.scale_by_zoom_linesearch(5),
        "gdlab's line search keeps other numbers",
    ),
    "sam": (
        optax.contrib.sam(optax.sgd(0.1), optax.sgd(0.1)),
        gdlab.sam(gdlab.sgd(0.1)),
        "alternates two methods",
    ),
    "momentum with the learning rate inside": (
        optax.sgd(0.1, 0.9),
        gdlab.sgd(0.1, 0.9, learning_rate_in_momentum=True),
        "0.trace: optax has learning_rate_in_momentum=False in sgd",
    ),
    "an average that optax does not keep": (
        optax.sgd(0.1, 0.9),
        gdlab.sgd(0.1, 0.9, averaging=True),
        "sgd.* keeps no trace as it is: an option is set that optax has not",
    ),
    "a method of gdlab alone": (optax.sgd(0.1), gdlab.soap(0.1), "optax has no counterpart of"),
    "a period that follows a schedule": (
        optax.MultiSteps(optax.sgd(0.1), lambda step: step + 1),
        gdlab.accumulate(gdlab.sgd(0.1), gdlab.linear_schedule(1, 5, 5)),
        "mini_step: gdlab's period follows the calls",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_by_its_path(name):
    theirs, tx, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        from_optax(theirs.init(PARAMS), tx=tx, params=PARAMS)
    with pytest.raises(ValueError, match="cannot be carried over to optax:\n  "):
        to_optax(tx.init(PARAMS), theirs.init(PARAMS), tx=tx, count=0)


def test_other_parameters_are_refused_by_path_and_shape():
    state = after(optax.adam(0.1), 1)
    other = PARAMS | {"w": jnp.zeros(3)}
    with pytest.raises(ValueError, match=r"0\.mu\.w: its shape is \(2, 2\), not \(3,\)"):
        from_optax(state, tx=gdlab.adam(0.1), params=other)


def test_states_of_many_runs_at_once_are_refused():
    params = {"w": jnp.ones((3, 2))}
    states = jax.vmap(optax.adam(0.1).init)(params)
    with pytest.raises(ValueError, match=r"0\.count: it holds 3 counts: move one state at a time"):
        from_optax(states, tx=gdlab.adam(0.1), params=params)


def test_projected_moments_where_gdlab_projects_nothing_are_refused():
    state = optax.contrib.galore(0.1).init(PARAMS)
    with pytest.raises(
        ValueError, match=r"projector\.w: galore.* keeps nothing of it for this par"
    ):
        from_optax(state, tx=gdlab.galore(0.1), params=PARAMS)


def test_counts_that_disagree_are_refused():
    state = after(optax.adam(SCHEDULE), 2)
    state = (state[0], state[1]._replace(count=jnp.int32(7)))
    with pytest.raises(ValueError, match=r"one count, where there are 0\.count 2, 1\.count 7"):
        from_optax(state, tx=gdlab.adam(SCHEDULE), params=PARAMS)


def test_weight_of_the_average_that_is_another_one_is_refused():
    theirs = optax.contrib.schedule_free(optax.sgd(0.1), 0.1, b1=0.9)
    tx = gdlab.schedule_free(gdlab.sgd(0.1), 0.1, b1=0.5)
    with pytest.raises(ValueError, match=r"b1: it is 0\.9.*, but tx has 0\.5"):
        from_optax(after(theirs, 2), tx=tx, params=PARAMS)
    with pytest.raises(ValueError, match=r"b1: it is 0\.9.*, but tx has 0\.5"):
        to_optax(tx.init(PARAMS), theirs.init(PARAMS), tx=tx)


def test_weight_of_the_average_that_follows_a_schedule_is_refused():
    theirs = optax.contrib.schedule_free(optax.sgd(0.1), 0.1)
    tx = gdlab.schedule_free(gdlab.sgd(0.1), 0.1, b1=gdlab.linear_schedule(0.5, 0.9, 9))
    with pytest.raises(ValueError, match="b1: b1 of schedule_free follows a schedule, linear_s"):
        from_optax(theirs.init(PARAMS), tx=tx, params=PARAMS)
    with pytest.raises(ValueError, match="b1: b1 of schedule_free follows a schedule, linear_s"):
        to_optax(tx.init(PARAMS), theirs.init(PARAMS), tx=tx)


def test_states_are_not_moved_under_jit():
    move = functools.partial(from_optax, tx=gdlab.adam(0.1), params=PARAMS)
    with pytest.raises(ValueError, match=r"0\.count: a state is moved outside of jit"):
        jax.jit(move)(optax.adam(0.1).init(PARAMS))


def test_state_of_another_optimizer_of_gdlab_is_refused():
    state = gdlab.sgd(0.1, 0.9).init(PARAMS)
    with pytest.raises(ValueError, match=r"not one of adam\(0\.1\): it holds \['trace'\], where"):
        to_optax(state, None, tx=gdlab.adam(0.1))


def test_weighted_micro_batches_are_refused():
    tx = gdlab.accumulate(gdlab.sgd(0.1), 3)
    _, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS, weight=10)
    with pytest.raises(ValueError, match="weight: micro-batches with weights"):
        to_optax(state, None, tx=tx, count=0)


def test_what_is_no_array_is_refused_by_its_path():
    with pytest.raises(ValueError, match=r"0\.mu\.w: expected an array, not 'text'"):
        from_optax({"0.mu.w": "text"}, tx=gdlab.adam(0.1), params=PARAMS)


STATELESS = {
    "adaptive_grad_clip",
    "centralize",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "freeze",
    "identity",
    "keep_params_nonnegative",
    "normalize",
    "normalize_by_update_norm",
    "per_example_global_norm_clip",
    "per_example_layer_norm_clip",
    "scale",
    "scale_by_learning_rate",
    "scale_by_param_block_norm",
    "scale_by_param_block_rms",
    "scale_by_polyak",
    "scale_by_sign",
    "scale_by_trust_ratio",
    "set_to_zero",
    "stateless",
    "stateless_with_tree_map",
    "with_extra_args_support",
}
ANOTHER_NAME = {"inject_stateful_hyperparams", "multi_transform"}
HERE = {"lookahead", "mechanize", "measure_with_ema", "monitor"}


def test_every_transformation_of_optax_is_covered():
    covered = {name.split(" ")[0] for name in (*OPTIMIZERS, *REFUSED)}
    covered |= STATELESS | ANOTHER_NAME | HERE
    for module in (optax, optax.contrib):
        for name, value in inspect.getmembers(module, inspect.isfunction):
            returned = str(inspect.signature(value).return_annotation)
            if "GradientTransformation" in returned and not name.startswith("_"):
                assert name in covered, f"optax.{name} is in no table of these tests"


def test_monitored_measurements_are_carried():
    theirs, tx = (
        lib.chain(lib.monitor({"norm": gdlab.global_norm}), lib.sgd(0.1)) for lib in (optax, gdlab)
    )
    state = after(theirs, 2)
    carried = from_optax(state, tx=tx, params=PARAMS)
    assert carried.norm == state[0].measurements["norm"]
    averaged = {"norm": gdlab.measure_with_ema(gdlab.global_norm, 0.5)}
    with pytest.raises(ValueError, match=r"measurements\.norm: gdlab keeps an average with"):
        from_optax(state, tx=gdlab.chain(gdlab.monitor(averaged), gdlab.sgd(0.1)), params=PARAMS)
