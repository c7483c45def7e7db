"""``import gdlab`` stays light: it needs jax, chex and NumPy, and takes nothing else along."""

import functools
import json
import subprocess
import sys

HEAVY = (
    "matplotlib", "xarray", "pandas", "tqdm", "sklearn", "optax", "flax", "equinox", "orbax",
    "torch", "keras", "matfree",
)  # fmt: skip
NAMESPACES = ("analysis", "interop", "losses", "plots", "problems")
LATER = (*NAMESPACES, "page")
"""What of gdlab is imported when it is first used."""
CODE = f"""
import json, sys
import gdlab, jax
taken_along = [name for name in {HEAVY} if name in sys.modules]
early = [name for name in {LATER} if f"gdlab.{{name}}" in sys.modules]
jax.config.update("jax_num_cpu_devices", 3)  # refused once there are devices
used = [getattr(gdlab, name).__name__ for name in {NAMESPACES}]
print(json.dumps([taken_along, early, jax.local_device_count("cpu"), used]))
"""


@functools.cache
def found():
    """What an interpreter of its own says."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def test_importing_gdlab_imports_none_of_the_extras():
    assert found()[0] == []


def test_what_training_does_not_need_is_imported_when_it_is_used():
    assert found()[1] == []
    assert found()[3] == [f"gdlab.{name}" for name in NAMESPACES]


def test_importing_gdlab_leaves_the_devices_to_be_set():
    assert found()[2] == 3
