"""``import gdlab`` stays light: it needs jax, chex and NumPy, and takes nothing else along."""

import subprocess
import sys

HEAVY = ("matplotlib", "xarray", "pandas", "tqdm", "sklearn", "optax", "flax", "equinox", "orbax")


def test_importing_gdlab_imports_none_of_the_extras():
    code = f"import gdlab, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
