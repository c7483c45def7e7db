"""A step in one call is the step of the pair, with fewer calls of compiled programs."""

import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import apply_gradients, apply_updates

EPS = float(np.finfo(np.float32).eps)


def pair(tx, grads, state, params, **extra):
    updates, state = tx.update(grads, state, params, **extra)
    return apply_updates(params, updates), state


def tree(leaves, dtype="float32"):
    return {
        f"w{i}": jnp.linspace(0.1, 1.0, 3 + i % 2).astype(dtype) * (-1) ** i for i in range(leaves)
    }


METHODS = {
    "adam": gdlab.adam(gdlab.linear_schedule(0.1, 0.0, 5)),
    "decay": gdlab.adamw(0.1, weight_decay=0.1),
    "clipped": gdlab.chain(gdlab.clip_by_global_norm(1.0), gdlab.sgd(0.1, momentum=0.9)),
    "by_leaf": gdlab.sgd([("w1", 0.5), ("", 0.1)]),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("leaves", [2, 40])
@pytest.mark.parametrize("tx", METHODS.values(), ids=METHODS)
def test_one_call_is_the_step_of_the_pair(tx, leaves, dtype):
    if leaves > 2 and dtype == "bfloat16" and tx is not METHODS["adam"]:
        pytest.skip("the way of many arrays in low precision is the same for all")
    ours = theirs = tree(leaves, dtype)
    state = other = tx.init(ours)
    for _ in range(3):
        ours, state = apply_gradients(tx, theirs, state, ours)
        theirs, other = pair(tx, theirs, other, theirs)
    assert jax.tree.structure((ours, state)) == jax.tree.structure((theirs, other))
    # Sums and products may be contracted where they meet in one program.
    eps = 4 * float(jnp.finfo(dtype).eps)
    for one, same in zip(*map(jax.tree.leaves, ((ours, state), (theirs, other))), strict=True):
        assert one.dtype == same.dtype
        np.testing.assert_allclose(
            np.float64(one), np.float64(same), rtol=eps, atol=eps, strict=True
        )


def test_many_arrays_make_the_steps_of_adam_under_a_constant_gradient():
    tx, params, grads = gdlab.adam(0.1), tree(40), tree(40)
    state = tx.init(params)
    for _ in range(3):
        params, state = apply_gradients(tx, grads, state, params)
    for name, w in tree(40).items():
        np.testing.assert_allclose(params[name], w - 0.3 * np.sign(w), rtol=8 * EPS, atol=8 * EPS)


def test_what_has_no_gradient_is_kept():
    params = {"w": jnp.ones(2), "frozen": None, "name": "layer"}
    tx = gdlab.sgd(0.5)
    new, _ = apply_gradients(tx, {"w": jnp.ones(2), "frozen": None, "name": None},
                             tx.init(params), params)  # fmt: skip
    np.testing.assert_array_equal(new["w"], [0.5, 0.5])
    assert (new["frozen"], new["name"]) == (None, "layer")


def test_functions_and_values_reach_those_that_read_them():
    tx = gdlab.polyak_sgd(1.0)
    params = {"w": jnp.array([3.0])}
    new, _ = apply_gradients(tx, {"w": jnp.array([6.0])}, tx.init(params), params, value=9.0)
    np.testing.assert_allclose(new["w"], 3 - 9 / 36 * 6, rtol=4 * EPS)
    tx = gdlab.sam(gdlab.sgd(0.5), 0.0)
    new, _ = apply_gradients(
        tx, {"w": jnp.array([6.0])}, tx.init(params), params,
        grad_fn=lambda p: jax.tree.map(lambda w: 2 * w, p),
    )  # fmt: skip
    np.testing.assert_allclose(new["w"], 0.0, atol=4 * EPS)


def test_it_is_traced_within_a_program():
    tx, params = gdlab.adam(0.1), {"w": jnp.ones(2)}
    step = jax.jit(apply_gradients, donate_argnums=(2, 3))
    new, _ = step(tx, {"w": jnp.ones(2)}, tx.init(params), {"w": jnp.ones(2)})
    np.testing.assert_allclose(new["w"], 0.9, rtol=1e-6)


def test_mistakes_are_refused_as_by_the_pair():
    tx, params = gdlab.adam(0.1), tree(40)
    with pytest.raises(TypeError, match="chain"):
        apply_gradients(optax.adam(0.1), params, (), params)
    with pytest.raises(ValueError, match="make it by init"):
        apply_gradients(tx, params, gdlab.sgd(0.1, momentum=0.9).init(params), params)
    with pytest.raises(ValueError, match="w39"):
        apply_gradients(tx, tree(40), tx.init(params), tree(39))


def compiled_calls(step, *args):
    """The compiled programs that a call runs, counted where JAX hands them over."""
    step(*args)
    count = 0
    execute = jax._src.interpreters.pxla.ExecuteReplicated.__call__

    def counted(self, *buffers):
        nonlocal count
        count += 1
        return execute(self, *buffers)

    jax.clear_caches()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jax._src.interpreters.pxla.ExecuteReplicated, "__call__", counted)
        patched.setattr(jax._src.pjit, "_get_fastpath_data", lambda *_, **__: None)
        step(*args)
    return count


@pytest.mark.parametrize("leaves", [1, 40])
def test_it_runs_fewer_programs_than_the_pair(leaves):
    tx, params = gdlab.adam(0.1), tree(leaves)
    state = tx.init(params)
    one = compiled_calls(apply_gradients, tx, params, state, params)
    two = compiled_calls(pair, tx, params, state, params)
    assert (one == 1 and two == 2) if leaves == 1 else one < 0.7 * two


def test_a_step_outside_jit_makes_few_python_calls():
    tx, params = gdlab.adam(0.1), {"w": jnp.ones(2)}
    state = tx.init(params)
    for _ in range(2):  # what is compiled or found out once is known
        apply_gradients(tx, params, state, params)
    package, calls = os.path.dirname(gdlab.__file__), []

    def count(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(package):
            calls.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        apply_gradients(tx, params, state, params)
    finally:
        sys.setprofile(before)
    assert 0 < len(calls) <= 12, calls
