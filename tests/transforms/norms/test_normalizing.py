"""Updates in proportion to their own norm, to that of their weights, and centred."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import gdlab
from tests.paths import gdlab_path, keras_path

pytestmark = pytest.mark.x64

RNG = np.random.default_rng(5)
SHAPES = {"bias": (4,), "kernel": (3, 4), "conv": (2, 2, 3, 4), "gain": ()}
PARAMS = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
GRADS = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
IN_OPTAX = [
    (gdlab.normalize(), optax.contrib.normalize()),
    (gdlab.normalize_by_update_norm(2.0, 0.5), optax.normalize_by_update_norm(2.0, 0.5)),
    (gdlab.clip_by_block_rms(0.5), optax.clip_by_block_rms(0.5)),
    (gdlab.adaptive_grad_clip(0.3), optax.adaptive_grad_clip(0.3)),
    (gdlab.adaptive_grad_clip(0.3, 1.5, -1), optax.adaptive_grad_clip(0.3, 1.5, -1)),
    (gdlab.scale_by_trust_ratio(), optax.scale_by_trust_ratio()),
    (gdlab.scale_by_trust_ratio(2.0, 0.1, 0.3), optax.scale_by_trust_ratio(2.0, 0.1, 0.3)),
    (gdlab.scale_by_param_block_norm(), optax.scale_by_param_block_norm()),
    (gdlab.scale_by_param_block_norm(3.0), optax.scale_by_param_block_norm(3.0)),
    (gdlab.scale_by_param_block_rms(0.1), optax.scale_by_param_block_rms(0.1)),
]


def updated(tx, grads=GRADS, params=PARAMS):
    grads, params = (jax.tree.map(jnp.asarray, tree) for tree in (grads, params))
    return tx.update(grads, tx.init(params), params)[0]


def assert_close(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), one, other)


def scaled(factor, tree):
    return jax.tree.map(lambda leaf: factor * leaf, tree)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("ours", "theirs"), IN_OPTAX, ids=lambda tx: repr(tx)[:60])
def test_it_agrees_with_optax(ours, theirs):
    grads, params = GRADS, PARAMS
    if "axis" in repr(ours):
        grads, params = ({"kernel": tree["kernel"]} for tree in (grads, params))
    assert_close(updated(ours, grads, params), updated(theirs, grads, params))


def test_clipping_by_norm_is_clip_grad_norm_of_torch_on_each_array_alone():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    found = updated(gdlab.clip_by_norm(1.5))
    for name, gradient in GRADS.items():
        param = torch.zeros(np.shape(gradient), dtype=torch.float64, requires_grad=True)
        param.grad = torch.tensor(gradient)
        torch.nn.utils.clip_grad_norm_([param], 1.5)
        # torch adds 1e-6 to the norm.
        np.testing.assert_allclose(found[name], param.grad, rtol=1e-6)
        length = np.linalg.norm(np.ravel(gradient))
        np.testing.assert_allclose(found[name], gradient * min(1, 1.5 / length), rtol=1e-13)


@pytest.mark.parametrize(
    ("argument", "clips"),
    [("clipnorm", gdlab.clip_by_norm), ("global_clipnorm", gdlab.clip_by_global_norm)],
)
def test_norms_are_clipped_as_in_keras(argument, clips):
    theirs = keras_path(lambda optimizers: optimizers.SGD(1.0, **{argument: 0.75}))
    assert_close(gdlab_path(lambda eta: gdlab.chain(clips(0.75), gdlab.sgd(eta))), theirs)


def test_a_gradient_in_other_units_has_the_same_trust_ratio_and_weights_in_others_scale_it():
    for tx in (gdlab.scale_by_trust_ratio(), gdlab.normalize()):
        assert_close(updated(tx, scaled(1e3, GRADS)), updated(tx))
    tx = gdlab.scale_by_trust_ratio()
    assert_close(updated(tx, GRADS, scaled(8.0, PARAMS)), scaled(8.0, updated(tx)))


def test_a_trust_ratio_of_huge_or_tiny_gradients_is_that_of_others():
    # Their squares overflow or vanish in float64.
    tx = gdlab.scale_by_trust_ratio()
    for factor in (1e-200, 1e200):
        assert_close(updated(tx, scaled(factor, GRADS)), updated(tx))


@pytest.mark.parametrize("which", ["gradient", "weights"])
def test_without_a_norm_the_trust_ratio_is_one(which):
    zeros = scaled(0.0, GRADS)
    grads, params = (zeros, PARAMS) if which == "gradient" else (GRADS, zeros)
    assert_close(updated(gdlab.scale_by_trust_ratio(), grads, params), grads)


def test_normalized_zeros_are_zeros_where_optax_makes_nans():
    zeros = scaled(0.0, GRADS)
    assert_close(updated(gdlab.normalize(), zeros), zeros)
    assert np.isnan(updated(optax.contrib.normalize(), zeros)["gain"])


def test_the_norm_of_normalized_updates_is_the_scale_factor():
    found = updated(gdlab.normalize_by_update_norm(3.0, 0.0), scaled(1e-250, GRADS))
    np.testing.assert_allclose(gdlab.global_norm(found), 3.0, rtol=1e-13)


def test_each_unit_within_its_bound_is_untouched_and_each_other_is_at_its_bound():
    found = updated(gdlab.adaptive_grad_clip(0.5))
    for name, gradient in GRADS.items():
        bound = 0.5 * np.asarray(gdlab.unitwise_norm(jnp.asarray(PARAMS[name])))
        before = np.asarray(gdlab.unitwise_norm(jnp.asarray(gradient)))
        after = gdlab.unitwise_norm(found[name])
        np.testing.assert_allclose(after, np.minimum(before, bound), rtol=1e-13)
        np.testing.assert_array_equal(
            np.asarray(found[name])[before < bound], gradient[before < bound]
        )


def test_centralizing_is_that_of_optax_on_kernels_of_torch():
    kernel = jnp.asarray(GRADS["kernel"])
    expected, _ = optax.centralize().update(kernel.T, optax.EmptyState())
    np.testing.assert_allclose(updated(gdlab.centralize(), kernel, kernel), expected.T, rtol=1e-13)
    other, _ = optax.centralize().update(kernel, optax.EmptyState())
    found = updated(gdlab.centralize(axis=1), kernel, kernel)
    np.testing.assert_allclose(found, other, rtol=1e-13)


def test_what_is_centralized_feeds_each_output_nothing_in_sum():
    found = updated(gdlab.centralize())
    np.testing.assert_allclose(found["kernel"].sum(0), 0, atol=1e-14)
    np.testing.assert_allclose(found["conv"].sum((0, 1, 2)), 0, atol=1e-14)
    assert_close(found["bias"], GRADS["bias"])
    again = updated(gdlab.centralize(), found)
    np.testing.assert_allclose(again["kernel"], found["kernel"], atol=1e-14)


def test_nans_are_replaced_and_told():
    bad = {"a": jnp.array([jnp.nan, 1.0, jnp.inf]), "b": jnp.array(2.0)}
    ours, theirs = gdlab.zero_nans(), optax.zero_nans()
    found, state = ours.update(bad, ours.init(bad))
    expected, expected_state = theirs.update(bad, theirs.init(bad))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert state.found_nan == expected_state.found_nan == {"a": True, "b": False}
    _, state = ours.update(found, state)
    assert state.found_nan == {"a": False, "b": False}
