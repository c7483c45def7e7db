"""The check that the recorded losses of a sweep fit into the memory of the host."""

from collections.abc import Iterable

from gdlab.devices.free_memory import free_bytes_of_host
from gdlab.sweeps.plan.task import SweepTask


def require_host_memory(tasks: Iterable[SweepTask]) -> None:
    """Refuse a sweep whose recorded losses do not fit into the memory of the host.

    Raises:
        ValueError: naming the memory that is needed, and what would reduce it.
    """
    needed, free = sum(task.bytes_of_losses for task in tasks), free_bytes_of_host()
    if needed > free:
        raise ValueError(
            f"the losses at all recorded steps of all lanes take {needed / 2**30:.3g} GiB, and the "
            f"host has {free / 2**30:.3g} GiB left: give fewer points or seeds, or a larger "
            "record_every"
        )
