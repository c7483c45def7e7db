"""Every public signature refuses values of the wrong kind, and names the argument."""

import inspect

import jax
import numpy as np

import gdlab
from gdlab import analysis, interop, plots, problems, scaling
from gdlab.checks.checked import Signature
from tests.contract import EXAMPLES

WRONG = [object(), "nonsense", "", -1, 0, 2.5, float("nan"), None, True, [], {}, [None], {1: 2}, 1j]
"""Values of many kinds: for each argument those are wrong that its annotation does not include."""
NO_NUMBERS = [object(), "nonsense", float("nan"), [], {}, True, np.array(["a"])]
"""Values that are no hyperparameter."""
INSIDE_A_STEP = {
    # They run where a training step is traced, or decorate a function once: they look at no types.
    *("apply_gradients", "apply_updates", "array", "by_leaf", "evaluation_params"),
    *("expected_scales", "gaussian_rows", "half_squares", "join", "leaf_wrapper", "leafwise"),
    *("matrices", "per_example_global_norm_clip", "per_example_layer_norm_clip", "rarely"),
    *("schedule", "singular_vectors", "transformation", "unitwise_clip", "unitwise_norm"),
}


def public(*modules):
    for module in modules:
        for name in module.__all__:
            yield name, getattr(module, name)


FUNCTIONS = {
    name: function
    for name, function in public(gdlab, analysis, interop, plots, problems, scaling)
    if inspect.isfunction(function)
    and not hasattr(function, "factory")
    and name not in INSIDE_A_STEP
}


def some_values():
    """A value of each kind that a signature asks for."""
    run = gdlab.minimize(lambda w: w**2, 1.0, gdlab.sgd(0.1), 2)
    return [
        *(None, 1, 0.5, "text", True, {}, [1], [0.5], ["text"], (1, 2), ("text", "other")),
        *(abs, np.ones(2), jax.random.key(0), np.dtype("float32")),
        *(gdlab.sgd(0.1), run, problems.saddle(), gdlab.constant_schedule(0.1)),
        gdlab.sgd(0.1).init(np.ones(2)),
        *({"text": abs}, {"text": gdlab.sgd(0.1)}, {"text": "text"}),
    ]


def right_arguments(signature, values):
    """Values of the right kinds for the parameters that need one."""
    arguments = {}
    for name, parameter in signature.signature.parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        )
        if needed:
            kind = signature.kinds.get(name)
            arguments[name] = next(
                value for value in values if kind is None or kind.includes(value)
            )
    return arguments


def refusal(call):
    """What a call says, or None if it is not refused."""
    try:
        call()
    except (TypeError, ValueError) as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__} in place of TypeError or ValueError"
    return None


def test_functions_refuse_values_that_their_annotations_do_not_include():
    values, unclear, calls = some_values(), [], 0
    for name, function in FUNCTIONS.items():
        signature = Signature(inspect.unwrap(function), name)
        try:
            right = right_arguments(signature, values)
        except StopIteration:
            continue  # an axis of matplotlib, or a study of Optuna
        for parameter, kind in signature.kinds.items():
            if signature.signature.parameters[parameter].kind is inspect.Parameter.VAR_KEYWORD:
                continue
            for wrong in WRONG:
                if not kind.includes(wrong):
                    calls += 1
                    given = right | {parameter: wrong}
                    if signature.signature.parameters[parameter].kind is (
                        inspect.Parameter.VAR_POSITIONAL
                    ):
                        continue
                    said = refusal(lambda f=function, given=given: f(**given))
                    if said is None or f"{name}: {parameter} must be" not in said:
                        unclear.append((name, parameter, wrong, said))
    assert calls > 1000
    assert unclear == []


def test_what_annotations_leave_open_is_little():
    parameters = [
        (name, parameter)
        for name, function in FUNCTIONS.items()
        for parameter in inspect.signature(function).parameters
    ]
    known = {
        (name, parameter)
        for name, function in FUNCTIONS.items()
        for parameter in Signature(inspect.unwrap(function), name).kinds
    }
    assert len(known) / len(parameters) > 0.6


MADE = [
    tx
    for tx in {
        example.tx.factory.name: example.tx for uses in EXAMPLES.values() for example in uses
    }.values()
    if tx.factory.name in gdlab.__all__
]


def test_optimizers_refuse_what_is_no_hyperparameter_and_no_flag():
    unclear, calls = [], 0
    for tx in MADE:
        factory = tx.factory
        kinds = Signature(factory.function, factory.name).kinds
        numbers = {name for name, data in factory.data.items() if data.number}
        for name in factory.parameters:
            if factory.is_variadic(name):
                continue
            wrongs = NO_NUMBERS if name in numbers else WRONG
            for wrong in wrongs:
                if name in kinds and kinds[name].includes(wrong):
                    continue
                if name not in kinds and name not in numbers:
                    continue
                calls += 1
                said = refusal(lambda tx=tx, name=name, wrong=wrong: tx.replace(**{name: wrong}))
                if said is None or factory.name not in said or name not in said:
                    unclear.append((factory.name, name, wrong, said))
    assert calls > 5000
    assert len(unclear) / calls < 0.05, unclear
    # Nothing wrong is accepted.
    assert [case for case in unclear if case[3] is None] == []


def test_the_functions_that_look_at_no_types_are_few():
    assert len(INSIDE_A_STEP) < 25
    assert all(hasattr(gdlab, name) for name in INSIDE_A_STEP)
