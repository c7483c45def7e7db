"""``import gdlab`` stays light: JAX, the core, and nothing else until it is named."""

import ast
import functools
import json
import pathlib
import subprocess
import sys

import gdlab

HEAVY = (
    "matplotlib", "xarray", "pandas", "tqdm", "sklearn", "optax", "flax", "equinox", "orbax",
    "torch", "keras", "matfree", "chex", "absl", "toolz", "jax.scipy", "jax.experimental.pallas",
)  # fmt: skip
NAMESPACES = ("analysis", "interop", "losses", "plots", "problems", "scaling")
CODE = f"""
import json, sys
import jax
of_jax = set(sys.modules)
import gdlab
added = sorted(set(sys.modules) - of_jax)
jax.config.update("jax_num_cpu_devices", 3)  # refused once there are devices
listed = dir(gdlab)
gdlab.minimize, gdlab.adam
of_training = sorted(set(sys.modules) - of_jax)
used = [getattr(gdlab, name).__name__ for name in {NAMESPACES}]
print(json.dumps([added, jax.local_device_count("cpu"), used, listed, of_training]))
"""


@functools.cache
def found():
    """What an interpreter of its own says."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def packages(modules):
    """The packages right below gdlab among these modules."""
    return {name.split(".")[1] for name in modules if name.startswith("gdlab.")}


def belong_to(modules, heavy):
    return [name for name in modules if name == heavy or name.startswith(f"{heavy}.")]


def test_importing_gdlab_imports_its_core_and_the_checks_of_its_arguments_alone():
    assert packages(found()[0]) == {"checks", "core"}


def test_importing_gdlab_imports_hardly_anything_that_jax_does_not():
    others = [name for name in found()[0] if name.split(".")[0] != "gdlab"]
    assert not [name for heavy in HEAVY for name in belong_to(found()[0], heavy)]
    assert len(others) <= 5, others


def test_training_imports_no_extras_and_nothing_that_only_tests_need():
    assert not [name for name in HEAVY if name != "jax.scipy" and belong_to(found()[4], name)]


def test_what_training_does_not_need_is_imported_when_it_is_used():
    assert found()[2] == [f"gdlab.{name}" for name in NAMESPACES]


def test_importing_gdlab_leaves_the_devices_to_be_set():
    assert found()[1] == 3


def test_all_public_names_are_listed_before_they_are_used():
    assert {*gdlab.__all__, *NAMESPACES, "training", "__version__"} <= set(found()[3])


def test_a_star_imports_all_public_names():
    names = {}
    exec("from gdlab import *", names)
    assert all(names[name] is getattr(gdlab, name) for name in gdlab.__all__)


def test_names_that_there_are_not_are_refused_as_those_of_any_module():
    assert not hasattr(gdlab, "adma")


def test_type_checkers_read_the_same_list():
    stub = ast.parse((pathlib.Path(gdlab.__file__).parent / "__init__.pyi").read_text())
    lists = [node.value for node in stub.body if isinstance(node, ast.Assign)]
    assert [ast.literal_eval(value) for value in lists] == [gdlab.__all__]
