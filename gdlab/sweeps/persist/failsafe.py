"""A checkpoint whose failure does not end the sweep, since the results in memory matter more."""

from collections.abc import Callable
from typing import Any

from gdlab.core.warning import warn_caller
from gdlab.sweeps.persist.checkpoint import Checkpoint


class FailsafeCheckpoint:
    """A checkpoint that is given up, with a warning, when a unit cannot be written or removed.

    From then on the folder stays as it is, even when the disk has room again: later units may
    depend on the one that is missing.
    """

    def __init__(self, checkpoint: Checkpoint):
        self._checkpoint = checkpoint
        self.works: bool = True
        """True if every unit so far has been written."""

    def require_writable(self) -> None:
        """Refuse to begin a sweep that could not be saved from the start.

        Raises:
            OSError: if the folder cannot be written.
        """
        self._checkpoint.require_writable()

    def close(self) -> None:
        """Let other processes use the folder."""
        self._checkpoint.close()

    def saved(self) -> list[str]:
        """The names of the units, sorted."""
        return self._checkpoint.saved()

    def load(self, name: str, like: Any) -> Any:
        """The tree of the unit ``name``."""
        return self._checkpoint.load(name, like)

    def save(self, name: str, tree: Any) -> None:
        """Save a tree as the unit ``name``, unless a write has failed before."""
        self._attempt(self._checkpoint.save, name, tree)

    def remove(self, name: str) -> None:
        """Remove the unit ``name``, unless a write has failed before."""
        self._attempt(self._checkpoint.remove, name)

    def _attempt(self, write: Callable[..., None], *args: Any) -> None:
        if not self.works:
            return
        try:
            write(*args)
        except OSError as error:
            self.works = False
            warn_caller(
                f"the sweep goes on, but saves nothing any more: {error}. Once the folder can be "
                "written, the same call goes on from what was saved before.",
            )
