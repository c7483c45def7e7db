"""On what machine and with which versions a run was made."""

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[3]
PACKAGES = ("jax", "jaxlib", "numpy", "optax", "torch", "gdlab")
FLAGS = (
    "XLA_FLAGS",
    "GLIBC_TUNABLES",
    "OMP_NUM_THREADS",
    "MALLOC_ARENA_MAX",
    "LD_PRELOAD",
    "JAX_PLATFORMS",
    "JAX_ENABLE_X64",
)
"""Environment variables that bear on speed."""


def describe_machine() -> dict[str, Any]:
    """Describe processor, memory, system, and the device that JAX computes on."""
    import jax

    device = jax.devices()[0]
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "caches": _caches(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "device": device.platform if device.platform == "cpu" else device.device_kind,
    }


def describe_versions() -> dict[str, str | None]:
    """Find the versions of Python and of the packages, and gdlab's commit."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions | {"commit": _commit()}


def flags() -> dict[str, str]:
    """Find the environment variables that bear on speed and are set."""
    return {name: os.environ[name] for name in FLAGS if name in os.environ}


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _caches() -> dict[str, int]:
    """Bytes of the caches of the first core by level, where Linux tells."""
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (folder / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            sizes[f"L{level}"] = int(size.removesuffix("K")) * 1024
    return sizes


def _commit() -> str | None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(CHECKOUT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "gdlab")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
