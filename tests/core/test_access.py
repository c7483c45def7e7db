"""Hyperparameters by name: the values in force, and copies with others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    Axis,
    accumulate,
    adam,
    apply_if_finite,
    chain,
    clip_by_global_norm,
    constant_schedule,
    expand,
    fork,
    hyperparameters,
    identity,
    linear_schedule,
    look_ahead,
    masked,
    nadam,
    named_chain,
    partition,
    ratio,
    set_hyperparameters,
    sgd,
    square,
)

RAMP = linear_schedule(0.0, 10.0, 10)
PARAMS = {"a": jnp.ones(1), "b": jnp.ones(1)}
NAN = {"a": np.array([np.nan], np.float32), "b": np.ones(1, np.float32)}


def after(tx, gradients, **extra):
    state = tx.init(PARAMS)
    for gradient in gradients:
        _, state = tx.update(gradient, state, PARAMS, **extra)
    return state


def rate(tx, state=None):
    found = hyperparameters(tx, state)
    return next(float(found[path]) for path in found if path.split(".")[-1] == "learning_rate")


def test_a_flat_dictionary_has_every_leaf_by_its_path_in_order():
    tx = chain(clip_by_global_norm(1.0), adam(1e-3))
    assert hyperparameters(tx) == {
        "chain.0.max_norm": 1.0,
        "chain.1.learning_rate": 1e-3,
        "chain.1.b1": 0.9,
        "chain.1.b2": 0.999,
        "chain.1.eps": 1e-8,
    }
    assert list(hyperparameters(tx).values()) == jax.tree.leaves(tx)


def test_an_epsilon_of_a_join_and_the_links_of_a_named_chain_have_paths():
    tx = named_chain(("scale", fork(ratio(1e-3), identity(), square())), ("descend", sgd(0.1)))
    assert hyperparameters(tx) == {
        "named_chain.descend.learning_rate": 0.1,
        "named_chain.scale.join.eps": 1e-3,
    }


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tx: tx,
        lambda tx: chain(clip_by_global_norm(1.0), tx),
        lambda tx: named_chain(("z", clip_by_global_norm(1.0)), ("a", tx)),
        lambda tx: masked(tx, mask="a"),
        lambda tx: partition({"x": tx, "y": sgd(0.5)}, [("a", "x"), ("b", "y")]),
        lambda tx: apply_if_finite(tx),
        lambda tx: apply_if_finite(chain(masked(tx, "a"), identity())),
        lambda tx: fork(jnp.add, identity(), tx),
        lambda tx: chain(nadam(RAMP, momentum_decay=0.004), tx),
    ],
)
def test_a_schedule_stands_at_the_step_of_the_state_however_it_is_wrapped(wrap):
    tx = wrap(nadam(RAMP, momentum_decay=0.004))
    assert rate(tx) == 0.0
    for steps in (0, 3):
        assert rate(tx, after(tx, [PARAMS] * steps)) == steps


def test_each_of_several_schedules_stands_at_its_own_step():
    tx = chain(accumulate(sgd(RAMP), 2), sgd(RAMP))
    found = hyperparameters(tx, after(tx, [PARAMS] * 5))
    assert found["chain.0.inner.learning_rate"] == 2
    assert found["chain.1.learning_rate"] == 5


def test_labels_out_of_order_do_not_mix_up_the_steps_of_groups():
    slow = accumulate(sgd(RAMP), 3)
    tx = partition({"z": slow, "a": sgd(RAMP)}, {"a": "z", "b": "a"})
    found = hyperparameters(tx, after(tx, [PARAMS] * 3))
    assert found["transforms.z.inner.learning_rate"] == 1
    assert found["transforms.a.learning_rate"] == 3


def test_links_named_out_of_order_do_not_mix_up_their_steps():
    tx = named_chain(("z", accumulate(sgd(RAMP), 3)), ("a", sgd(RAMP)))
    found = hyperparameters(tx, after(tx, [PARAMS] * 3))
    assert found["named_chain.z.inner.learning_rate"] == 1
    assert found["named_chain.a.learning_rate"] == 3


def test_a_skipped_step_does_not_advance_a_schedule():
    tx = apply_if_finite(adam(RAMP))
    assert rate(tx, after(tx, [PARAMS, NAN, NAN, PARAMS])) == 2


def test_looking_ahead_advances_a_schedule_once_a_step():
    tx = look_ahead(sgd(RAMP, 0.9))
    assert rate(tx, after(tx, [PARAMS] * 3, grad_fn=lambda params: params)) == 3


def test_the_expansion_reports_the_same_step():
    tx = expand(adam(RAMP))
    assert rate(tx, after(tx, [PARAMS] * 3)) == 3


def test_the_numbers_of_a_schedule_stand_below_its_value():
    found = hyperparameters(sgd(linear_schedule(1.0, 0.0, 4)), after(sgd(RAMP), [PARAMS]))
    assert found == {
        "learning_rate": 0.75,
        "learning_rate.init_value": 1.0,
        "learning_rate.end_value": 0.0,
        "learning_rate.transition_steps": 4.0,
        "learning_rate.transition_begin": 0.0,
    }


def test_values_for_each_leaf_have_its_path_and_may_be_schedules():
    tx = sgd({"a": RAMP, "b": 0.5})
    found = hyperparameters(tx, after(tx, [PARAMS] * 2))
    assert (found["learning_rate.a"], found["learning_rate.b"]) == (2.0, 0.5)
    updates, _ = tx.update(PARAMS, after(tx, [PARAMS] * 2))
    assert updates == {"a": -2.0, "b": -0.5}


def test_hyperparameters_can_be_read_within_a_trace():
    tx = apply_if_finite(sgd(RAMP))
    state = after(tx, [PARAMS] * 2)
    assert (
        jax.jit(lambda tx, state: hyperparameters(tx, state)["inner.learning_rate"])(tx, state) == 2
    )


def test_a_state_of_another_transformation_is_refused():
    with pytest.raises(ValueError, match="not one of sgd"):
        hyperparameters(sgd(RAMP), adam(0.1).init(PARAMS))
    # One of them has a state within a state, which the other has not.
    wrapper = accumulate(sgd(RAMP), 2)
    for tx, other in ((wrapper, sgd(RAMP)), (sgd(RAMP), wrapper)):
        with pytest.raises(ValueError, match=rf"not one of {tx.factory.name}"):
            hyperparameters(tx, other.init(PARAMS))


def test_a_state_is_refused_although_the_right_one_was_read_before():
    tx = sgd(0.1, momentum=0.9)
    assert hyperparameters(tx, tx.init(PARAMS))["momentum"] == 0.9
    with pytest.raises(ValueError, match="not one of sgd"):
        hyperparameters(tx, adam(0.1).init(PARAMS))


def test_a_full_path_or_an_end_that_fits_one_alone_sets_a_copy():
    tx = chain(clip_by_global_norm(1.0), adam(1e-3))
    changed = set_hyperparameters(tx, {"learning_rate": 0.5, "chain.1.b1": 0.8, "0.max_norm": 2})
    assert repr(changed) == "chain(clip_by_global_norm(2.0), adam(0.5, b1=0.8))"
    assert repr(tx) == "chain(clip_by_global_norm(1.0), adam(0.001))"
    assert jax.tree.structure(changed) == jax.tree.structure(tx)


def test_a_full_path_wins_over_an_end():
    tx = named_chain(("b1", sgd(0.1)), ("x", adam(0.1)))
    assert hyperparameters(set_hyperparameters(tx, {"x.b1": 0.5}))["named_chain.x.b1"] == 0.5


@pytest.mark.parametrize("key", ["lr", "rate", "chain.2.learning_rate", "", "1"])
def test_an_unknown_key_is_refused_with_the_candidates(key):
    with pytest.raises(KeyError, match=r"fits no hyperparameter.*chain\.0\.learning_rate, chain"):
        set_hyperparameters(chain(sgd(0.1), sgd(0.2)), {key: 1.0})


def test_an_ambiguous_key_is_refused_with_the_candidates():
    with pytest.raises(KeyError, match=r"fits several.*chain\.0\.learning_rate, chain\.1\.learn"):
        set_hyperparameters(chain(sgd(0.1), sgd(0.2)), {"learning_rate": 1.0})


def test_two_keys_for_one_hyperparameter_are_refused():
    with pytest.raises(KeyError, match="another key"):
        set_hyperparameters(chain(sgd(0.1)), {"learning_rate": 1.0, "chain.0.learning_rate": 2.0})


def test_a_constant_in_place_of_a_schedule_still_fits_the_state():
    tx = sgd(RAMP)
    state = after(tx, [PARAMS] * 2)
    constant = set_hyperparameters(tx, {"learning_rate": 0.5})
    assert repr(constant) == f"sgd({constant_schedule(0.5)!r})"
    updates, state = constant.update(PARAMS, state)
    assert updates == {"a": -0.5, "b": -0.5}
    assert rate(tx, state) == 3


def test_a_schedules_own_number_can_be_set():
    tx = set_hyperparameters(sgd(RAMP), {"learning_rate.end_value": 20.0, "transition_steps": 5})
    assert rate(tx, after(tx, [PARAMS])) == 4.0


def test_a_schedule_that_the_state_does_not_count_for_is_refused_with_the_reason():
    tx = adam(0.1)
    scheduled = set_hyperparameters(tx, {"learning_rate": RAMP})
    with pytest.raises(ValueError, match="follows a schedule, but the state counts no steps"):
        scheduled.update(PARAMS, tx.init(PARAMS))


def test_a_wrong_value_is_refused():
    with pytest.raises(TypeError, match="expected a number"):
        set_hyperparameters(sgd(0.1), {"learning_rate": "fast"})


@pytest.mark.usually(enable_x64="it shows what is float32")
def test_new_values_are_not_compiled_for():
    traces = []

    @jax.jit
    def step(tx, gradient):
        traces.append(tx)
        return tx.update(gradient, tx.init(gradient))[0]

    for value in np.linspace(0.1, 1.0, 5):
        assert step(set_hyperparameters(sgd(0.1), {"learning_rate": value}), jnp.ones(())) == -(
            jnp.float32(value)
        )
    assert len(traces) == 1


def test_a_schedule_on_an_axis_stands_for_itself_and_its_numbers_can_be_set():
    tx = sgd(linear_schedule(Axis("start", [0.1, 0.2]), 0.0, 10))
    values = hyperparameters(tx)
    assert repr(values["learning_rate"]) == repr(
        linear_schedule(Axis("start", [0.1, 0.2]), 0.0, 10)
    )
    assert repr(values["learning_rate.init_value"]) == repr(Axis("start", [0.1, 0.2]))
    tuned = set_hyperparameters(tx, {"learning_rate.init_value": 0.3})
    assert repr(tuned) == repr(sgd(linear_schedule(0.3, 0.0, 10)))
