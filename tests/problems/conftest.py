"""Tests of one problem side by side, so that a worker that has compiled it goes on with it."""

from pathlib import Path

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items):
    here = [place for place, item in enumerate(items) if item.path.parent == FOLDER]
    for place, item in zip(here, sorted((items[i] for i in here), key=problem_of), strict=True):
        items[place] = item


def problem_of(item):
    return item.callspec.id if hasattr(item, "callspec") else ""
