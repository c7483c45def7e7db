"""What is data is read from the annotations, and nothing is guessed."""

from typing import Any

import jax
import pytest

from gdlab import Hyperparameter, hyperparameters, join, leafwise, schedule, transformation

EVERY_DECORATOR = pytest.mark.parametrize(
    "decorate", [transformation, leafwise, schedule, join], ids=lambda decorate: decorate.__name__
)


@EVERY_DECORATOR
def test_a_parameter_without_annotation_is_refused_by_name(decorate):
    def halve(rate):
        return lambda u: u * rate

    with pytest.raises(TypeError, match="halve: parameter 'rate' has no annotation"):
        decorate(halve)


@EVERY_DECORATOR
@pytest.mark.parametrize("annotation", [float, float | None, list[float], dict[str, float]])
def test_a_float_is_refused_because_a_number_that_may_change_is_data(decorate, annotation):
    def halve(rate):
        return lambda u: u * rate

    halve.__annotations__["rate"] = annotation
    with pytest.raises(TypeError, match=r"halve: parameter 'rate'.*annotate it Hyperparameter"):
        decorate(halve)


def test_an_annotation_that_cannot_be_resolved_is_refused_and_not_taken_for_structure():
    def halve(rate):
        return lambda u: u * rate

    halve.__annotations__["rate"] = "Number"
    with pytest.raises(TypeError, match=r"halve: an annotation cannot be resolved.*'Number'"):
        leafwise(halve)


def test_data_may_be_optional_listed_or_named_and_keeps_its_paths():
    @leafwise
    def blend(
        weights: list[Hyperparameter],
        named: dict[str, Hyperparameter],
        bias: Hyperparameter | None = None,
        *more: Hyperparameter,
        power: int = 1,
    ) -> Any:
        return lambda u: u

    tx = blend([1, 2.5], {"b": 3, "a": 4}, None)
    assert hyperparameters(tx) == {
        "weights.0": 1.0,
        "weights.1": 2.5,
        "named.a": 4.0,
        "named.b": 3.0,
    }
    assert hyperparameters(blend([], {}, 5, 6, 7)) == {"bias": 5.0, "blend.0": 6.0, "blend.1": 7.0}


def test_what_is_not_data_is_structure():
    @leafwise
    def power(exponent: int, factor: Hyperparameter = 1.0):
        return lambda u: factor * u**exponent

    assert jax.tree.leaves(power(3)) == [1.0]
    assert jax.tree.structure(power(3)) != jax.tree.structure(power(2))
    assert jax.tree.structure(power(3, 0.5)) == jax.tree.structure(power(3))
