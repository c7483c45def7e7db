"""Different treatment of different parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    adam,
    adamw,
    chain,
    clip_by_global_norm,
    linear_schedule,
    masked,
    partition,
    scale,
    set_to_zero,
    sgd,
)

PARAMS = {"body": {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}, "head": jnp.full(3, 2.0)}


def stepped(tx, steps=2, params=PARAMS):
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(params, state, params)
    return updates, state


# Two steps of a dozen roundings each, in programs that are compiled each by itself.
ROUNDS = 2 * 12 * np.finfo(np.float32).eps


def assert_equal(one, other, rtol=ROUNDS):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), one, other)


# optax corrects for the start by 1 − 0.999ᵗ, which cancels to 10⁻⁵ in float32.
OPTAX_ROUNDS = 3e-5


def test_what_a_mask_leaves_out_passes_unchanged():
    updates, _ = stepped(masked(scale(5.0), {"body": {"w": True, "b": False}, "head": False}))
    assert_equal(updates["body"]["w"], 5 * PARAMS["body"]["w"])
    assert_equal(updates["body"]["b"], PARAMS["body"]["b"])
    assert_equal(updates["head"], PARAMS["head"])


def test_a_mask_leaves_no_state_for_what_it_leaves_out():
    state = masked(adam(0.1), mask="head").init(PARAMS)
    assert {leaf.shape for leaf in jax.tree.leaves(state)} == {(3,)}


def test_nothing_masked_is_identity_and_everything_masked_is_the_inner_one():
    assert_equal(stepped(masked(adamw(0.1), False))[0], PARAMS)
    assert_equal(stepped(masked(adamw(0.1), True))[0], stepped(adamw(0.1))[0])


def test_a_norm_within_a_mask_is_that_of_the_chosen_leaves():
    updates, _ = stepped(masked(clip_by_global_norm(1.0), "body"))
    # Six ones have the norm √6.
    np.testing.assert_allclose(updates["body"]["b"], 1 / np.sqrt(6), rtol=1e-6)
    assert_equal(updates["head"], PARAMS["head"])


def test_masks_may_be_nested():
    tx = masked(masked(scale(3.0), {"body": {"w": False, "b": True}, "head": True}), "body")
    updates, _ = stepped(tx)
    assert_equal(updates["body"]["b"], 3 * PARAMS["body"]["b"])
    assert_equal(updates["body"]["w"], PARAMS["body"]["w"])
    assert_equal(updates["head"], PARAMS["head"])


def test_masking_agrees_with_optax():
    mask = {"body": {"w": True, "b": False}, "head": True}
    ours, _ = stepped(masked(adamw(0.1, weight_decay=0.1), mask))
    theirs, _ = stepped(optax.masked(optax.adamw(0.1, weight_decay=0.1), mask))
    assert_equal(ours, theirs, OPTAX_ROUNDS)


@pytest.mark.parametrize(
    "labels",
    [
        {"body": {"w": "slow", "b": "fast"}, "head": "frozen"},
        [("head", "frozen"), (r"\.w$", "slow"), ("", "fast")],
        lambda params: {"body": {"w": "slow", "b": "fast"}, "head": "frozen"},
    ],
    ids=["tree", "patterns", "function"],
)
def test_each_group_is_treated_as_if_it_were_alone(labels):
    tx = partition(
        {"fast": sgd(linear_schedule(1.0, 0.0, 4)), "slow": adam(0.1), "frozen": set_to_zero()},
        labels,
    )
    updates, state = stepped(tx)
    alone, _ = stepped(adam(0.1), params=PARAMS["body"]["w"])
    assert_equal(updates["body"]["w"], alone)
    assert_equal(updates["body"]["b"], -0.75 * PARAMS["body"]["b"])
    assert_equal(updates["head"], jnp.zeros(3))
    assert state.groups.keys() == {"fast", "slow", "frozen"}


def test_a_frozen_group_carries_no_arrays():
    tx = partition(
        {"train": adam(0.1), "frozen": set_to_zero()}, [("head", "train"), ("", "frozen")]
    )
    state = tx.init(PARAMS)
    assert jax.tree.leaves(state.groups["frozen"]) == []
    assert {leaf.shape for leaf in jax.tree.leaves(state)} == {(3,)}


def test_a_label_for_a_subtree_is_one_for_its_leaves():
    tx = partition({"a": scale(2.0), "b": scale(3.0)}, {"body": "a", "head": "b"})
    updates, _ = stepped(tx)
    assert_equal(
        updates, {"body": jax.tree.map(lambda p: 2 * p, PARAMS["body"]), "head": 3 * PARAMS["head"]}
    )


def test_a_group_without_members_does_no_harm():
    tx = partition(
        {"all": scale(2.0), "none": chain(clip_by_global_norm(1.0), adam(0.1))}, [("", "all")]
    )
    assert_equal(stepped(tx)[0], jax.tree.map(lambda p: 2 * p, PARAMS))


def test_partition_agrees_with_optax():
    labels = {"body": {"w": "x", "b": "y"}, "head": "x"}
    ours, _ = stepped(partition({"x": adamw(0.1), "y": sgd(0.1, 0.9)}, labels))
    theirs, _ = stepped(optax.partition({"x": optax.adamw(0.1), "y": optax.sgd(0.1, 0.9)}, labels))
    assert_equal(ours, theirs, OPTAX_ROUNDS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"body": "a", "head": "c"}, r"'head' has the label 'c'.*there are \['a', 'b'\]"),
        ([("body", "a")], "no pattern matches the leaf at 'head'"),
        ([("body", "a"), ("tail", "b"), ("", "b")], "pattern 'tail' matches none of the paths"),
        ([("", "c")], "has the label 'c'"),
        ({"body": "a"}, "param_labels is not a prefix"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    tx = partition({"a": sgd(0.1), "b": sgd(0.2)}, labels)
    with pytest.raises(ValueError, match=message):
        tx.init(PARAMS)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_set_to_zero_is_zero_even_if_it_was_not_a_number(dtype):
    g = jnp.array([jnp.nan, jnp.inf, 1.0], dtype)
    for tx in (set_to_zero(), chain(scale(2.0), set_to_zero())):
        updates, _ = tx.update(g, tx.init(g))
        assert updates.tolist() == [0, 0, 0]
        assert updates.dtype == dtype
