"""The provenance of a result: versions, device, time and revision."""

import contextlib
import datetime
import functools
import os
import platform
import subprocess

import jax
from jaxlib import version as jaxlib_version

GIT_SECONDS = 2.0
"""The time limit in seconds of a call of git, which may read every file to find changes."""


def provenance() -> dict[str, str]:
    """Versions, device, time, and the git revision of the current directory if it has one.

    The revision ends in "-dirty" if tracked files differ from it.

    >>> from gdlab.sweeps.results.provenance import provenance
    >>> sorted(set(provenance()) - {"git_revision"})
    ['device_kind', 'gdlab', 'jax', 'jaxlib', 'platform', 'python', 'time']
    """
    import gdlab

    device = jax.devices()[0]
    facts = {
        "gdlab": gdlab.__version__,
        "jax": jax.__version__,
        "jaxlib": jaxlib_version.__version__,
        "python": platform.python_version(),
        "platform": device.platform,
        "device_kind": device.device_kind,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    revision = None
    with contextlib.suppress(OSError):  # a directory that has been removed
        revision = git_revision(os.getcwd())
    return facts | ({"git_revision": revision} if revision else {})


@functools.cache
def git_revision(directory: str) -> str | None:
    """The commit of a directory, ``None`` outside a repository or without git.

    It is read once per process, since imported code does not change with the files.
    """
    # Exclude tags, which would replace the commit in the output.
    command = ("git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    try:
        return subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            check=True,
            text=True,
            timeout=GIT_SECONDS,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
