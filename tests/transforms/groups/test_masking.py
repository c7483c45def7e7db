"""Different treatment of different parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    adam,
    adamw,
    apply_updates,
    chain,
    clip_by_global_norm,
    freeze,
    linear_schedule,
    look_ahead,
    masked,
    partition,
    scale,
    selective_transform,
    set_to_zero,
    sgd,
    transformation,
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
        ([("body", "a", "b"), ("head", "b", "a")], "param_labels is not a prefix"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    tx = partition({"a": sgd(0.1), "b": sgd(0.2)}, labels)
    with pytest.raises(ValueError, match=message):
        tx.init(PARAMS)


def test_a_list_of_triples_of_labels_is_a_tree_and_no_list_of_patterns():
    params = [(jnp.ones(1), jnp.ones(2), jnp.ones(3))]
    tx = partition({"a": sgd(1.0), "b": sgd(2.0)}, [("a", "b", "a")])
    (updates,), _ = tx.update(params, tx.init(params), params)
    assert [float(u[0]) for u in updates] == [-1, -2, -1]


@pytest.mark.parametrize(
    "labels", [{"body": {"w": "a", "b": "b"}, "head": "a"}, [("head", "a"), ("", "b")]]
)
def test_labels_of_any_kind_fit_parameters_without_leaves(labels):
    tx = partition({"a": sgd(0.1, 0.9), "b": sgd(0.2)}, labels)
    assert tx.init({}).groups["a"].trace == {}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_set_to_zero_is_zero_even_if_it_was_not_a_number(dtype):
    g = jnp.array([jnp.nan, jnp.inf, 1.0], dtype)
    for tx in (set_to_zero(), chain(scale(2.0), set_to_zero())):
        updates, _ = tx.update(g, tx.init(g))
        assert updates.tolist() == [0, 0, 0]
        assert updates.dtype == dtype


def cubes(params):
    return sum(jnp.sum(leaf**3) for leaf in jax.tree.leaves(params)) * params["head"][0]


def functions_seen(wrap):
    """What a transformation within ``wrap`` finds by the functions that it is given."""
    seen = {}

    @transformation(reads=("params", "grad", "value_fn", "grad_fn"))
    def spy():
        def update(updates, *, params, grad, value_fn, grad_fn):
            doubled = jax.tree.map(lambda w: 2 * w, params)
            seen.update(value=value_fn(doubled), gradient=grad_fn(doubled), grad=grad)
            return updates

        return update

    tx, gradient = wrap(spy()), jax.grad(cubes)(PARAMS)
    tx.update(
        gradient, tx.init(PARAMS), PARAMS, grad=gradient, value_fn=cubes, grad_fn=jax.grad(cubes)
    )
    return seen


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tx: masked(tx, "body"),
        lambda tx: partition({"a": tx, "b": set_to_zero()}, [("body", "a")], default="b"),
        lambda tx: selective_transform(tx, freeze_mask="head"),
    ],
    ids=["masked", "partition", "selective_transform"],
)
def test_a_group_is_given_functions_of_its_own_parameters_alone(wrap):
    seen = functions_seen(wrap)
    there = {"body": jax.tree.map(lambda w: 2 * w, PARAMS["body"]), "head": PARAMS["head"]}
    np.testing.assert_allclose(seen["value"], cubes(there), rtol=1e-6)
    assert_equal(seen["gradient"]["body"], jax.grad(cubes)(there)["body"])
    assert_equal(seen["grad"]["body"], jax.grad(cubes)(PARAMS)["body"])
    assert seen["gradient"]["head"] is None
    assert seen["grad"]["head"] is None


def test_momentum_that_looks_ahead_in_one_group_leaves_the_other_where_it_is():
    inner = look_ahead(sgd(0.1, 0.9))
    tx = partition({"ahead": inner, "plain": sgd(0.1)}, [("head", "ahead")], default="plain")
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(3):
        gradient = jax.grad(cubes)(params)
        updates, state = tx.update(gradient, state, params, grad_fn=jax.grad(cubes))
        params = apply_updates(params, updates)
    # By hand: v ← 0.9v + g(w − 0.1·0.9·v), with the body at the point before the step.
    by_hand, velocity = PARAMS, jnp.zeros(3)
    for _ in range(3):
        there = by_hand | {"head": by_hand["head"] - 0.1 * 0.9 * velocity}
        velocity = 0.9 * velocity + jax.grad(cubes)(there)["head"]
        steps = jax.grad(cubes)(by_hand) | {"head": velocity}
        by_hand = jax.tree.map(lambda w, d: w - 0.1 * d, by_hand, steps)
    assert_equal(params, by_hand, rtol=1e-5)


def test_a_function_of_one_group_without_the_parameters_is_refused_when_it_is_called():
    tx = masked(look_ahead_without_params(), "head")
    with pytest.raises(ValueError, match=r"some parameters needs the others: call update"):
        tx.update(PARAMS, tx.init(PARAMS), grad_fn=jax.grad(cubes))


@transformation(reads="grad_fn")
def look_ahead_without_params():
    return lambda updates, grad_fn: grad_fn(updates)


@pytest.mark.parametrize(
    "labels",
    [[("head", "fast")], {"body": None, "head": "fast"}, lambda _: {"body": None, "head": "fast"}],
    ids=["patterns", "tree", "function"],
)
def test_what_has_no_label_is_in_the_default_group(labels):
    groups = {"fast": sgd(1.0), "slow": sgd(0.1)}
    expected = partition(groups, [("head", "fast"), ("", "slow")])
    tx = partition(groups, labels, default="slow")
    assert_equal(stepped(tx)[0], stepped(expected)[0])
    with pytest.raises(ValueError, match=r"no pattern matches|label None"):
        partition(groups, labels).init(PARAMS)


def test_a_default_group_does_not_excuse_a_pattern_that_matches_nothing_or_an_unknown_label():
    groups = {"fast": sgd(1.0), "slow": sgd(0.1)}
    with pytest.raises(ValueError, match="'tail' matches none"):
        partition(groups, [("tail", "fast")], default="slow").init(PARAMS)
    with pytest.raises(ValueError, match=r"default has the label 'none'.*\['fast', 'slow'\]"):
        partition(groups, [("head", "fast")], default="none").init(PARAMS)
    with pytest.raises(ValueError, match=r"'head'.* has the label 'quick'"):
        partition(groups, [("head", "quick")], default="slow").init(PARAMS)


def test_a_norm_between_partitions_is_that_of_all_groups():
    scaled = partition({"a": scale(2.0), "b": scale(3.0)}, [("head", "a")], default="b")
    tx = chain(scaled, clip_by_global_norm(1.0), partition({"a": sgd(0.1)}, "a"))
    updates, _ = stepped(tx)
    expected = {"body": {"w": 3 * np.ones((2, 2)), "b": 3 * np.ones(2)}, "head": np.full(3, 4.0)}
    length = np.sqrt(6 * 9 + 3 * 16)
    assert_equal(updates, jax.tree.map(lambda leaf: -0.1 * leaf / length, expected))


def test_frozen_leaves_stay_to_the_bit_and_the_others_move_as_ever():
    params = jax.tree.map(lambda w: w / 3, PARAMS)
    for tx in (
        selective_transform(adamw(0.1), freeze_mask="body"),
        chain(adamw(0.1), freeze("body")),
    ):
        updates, _ = tx.update(PARAMS, tx.init(params), params)
        after = apply_updates(params, updates)
        jax.tree.map(np.testing.assert_array_equal, after["body"], params["body"])
        alone, _ = adamw(0.1).update(
            PARAMS["head"], adamw(0.1).init(params["head"]), params["head"]
        )
        assert_equal(updates["head"], alone)


def test_freezing_agrees_with_optax():
    mask = {"body": {"w": True, "b": False}, "head": False}
    for ours, theirs in (
        (freeze(mask), optax.transforms.freeze(mask)),
        (
            selective_transform(sgd(0.1, 0.9), freeze_mask=mask),
            optax.transforms.selective_transform(optax.sgd(0.1, 0.9), freeze_mask=mask),
        ),
    ):
        assert_equal(stepped(ours)[0], stepped(theirs)[0])
    state = selective_transform(sgd(0.1, 0.9), freeze_mask=mask).init(PARAMS)
    assert state.inner.trace["body"]["w"] is None
