"""Errors that say where they were raised, whatever the constructor of their class takes."""

import jax
import jax.numpy as jnp
import pytest

import gdlab
from gdlab import by_leaf

PARAMS = {"w": jnp.ones(2)}


class TwoPartError(ValueError):
    def __init__(self, part, reason):
        super().__init__(f"{part}: {reason}")


def refusing(params):
    raise TwoPartError("w", "has no rate")


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda function: gdlab.sgd(by_leaf(function)), "learning_rate"),
        (lambda function: gdlab.adamw(0.1, mask=function), "adamw"),
        (lambda function: gdlab.stacked(gdlab.sgd(0.1, 0.9), labels=function), "stacked: labels"),
    ],
    ids=["by_leaf", "mask", "stacked"],
)
@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (refusing, TwoPartError, "w: has no rate"),
        (
            lambda params: {"w": 1.0 if params["w"].sum() > 0 else 0.0},
            jax.errors.TracerBoolConversionError,
            "Attempted boolean conversion",
        ),
    ],
    ids=["an error of two parts", "an error of JAX"],
)
def test_an_error_of_a_users_function_keeps_its_class_and_is_noted(
    make, place, function, error, message
):
    def step(params):
        tx = make(function)
        return tx.update(params, tx.init(params), params)

    with pytest.raises(error, match=message) as caught:
        jax.jit(step)(PARAMS)
    assert any(place in note for note in caught.value.__notes__)


def test_a_closure_that_branches_on_a_traced_number_keeps_the_error_of_jax():
    @gdlab.leafwise
    def halved(rate: gdlab.Hyperparameter = 1.0):
        factor = 0.5 if rate > 0.5 else 1.0
        return lambda u: factor * u

    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(lambda rate: halved(rate).update(PARAMS, ()))(1.0)


def test_calls_within_each_other_of_one_form_are_noted_once():
    def steep(count):
        raise ZeroDivisionError

    schedule = gdlab.join_schedules([steep, steep], [3])
    with pytest.raises(ZeroDivisionError) as caught:
        gdlab.sgd(schedule).init(PARAMS)
    assert len(caught.value.__notes__) == len(set(caught.value.__notes__))
