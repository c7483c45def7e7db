"""Weight decay, and every way of saying which weights."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    adamw,
    add_decayed_weights,
    chain,
    decay_weights,
    descend_with_corrected_decay,
    linear_schedule,
    matrices,
    scale_by_learning_rate,
)

PARAMS = {
    "body": {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full(2, 2.0)},
    "head": {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full(2, 2.0)},
}
ZEROS = jax.tree.map(jnp.zeros_like, PARAMS)
KERNELS = {part: {"kernel": True, "bias": False} for part in PARAMS}


def is_matrix(params):
    return jax.tree.map(lambda param: param.ndim > 1, params)


def decayed(tx, params=PARAMS):
    updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    return {
        f"{part}.{name}"
        for part, layer in updates.items()
        for name, leaf in layer.items()
        if leaf is not None and bool((leaf != 0).any())
    }


BOTH = {"body.kernel", "head.kernel"}
ALL = BOTH | {"body.bias", "head.bias"}
FORMS = [
    (None, ALL),
    (True, ALL),
    (False, set()),
    (KERNELS, BOTH),
    ({"body": True, "head": False}, {"body.kernel", "body.bias"}),
    ({"body": {"kernel": np.array(True), "bias": np.bool_(False)}, "head": False}, {"body.kernel"}),
    ("kernel", BOTH),
    (r"^head\.", {"head.kernel", "head.bias"}),
    (r"body\.kernel$", {"body.kernel"}),
    (["body.bias", "head"], ALL - {"body.kernel"}),
    (("kernel",), BOTH),
    (is_matrix, BOTH),
    (lambda params: {"body": True, "head": False}, {"body.kernel", "body.bias"}),
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("mask", "expected"), FORMS)
def test_a_mask_chooses_by_tree_prefix_pattern_or_function(mask, expected):
    assert decayed(add_decayed_weights(0.5, mask=mask)) == expected
    assert decayed(adamw(0.1, weight_decay=0.5, mask=mask)) == expected


def test_what_is_added_is_the_decay_times_the_weight():
    updates, _ = add_decayed_weights(0.25).update(PARAMS, (), PARAMS)
    np.testing.assert_array_equal(updates["head"]["bias"], 2 + 0.25 * 2)


def test_it_agrees_with_optax_on_a_mask():
    ours = add_decayed_weights(0.3, mask=is_matrix)
    theirs = optax.add_decayed_weights(0.3, mask=is_matrix)
    one, _ = ours.update(PARAMS, ours.init(PARAMS), PARAMS)
    other, _ = theirs.update(PARAMS, theirs.init(PARAMS), PARAMS)
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_the_decay_may_follow_a_schedule_or_differ_by_leaf():
    tx = add_decayed_weights(linear_schedule(1.0, 0.0, 2))
    state = tx.init(PARAMS)
    for expected in (2.0, 1.0, 0.0):
        updates, state = tx.update(ZEROS, state, PARAMS)
        assert (updates["head"]["bias"] == expected).all()
    by_leaf = add_decayed_weights({"body": 0.0, "head": {"kernel": 1.0, "bias": 0.0}})
    assert decayed(by_leaf) == {"head.kernel"}


def test_decay_after_the_scaling_is_decoupled_from_it():
    w = jnp.array([2.0, -1.0])
    tx = chain(add_decayed_weights(0.1), scale_by_learning_rate(0.5))
    for _ in range(3):
        updates, _ = tx.update(jnp.zeros(2), tx.init(w), w)
        w = w + updates
    # w ← (1 − ηλ)w
    np.testing.assert_allclose(w, np.array([2.0, -1.0]) * 0.95**3, rtol=1e-6)


def test_a_leaf_that_is_none_takes_no_part():
    params = {"body": {"kernel": None, "bias": jnp.ones(1)}}
    assert decayed(add_decayed_weights(0.5), params) == {"body.bias"}
    assert decayed(add_decayed_weights(0.5, mask="bias"), params) == {"body.bias"}


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ("embedding", r"'embedding' matches none of the paths \['body\.bias', 'body\.kernel'"),
        (["kernel", "embedding"], "'embedding' matches none"),
        ({"body": True}, "mask is not a prefix"),
        ({"body": True, "tail": True}, "mask is not a prefix"),
        (lambda params: {"body": True}, "mask is not a prefix"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask, message):
    tx = add_decayed_weights(0.5, mask=mask)
    with pytest.raises(ValueError, match=message):
        tx.update(ZEROS, tx.init(PARAMS), PARAMS)


def test_a_pattern_that_is_no_regular_expression_is_refused_at_once():
    with pytest.raises(ValueError, match=r"add_decayed_weights: argument 'mask'.*'\('"):
        add_decayed_weights(0.5, mask="(")


def test_matrices_are_chosen_by_the_number_of_their_axes():
    assert decayed(add_decayed_weights(0.5, mask=matrices)) == BOTH
    assert decayed(decay_weights(0.5, matrices)) == BOTH
    assert decayed(descend_with_corrected_decay(0.1, 0.1, 0.5, matrices)) == BOTH
    assert matrices({"scalar": jnp.array(1.0), "cube": jnp.ones((1, 1, 1)), "none": None}) == {
        "scalar": False,
        "cube": True,
        "none": None,
    }


@pytest.mark.x64
def test_cautious_decay_is_for_what_the_step_shrinks_before_and_after_the_learning_rate():
    w = jnp.array([1.0, 1.0, -1.0, -1.0, 1.0])
    direction = jnp.array([2.0, -2.0, 2.0, -2.0, 0.0])
    shrinks = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    before = chain(add_decayed_weights(0.5, cautious=True), scale_by_learning_rate(0.1))
    after = chain(scale_by_learning_rate(0.1), decay_weights(0.05, cautious=True))
    corrected = descend_with_corrected_decay(0.1, 0.1, 0.5, cautious=True)
    for tx in (before, after, corrected):
        updates, _ = tx.update(direction, tx.init(w), w)
        np.testing.assert_allclose(updates, -0.1 * direction - 0.05 * w * shrinks, rtol=1e-14)


@pytest.mark.x64
def test_corrected_decay_at_the_largest_learning_rate_is_that_of_adamw():
    w, g = jnp.array([2.0, -1.0]), jnp.array([0.3, 0.1])
    corrected = descend_with_corrected_decay(0.2, 0.2, 0.5)
    adamw_s = chain(add_decayed_weights(0.5), scale_by_learning_rate(0.2))
    one, _ = corrected.update(g, corrected.init(w), w)
    other, _ = adamw_s.update(g, adamw_s.init(w), w)
    np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.x64
@pytest.mark.parametrize("rate", [0.4, 0.1, 0.05])
def test_corrected_decay_balances_at_one_ratio_of_gradient_and_weight_for_every_rate(rate):
    # A loss that does not see the size of w has gradients across w, as long as 1/‖w‖.
    largest, decay = 0.4, 0.05
    tx = descend_with_corrected_decay(rate, largest, decay)
    state = tx.init(jnp.ones(2))

    def step(w, sign):
        across = jnp.array([-w[1], w[0]]) / jnp.sum(w**2)
        return w + tx.update(sign * across, state, w)[0], None

    w, _ = jax.lax.scan(step, jnp.array([1.5, 0.5]), jnp.tile(jnp.array([1.0, -1.0]), 10_000))
    squared = jnp.sum(w**2)
    # ‖w‖² = (1 − a)²‖w‖² + rate²‖g‖² with a = rate²λ/η_max and ‖g‖² = 1/‖w‖²
    a = rate**2 * decay / largest
    ratio = (2 * a - a**2) / rate**2
    np.testing.assert_allclose(1 / squared**2, ratio, rtol=1e-6)
    assert ratio == pytest.approx(2 * decay / largest, rel=0.02)


def test_independent_decay_does_not_change_with_the_learning_rate():
    w = jnp.array([2.0, -1.0])
    for rate in (0.0, 0.5):
        tx = chain(scale_by_learning_rate(rate), decay_weights(0.25))
        updates, _ = tx.update(jnp.zeros(2), tx.init(w), w)
        assert updates.tolist() == [-0.5, 0.25]
