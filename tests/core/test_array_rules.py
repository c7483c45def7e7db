"""Rules for one array: what arrives, what is read, what is kept, what is wrapped."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import (
    GradientTransformation,
    Hyperparameter,
    Structure,
    accumulate,
    adam,
    apply_updates,
    bus,
    chain,
    clip,
    clip_by_global_norm,
    debias,
    ema,
    fork,
    identity,
    join,
    leaf_wrapper,
    leafwise,
    linear_schedule,
    masked,
    on_wires,
    partition,
    ratio,
    scale,
    sgd,
    square,
    trace,
    transformation,
    wire,
)
from tests.names import NAMES

RANKS = {
    "scalar": jnp.array(0.5),
    "vector": jnp.array([1.0, -2.0, 3.0]),
    "matrix": jnp.linspace(-1.0, 2.0, 12).reshape(4, 3),
    "cube": jnp.linspace(-2.0, 1.0, 24).reshape(2, 3, 4),
}
"""Parameters of each rank in one tree."""


def gradients(steps, params=RANKS, seed=0):
    rng = np.random.default_rng(seed)
    return [
        jax.tree.map(lambda w: jnp.asarray(rng.normal(size=w.shape), w.dtype), params)
        for _ in range(steps)
    ]


def run(tx, steps=5, params=RANKS, **extra):
    """The updates of each step, and the last state."""
    state, every = tx.init(params), []
    for gradient in gradients(steps, params):
        updates, state = tx.update(gradient, state, params, **extra)
        every.append(updates)
    return every, state


def assert_close(actual, expected, rtol=1e-5):
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-7)


# --- What arrives


@leafwise
def mean_over(axis: int):
    """The mean over an axis, where there is one."""
    return lambda u: jnp.mean(u, axis, keepdims=True) if u.ndim else u


@join
def outer_over_mean():
    """The rank-one matrix that two marginal means determine."""
    return lambda rows, columns: rows * columns / jnp.mean(rows, -2, keepdims=True)


def test_after_a_reduction_the_reduced_array_is_kept():
    tx = fork(ratio(1e-8), identity(), chain(square(), mean_over(-1), ema(0.9)))
    updates, state = run(tx)
    shapes = jax.tree.map(jnp.shape, state.ema)
    assert shapes == {"scalar": (), "vector": (1,), "matrix": (4, 1), "cube": (2, 3, 1)}
    for name in RANKS:
        second = 0.0
        for step, gradient in enumerate(gradients(5)):
            g = np.asarray(gradient[name], np.float64)
            mean = np.mean(g**2, -1, keepdims=True) if g.ndim else g**2
            second = 0.9 * second + 0.1 * mean
            np.testing.assert_allclose(
                updates[step][name], g / (np.sqrt(second) + 1e-8), rtol=1e-5, atol=1e-7
            )


def test_adafactor_is_a_fork_of_averages_over_row_and_column_means():
    decay, eps = 0.8, 1e-30

    @leafwise
    def shifted(by: Hyperparameter):
        return lambda u: u + by

    second = chain(
        square(),
        shifted(eps),
        fork(
            outer_over_mean(),
            rows=chain(mean_over(1), ema(decay)),
            columns=chain(mean_over(0), ema(decay)),
        ),
    )
    tx = fork(ratio(), identity(), second)
    params = {"matrix": RANKS["matrix"]}
    updates, state = run(tx, params=params)
    assert state.rows["matrix"].shape == (4, 1)
    assert state.columns["matrix"].shape == (1, 3)
    # Shazeer and Stern 2018, algorithm 1, with a decay that is constant, in float64.
    rows, columns = 0.0, 0.0
    for step, gradient in enumerate(gradients(5, params)):
        squares = np.asarray(gradient["matrix"], np.float64) ** 2 + eps
        rows = decay * rows + (1 - decay) * squares.mean(1)
        columns = decay * columns + (1 - decay) * squares.mean(0)
        v = np.outer(rows, columns) / rows.mean()
        np.testing.assert_allclose(
            updates[step]["matrix"], gradient["matrix"] / np.sqrt(v), rtol=1e-5
        )
    # And optax's, whose decay 1 − t^−p is that constant at one step only: the second moments of
    # the first step, of which it keeps all.
    theirs = optax.scale_by_factored_rms(min_dim_size_to_factor=1, decay_rate=decay)
    first = gradients(1, params)[0]
    expected, _ = theirs.update(first, theirs.init(params), params)
    ours, _ = tx.update(first, tx.init(params), params)
    assert_close(jax.tree.map(lambda u: u * np.sqrt(1 - decay), ours), expected)


def test_novograds_second_moment_is_one_number_for_each_array():
    @leafwise
    def total():
        return lambda u: jnp.sum(u)

    tx = fork(ratio(1e-8), identity(), nu=chain(square(), total(), ema(0.5)))
    updates, state = run(tx, 3)
    assert all(slot.shape == () for slot in jax.tree.leaves(state.nu))
    v = 0.0
    for step, gradient in enumerate(gradients(3)):
        v = 0.5 * v + 0.5 * float(jnp.sum(gradient["matrix"] ** 2))
        np.testing.assert_allclose(
            updates[step]["matrix"], gradient["matrix"] / (np.sqrt(v) + 1e-8), rtol=1e-5
        )


@leafwise
def sm3_covers(eps: Hyperparameter = 1e-8):
    """Divide by the root of the least of the largest squares along each axis (SM3-II)."""

    def init(like):
        shapes = [[1] * a + [n] + [1] * (like.ndim - a - 1) for a, n in enumerate(like.shape)]
        return tuple(jnp.zeros(shape, like.dtype) for shape in shapes)

    def update(u, covers):
        least = functools.reduce(jnp.minimum, covers) if covers else jnp.zeros(())
        total = least + u**2
        others = [tuple(b for b in range(u.ndim) if b != a) for a in range(u.ndim)]
        covers = tuple(jnp.max(total, axes, keepdims=True) for axes in others)
        return u / (jnp.sqrt(total) + eps), covers

    return init, update


def test_a_rule_keeps_one_array_for_each_axis_and_so_another_structure_for_each_rank():
    tx = sm3_covers()
    updates, state = run(tx, 4)
    covers = state.sm3_covers
    assert {name: len(own) for name, own in covers.items()} == {
        "scalar": 0,
        "vector": 1,
        "matrix": 2,
        "cube": 3,
    }
    # Anil et al. 2019, algorithm SM3-II, element by element.
    for name in ("vector", "matrix", "cube"):
        shape = RANKS[name].shape
        mu = [np.zeros(n) for n in shape]
        for step, gradient in enumerate(gradients(4)):
            g = np.asarray(gradient[name], np.float64)
            nu, new = np.zeros(shape), [np.zeros(n) for n in shape]
            for index in np.ndindex(*shape):
                nu[index] = min(m[i] for m, i in zip(mu, index, strict=True)) + g[index] ** 2
                for m, i in zip(new, index, strict=True):
                    m[i] = max(m[i], nu[index])
            mu = new
            np.testing.assert_allclose(updates[step][name], g / (np.sqrt(nu) + 1e-8), rtol=1e-5)
        for own, m in zip(covers[name], mu, strict=True):
            np.testing.assert_allclose(np.ravel(own), m, rtol=1e-5)


@leafwise(slots=("left", "right"))
def whitened(decay: Hyperparameter = 0.9):
    """One factor for each axis of a matrix; other arrays pass."""

    def init(like):
        if like.ndim != 2:
            return (), ()
        return tuple(jnp.eye(n, dtype=like.dtype) for n in like.shape)

    def update(u, state):
        if u.ndim != 2:
            return u, state
        left, right = state
        left = decay * left + (1 - decay) * u @ u.T
        right = decay * right + (1 - decay) * u.T @ u
        return jnp.linalg.solve(left, jnp.linalg.solve(right, u.T).T), (left, right)

    return init, update


@pytest.mark.parametrize("in_jit", [False, True])
def test_a_state_of_several_structures_scans_vmaps_and_is_donated(in_jit):
    tx = whitened()
    first = run(tx, 3)
    steps = gradients(3)
    stacked = jax.tree.map(lambda *g: jnp.stack(g), *steps)
    body = lambda state, g: tx.update(g, state)[::-1]  # noqa: E731
    scan = lambda: jax.lax.scan(body, tx.init(RANKS), stacked)  # noqa: E731
    state, updates = jax.jit(scan)() if in_jit else scan()
    assert_close([jax.tree.map(lambda u: u[k], updates) for k in range(3)], first[0])  # noqa: B023
    assert_close(state, first[1])
    lanes = jax.vmap(lambda decay: run(whitened(decay), 2)[1])(jnp.array([0.5, 0.9]))
    alone = run(whitened(0.5), 2)[1]
    assert_close(jax.tree.map(lambda leaf: leaf[0], lanes), alone)


def test_a_rule_is_traced_once_for_each_shape_whatever_it_keeps():
    traced = []

    @leafwise
    def watched():
        def update(u, slots):
            traced.append(u.shape)
            return u, slots

        return lambda like: (like,) * like.ndim, update

    params = [jnp.ones((2, 3)), jnp.ones((2, 3)), jnp.ones(4), jnp.ones(4), jnp.ones(())]
    tx = watched()
    state = tx.init(params)
    jax.jit(tx.update)(params, state)
    assert sorted(traced) == [(), (2, 3), (4,)]


def test_a_state_that_does_not_fit_is_refused_with_the_rule_and_the_path():
    other = dict(RANKS, matrix=jnp.ones(4))
    for tx in (whitened(), sm3_covers(), trace(0.9)):
        name = tx.factory.name
        with pytest.raises(ValueError, match=rf"{name}\(.*\): the state does not fit the updates"):
            tx.update(RANKS, tx.init(other))
    with pytest.raises(ValueError, match=r"the updates at 'matrix': its slot 'trace' holds \(3,\)"):
        trace(0.9).update(RANKS, trace(0.9).init(dict(RANKS, matrix=jnp.ones(3))))
    with pytest.raises(ValueError, match="does not fit the updates"):
        trace(0.9).update(jnp.ones((2, 3)), trace(0.9).init(jnp.ones(3)))


def test_nothing_is_kept_as_an_empty_tuple_and_not_as_none():
    @leafwise
    def forgetful():
        return (lambda like: None), lambda u, state: (u, state)

    with pytest.raises(TypeError, match=r"forgetful\(\): init made None for a slot; .* \(\)"):
        forgetful().init(RANKS)


# --- What is read


def test_an_unknown_name_is_refused_when_the_function_is_decorated():
    with pytest.raises(ValueError, match=r"no 'params' to read; there are param, grad, value, key"):

        @leafwise(reads=("param", "params"))
        def wrong():
            return lambda u: u

    with pytest.raises(ValueError, match=r"no 'loss' to read; there are params, grad, value, val"):

        @transformation(reads="loss")
        def wrong_too():
            return lambda u: u

    with pytest.raises(ValueError, match=r"no 'key' to read; there are param, path"):

        @leafwise(init_reads="key")
        def wrong_at_start():
            return (lambda like, key: like), lambda u, s: (u, s)


@leafwise(reads=("param", "grad", "value", "step", "path"))
def reader():
    def update(u, *, param, grad, value, step, path):
        return u + 10 * param + 100 * grad + 1000 * value + 10_000 * step + len(path)

    return update


@pytest.mark.parametrize("many", [1, 40])
@pytest.mark.parametrize("in_jit", [False, True])
@pytest.mark.usually(dtype_promotion="its rule adds a step to a gradient")
def test_each_array_is_given_its_own_parameter_gradient_and_path(many, in_jit):
    tx = chain(scale(0.0), reader())
    params = {"a" * (k + 1): jnp.full(2, float(k)) for k in range(many)}
    grads = jax.tree.map(lambda w: 2 * w, params)
    update = jax.jit(tx.update) if in_jit else tx.update
    state = tx.init(params)
    for step in range(2):
        updates, state = update(grads, state, params, grad=grads, value=jnp.array(3.0))
        for k, name in enumerate(params):
            expected = 10 * k + 200 * k + 3000 + 10_000 * step + len(name)
            np.testing.assert_allclose(updates[name], expected)
    assert state.count == 2


def test_what_is_missing_is_asked_for_with_the_way_to_give_it():
    tx = chain(clip(1.0), reader())
    with pytest.raises(ValueError, match=r"params are needed by reader\. Call update"):
        tx.update(RANKS, tx.init(RANKS))
    with pytest.raises(ValueError, match=r"the keyword grad is needed by reader\. .*grad=gradient"):
        tx.update(RANKS, tx.init(RANKS), RANKS)


@leafwise(reads="key")
def noise():
    return lambda u, key: jax.random.normal(key, u.shape)


@transformation(reads="key")
def tree_noise():
    def update(updates, key):
        leaves, treedef = jax.tree.flatten(updates)
        keys = jax.random.split(key, len(leaves))
        return treedef.unflatten(
            [jax.random.normal(k, u.shape) for k, u in zip(keys, leaves, strict=True)]
        )

    return update


KEYED = [
    fork(operator.sub, noise(), noise()),
    fork(operator.sub, noise(), chain(scale(2.0), noise())),
    fork(operator.sub, tree_noise(), tree_noise()),
    fork(operator.sub, noise(), accumulate(noise(), 1)),
    fork(operator.sub, masked(noise(), ""), masked(noise(), "")),
    fork(operator.sub, partition({"all": noise()}, [("", "all")]), noise()),
    fork(operator.sub, chain(clip_by_global_norm(9.0), noise()), noise()),
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("in_jit", [False, True])
@pytest.mark.parametrize(("tx", "many"), [*((tx, 2) for tx in KEYED), (KEYED[0], 33)])
def test_keys_differ_by_link_and_by_array(tx, many, in_jit):
    params = [jnp.ones(500) for _ in range(many)]
    update = jax.jit(tx.update) if in_jit else tx.update
    key = jax.random.key(3)
    updates, _ = update(params, tx.init(params), params, key=key)
    # Differences of independent normal numbers: mean 0 and variance 2, and no two arrays alike.
    values = np.stack(updates)
    assert abs(values.mean()) < 6 * np.sqrt(2 / values.size)
    assert abs(values.var() - 2) < 6 * 2 * np.sqrt(2 / values.size)
    assert len({row.tobytes() for row in values}) == many
    again, _ = update(params, tx.init(params), params, key=key)
    np.testing.assert_array_equal(np.stack(again), values)
    other, _ = update(params, tx.init(params), params, key=jax.random.key(4))
    assert not np.any(np.stack(other) == values)


def test_shared_integers_stay_exact_integers():
    @leafwise(shared="calls")
    def counted():
        return (
            None,
            lambda u, calls: u * (calls % 2).astype(u.dtype),
            gdlab.Shared(lambda: jnp.int32(2**24), lambda calls: calls + 1),
        )

    for dtype in (jnp.float32, jnp.bfloat16):
        tx, params = counted(), {"w": jnp.ones(1, dtype)}
        state = tx.init(params)
        assert state.calls.dtype == jnp.int32
        for step in range(4):
            updates, state = tx.update(params, state)
            assert float(updates["w"][0]) == (step + 1) % 2
        assert int(state.calls) == 2**24 + 4


def test_a_step_that_is_read_is_exact_beyond_what_float32_counts():
    @leafwise(reads="step")
    def odd():
        return lambda u, step: u * (step % 2).astype(u.dtype)

    tx = odd()
    state = tx.init(jnp.ones(1)).replace(count=jnp.int32(2**24 + 1))
    assert float(tx.update(jnp.ones(1), state)[0][0]) == 1.0


def test_a_step_is_an_array_where_shapes_are_found_out_as_well():
    @leafwise(reads="step")
    def shrinking():
        return lambda u, step: u / (1 + step.astype(u.dtype))

    tx = chain(shrinking(), ema(0.5))
    assert tx.init(jnp.ones(2)).ema.shape == (2,)


# --- A signal that is used twice


def adabelief(decay, decay2):
    """m and (g − m)² with one average m."""
    return chain(fork(bus(), identity(), mu=ema(decay)), fork_of_belief(decay2))


def fork_of_belief(decay2):
    belief = chain(on_wires(operator.sub), square(), ema(decay2))
    return fork(ratio(1e-8), wire(1), nu=belief)


def test_a_signal_on_a_bus_is_computed_and_kept_once():
    tx = adabelief(0.9, 0.99)
    params = {"w": RANKS["matrix"]}
    updates, state = run(tx, 5, params)
    assert state.names == ("mu", "nu")
    # Zhuang et al. 2020, without correction, in float64.
    m = s = 0.0
    for step, gradient in enumerate(gradients(5, params)):
        g = np.asarray(gradient["w"], np.float64)
        m = 0.9 * m + 0.1 * g
        s = 0.99 * s + 0.01 * (g - m) ** 2
        np.testing.assert_allclose(updates[step]["w"], m / (np.sqrt(s) + 1e-8), rtol=1e-4)
    twice = fork(
        ratio(1e-8), ema(0.9), chain(fork(operator.sub, identity(), ema(0.9)), square(), ema(0.99))
    )
    assert_close(run(twice, 5, params)[0], updates, rtol=1e-4)
    sweep = jax.vmap(lambda b: run(adabelief(b, 0.99), 3, params)[0][-1]["w"])(
        jnp.array([0.5, 0.9])
    )
    assert_close(sweep[1], updates[2]["w"], rtol=1e-4)


BUS = fork(bus(), identity(), ema(0.9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: chain(BUS, scale(0.5)), "a bus leads into a transformation of one signal"),
        (lambda: chain(scale(0.5), wire(0)), "wire and on_wires follow a bus"),
        (lambda: chain(BUS, clip_by_global_norm(1.0)), "a bus cannot leave the rules for one arr"),
        (lambda: accumulate(BUS, 2), "a bus cannot leave the rules for one array"),
        (lambda: masked(chain(scale(1.0), BUS), "w"), "a bus cannot leave the rules for one array"),
        (lambda: fork(operator.add, BUS, identity()), "a branch ends in a bus"),
        (lambda: fork(bus(), identity(), clip_by_global_norm(1.0)), "a bus joins rules for one ar"),
        (lambda: debias(BUS), "debias: average must be a linear average of each array"),
    ],
)
def test_a_bus_that_leaves_the_rules_for_one_array_is_refused_when_it_is_made(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_bus_at_the_end_is_refused_when_it_is_used():
    with pytest.raises(ValueError, match="a bus cannot leave the rules for one array"):
        BUS.init(RANKS)


# --- Values by leaf


@leafwise
def mean_over_matrix(axes: Structure):
    """The mean over the axes that are the matrix of this leaf."""
    return lambda u: u - jnp.mean(u, axes, keepdims=True) if axes else u


@transformation
def hides_everything():
    """A method that has no argument of its own."""
    return chain(
        mean_over_matrix([("cube", (1, 2)), ("matrix", (0, 1)), ("", ())]),
        gdlab.add_decayed_weights(0.5, mask="matrix|cube"),
        scale({"scalar": 1.0, "vector": 2.0, "matrix": 3.0, "cube": 4.0}),
        fork(ratio([("vector", 1.0), ("", 0.5)]), identity(), square()),
    )


def by_hand(name, g, w):
    axes = {"cube": (1, 2), "matrix": (0, 1)}.get(name, ())
    u = g - np.mean(g, axes, keepdims=True) if axes else g
    u = u + (0.5 * w if name in ("matrix", "cube") else 0)
    u = u * {"scalar": 1.0, "vector": 2.0, "matrix": 3.0, "cube": 4.0}[name]
    return u / (np.abs(u) + (1.0 if name == "vector" else 0.5))


@pytest.mark.parametrize("in_jit", [False, True])
@pytest.mark.parametrize("wrap", [lambda tx: tx, lambda tx: accumulate(chain(tx), 1)])
def test_values_by_leaf_work_at_any_depth_inside_a_method(wrap, in_jit):
    tx = wrap(hides_everything())
    (gradient,) = gradients(1)
    update = jax.jit(tx.update) if in_jit else tx.update
    updates, _ = update(gradient, tx.init(RANKS), RANKS)
    for name, w in RANKS.items():
        expected = by_hand(name, np.asarray(gradient[name]), np.asarray(w))
        np.testing.assert_allclose(updates[name], expected, rtol=1e-5)


FORMS = {
    "a tree": {"scalar": 1.0, "vector": 2.0, "matrix": 2.0, "cube": 2.0},
    "patterns": [("scalar", 1.0), ("", 2.0)],
    "a function": gdlab.by_leaf(lambda p: jax.tree.map(lambda w: 2.0 if w.ndim else 1.0, p)),
}


@pytest.mark.parametrize("rates", FORMS.values(), ids=FORMS)
def test_numbers_by_leaf_are_written_in_any_of_the_forms(rates):
    tx = sgd(rates)
    updates, _ = tx.update(RANKS, tx.init(RANKS))
    for name, w in RANKS.items():
        np.testing.assert_allclose(updates[name], -(1.0 if name == "scalar" else 2.0) * w)
    assert repr(eval(repr(sgd(FORMS["patterns"])), NAMES)) == repr(sgd(FORMS["patterns"]))


def test_numbers_by_pattern_are_leaves_that_follow_schedules_and_have_derivatives():
    tx = sgd([("scalar", linear_schedule(1.0, 0.0, 2)), ("", 2.0)])
    state = tx.init(RANKS)
    for factor in (1.0, 0.5, 0.0):
        updates, state = tx.update(RANKS, state)
        np.testing.assert_allclose(updates["scalar"], -factor * RANKS["scalar"])
        np.testing.assert_allclose(updates["matrix"], -2 * RANKS["matrix"])

    def total(tx):
        updates, _ = tx.update(RANKS, tx.init(RANKS))
        return sum(jnp.sum(u) for u in jax.tree.leaves(updates))

    slopes = jax.grad(total)(sgd([("scalar", 1.0), ("", 2.0)]))
    first, second = jax.tree.leaves(slopes)
    assert first == -RANKS["scalar"]
    others = sum(float(jnp.sum(w)) for name, w in RANKS.items() if name != "scalar")
    assert float(second) == pytest.approx(-others, rel=1e-5)


def test_a_leaf_without_a_value_is_refused_with_its_path():
    tx = sgd([("matrix", 1.0)])
    with pytest.raises(ValueError, match="no pattern matches the leaf at 'cube'"):
        tx.update(RANKS, tx.init(RANKS))
    with pytest.raises(ValueError, match="pattern 'tensor' matches none of the paths"):
        sgd([("tensor", 1.0), ("", 2.0)]).update(RANKS, sgd(0.1).init(RANKS))


# --- Wrappers of a rule for one array


@leaf_wrapper(slots=("largest",))
def in_units_of_the_largest(inner: GradientTransformation, least: Hyperparameter = 1e-8):
    """Give the inner rule an input of largest element 1, and remember how large it was."""

    def init(like, init_inner):
        return init_inner(like), jnp.zeros((), like.dtype)

    def update(u, state, update_inner):
        kept, _ = state
        largest = jnp.maximum(jnp.max(jnp.abs(u)), least)
        u, kept = update_inner(u / largest, kept)
        return largest * u, (kept, largest)

    return init, update


@leaf_wrapper
def in_tenths(inner: GradientTransformation):
    """Keep each slot as whole tenths in 8 bit: another dtype and another structure."""

    def init(like, init_inner):
        return tuple(map(coded, init_inner(like)))

    def update(u, state, update_inner):
        u, state = update_inner(u, tuple(map(decoded, state)))
        return u, tuple(map(coded, state))

    return init, update


def coded(slot):
    scale = jnp.maximum(jnp.max(jnp.abs(slot), initial=0), 1e-30) / 127
    return jnp.round(slot / scale).astype(jnp.int8), scale


def decoded(pair):
    return pair[0].astype(jnp.float32) * pair[1]


@pytest.mark.parametrize("in_jit", [False, True])
def test_a_wrapper_sees_what_the_inner_rule_is_given_returns_and_keeps(in_jit):
    tx = chain(in_units_of_the_largest(debias(ema(0.9))), scale(-1.0))
    update = jax.jit(tx.update) if in_jit else tx.update
    state = tx.init(RANKS)
    assert state.names == ("ema", "largest", "weight")
    m = weight = 0.0
    for gradient in gradients(3):
        updates, state = update(gradient, state)
        g = np.asarray(gradient["matrix"], np.float64)
        largest = np.abs(g).max()
        m, weight = 0.9 * m + 0.1 * g / largest, 0.9 * weight + 0.1
        np.testing.assert_allclose(updates["matrix"], -largest * m / weight, rtol=1e-5)
        np.testing.assert_allclose(state.largest["matrix"], largest, rtol=1e-6)


def test_a_wrapper_keeps_slots_in_a_format_of_its_own():
    tx = in_tenths(adam(0.1))
    params = {"w": jnp.ones(64)}
    state = tx.init(params)
    assert state.mu["w"][0].dtype == jnp.int8
    exact = adam(0.1)
    other = exact.init(params)
    for gradient in gradients(5, params):
        updates, state = tx.update(gradient, state)
        expected, other = exact.update(gradient, other)
    # A coded moment is off by at most half a step of 1/127 of the largest one.
    m, (codes, unit) = np.asarray(other.mu["w"]), state.mu["w"]
    assert np.abs(np.asarray(codes) * float(unit) - m).max() < 5 * np.abs(m).max() / 127
    assert float(jnp.vdot(updates["w"], expected["w"])) > 0


def test_a_wrapper_passes_on_what_is_read_and_takes_rules_for_one_array_alone():
    tx = in_tenths(chain(noise(), trace(0.5)))
    updates, _ = tx.update({"w": jnp.ones(3)}, tx.init({"w": jnp.ones(3)}), key=jax.random.key(0))
    assert len(set(np.asarray(updates["w"]).tolist())) == 3
    with pytest.raises(TypeError, match="in_tenths wraps a rule for one array, which clip_by"):
        in_tenths(clip_by_global_norm(1.0))


def test_wrapped_rules_sweep():
    rates = jnp.array([0.1, 0.2])
    params = {"w": jnp.ones(4)}

    def after(rate):
        tx = in_units_of_the_largest(adam(rate))
        updates, _ = tx.update(params, tx.init(params))
        return apply_updates(params, updates)["w"]

    np.testing.assert_allclose(jax.vmap(after)(rates)[:, 0], 1 - rates, rtol=1e-5)
