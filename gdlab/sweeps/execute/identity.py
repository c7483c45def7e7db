"""The identity of a sweep, which tells its checkpoint from those of other sweeps."""

import os
import pathlib

import jax

import gdlab
from gdlab.core.state import LAYOUT
from gdlab.sweeps.execute.prepared import PreparedRun
from gdlab.sweeps.persist import checkpoint
from gdlab.sweeps.persist.checkpoint import Checkpoint
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint
from gdlab.sweeps.persist.fingerprint import hash_of_arrays, hash_of_program
from gdlab.sweeps.settings import Resources
from gdlab.training.loader import Stream


def checkpoint_of(
    folder: str | os.PathLike[str], runs: list[PreparedRun], resources: Resources
) -> FailsafeCheckpoint:
    """The checkpoint of a sweep in a folder, or in one within it for each of several processes.

    Raises:
        ValueError: if the folder holds the checkpoint of another sweep, or a damaged one.
        BlockingIOError: if another process is using the folder.
        OSError: if the folder has no checkpoint yet and cannot be written.
    """
    identity = {
        "gdlab": gdlab.__version__,
        "jax": jax.__version__,
        "state layout": LAYOUT,
        "checkpoint layout": checkpoint.LAYOUT,
    }
    identity |= {
        "exact": str(resources.exact),
        "lane_chunk": str(resources.lane_chunk),
        "mesh": str(resources.mesh and resources.mesh.shape),
        "params_spec": str(resources.params_spec),
    }
    for run in runs:
        identity |= _identity_of(run)
    if resources.shared:
        part = f"process-{jax.process_index()}-of-{jax.process_count()}"
        folder = pathlib.Path(folder) / part
    return FailsafeCheckpoint(Checkpoint.open(folder, identity))


def _identity_of(run: PreparedRun) -> dict[str, str]:
    """The identity of one optimizer on one problem; of a loader only the first batch is hashed."""
    planned, programs, task = run.planned, run.programs, run.programs.task
    data = task.data.first() if isinstance(task.data, Stream) else task.data
    identity = {
        "optimizer": repr(planned.tx),
        "seeds": str(task.seeds.tolist()),
        "key": hash_of_arrays(task.key),
        "data": hash_of_arrays(data),
        "params": hash_of_arrays((task.first, task.template.fixed)),
        "model state": hash_of_arrays(task.model_state),
        "hyperparameters": hash_of_arrays(
            (
                task.points,
                task.template._replace(fixed=None),
                task.init_hyperparameters,
            )
        ),
        "programs": hash_of_program(programs.traced, programs.first_points(task.size)),
    } | {name: str(value) for name, value in planned.settings.items()}
    prefix = ", ".join(map(str, planned.place.values()))
    return {f"{prefix}: {name}" if prefix else name: value for name, value in identity.items()}
