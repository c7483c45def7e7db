"""Lifted methods of optax keep the contract that gdlab's own keep."""

import inspect

import optax
import pytest

from gdlab.interop import lift
from tests import test_contract as contract
from tests.contract.example import Example

EXAMPLES = {
    # Weight decay does not rest; optax's root has no derivative at zero gradients, and its squares
    # overflow: see tests/test_hazards.py.
    "adamw": Example(lift(optax.adamw)(0.1), rests=False, derivatives=False, bears_extremes=False),
    "rmsprop": Example(lift(optax.rmsprop)(0.1, momentum=0.9), bears_extremes=False),
    "trace": Example(lift(optax.trace)(0.9)),
}
CLAUSES = [
    name
    for name, clause in inspect.getmembers(contract, inspect.isfunction)
    if "example" in inspect.signature(clause).parameters
    and name.startswith("test_")
    # It looks among gdlab's own names, where these are not: test_lift.py.
    and name != "test_its_repr_is_its_source_and_copies_are_equal"
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize(
    "method",
    [pytest.param(name, marks=() if name == "trace" else pytest.mark.slow) for name in EXAMPLES],
)
def test_a_lifted_method_keeps_each_clause_of_the_contract(method, clause):
    test, example = getattr(contract, clause), EXAMPLES[method]
    if "derivatives" in clause and not example.derivatives:
        return
    if "params" in inspect.signature(test).parameters:
        for params in ("vector", "every_kind_of_leaf"):
            test(example, params)
    else:
        test(example)
