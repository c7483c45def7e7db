"""Slots of any method in less memory."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import BFloat16Format, Int8Format, accumulate, adam, adamw, stored
from gdlab.core.forms import is_stored_form, read_forms
from tests.core.test_storage import words_and_temporaries

PARAMS = {"w": jnp.linspace(-1, 1, 64 * 64).reshape(64, 64), "b": jnp.ones(3)}
FORMATS = ("bfloat16", "bfloat16_stochastic", "int8")


def kinds(state):
    """The class or the dtype in which each array of a state is stored."""
    leaves = jax.tree_util.tree_leaves_with_path(state, is_leaf=is_stored_form)
    name = lambda leaf: type(leaf).__name__ if is_stored_form(leaf) else leaf.dtype.name  # noqa: E731
    return {jax.tree_util.keystr(p, simple=True, separator="."): name(x) for p, x in leaves}


def after(tx, steps, params=PARAMS):
    """The parameters and the state after some steps down a bowl, in one program."""

    def step(carry, _):
        params, state = carry
        updates, state = tx.update(params, state, params)
        return (gdlab.apply_updates(params, updates), state), None

    return jax.jit(lambda p: jax.lax.scan(step, (p, tx.init(p)), length=steps)[0])(params)


@pytest.mark.parametrize("form", FORMATS)
def test_a_stored_method_goes_nearly_where_the_method_goes(form):
    near, _ = after(stored(adam(0.01), form), 20)
    exact, _ = after(adam(0.01), 20)
    # Each of 20 steps of 0.01 may be off by a few per cent.
    np.testing.assert_allclose(near["w"], exact["w"], atol=20 * 0.01 * 0.05)


def test_second_moments_are_stored_without_a_sign_and_are_not_told_to_be():
    state = stored(adam(0.1), "int8").init(PARAMS)
    assert state.mu["w"].codes.dtype == jnp.int8
    assert state.nu["w"].codes.dtype == jnp.uint8
    assert kinds(stored(adam(0.1), "bfloat16").init(PARAMS)) == {
        "mu.b": "bfloat16",
        "mu.w": "bfloat16",
        "nu.b": "RoundedAtRandom",
        "nu.w": "RoundedAtRandom",
        "mu_weight": "float32",
        "nu_weight": "float32",
    }


def test_small_arrays_are_not_stored_in_eight_bits():
    state = stored(adam(0.1), Int8Format(smallest=3)).init({"a": jnp.ones(2), "b": jnp.ones(3)})
    assert kinds(state)["mu.a"] == "float32"
    assert kinds(state)["mu.b"] == "Companded"
    assert set(kinds(stored(adam(0.1), "int8").init(jnp.ones(())))) == {
        "mu",
        "nu",
        "mu_weight",
        "nu_weight",
    }


def test_formats_are_chosen_by_pattern_or_by_entry():
    by_path = stored(adam(0.1), [(r"mu\.w", "bfloat16"), ("nu", BFloat16Format("nearest"))])
    by_entry = stored(adam(0.1), {"mu": "bfloat16"})
    # What all arrays share is called mu_weight, and stays as it is.
    assert kinds(by_path.init(PARAMS)) == {
        "mu.b": "float32",
        "mu.w": "bfloat16",
        "nu.b": "bfloat16",
        "nu.w": "bfloat16",
        "mu_weight": "float32",
        "nu_weight": "float32",
    }
    assert kinds(by_entry.init(PARAMS))["nu.w"] == "float32"
    assert kinds(by_entry.init({"mu": jnp.ones(2)}))["nu.mu"] == "float32"


def test_a_format_or_a_name_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"formats must be 'float32', 'bfloat16', .*not 'int4'"):
        stored(adam(0.1), "int4")
    with pytest.raises(ValueError, match="pattern 'trace' matches none of the paths"):
        stored(adam(0.1), [("trace", "int8")]).init(PARAMS)
    with pytest.raises(ValueError, match="the entry 'trace', which the state does not have"):
        stored(adam(0.1), {"trace": "int8"}).init(PARAMS)
    with pytest.raises(ValueError, match="params must be 'stochastic', 'kahan'"):
        stored(adam(0.1), "int8", params="exact")
    with pytest.raises(ValueError, match="group must be a power of two"):
        Int8Format(group=48)
    with pytest.raises(ValueError, match="rounding must be"):
        BFloat16Format("up")


WRAPPED = {
    "accumulated": (accumulate(adam(0.1), 2), ("inner.mu.w", "inner.nu.w"), "mean.w"),
    "masked": (gdlab.masked(adam(0.1), "w"), ("inner.mu.w", "inner.nu.w"), None),
    "guarded": (gdlab.apply_if_finite(adam(0.1)), ("inner_state.mu.w",), None),
    "grouped": (
        gdlab.partition(
            {"one": adam(0.1), "other": gdlab.sgd(0.1)}, [("w", "one"), ("b", "other")]
        ),
        ("groups.one.mu.w", "groups.one.nu.w"),
        None,
    ),
    "named": (gdlab.named_chain(("go", adam(0.1))), ("go_mu.w", "go_nu.w"), None),
    "averaged": (gdlab.chain(adam(0.1), gdlab.params_ema(0.9)), ("mu.w", "nu.w"), None),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", WRAPPED)
def test_slots_are_found_in_wrappers_and_what_these_keep_stays(name):
    tx, small, whole = WRAPPED[name]
    state = stored(tx, "int8").init(PARAMS)
    found = kinds(state)
    assert {path for path, kind in found.items() if kind == "Companded"} >= set(small)
    assert whole is None or found[whole] == "float32"
    _, later = jax.jit(stored(tx, "int8").update)(PARAMS, state, PARAMS)
    shapes = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)  # noqa: E731
    assert shapes(later) == shapes(state)


def test_what_a_wrapper_keeps_is_stored_where_a_pattern_names_it():
    tx = stored(accumulate(gdlab.sgd(1.0), 2), {"mean": "bfloat16"})
    updates, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    updates, state = tx.update(PARAMS, state, PARAMS)
    assert kinds(state)["mean.w"] == "bfloat16"
    np.testing.assert_allclose(updates["w"], -PARAMS["w"], rtol=2.0**-7)


def test_a_mean_stored_in_bfloat16_is_taken_in_float32():
    tx = stored(accumulate(gdlab.sgd(1.0), 4), {"mean": "bfloat16"})
    gradient = jnp.ones(2)
    program = str(jax.make_jaxpr(tx.update)(gradient, tx.init(gradient)))
    assert "bf16[2]" in program
    # Only what is stored is in bfloat16: not the share of a gradient in the mean.
    assert "bf16[]" not in program


def test_averages_of_parameters_are_read_where_they_are_evaluated():
    tx = stored(gdlab.chain(gdlab.sgd(0.1), gdlab.params_ema(0.5)), [("params_ema", "int8")])
    params, state = after(tx, 3)
    assert "Companded" in kinds(state).values()
    better = gdlab.evaluation_params(state, params)
    exact = gdlab.evaluation_params(*after(tx.inner, 3)[::-1])
    np.testing.assert_allclose(better["w"], exact["w"], atol=0.02)


@pytest.mark.slow
def test_a_complex_array_is_stored_in_its_parts():
    z = jnp.exp(1j * jnp.linspace(0, 6, 2048))
    tx = stored(adam(0.1), "int8")
    updates, state = tx.update(z, tx.init(z))
    assert state.mu.real.codes.dtype == jnp.int8
    np.testing.assert_allclose(updates, -0.1 * z, atol=0.1 * 0.02)


@pytest.mark.parametrize("form", ["bfloat16", "bfloat16_stochastic", BFloat16Format("nearest")])
def test_bfloat16_moments_move_seven_words_and_need_no_temporary(form):
    moved, temporary = words_and_temporaries(stored(adam(1e-3), form))
    assert moved <= 7.01
    assert temporary < 0.01


def test_an_average_of_squares_moves_at_random_where_it_would_rest_when_rounded_to_nearest():
    g = jnp.full((4096,), 1.0)

    def mean_of_squares(rounding):
        tx = stored(gdlab.chain(gdlab.square(), gdlab.ema(0.999)), BFloat16Format(rounding))
        state = jax.lax.fori_loop(0, 3000, lambda _, s: tx.update(g, s)[1], tx.init(g))
        return float(jnp.mean(read_forms(state).ema.astype(jnp.float32)))

    exact = 1 - 0.999**3000
    # Near 0.5 a step of 0.0005 is a quarter of the spacing of bfloat16.
    assert mean_of_squares("nearest") < 0.6
    np.testing.assert_allclose(mean_of_squares("stochastic"), exact, rtol=0.02)


def test_it_is_written_as_it_was_made_and_its_numbers_keep_their_names():
    tx = stored(adam(0.1), [("mu", "bfloat16"), ("nu", Int8Format(64))], params="split")
    assert eval(repr(tx), vars(gdlab)) == tx
    assert gdlab.expand(stored(adam(0.1), "int8")) == gdlab.stored_slots(adam(0.1), "int8")
    assert gdlab.set_hyperparameters(tx, {"learning_rate": 0.5}).inner.learning_rate == 0.5
    assert list(gdlab.hyperparameters(tx))[:2] == ["inner.learning_rate", "inner.b1"]


@pytest.mark.slow
def test_a_sweep_goes_over_a_stored_method():
    many = jax.vmap(lambda rate: stored(adam(rate), "int8"))(jnp.array([0.1, 0.2]))
    step = lambda tx: tx.update(PARAMS, tx.init(PARAMS), PARAMS)[0]["w"][0, 0]  # noqa: E731
    np.testing.assert_allclose(jax.vmap(step)(many), [0.1, 0.2], rtol=0.02)


@pytest.mark.parametrize("form", FORMATS)
def test_a_state_goes_to_a_file_and_comes_back(form):
    tx = stored(adam(0.1), form)
    _, state = after(tx, 2)
    same = lambda one, other: jax.tree.map(np.testing.assert_array_equal, one, other)  # noqa: E731
    restored, _ = gdlab.restore_state(tx.init(PARAMS), gdlab.flatten_state(state))
    same(restored, state)
    same(pickle.loads(pickle.dumps(state)), state)
    serialization = pytest.importorskip("flax.serialization", reason="flax is not installed")
    same(serialization.from_bytes(tx.init(PARAMS), serialization.to_bytes(state)), state)


def test_a_program_of_a_stored_method_is_exported():
    tx = stored(adam(0.1), {"mu": "bfloat16", "nu": Int8Format(64)})
    state = tx.init(PARAMS)
    exported = jax.export.export(jax.jit(lambda tx, g, s: tx.update(g, s)))(tx, PARAMS, state)
    again = jax.export.deserialize(exported.serialize())
    updates, _ = again.call(tx, PARAMS, state)
    np.testing.assert_allclose(updates["w"], tx.update(PARAMS, state)[0]["w"], rtol=1e-6)


def test_codes_and_scales_lie_as_their_parameter_does():
    mesh = jax.make_mesh((4, 2), ("rows", "columns"))
    spec = jax.sharding.PartitionSpec("rows", "columns")
    placed = jax.sharding.NamedSharding(mesh, spec)
    params = {"w": jax.device_put(PARAMS["w"], placed)}
    tx = stored(adamw(0.1), "int8")
    sharding = gdlab.state_sharding(tx, params)
    assert sharding.nu["w"].codes.spec == sharding.nu["w"].scales.spec == spec
    state = jax.jit(tx.init, out_shardings=sharding)(params)
    split, _ = jax.jit(tx.update)(params, state, params)
    one = {"w": PARAMS["w"]}
    whole, _ = jax.jit(tx.update)(one, tx.init(one), one)
    np.testing.assert_allclose(split["w"], whole["w"], rtol=1e-5)


def test_many_arrays_are_updated_outside_of_a_trace():
    params = {str(i): jnp.full((32, 32), float(i + 1)) for i in range(40)}
    tx = stored(adam(0.1), "int8")
    updates, state = tx.update(params, tx.init(params), params)
    assert kinds(state)["mu.7"] == "Companded"
    np.testing.assert_allclose(updates["39"], -0.1, rtol=0.01)


def test_the_state_of_other_parameters_is_refused_by_name():
    tx = stored(adam(0.1), "int8")
    with pytest.raises(ValueError, match=r"at 'w': its slot 'mu' holds \(32, 64\), where it needs"):
        tx.update(PARAMS, tx.init(dict(PARAMS, w=jnp.ones((32, 64)))), PARAMS)


def test_bytes_of_a_state_are_known_before_there_is_one():
    shape = {"w": jax.ShapeDtypeStruct((1024, 1024), jnp.float32)}
    found = gdlab.state_bytes(stored(adamw(0.1), "int8"), shape)
    state = stored(adamw(0.1), "int8").init({"w": jnp.zeros((1024, 1024))})
    assert found.total == sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    np.testing.assert_allclose(found.per_parameter, 2 * (1 + 2 / 32), rtol=1e-4)
    assert found.entries["mu"] == 1024 * 1024 + 2 * 1024 * 32
    assert "total" in repr(found)


def test_adamw_takes_seven_bytes_a_parameter_with_its_gradient():
    shape = jax.ShapeDtypeStruct((1024, 1024), jnp.bfloat16)
    kept = gdlab.state_bytes(stored(adamw(0.1), "int8", params="split"), shape)
    parameter, gradient = 2, 2
    # A group of 32 has a scale of 2 bytes in each of both moments.
    assert parameter + gradient + kept.per_parameter <= 7 + 2 * 2 / 32 + 1e-4


@pytest.mark.slow
def test_training_with_few_bits_is_not_worse_by_more_than_a_twentieth():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    images, labels = datasets.load_digits(return_X_y=True)
    images, labels = jnp.asarray(images, jnp.float32) / 16, jnp.asarray(labels)
    keys = jax.random.split(jax.random.key(0), 3)
    shapes = ((64, 256), (256, 128), (128, 10))
    weights = [
        jax.random.normal(key, shape) * (2 / shape[0]) ** 0.5
        for key, shape in zip(keys, shapes, strict=True)
    ]

    def loss(weights):
        hidden = images
        for weight in weights[:-1]:
            hidden = jax.nn.relu(hidden @ weight)
        logits = jax.nn.log_softmax(hidden @ weights[-1])
        return -jnp.mean(jnp.take_along_axis(logits, labels[:, None], 1))

    def trained(tx):
        def step(carry, _):
            weights, state = carry
            updates, state = tx.update(jax.grad(loss)(weights), state, weights)
            return (gdlab.apply_updates(weights, updates), state), None

        run = jax.jit(lambda w: jax.lax.scan(step, (w, tx.init(w)), length=100)[0][0])
        return float(loss(run(weights)))

    exact = trained(adamw(1e-3))
    for form in ("int8", "bfloat16_stochastic"):
        assert trained(stored(adamw(1e-3), form)) <= 1.05 * exact


def test_a_method_that_is_stored_in_few_bits_is_not_linearised():
    for form in FORMATS:
        with pytest.raises(ValueError, match=f"stores its state in '{form}', too coarse to linear"):
            gdlab.analysis.linearize(stored(gdlab.sgd(0.1, momentum=0.9), form), curvature=1.0)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("new", ["float32", *FORMATS])
@pytest.mark.parametrize("old", ["float32", *FORMATS])
def test_a_state_goes_on_in_another_format(old, new):
    _, state = after(stored(adam(0.1), old), 2)
    arrays, tx = gdlab.flatten_state(state), stored(adam(0.1), new)
    converted, misfits = gdlab.restore_state(tx.init(PARAMS), arrays, convert=True)
    assert not misfits
    assert kinds(converted) == kinds(tx.init(PARAMS))
    # A code of eight bits is within a hundredth of the largest in its group.
    for name in ("mu", "nu"):
        kept, exact = (read_forms(one[name])["w"].astype(jnp.float32) for one in (converted, state))
        np.testing.assert_allclose(kept, exact, rtol=2.0**-7, atol=float(jnp.abs(exact).max()) / 90)
    if old != new:
        hint = "another precision or format, which convert=True reads"
        with pytest.raises(ValueError, match=hint):
            gdlab.restore_state(tx.init(PARAMS), arrays)


def test_a_float32_run_goes_on_in_eight_bits_with_parameters_of_bfloat16():
    params, state = after(adam(0.1), 2)
    tx = stored(adam(0.1), "int8", params="split")
    narrow = jax.tree.map(lambda w: w.astype(jnp.bfloat16), params)
    fresh = tx.init(narrow)
    inner, _ = gdlab.restore_state(fresh.inner, gdlab.flatten_state(state), convert=True)
    updates, _ = tx.update(PARAMS, fresh.replace(inner=inner), narrow)
    exact, _ = adam(0.1).update(PARAMS, state, params)
    moved = gdlab.apply_updates(narrow, updates)["w"].astype(jnp.float32)
    # The parameters are rounded to bfloat16 once, and each update is off by a few per cent.
    np.testing.assert_allclose(moved, (params["w"] + exact["w"]), atol=2.0**-8 + 0.1 * 0.05)


def test_what_is_no_other_form_of_an_array_is_not_converted():
    tx = stored(adam(0.1), "bfloat16")
    arrays = gdlab.flatten_state(adam(0.1).init({"w": jnp.zeros(3), "b": jnp.ones(3)}))
    with pytest.raises(ValueError, match=r"nu.w.array: the arrays have no such entry"):
        gdlab.restore_state(tx.init(PARAMS), arrays, convert=True)


def test_codes_of_the_zeros_at_the_start_are_not_computed_by_the_compiler():
    """It takes half a minute for the moments of 10⁸ parameters."""
    init = jax.jit(stored(adam(1e-3), "int8").init)
    program = init.lower(jnp.zeros(2**16)).compile().as_text()
    assert " reduce(" in program
