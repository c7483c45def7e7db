"""Parameters of 16 bits that learn."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest

import gdlab
from gdlab import apply_updates, kahan_params, master_params, split_params, stochastic_params
from tests.core.test_storage import words_and_temporaries


def split_16(tx):
    return split_params(tx, bits=16)


EXACT = {
    "master": master_params,
    "kahan": kahan_params,
    "split": split_params,
    "split 16": split_16,
}
WAYS = {"stochastic": stochastic_params} | EXACT
KEPT = {"stochastic": "rounding", "master": "master", "kahan": "compensation"}


def trained(tx, params, gradients, state=None):
    """Parameters and state after a step for each gradient, in one program."""

    def step(carry, gradient):
        params, state = carry
        updates, state = tx.update(gradient, state, params)
        return (apply_updates(params, updates), state), None

    start = tx.init(params) if state is None else state
    return jax.jit(lambda *carry: jax.lax.scan(step, carry, gradients)[0])(params, start)


def of_32_bits(way, params, state):
    """The parameters that the method trains."""
    if way == "stochastic":
        return params.astype(jnp.float32)
    kept = state[KEPT.get(way, "lost_bits")].kept
    if way == "master":
        return kept
    if way == "kahan":
        return params.astype(jnp.float32) + kept.astype(jnp.float32)
    return jnp.asarray(reconstructed(np.asarray(params), np.asarray(kept)))


def reconstructed(params, codes):
    """The float32 that a parameter of bfloat16 and the bits beside it are."""
    wide = params.astype(np.float32)
    if codes.dtype == np.int16:
        return (wide.view(np.int32) + codes).view(np.float32)
    half_spacing = np.exp2(np.floor(np.log2(np.abs(wide.astype(np.float64)))) - 8)
    return (wide + codes / 127 * half_spacing).astype(np.float32)


STALL = jnp.full((100, 4096), 0.01)


def test_plain_bfloat16_does_not_learn_where_float32_does():
    tx = gdlab.adamw(6e-4)
    exact, _ = trained(tx, jnp.ones(2), STALL[:, :2])
    # With one gradient throughout each step of Adam is −α, beside a decay of α·1e-4·w.
    np.testing.assert_allclose(exact, 0.94, atol=1e-5)
    plain, _ = trained(tx, jnp.ones(2, jnp.bfloat16), STALL[:, :2].astype(jnp.bfloat16))
    np.testing.assert_array_equal(plain, jnp.ones(2, jnp.bfloat16))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("way", WAYS)
def test_narrow_parameters_come_to_where_float32_does(way, dtype):
    tx = gdlab.adamw(6e-4)
    exact, _ = trained(tx, jnp.ones(1), STALL[:, :1])
    params, _ = trained(WAYS[way](tx), jnp.ones(4096, dtype), STALL.astype(dtype))
    assert params.dtype == dtype
    found = np.asarray(params, np.float64)
    if way == "stochastic":
        # The mean of 4096 independent roundings, within four of its standard errors.
        assert abs(found.mean() - float(exact[0])) < 4 * found.std() / 64
    else:
        # Rounding to nearest, after 100 steps that each lose a fraction of a half spacing.
        half_spacing = float(jnp.finfo(dtype).eps) / 4
        lost = {"kahan": 2**-9, "split": 1 / 254}.get(way, 2**-17) * 100 * 2 * half_spacing
        assert np.max(np.abs(found - float(exact[0]))) <= half_spacing + lost


@pytest.mark.parametrize("way", ["master", "split 16"])
def test_a_copy_or_all_lost_bits_are_the_run_in_float32_bit_for_bit(way):
    # No product is rounded, so that it is the same whether or not it is added in one instruction.
    tx = gdlab.sgd(2.0**-5)
    start = jax.random.normal(jax.random.key(0), (257,)).astype(jnp.bfloat16)
    gradients = jax.random.normal(jax.random.key(1), (50, 257)).astype(jnp.bfloat16)
    exact, _ = trained(tx, start.astype(jnp.float32), gradients)
    params, state = trained(WAYS[way](tx), start, gradients)
    np.testing.assert_array_equal(of_32_bits(way, params, state), exact)


def transcribed_split(x):
    """bfloat16 and a signed fraction of half its spacing in 8 bits, as FlashOptim keeps them."""
    upper = x.astype(ml_dtypes.bfloat16)
    wide = upper.astype(np.float64)
    half = np.exp2(np.floor(np.log2(np.abs(wide))) - 8)
    size = np.clip((x.astype(np.float64) - wide) / half, -1, 1) * 127
    return upper, (np.sign(size) * np.floor(np.abs(size) + 0.5)).astype(np.int8)


def one_step(tx, start, move):
    state = tx.init(start)
    updates, state = tx.update(move, state, start)
    return apply_updates(start, updates), state


def test_lost_bits_are_those_of_the_paper():
    start = jax.random.normal(jax.random.key(0), (10_000,)).astype(jnp.bfloat16)
    move = jax.random.normal(jax.random.key(1), (10_000,)) * 0.01
    params, state = one_step(split_params(gdlab.identity()), start, move)
    upper, codes = transcribed_split(np.asarray(start.astype(jnp.float32) + move))
    np.testing.assert_array_equal(np.asarray(params), upper)
    np.testing.assert_array_equal(state.lost_bits.kept, codes)


def test_lost_bits_are_those_of_flashoptim():
    flash = pytest.importorskip("flashoptim_jax.compression", reason="needs flashoptim-jax")
    start = jax.random.normal(jax.random.key(0), (10_000,)).astype(jnp.bfloat16)
    move = jax.random.normal(jax.random.key(1), (10_000,)) * 0.01
    tx = split_params(gdlab.identity())
    params, state = one_step(tx, start, move)
    upper, codes = flash.split_leaf(start.astype(jnp.float32) + move)
    np.testing.assert_array_equal(params, upper)
    np.testing.assert_array_equal(state.lost_bits.kept, codes)
    np.testing.assert_array_equal(
        flash.reconstruct_leaf(upper, codes),
        reconstructed(np.asarray(params), np.asarray(state.lost_bits.kept)),
    )


def targets(count):
    """Parameters of bfloat16, and moves that change signs, nearly vanish them, or hardly matter."""
    rng = np.random.default_rng(0)
    start = (rng.uniform(1, 2, count) * rng.choice([-1, 1], count)).astype(ml_dtypes.bfloat16)
    wide = start.astype(np.float32)
    relative = np.exp2(rng.uniform(-24, 1, count)) * rng.choice([-1, 1], count)
    near = -1 + np.exp2(rng.uniform(-24, 0, count)) * rng.choice([-1, 1], count)
    return jnp.asarray(start), (wide * np.where(rng.random(count) < 0.5, near, relative)).astype(
        "f4"
    )


@pytest.mark.parametrize("way", WAYS)
def test_the_sum_is_the_parameter_meant_across_signs_and_cancellation(way):
    start, move = targets(100_000)
    meant = np.asarray(start.astype(jnp.float32) + move)
    params, state = one_step(WAYS[way](gdlab.identity()), start, jnp.asarray(move))
    found, spacing = np.asarray(params.astype(jnp.float32)), np.abs(meant) * 2.0**-7
    if way == "stochastic":
        assert np.all(np.abs(found - meant) <= spacing)
        return
    nearest = meant.astype(ml_dtypes.bfloat16).astype(np.float32)
    is_tie = np.asarray(meant).view(np.int32) & 0xFFFF == 0x8000
    np.testing.assert_array_equal(found[~is_tie], nearest[~is_tie])
    whole = np.asarray(of_32_bits(way, params, state))
    lost = {"master": 0, "split 16": 0, "split": spacing / 2 / 254, "kahan": spacing * 2**-10}[way]
    # Where a parameter is rounded up to a power of 2 its spacing is more than that of the sum.
    assert np.all(np.abs(whole - meant) <= lost * (1 + 2**-7))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_changed_from_outside_is_what_goes_on(way):
    tx = WAYS[way](gdlab.sgd(1e-3))
    params, state = trained(tx, jnp.ones(64, jnp.bfloat16), jnp.ones((3, 64)))
    for value in (0.0, 1e-3, -5.0):
        changed = jnp.full_like(params, value)
        updates, _ = tx.update(jnp.zeros(64), state, changed)
        found = np.asarray(apply_updates(changed, updates).astype(jnp.float32))
        # What was lost before may be added where it is less than half a spacing.
        assert np.all(np.abs(found - np.asarray(changed, "f4")) <= abs(value) * 2.0**-7)


MIXED = {"narrow": jnp.ones(8, jnp.bfloat16), "wide": jnp.ones(8), "none": None}


@pytest.mark.parametrize("way", WAYS)
def test_parameters_of_float32_pass_through_and_cost_nothing(way):
    tx, alone = WAYS[way](gdlab.adam(1e-3)), gdlab.adam(1e-3)
    gradient = {"narrow": jnp.ones(8, jnp.bfloat16), "wide": jnp.ones(8), "none": None}
    state = tx.init(MIXED)
    updates, after = tx.update(gradient, state, MIXED)
    plain, _ = alone.update(gradient, alone.init(MIXED), MIXED)
    np.testing.assert_array_equal(updates["wide"], plain["wide"])
    kept = state[KEPT.get(way, "lost_bits")]
    assert kept["wide"] == ()
    assert kept["none"] is None
    assert jax.tree.structure(after) == jax.tree.structure(state)


WRAPPERS = {
    "alone": lambda tx: tx,
    "link": lambda tx: gdlab.chain(gdlab.clip(1.0), tx),
    "masked": lambda tx: gdlab.masked(tx, "w"),
    "in groups": lambda tx: gdlab.partition({"a": tx}, [("w", "a")]),
    "accumulated": lambda tx: gdlab.accumulate(tx, 1),
    "guarded": lambda tx: gdlab.apply_if_finite(tx),
    "averaged": lambda tx: gdlab.chain(tx, gdlab.params_ema(0.9)),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("way", ["split", pytest.param("stochastic", marks=pytest.mark.slow)])
def test_wrappers_leave_the_updates_wide(way, wrapper):
    tx = WRAPPERS[wrapper](WAYS[way](gdlab.sgd(1e-3)))
    params = {"w": jnp.ones(512, jnp.bfloat16)}
    gradients = {"w": jnp.ones((100, 512), jnp.bfloat16)}
    found, _ = trained(tx, params, gradients)
    # A way that is lost stays at 1. Roundings at random have the standard error 0.001 here.
    assert abs(float(jnp.mean(found["w"].astype(jnp.float32))) - 0.9) < 0.005


def test_unjitted_steps_are_those_of_the_compiled_loop():
    tx = stochastic_params(gdlab.adam(1e-2))
    params, gradients = {"w": jnp.ones(64, jnp.bfloat16)}, {"w": jnp.ones((5, 64), jnp.bfloat16)}
    expected, _ = trained(tx, params, gradients)
    state = tx.init(params)
    for _ in range(5):
        updates, state = tx.update({"w": gradients["w"][0]}, state, params)
        params = apply_updates(params, updates)
    np.testing.assert_array_equal(params["w"], expected["w"])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("way", WAYS)
def test_a_run_from_a_file_goes_on_bit_for_bit(way):
    tx = WAYS[way](gdlab.adam(1e-2))
    gradients = jax.random.normal(jax.random.key(0), (20, 64)).astype(jnp.bfloat16)
    params = jnp.ones(64, jnp.bfloat16)
    whole, end = trained(tx, params, gradients)
    half, state = trained(tx, params, gradients[:10])
    arrays = {name: np.asarray(x) for name, x in gdlab.flatten_state(state).items()}
    restored, _ = gdlab.restore_state(tx.init(params), arrays)
    again, after = trained(tx, half, gradients[10:], restored)
    np.testing.assert_array_equal(again, whole)
    jax.tree.map(np.testing.assert_array_equal, after, end)


def test_the_inner_method_decays_the_parameter_that_bfloat16_cannot_hold():
    # Each decay is 2⁻¹⁰ of the parameter, less than half a spacing of bfloat16.
    tx = master_params(gdlab.chain(gdlab.add_decayed_weights(1.0), gdlab.scale(-(2.0**-10))))
    _, state = trained(tx, jnp.ones(1, jnp.bfloat16), jnp.zeros((500, 1), jnp.bfloat16))
    np.testing.assert_allclose(state.master.kept, (1 - 2.0**-10) ** 500, rtol=500 * 2**-24)


def test_gradients_of_bfloat16_swallow_no_decay_of_parameters_of_float32():
    tx = gdlab.adamw(1e-3, weight_decay=1e-4)
    params, gradient = jnp.ones(1), jnp.zeros(1, jnp.bfloat16)
    updates, _ = tx.update(gradient, tx.init(params), params)
    assert updates.dtype == jnp.float32
    np.testing.assert_allclose(apply_updates(params, updates), 1 - 1e-7, atol=2.0**-25)


# Words a step of AdamW with bfloat16 gradients, where float32 takes 10 and plain bfloat16 8.
MOST_WORDS = {"stochastic": (8, 0), "master": (11.5, 0), "kahan": (15, 2), "split": (14, 2)}


@pytest.mark.parametrize("way", MOST_WORDS)
def test_a_step_moves_no_more_than_these_words(way):
    tx = WAYS[way](gdlab.adamw(1e-3))
    words, temporaries = words_and_temporaries(tx, dtype=jnp.bfloat16)
    most, room = MOST_WORDS[way]
    assert words <= most + 0.1
    assert temporaries <= room + 0.1


def test_rates_are_swept_in_lanes_and_each_learns():
    def loss(params):
        return jnp.sum((params.astype(jnp.float32) - 0.5) ** 2)

    tx = split_params(gdlab.sgd(gdlab.Axis("learning_rate", [1e-4, 1e-3])))
    result = gdlab.sweep(loss, jnp.ones(4, jnp.bfloat16), tx, steps=100)
    distance = 0.5 * (1 - 2 * np.array([1e-4, 1e-3])) ** 100
    # Rounded in the end, and the gradients are taken at rounded parameters as well.
    found = np.sqrt(np.asarray(result.final_loss)[:, 0] / 4)
    np.testing.assert_allclose(found, distance, atol=0.003)


def test_minimize_trains_parameters_that_rounding_to_nearest_leaves_alone():
    def loss(params):
        return jnp.sum((params.astype(jnp.float32) - 0.5) ** 2)

    def trained_by(tx, dtype):
        params = gdlab.minimize(loss, jnp.ones(1024, dtype), tx, steps=100, keep_path=False).params
        assert params.dtype == dtype
        return np.asarray(params, np.float64)

    tx = gdlab.sgd(1e-3)
    exact, plain = trained_by(tx, jnp.float32), trained_by(tx, jnp.bfloat16)
    found = trained_by(stochastic_params(tx), jnp.bfloat16)
    assert np.all(plain == 1)
    # Within four standard errors; the gradient is linear, so that roundings leave the mean alone.
    assert abs(found.mean() - exact[0]) < 4 * found.std() / 32


def test_what_is_kept_lies_as_the_parameters_do():
    from jax.sharding import NamedSharding, PartitionSpec

    mesh = jax.make_mesh((8,), ("rows",))
    rows = NamedSharding(mesh, PartitionSpec("rows"))
    shapes = {"w": jax.ShapeDtypeStruct((16, 4), jnp.bfloat16, sharding=rows)}
    for way, tx in EXACT.items():
        sharding = gdlab.state_sharding(tx(gdlab.adam(0.1)), shapes)
        kept = sharding[KEPT.get(way, "lost_bits")]["w"].kept
        assert kept.spec == PartitionSpec("rows", None) or kept.spec == PartitionSpec("rows")


def test_a_derivative_by_the_rate_goes_through_the_rounding():
    def end(rate):
        tx = split_params(gdlab.sgd(rate))
        w = jnp.ones(1, jnp.bfloat16)
        updates, _ = tx.update(jnp.ones(1), tx.init(w), w)
        return (w + updates)[0]

    np.testing.assert_allclose(jax.grad(end)(1e-3), -1.0)


def test_parameters_of_eight_bits_and_other_widths_are_refused():
    with pytest.raises(TypeError, match="float8_e4m3fn cannot be trained; bfloat16 and float16"):
        stochastic_params(gdlab.sgd(0.1)).init(jnp.ones(2, jnp.float8_e4m3fn))
    with pytest.raises(ValueError, match="bits: the lost bits are kept in 8 or 16, not 12"):
        split_params(gdlab.sgd(0.1), bits=12)
    tx = kahan_params(gdlab.sgd(0.1))
    with pytest.raises(ValueError, match="params are needed by kahan_params"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2, jnp.bfloat16)))


MISLEADING = {
    "flatten": gdlab.flatten,
    "hold": lambda tx: gdlab.hold(tx, 2),
    "conditionally_transform": lambda tx: gdlab.conditionally_transform(tx, lambda t: t > 1),
    "the scaling of displacements": gdlab.mechanize,
    "fork": gdlab.cautious,
    "foreign": lambda tx: gdlab.foreign(*optax.chain(optax.GradientTransformation(*tx))),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", MISLEADING)
def test_within_a_wrapper_that_would_mislead_it_it_is_refused_and_around_it_it_learns(name):
    wrap, tx = MISLEADING[name], gdlab.sgd(1e-4, 0.9)
    params = {"w": jnp.ones(1024, jnp.bfloat16), "b": jnp.ones(2)}
    with pytest.raises(ValueError, match=f"{name} changes the updates .* put stochastic_params"):
        wrap(stochastic_params(tx)).init(params)
    wrap(stochastic_params(tx)).init({"w": jnp.ones(4)})  # nothing to mislead it about
    around = stochastic_params(wrap(tx))
    gradient = jax.tree.map(jnp.ones_like, params)
    assert around.update(gradient, around.init(params), params)[0]["w"].dtype == jnp.float32
    gradients = jax.tree.map(lambda w: jnp.ones((100, *w.shape)), params)
    wide = jax.tree.map(lambda w: w.astype(jnp.float32), params)
    found, exact = trained(around, params, gradients)[0], trained(wrap(tx), wide, gradients)[0]
    # What is lost stays at 1. Mechanic's steps grow by what was won before, so that roundings tell.
    ways = [float(jnp.mean(one["w"].astype(jnp.float32))) - 1 for one in (found, exact)]
    assert ways[0] == pytest.approx(ways[1], rel=0.5)
