"""Every public name of optax resolves in the namespace, with optax's signature."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
import types

import optax as theirs
import pytest

from gdlab.interop import optax

SUBMODULES = sorted(
    info.name
    for info in pkgutil.iter_modules(theirs.__path__)
    if info.ispkg and info.name[0] != "_"
)
# optax warns of names that it keeps under an older one as well.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def module(library, submodule):
    name = f"{library}.{submodule}" if submodule else library
    return importlib.import_module(name)


def public_names(submodule):
    """The names of one of optax's modules that are not modules it has imported for itself."""
    own = module("optax", submodule)
    names = set(getattr(own, "__all__", ())) | {name for name in dir(own) if name[0] != "_"}
    foreign = {
        name
        for name in names
        if isinstance(value := getattr(own, name), types.ModuleType)
        and not value.__name__.startswith("optax")
    }
    return sorted(names - foreign)


@pytest.mark.parametrize("submodule", ["", *SUBMODULES])
def test_every_public_name_resolves_as_an_attribute_and_by_import(submodule):
    names = public_names(submodule)
    assert names
    here = module("gdlab.interop.optax", submodule)
    assert [name for name in names if not hasattr(here, name)] == []
    assert set(names) <= set(dir(here))
    where = here.__name__
    exec(f"from {where} import {', '.join(names)}", {})


def described(function):
    """The parameters of a function: positional ones with their defaults, and those by keyword."""
    parameters = inspect.signature(function).parameters.values()
    positional = [
        (p.name, p.default)
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    by_keyword = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    variadic = [p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return positional, by_keyword, variadic


AN_OBJECT_OF_OPTAX = {
    # The default is a function or a transformation; gdlab's own is in its place.
    "lbfgs": "linesearch",
    "scale_by_factored_rms": "decay_rate_fn",
    "adopt": "clip_value_fn",
    "scale_by_adopt": "clip_value_fn",
    "sophia": "hessian_diagonal_fn",
}


def own_functions(submodule):
    """The callables of a module of the namespace that are not optax's own."""
    there, here = (module(library, submodule) for library in ("optax", "gdlab.interop.optax"))
    pairs = {name: (getattr(there, name), getattr(here, name)) for name in public_names(submodule)}
    return {
        name: (there, ours)
        for name, (there, ours) in pairs.items()
        if there is not ours and (inspect.isroutine(there) or inspect.isclass(there))
    }


@pytest.mark.parametrize("submodule", ["", *SUBMODULES])
def test_signatures_are_optaxs_and_what_is_added_comes_after(submodule):
    for name, (there, ours) in own_functions(submodule).items():
        if getattr(there, "_is_protocol", False):
            continue  # a type, which is never called
        positional, by_keyword, variadic = described(there)
        own_positional, own_by_keyword, own_variadic = described(ours)
        with_object = AN_OBJECT_OF_OPTAX.get(name)
        shortened = own_positional[: len(positional)]
        assert [pair for pair in shortened if pair[0] != with_object] == [
            pair for pair in positional if pair[0] != with_object
        ], name
        for keyword, default in by_keyword.items():
            assert keyword in own_by_keyword, (name, keyword)
            assert keyword == with_object or own_by_keyword[keyword] == default, (name, keyword)
        assert own_variadic == variadic, name


WITHOUT_OPTAX = """
import sys

sys.modules["optax"] = None  # as if it were not installed

import jax
import jax.numpy as jnp

import gdlab
from gdlab.interop import optax
from gdlab.interop.optax.contrib import muon

assert gdlab.interop.optax is optax
assert not jax._src.xla_bridge._backends, "the import computes something"
params = {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}
tx = optax.chain(
    optax.clip_by_global_norm(1.0),
    optax.inject_hyperparams(optax.adamw)(optax.warmup_cosine_decay_schedule(0.0, 0.1, 2, 9)),
)
tx = optax.MultiSteps(tx, 1)
updates, state = tx.update(params, tx.init(params), params)
optax.apply_updates(params, updates)
optax.LookaheadParams, optax.EmptyState, optax.ScalarOrSchedule, optax.GradientTransformation
muon(0.1).init(params)
assert "adamw" in dir(optax)

for module, name in [(optax, "l2_loss"), (optax.losses, "ctc_loss"), (optax.tree, "get")]:
    try:
        getattr(module, name)
    except ImportError as error:
        assert f".{name} is optax's own" in str(error), error
        assert 'pip install "gdlab[interop]"' in str(error), error
    else:
        raise AssertionError(name)
assert not hasattr(optax, "__wrapped__")
"""


def test_without_optax_gdlabs_names_work_and_the_others_say_what_to_install():
    subprocess.run([sys.executable, "-c", WITHOUT_OPTAX], check=True)


def test_a_name_that_optax_has_not_is_no_attribute():
    assert not hasattr(optax, "adamm")
    assert not hasattr(optax.contrib, "_private")
