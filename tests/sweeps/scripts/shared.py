"""One of several processes that share sweeps, with checkpoints in a folder.

It says what it saves, how many steps lanes were taken along and how many the progress bar expected,
and writes its results to files.
"""

import dataclasses
import errno
import pathlib
import sys
import warnings

import jax
import numpy as np

from gdlab import (
    Axis,
    Checkpointing,
    PopulationBasedTraining,
    Resources,
    SuccessiveHalving,
    adam,
    sweep,
)
from gdlab.sweeps.execute.lane_programs import LanePrograms
from gdlab.sweeps.persist.checkpoint import Checkpoint
from tests.sweeps.counting import counted_bars
from tests.sweeps.noisy import arrays_of, init, noisy, norm

CASES = {
    "halving": {"policy": SuccessiveHalving(factor=2, rungs=[8, 16]), "keep_params": "best"},
    "population": {"policy": PopulationBasedTraining(every=8, fraction=0.4)},
    "chunks": {
        "policy": SuccessiveHalving(factor=2, rungs=[8, 16]),
        "resources": Resources(lane_chunk=4),
    },
}


def run(name, **more):
    tx = adam(Axis("learning_rate", np.geomspace(1e-3, 1.0, 10)))
    arguments = CASES[name] | more
    return sweep(noisy, init, tx, steps=24, seeds=2, evaluate=norm, progress=False, **arguments)


def main(process, processes, port, folder, full_at, *names):
    """At a save of the last process, its disk is full, if it comes so far."""
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize(f"localhost:{port}", int(processes), int(process))
    mesh = jax.make_mesh((jax.device_count(),), ("lanes",))
    advance, save, taken, saved = LanePrograms.advance, Checkpoint.save, [], []

    def counted(self, group, end, *args):
        taken.append(group.lanes * (end - group.steps))
        advance(self, group, end, *args)

    def said(self, name, tree):
        print("saving", name, flush=True)
        saved.append(name)
        if process == "1" and len(saved) == int(full_at):
            raise OSError(errno.ENOSPC, "no space left")
        save(self, name, tree)

    LanePrograms.advance, Checkpoint.save = counted, said
    for way in ("saved", "unsaved"):
        for name in names:
            of_it = pathlib.Path(folder) / name
            checkpoint = of_it if way == "saved" else None
            resources = dataclasses.replace(CASES[name].get("resources", Resources()), mesh=mesh)
            with counted_bars() as bars:
                result = run(
                    name,
                    resources=resources,
                    checkpoint=checkpoint and Checkpointing(checkpoint, seconds_between_saves=0),
                )
            expected = sum(bar.needed_steps - bar.found_steps for bar in bars)
            print("done", name, way, sum(taken), expected, flush=True)
            taken.clear()
            np.savez(f"{of_it}.{way}.{process}.npz", **arrays_of(result))


if __name__ == "__main__":
    warnings.simplefilter("error")
    warnings.filterwarnings("default", "the sweep goes on, but saves nothing")
    main(*sys.argv[1:])
