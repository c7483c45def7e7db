"""A sweep as a user would start it with ``srun python srun.py``: SLURM says who is who."""

import pathlib
import sys

import jax
import numpy as np

from gdlab import Resources
from tests.sweeps.noisy import arrays_of
from tests.sweeps.scripts.shared import run


def main(folder):
    """Take a part of the sweep, and write the whole result to a file of one's own."""
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize()
    mesh = jax.make_mesh((jax.device_count(),), ("lanes",))
    result = run("halving", resources=Resources(mesh=mesh), checkpoint=folder / "checkpoint")
    print("processes", jax.process_count(), "devices", jax.device_count(), flush=True)
    np.savez(folder / f"{jax.process_index()}.npz", **arrays_of(result))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
