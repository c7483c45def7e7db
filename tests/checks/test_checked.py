"""Arguments are checked against their annotations, by one mechanism."""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.typing import ArrayLike, DTypeLike

import gdlab
from gdlab.checks.checked import checked, checked_class
from gdlab.checks.kinds import Between, Count, kind_of

RIGHT_AND_WRONG = [
    (bool, [True, np.True_], [0, "yes", None]),
    (int, [3, np.int64(3)], [True, 2.5, "3", None]),
    (Count, [1, 7], [0, -1, 2**40, True]),
    (float, [1, 0.5, np.float32(1), jnp.float32(1)], [True, "1", 1j, None, jnp.ones(2)]),
    (Annotated[float, Between(0, 1)], [0, 1.0], [-0.1, float("nan"), "0"]),
    (str, ["a"], [1, None, b"a"]),
    (str | None, ["a", None], [1]),
    (Literal["a", 2], ["a", 2], ["b", 2.0, True, None]),
    (Callable[..., Any], [len, jax.jit(abs)], [3, "len", None]),
    (Mapping[str, int], [{}, {"a": 1}], [{1: 1}, {"a": "b"}, [("a", 1)], None]),
    (Sequence[int], [[1], (), range(3), np.arange(3)], ["12", [1.5], {1}, 3]),
    (tuple[str, int], [("a", 1), ["a", 1]], [("a",), (1, "a"), "a1"]),
    (ArrayLike, [1.0, np.ones(2), jnp.ones(2)], ["1", None, np.array(["a"]), object()]),
    (jax.Array, [jnp.ones(2), jax.random.key(0)], [3, "a", None]),
    (DTypeLike | None, ["float32", jnp.bfloat16, np.dtype(int), None], ["foo", 3, object()]),
    (str | os.PathLike[str], ["a.nc", pathlib.Path("a")], ["", 3, None]),
    (gdlab.GradientTransformation, [gdlab.sgd(0.1)], [0.1, "sgd", None, gdlab.sgd]),
]


@pytest.mark.parametrize(("annotation", "right", "wrong"), RIGHT_AND_WRONG)
def test_a_kind_includes_what_its_annotation_says(annotation, right, wrong):
    kind = kind_of(annotation)
    assert kind is not None
    assert [value for value in right if not kind.includes(value)] == []
    assert [value for value in wrong if kind.includes(value)] == []


@pytest.mark.parametrize("annotation", [Any, object, int | Any, "a name for type checkers"])
def test_what_an_annotation_leaves_open_is_not_looked_at(annotation):
    assert kind_of(annotation) is None


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str | None, "a text or None"),
        (None | str, "a text or None"),
        (bool | int | None, "True or False, a whole number or None"),
        (Literal["a"] | None, "'a' or None"),
        (DTypeLike | None, "a dtype, such as jnp.float32 or None"),
        (str | os.PathLike[str], "a path"),
    ],
)
def test_what_would_work_is_said_once_and_none_last(annotation, words):
    assert kind_of(annotation).words == words


@checked
def run(steps: Count, mode: Literal["fast", "slow"] = "fast", *tags: str, **rates: float) -> int:
    return steps


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "message"),
    [
        ((0,), {}, ValueError, "run: steps must be a whole number between 1 .* not 0"),
        ((2.5,), {}, TypeError, "run: steps must be a whole number between 1 .* not 2.5"),
        ((1, "quick"), {}, ValueError, "run: mode must be 'fast' or 'slow', not 'quick'"),
        ((1, "fast", 3), {}, TypeError, "run: tags must be a text, not 3"),
        ((1,), {"b1": "x"}, TypeError, "run: rates must be a number, not 'x'"),
        ((), {}, TypeError, "run: missing a required argument: 'steps'"),
    ],
)
def test_the_argument_what_came_and_what_would_work_are_named(args, kwargs, error, message):
    with pytest.raises(error, match=message):
        run(*args, **kwargs)


def test_a_traced_number_is_of_its_kind():
    @checked
    def doubled(rate: Annotated[float, Between(0, 1)]) -> Any:
        return 2 * rate

    assert jax.jit(doubled)(0.5) == 1.0


def test_making_an_instance_is_checked_and_so_is_the_structure_of_an_optimizer():
    @checked_class
    class Plan:
        def __init__(self, rungs: Count):
            self.rungs = rungs

    assert Plan(2).rungs == 2
    with pytest.raises(ValueError, match="Plan: rungs must be a whole number"):
        Plan(0)
    with pytest.raises(TypeError, match="adam: nesterov must be True or False, not 'no'"):
        gdlab.adam(0.1, nesterov="no")
