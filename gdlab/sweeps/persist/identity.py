"""The identity of a sweep, by which its checkpoint is told from those of others."""

import os
import pathlib
from typing import Any

import jax

import gdlab
from gdlab.core.state import LAYOUT
from gdlab.sweeps.persist import checkpoint
from gdlab.sweeps.persist.checkpoint import Checkpoint
from gdlab.sweeps.persist.fingerprint import of_arrays, of_program
from gdlab.sweeps.persist.saving import Saving
from gdlab.sweeps.results.collect import Entry
from gdlab.training.loader import Stream


def checkpoint_of(
    folder: str | os.PathLike[str], entries: list[Entry], shared: bool, **manner: Any
) -> Saving:
    """The checkpoint of a sweep in a folder, or in one within it for each of several processes.

    Raises:
        ValueError: if it is that of another sweep, or damaged.
        BlockingIOError: if another process uses it.
        OSError: if there is none yet and it cannot be written.
    """
    identity = {
        "gdlab": gdlab.__version__,
        "jax": jax.__version__,
        "state layout": LAYOUT,
        "checkpoint layout": checkpoint.LAYOUT,
    }
    identity |= {name: str(value) for name, value in manner.items()}
    for entry in entries:
        identity |= _identity_of(entry)
    if shared:
        part = f"process-{jax.process_index()}-of-{jax.process_count()}"
        folder = pathlib.Path(folder) / part
    return Saving(Checkpoint.open(folder, identity))


def _identity_of(entry: Entry) -> dict[str, str]:
    """The identity of one optimizer on one problem; a loader counts by its first batch alone."""
    setup, lanes = entry.run.setup, entry.run.lanes
    data = setup.data.first() if isinstance(setup.data, Stream) else setup.data
    identity = {
        "optimizer": repr(entry.tx),
        "seeds": str(setup.seeds.tolist()),
        "key": of_arrays(setup.key),
        "data": of_arrays(data),
        "params": of_arrays((setup.first, setup.template.fixed)),
        "model state": of_arrays(setup.model_state),
        "hyperparameters": of_arrays(
            (
                setup.points,
                setup.template._replace(fixed=None),
                setup.init_hyperparameters,
                setup.evaluate_hyperparameters,
            )
        ),
        "programs": of_program(lanes.programs, lanes.first_points(entry.run.size)),
    } | {name: str(value) for name, value in entry.settings.items()}
    prefix = ", ".join(filter(None, (entry.problem, entry.optimizer)))
    return {f"{prefix}: {name}" if prefix else name: value for name, value in identity.items()}
