"""Updates are added to the parameters, and rounded once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import adam, apply_updates


def test_low_precision_parameters_are_rounded_once():
    param = jnp.array(1.0, jnp.bfloat16)
    update = jnp.array(2**-8 + 2**-17, jnp.float32)
    # Above half of the spacing 2⁻⁷ at 1, so the sum rounds up; the update rounded first would tie.
    assert apply_updates(param, update) == 1 + 2**-7
    assert param + update.astype(jnp.bfloat16) == 1


def test_parameters_keep_their_dtype_whatever_that_of_the_updates():
    pairs = {
        ("bfloat16", "float32"),
        ("float32", "bfloat16"),
        ("float16", "float16"),
        ("complex64", "float32"),
    }
    for of_param, of_update in pairs:
        new = apply_updates(jnp.ones(2, of_param), jnp.ones(2, of_update))
        assert new.dtype == of_param
        assert (new == 2).all()


@pytest.mark.filterwarnings("default")
def test_float32_parameters_take_float64_updates():
    with jax.enable_x64(True):
        new = apply_updates(jnp.ones(2, jnp.float32), jnp.full(2, 0.5, jnp.float64))
        assert new.dtype == jnp.float32
        assert (new == 1.5).all()


def test_where_there_is_no_update_or_no_array_the_parameter_stays():
    params = {"a": jnp.ones(2), "b": jnp.ones(2), "c": None, "d": max, "e": {}}
    updates = {"a": None, "b": jnp.ones(2), "c": None, "d": None, "e": {}}
    new = apply_updates(params, updates)
    assert new["a"] is params["a"]
    assert new["d"] is max
    assert (new["b"] == 2).all()
    assert (new["c"], new["e"]) == (None, {})


@pytest.mark.parametrize("leaves", [1, 3, 40])
def test_it_agrees_with_optax_for_few_and_for_many_leaves_in_and_out_of_jit(leaves):
    params = [jnp.linspace(0, k, 4) for k in range(leaves)]
    updates = [0.1 * p - 1 for p in params]
    expected = optax.apply_updates(params, updates)
    for new in (apply_updates(params, updates), jax.jit(apply_updates)(params, updates)):
        jax.tree.map(np.testing.assert_array_equal, new, expected)
    with jax.disable_jit():
        jax.tree.map(np.testing.assert_array_equal, apply_updates(params, updates), expected)


def test_the_first_path_at_which_the_trees_differ_is_named():
    params = {"encoder": {"kernel": jnp.ones(1), "bias": jnp.ones(1)}, "head": jnp.ones(1)}
    with pytest.raises(ValueError, match=r"leaf at 'encoder\.bias' where updates have none"):
        apply_updates(params, {"encoder": {"kernel": jnp.ones(1)}, "head": jnp.ones(1)})
    with pytest.raises(ValueError, match=r"updates have a leaf at 'tail'"):
        apply_updates(params, params | {"tail": jnp.ones(1)})
    with pytest.raises(ValueError, match=r"containers do not"):
        apply_updates([jnp.ones(1)], (jnp.ones(1),))


def test_a_parameter_is_not_broadcast_to_the_shape_of_its_update():
    with pytest.raises(ValueError, match=r"updates and params differ in shape at 'w': \(1,\) and"):
        apply_updates({"w": jnp.ones(3)}, {"w": jnp.ones(1)})


def test_integers_beside_weights_are_kept_where_they_get_no_update():
    params = {"w": jnp.ones(2), "n": jnp.arange(3)}
    tx = adam(0.5)
    # `jax.grad` gives float0 for integers, and Equinox gives None.
    by_jax = jax.grad(lambda p: jnp.sum(p["w"]), allow_int=True)(params)
    for gradient in (by_jax, {"w": jnp.ones(2), "n": None}):
        updates, _ = tx.update(gradient, tx.init(params), params)
        new = apply_updates(params, updates)
        np.testing.assert_array_equal(new["n"], [0, 1, 2])
        np.testing.assert_allclose(new["w"], 0.5, rtol=1e-6)


def test_integers_are_refused_within_jit_as_well():
    dtype = jnp.arange(3).dtype.name
    with pytest.raises(TypeError, match=rf"params with an update must be floating-point.*{dtype}"):
        jax.jit(apply_updates)(jnp.arange(3), jnp.ones(3))
    with pytest.raises(TypeError, match=rf"updates must be floating-point .*'w' are {dtype}"):
        jax.jit(adam(0.1).update)({"w": jnp.arange(2)}, adam(0.1).init({"w": jnp.ones(2)}))
