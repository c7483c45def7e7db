"""Tests of what builds the documentation."""

import importlib.util
from pathlib import Path

EXTENSIONS = Path(__file__).parents[2] / "docs" / "_ext"


def extension(name):
    """A module of ``docs/_ext``, which is no package."""
    spec = importlib.util.spec_from_file_location(name, EXTENSIONS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
