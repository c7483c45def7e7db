"""Laws of the algebra: series, parallel, and the neutral element."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import (
    Hyperparameter,
    adam,
    chain,
    clip,
    clip_by_global_norm,
    debias,
    ema,
    fork,
    identity,
    join,
    leafwise,
    linear_schedule,
    named_chain,
    nesterov,
    scale,
    scale_by_learning_rate,
    sgd,
    trace,
    transformation,
)

PARAMS = {"w": jnp.array([[1.0, -2.0], [0.5, 4.0]]), "b": jnp.array([0.25, -0.5])}
GRADIENTS = [jax.tree.map(lambda p, k=k: jnp.sin(k + 3 * p), PARAMS) for k in range(4)]

LINKS = {
    "leafwise": [trace(0.9), ema(0.5), scale(2.0)],
    "whole tree": [clip_by_global_norm(0.5), clip_by_global_norm(0.3), clip_by_global_norm(0.1)],
    "mixed": [ema(0.9), clip_by_global_norm(0.5), trace(0.9)],
    "scheduled": [ema(linear_schedule(0.9, 0.1, 3)), clip(0.5), scale(linear_schedule(1, 0, 5))],
}


def run(tx, gradients=GRADIENTS, params=PARAMS, **extra):
    state, every = tx.init(params), []
    for gradient in gradients:
        updates, state = tx.update(gradient, state, params, **extra)
        every.append(updates)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *every)


def assert_equal(one, other):
    # The same sums in programs fused differently: four steps of a dozen roundings each, of numbers
    # of order one that may cancel.
    rounding = 4 * 12 * np.finfo(np.float32).eps
    close = functools.partial(np.testing.assert_allclose, rtol=rounding, atol=rounding)
    jax.tree.map(close, one, other)


@pytest.mark.parametrize("links", LINKS.values(), ids=LINKS)
def test_a_chain_is_one_link_after_another(links):
    by_hand = GRADIENTS
    for link in links:
        stacked = run(link, by_hand)
        by_hand = [jax.tree.map(lambda u, k=k: u[k], stacked) for k in range(len(by_hand))]
    assert_equal(run(chain(*links)), stacked)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("links", LINKS.values(), ids=LINKS)
def test_chaining_is_associative_and_identity_is_neutral(links):
    a, b, c = links
    expected = run(chain(a, b, c))
    for same in (
        chain(chain(a, b), c),
        chain(a, chain(b, c)),
        chain(identity(), a, b, identity(), c, identity()),
        chain(chain(chain(a, b, c))),
        named_chain(("z", a), ("y", b), ("x", c)),
        fork(lambda_free_first, chain(a, b, c), identity()),
    ):
        assert_equal(run(same), expected)


def lambda_free_first(one, other):
    return one


def test_a_fork_of_identities_joined_by_a_sum_multiplies():
    tx = fork(operator.add, identity(), identity())
    assert_equal(run(tx), run(scale(2.0)))


@pytest.mark.parametrize("branch", [ema(0.9), clip_by_global_norm(0.5)])
def test_a_fork_gives_each_branch_the_same_input_and_joins_leaf_by_leaf(branch):
    tx = fork(operator.sub, branch, trace(0.5))
    expected = jax.tree.map(operator.sub, run(branch), run(trace(0.5)))
    assert_equal(run(tx), expected)


@pytest.mark.parametrize("extra_branch", [(), (clip_by_global_norm(1e9),)])
def test_a_join_may_take_any_number_of_branches(extra_branch):
    branches = [scale(1.0), scale(2.0), scale(3.0), *extra_branch]
    updates = run(fork(add_all, *branches))
    total = 6 + len(extra_branch)
    assert_equal(updates, run(scale(float(total))))


def add_all(*outputs):
    return sum(outputs)


@join
def mixture(weight: Hyperparameter):
    return lambda a, b: weight * a + (1 - weight) * b


@pytest.mark.parametrize("second", [ema(0.5), clip_by_global_norm(1.0)])
def test_a_schedule_in_a_join_is_evaluated_at_the_step_of_the_fork(second):
    ramp = linear_schedule(0.0, 1.0, 3)
    tx = fork(mixture(ramp), identity(), second)
    a, b = run(identity()), run(second)
    weight = np.array([0, 1 / 3, 2 / 3, 1])
    expected = jax.tree.map(
        lambda x, y: np.stack([w * x[k] + (1 - w) * y[k] for k, w in enumerate(weight)]), a, b
    )
    assert_equal(run(tx), expected)


def test_links_of_a_named_chain_keep_their_order_and_call_what_they_keep_by_their_name():
    tx = named_chain(("fast", trace(0.5)), ("slow", adam(0.1)), ("last", scale(3.0)))
    names = ("fast", "slow_mu", "slow_nu", "slow_mu_weight", "slow_nu_weight")
    assert tx.init(PARAMS).names == names
    tx = named_chain(("second", scale(3.0)), ("first", clip(1.0)))
    assert tx.update(jnp.array([0.5]), tx.init(jnp.zeros(1)))[0] == 1.0
    leaves, treedef = jax.tree.flatten(tx)
    assert treedef.unflatten(leaves).update(jnp.array([0.5]), tx.init(jnp.zeros(1)))[0] == 1.0


def test_links_of_optax_stand_in_a_chain_and_a_chain_in_those_of_optax():
    ours = chain(optax.clip(0.5), ema(0.9), optax.scale(-0.1))
    theirs = optax.chain(optax.clip(0.5), ema(0.9), scale(-0.1))
    assert_equal(run(ours), run(theirs))


def test_keywords_reach_every_link_that_reads_them_and_no_other():
    @transformation(reads="value")
    def scale_by_value(power: Hyperparameter):
        def update(updates, *, value):
            return jax.tree.map(lambda u: u * value**power, updates)

        return update

    for tx in (
        chain(scale(1.0), clip_by_global_norm(1e9), scale_by_value(2.0)),
        named_chain(("a", scale_by_value(2.0)), ("b", identity())),
        fork(lambda_free_first, scale_by_value(2.0), identity()),
        gdlab.masked(scale_by_value(2.0), ""),
        gdlab.partition({"all": scale_by_value(2.0)}, [("", "all")]),
        gdlab.apply_if_finite(scale_by_value(2.0)),
        gdlab.accumulate(scale_by_value(2.0), 1),
        gdlab.look_ahead(scale_by_value(2.0)),
    ):
        updates, _ = tx.update(
            jnp.ones(2), tx.init(jnp.ones(2)), jnp.ones(2), value=3.0, grad_fn=jnp.ones_like
        )
        np.testing.assert_allclose(updates, 9.0)


def test_functions_among_the_keywords_work_outside_jit_and_leave_other_links_compiled():
    grad_fn = jax.grad(lambda params: 0.5 * jnp.sum(params**2))
    tx = chain(clip_by_global_norm(1e9), nesterov(0.1, 0.5), scale(1.0))
    w = jnp.array([1.0, 2.0])
    state = tx.init(w)
    for _ in range(2):
        updates, state = tx.update(grad_fn(w), state, w, grad_fn=grad_fn, value_fn=jnp.sum)
        w = w + updates
    # By hand: w₁ = 0.9, v₁ = 1; w₂ = w₁ − 0.1(0.5·v₁ + w₁ − 0.05·v₁) for a start at 1.
    np.testing.assert_allclose(w, [0.765, 1.53], rtol=1e-6)


def test_a_prng_key_and_a_value_reach_a_link_inside_and_outside_jit_alike():
    @transformation(reads=("key", "value"))
    def add_noise(size: Hyperparameter):
        def update(updates, *, key, value):
            return updates + size * jax.random.normal(key, updates.shape) + value

        return update

    tx = chain(add_noise(0.5), scale(1.0))
    key = jax.random.key(1)
    outside, _ = tx.update(jnp.ones(3), tx.init(jnp.ones(3)), key=key, value=2.0)
    inside, _ = jax.jit(lambda u, key: tx.update(u, tx.init(u), key=key, value=2.0))(
        jnp.ones(3), key
    )
    np.testing.assert_allclose(outside, inside, rtol=1e-6)
    noise = (np.asarray(outside) - 3) / 0.5
    assert len(set(noise.tolist())) == 3
    assert np.all(np.abs(noise) < 6)


def counting(traces):
    """A leafwise rule that tells each time that it is traced."""

    @leafwise
    def counted(factor: Hyperparameter = 1.0):
        def update(u, steps):
            traces.append(u.shape)
            return factor * u, steps + 1

        return jnp.zeros_like, update

    return counted


@pytest.mark.parametrize("leaves", [6, 40])
@pytest.mark.parametrize("in_jit", [False, True])
def test_a_fused_run_is_traced_once_for_each_shape(leaves, in_jit):
    traces = []
    link = counting(traces)
    tx = chain(link(2.0), link(3.0), scale(0.5))
    params = [jnp.ones((2,) if k % 2 else (3,)) for k in range(leaves)]
    update = jax.jit(tx.update) if in_jit else tx.update
    state = tx.init(params)
    traces.clear()  # the first link is traced for its shapes, which the second one starts from
    updates, state = update(params, state)
    assert sorted(traces) == [(2,), (2,), (3,), (3,)]
    update(params, state)
    assert len(traces) == 4
    assert all(bool((u == 3.0).all()) for u in updates)


def test_many_leaves_outside_jit_do_not_trace_again_for_other_numbers():
    traces = []
    link = counting(traces)
    params = [jnp.ones(2) for _ in range(40)]
    for factor in (0.5, 1.5, 2.5):
        tx = chain(link(factor), scale(1.0))
        updates, _ = tx.update(params, tx.init(params))
        assert updates[39][0] == factor
    assert len(traces) == 1


def test_a_run_interrupted_by_a_rule_for_the_whole_tree_is_fused_around_it():
    traces = []
    link = counting(traces)
    tx = chain(link(2.0), link(3.0), clip_by_global_norm(1e9), link(0.5))
    state = tx.init(PARAMS)
    traces.clear()
    updates, state = jax.jit(tx.update)(PARAMS, state)
    assert len(traces) == 6  # three links, two shapes
    shorter = chain(link(6.0), clip_by_global_norm(1e9), link(0.5))
    calls, as_many = (
        len(jax.make_jaxpr(t.update)(PARAMS, t.init(PARAMS)).eqns) for t in (tx, shorter)
    )
    assert calls == as_many
    assert_equal(updates, jax.tree.map(lambda u: 3 * u, PARAMS))
    assert state.names == ("counted_0", "counted_1", "counted_3")
    assert [jax.tree.leaves(slot)[0].flatten()[0] for slot in state.values()] == [1, 1, 1]


def test_adam_is_the_chain_of_its_parts():
    by_hand = chain(
        fork(
            gdlab.ratio(1e-8),
            mu=debias(ema(0.9)),
            nu=chain(gdlab.square(), debias(ema(0.999))),
        ),
        scale_by_learning_rate(0.1),
    )
    assert repr(gdlab.expand(adam(0.1))) == repr(by_hand)
    assert_equal(run(adam(0.1)), run(by_hand))
    assert jax.tree.structure(adam(0.1).init(PARAMS)) == jax.tree.structure(by_hand.init(PARAMS))


def test_expanding_opens_links_branches_and_what_is_wrapped_one_layer():
    tx = chain(gdlab.masked(sgd(0.1, 0.9), "w"), named_chain(("a", sgd(0.5))))
    assert repr(gdlab.expand(tx)) == (
        "chain(masked(chain(trace(0.9), scale_by_learning_rate(0.1)), 'w'), "
        "named_chain(('a', scale_by_learning_rate(0.5))))"
    )
