"""Under optax's names, the same arguments give optax's updates."""

import inspect

import jax
import numpy as np
import optax as theirs
import pytest

from gdlab.interop import optax
from tests.interop.namespace.calls import CALLS

pytestmark = [
    pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard"),
    pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning"),
]
STEPS = 20
QUICK = ("adamw", "apply_if_finite", "inject_hyperparams", "lookahead", "MultiSteps", "noisy_sgd")
READ_BY_SCRIPTS = ("count", "mu", "nu", "trace", "ema", "sum_of_squares", "scale", "rng_key")
"""The entries that scripts ask states for."""
NAMED_OTHERWISE = {
    "apply_every": "count",  # which starts over with each period, as that of a plateau does
    "contrib.acprop": "mu nu",
    "contrib.cocob": "scale",
    "contrib.reduce_on_plateau": "count",
    "contrib.scale_by_acprop": "mu nu",
    "contrib.scale_by_cocob": "scale",
    "contrib.sophia": "nu",
    "rmsprop": "mu nu",  # a mean and a variance
    "scale_by_sm3": "mu",
    "scale_by_stddev": "mu nu",
    "sm3": "mu",
}
"""The entries of optax that have another name here, or that something else has the place of."""
IN_FLOAT32 = ("adafactor", "scale_by_factored_rms")
"""Methods whose decay optax computes in float32."""


def always_differ():
    """The functions whose updates differ for all arguments, by the table."""
    return {name for row in optax.differences().rows if not row.case for name in row.names}


def factories():
    """The names of optax's functions that return transformations."""
    found = set()
    for prefix, module in (("", theirs), ("contrib.", theirs.contrib)):
        for name in dir(module):
            value = getattr(module, name)
            if name[0] == "_" or inspect.isclass(value) or not callable(value):
                continue
            try:
                returned = str(inspect.signature(value).return_annotation)
            except (TypeError, ValueError):
                continue
            if "GradientTransformation" in returned and "Callable" not in returned:
                found.add(prefix + name)
    return found


def test_each_factory_of_optax_is_called_here():
    elsewhere = {"measure_with_ema"}  # whose state in optax changes its structure
    assert factories() - elsewhere <= set(CALLS)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CALLS],
)
def test_updates_are_optaxs_unless_the_table_says_otherwise(name):
    (expected, there), (found, here) = (CALLS[name].run(lib, STEPS) for lib in (theirs, optax))
    # In units of the largest element: rounding of many operations, and of a cancellation or two.
    tolerance = 1e-6 if name in IN_FLOAT32 else 1e-9
    pairs = zip(*map(jax.tree.leaves, (expected, found)), strict=True)
    distances = [np.max(np.abs(a - b)) / (np.max(np.abs(a)) or 1) for a, b in pairs]
    if name in always_differ():
        assert max(distances) > 10 * tolerance
    else:
        assert max(distances) <= tolerance
    assert_same_entries(there, here, NAMED_OTHERWISE.get(name, "").split())


def assert_same_entries(there, here, otherwise):
    """Assert that what scripts ask optax's state for is in gdlab's as well."""
    for entry in READ_BY_SCRIPTS:
        wanted, found = (
            [value for _, value in theirs.tree.get_all_with_path(state, entry)]
            for state in (there, here)
        )
        if wanted and entry not in otherwise:
            assert found, entry
            if entry == "count":
                assert {int(count) for count in found} & {int(count) for count in wanted}
