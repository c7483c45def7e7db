"""JAX's own transformations, with the optimizer as data."""

import functools
import re
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import gdlab

RATES = (0.01, 0.03, 0.1)
OPTIMIZERS = {
    "sgd": lambda rate: gdlab.sgd(rate, momentum=0.9, nesterov=True),
    "adamw": gdlab.adamw,
    "nadam": gdlab.nadam,
    "rmsprop": lambda rate: gdlab.rmsprop(rate, centered=True),
    "clipped": lambda rate: gdlab.chain(gdlab.clip_by_global_norm(1.0), gdlab.adagrad(rate)),
    "scheduled": lambda rate: gdlab.adam(gdlab.cosine_decay_schedule(rate, 10)),
}


def points():
    return {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.3, -0.7])}


def loss(params):
    return 0.5 * (jnp.sum(params["w"] ** 2) + 3.0 * jnp.sum(params["b"] ** 4))


def final_params(tx, params, steps=5):
    def step(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (gdlab.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, tx.init(params)), length=steps)[0][0]


def final_loss(tx, params):
    return loss(final_params(tx, params))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_jitted_step_is_traced_once_for_all_learning_rates(name):
    traces = []

    @jax.jit
    def step(tx, params, state):
        traces.append(None)
        return tx.update(jax.grad(loss)(params), state, params)

    tx = OPTIMIZERS[name](RATES[0])
    params, state = points(), tx.init(points())
    moved = []
    for rate in RATES:
        updates, state = step(OPTIMIZERS[name](rate), params, state)
        moved.append(float(jnp.abs(updates["w"]).max()))
    assert len(traces) == 1
    assert len(set(moved)) == len(RATES)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_batch_of_optimizers_is_the_loop_over_them(name):
    singles = [OPTIMIZERS[name](rate) for rate in RATES]
    batch = jax.tree.map(lambda *numbers: jnp.stack(jnp.asarray(numbers)), *singles)
    mapped = jax.jit(jax.vmap(final_params, in_axes=(0, None)))(batch, points())
    one = jax.jit(final_params)
    looped = jax.tree.map(lambda *lanes: jnp.stack(lanes), *(one(tx, points()) for tx in singles))
    # A batched kernel may be vectorised otherwise, which moves the last bit of each of a dozen
    # operations in five steps, on numbers of order one.
    rounding = 5 * 12 * np.finfo(np.float32).eps
    close = functools.partial(np.testing.assert_allclose, rtol=rounding, atol=rounding)
    jax.tree.map(close, mapped, looped)


@pytest.mark.sampled(1)
@pytest.mark.x64
@pytest.mark.parametrize("name", ["sgd", "clipped", "scheduled"])
def test_the_hypergradient_is_the_slope_of_the_final_loss(name):
    tx, start = OPTIMIZERS[name](0.03), points()
    numbers, treedef = jax.tree.flatten(jax.tree.map(jnp.asarray, tx))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(tx)]
    slopes = jax.tree.leaves(jax.jit(jax.grad(final_loss))(treedef.unflatten(numbers), start))

    @jax.jit
    def at(numbers):
        return final_loss(treedef.unflatten(numbers), start)

    checked = 0
    for index, (number, slope) in enumerate(zip(numbers, slopes, strict=True)):
        if number < 1e-6 or number > 5:
            continue  # an ε is too small, and a number of steps no number to differentiate
        width = 1e-5 * number

        def moved(by, index=index):
            return at([n + by if i == index else n for i, n in enumerate(numbers)])

        # Central differences are off by width² and by the rounding of the loss over the width.
        numerical = (moved(width) - moved(-width)) / (2 * width)
        np.testing.assert_allclose(slope, numerical, rtol=1e-5, atol=1e-8, err_msg=paths[index])
        checked += 1
    assert checked


def test_the_optimizer_can_be_carried_through_a_scan_with_its_state():
    def step(carry, _):
        tx, params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        tx = gdlab.set_hyperparameters(
            tx, {"learning_rate": 0.5 * gdlab.hyperparameters(tx)["learning_rate"]}
        )
        return (tx, gdlab.apply_updates(params, updates), state), updates["b"][0]

    tx = jax.tree.map(jnp.asarray, gdlab.sgd(0.1))
    params = {"w": jnp.ones((2, 2)), "b": jnp.zeros(2)}
    tx, _, _ = jax.lax.scan(step, (tx, params, tx.init(params)), length=3)[0]
    np.testing.assert_allclose(gdlab.hyperparameters(tx)["learning_rate"], 0.1 / 8, rtol=1e-6)


def test_rematerialised_steps_have_the_same_hypergradient():
    def unrolled(tx, params, remat):
        state = tx.init(params)

        def step(tx, params, state):
            updates, state = tx.update(jax.grad(loss)(params), state, params)
            return gdlab.apply_updates(params, updates), state

        step = jax.checkpoint(step) if remat else step
        for _ in range(3):
            params, state = step(tx, params, state)
        return loss(params)

    tx = jax.tree.map(jnp.asarray, gdlab.sgd(0.05, momentum=0.9))
    plain, again = (jax.jit(jax.grad(unrolled), static_argnums=2)(tx, points(), r) for r in (0, 1))
    # Recomputed and fused differently, in float32.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), plain, again)
    assert gdlab.hyperparameters(plain)["learning_rate"] != 0


@pytest.fixture
def mesh():
    return jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))


def sharded_and_replicated(mesh):
    rows = NamedSharding(mesh, PartitionSpec("data"))
    whole = NamedSharding(mesh, PartitionSpec())
    params = {"w": jnp.linspace(-1.0, 1.0, 64).reshape(16, 4), "b": jnp.ones(3)}
    return params, jax.device_put(params, {"w": rows, "b": whole})


@pytest.mark.sampled(2)
@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("name", ["adamw", "clipped", "sgd"])
def test_sharded_parameters_step_as_whole_ones_and_stay_sharded(name, jitted, mesh):
    tx = OPTIMIZERS[name](0.1)
    whole, sharded = sharded_and_replicated(mesh)

    def step(params, state):
        updates, state = tx.update(params, state, params)
        return gdlab.apply_updates(params, updates), state

    step = jax.jit(step) if jitted else step
    states = tx.init(whole), tx.init(sharded)
    for leaf in jax.tree.leaves(states[1]):
        if leaf.shape == sharded["w"].shape:
            assert leaf.sharding == sharded["w"].sharding
    for _ in range(2):
        whole, first = step(whole, states[0])
        sharded, second = step(sharded, states[1])
        states = first, second
    # Both steps round numbers of order one a dozen times, by programs of other shapes, and the norm
    # is the root of 67 squares that eight devices add in another order.
    eps = np.finfo(np.float32).eps
    close = functools.partial(np.testing.assert_allclose, rtol=2 * 67 / 2 * eps, atol=2 * 12 * eps)
    jax.tree.map(close, (whole, first), (sharded, second))
    assert sharded["w"].sharding.is_equivalent_to(NamedSharding(mesh, PartitionSpec("data")), 2)
    for leaf in jax.tree.leaves(second):
        if leaf.shape == sharded["w"].shape:
            assert leaf.sharding.is_equivalent_to(sharded["w"].sharding, 2)


def test_many_leaves_on_different_devices_step_outside_jit():
    devices = jax.devices()
    params = [jax.device_put(jnp.full(3, 1.0), devices[index % 2]) for index in range(48)]
    tx = gdlab.chain(gdlab.trace(0.5), gdlab.scale(-0.1))
    updates, state = tx.update(params, tx.init(params))
    after = gdlab.apply_updates(params, updates)
    for index, leaf in enumerate(after):
        assert leaf.devices() == {devices[index % 2]}
        np.testing.assert_allclose(leaf, 0.9, rtol=1e-6)
    assert state.trace[1].devices() == {devices[1]}


@pytest.mark.slow
def test_many_leaves_outside_jit_step_as_the_compiled_tree_does():
    shapes = [(2, 3), (3,), (), (0,), (2, 3)] * 9
    dtypes = [jnp.float32] * 40 + [jnp.bfloat16] * 5
    params = [
        jnp.linspace(-1, 1, int(np.prod(shape))).reshape(shape).astype(dtype) + index / 7
        for index, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True))
    ]
    params[7] = None
    tx = gdlab.adamw(0.1, mask=lambda params: [index % 3 == 0 for index in range(len(params))])

    def step(params, state):
        updates, state = tx.update(params, state, params)
        return gdlab.apply_updates(params, updates), state

    bare, jitted = (f(params, tx.init(params)) for f in (step, jax.jit(step)))
    # Hyperparameters are constants of the one program and arguments of the other.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(
            np.asarray(a, np.float32), np.asarray(b, np.float32), rtol=2e-6, atol=1e-6
        ),
        bare,
        jitted,
    )
    assert jax.tree.map(jnp.result_type, bare) == jax.tree.map(jnp.result_type, jitted)


def compiled_adam(library, arrays):
    """The kernels of a compiled step on so many arrays, and its instructions by their names."""
    tx = library.adam(1e-3)

    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return library.apply_updates(params, updates), state

    params = [jnp.ones((4, 4))] * arrays
    text = jax.jit(step).lower(params, tx.init(params), params).compile().as_text()
    _, entry = text.split("\nENTRY ")
    return entry.count(" fusion("), Counter(re.findall(r" = .*? ([a-z-]+)\(", text))


def test_the_compiled_adam_step_is_that_of_optax_and_a_bound_on_gradients():
    optax = pytest.importorskip("optax")
    (few, ours), (as_few, theirs) = (compiled_adam(library, 20) for library in (gdlab, optax))
    (many, all_ours), (as_many, all_theirs) = (
        compiled_adam(library, 40) for library in (gdlab, optax)
    )
    # Each average has a weight of three numbers, where optax has one count of steps for both.
    assert few <= as_few + 1
    assert many <= as_many + 1
    # Both averages bound the gradient of each array between two numbers: ten instructions.
    bounds_of_20 = Counter(clamp=2 * 20, constant=4 * 20, broadcast=4 * 20)
    assert all_ours - ours <= all_theirs - theirs + bounds_of_20
    assert all_ours.total() <= all_theirs.total() + 2 * bounds_of_20.total()
