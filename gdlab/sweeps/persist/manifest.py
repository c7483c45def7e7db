"""The manifest of a checkpoint's folder, which identifies the sweep it belongs to."""

import json
from pathlib import Path

from gdlab.files import is_leftover, written_whole

VERSIONS = ("gdlab", "jax", "state layout", "checkpoint layout")
"""The entries of an identity that are versions of software and of layouts."""

ADVICE = "choose another folder, or delete this one to start over"
"""The advice that ends every message about a refused folder."""

FILE = "manifest.json"
"""The name of the manifest in the folder."""

LOCK = "lock"
"""The name of the file that is locked while the folder is in use; it is never deleted."""

MOST_CHARACTERS = 32
"""The largest number of characters of an entry that a message shows."""


def write(folder: Path, identity: dict[str, str]) -> None:
    """Write the manifest, which replaces an older one.

    Raises:
        OSError: if it cannot be written; an older one is still there.
    """
    with written_whole(_path(folder), follow_symlinks=False) as beside:
        beside.write_text(json.dumps({"identity": identity}), encoding="utf-8")


def require_ours(folder: Path, identity: dict[str, str]) -> None:
    """Refuse a folder that a sweep of this identity must not write to.

    Raises:
        ValueError: if it holds the checkpoint of another sweep or version, a damaged one, or other
            files.
    """
    named = f"the checkpoint folder {str(folder)!r}"
    if not _path(folder).exists():
        # A process that was killed while it made the folder leaves a lock and unfinished files.
        if folder.exists() and any(
            path.name != LOCK and not is_leftover(path) for path in folder.iterdir()
        ):
            raise ValueError(f"{named} is not empty and holds no checkpoint; choose another one")
        return
    stored = _read(folder, named)
    names = [name for name in {**stored, **identity} if stored.get(name) != identity.get(name)]
    if names:
        versions = any(name in VERSIONS for name in names)
        source = "written by another version" if versions else "of another sweep"
        differences = ", ".join(_difference(n, stored.get(n), identity.get(n)) for n in names)
        raise ValueError(
            f"{named} holds a checkpoint {source}: {differences}; nothing was changed; {ADVICE}"
        )


def _path(folder: Path) -> Path:
    return folder / FILE


def _read(folder: Path, named: str) -> dict[str, str]:
    """The identity in the manifest of a folder; ``named`` is the folder's name in errors.

    Raises:
        ValueError: if the manifest is damaged.
    """
    try:
        stored = json.loads(_path(folder).read_text(encoding="utf-8"))["identity"]
        if not all(isinstance(value, str) for value in stored.values()):
            raise TypeError("an entry is not a text")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{named} is damaged: its manifest cannot be read, and nothing was changed; {ADVICE}: "
            f"{error}"
        ) from error
    return stored


def _difference(name: str, stored: str | None, given: str | None) -> str:
    """The name of an entry, with excerpts of both texts from where they differ."""
    pairs = list(zip(stored or "", given or "", strict=False))
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
    begin = max(first - MOST_CHARACTERS // 4, 0)
    return f"{name} (stored {_excerpt(stored, begin)}, given {_excerpt(given, begin)})"


def _excerpt(text: str | None, begin: int) -> str:
    if text is None:
        return "none"
    if len(text) <= MOST_CHARACTERS:
        return text
    end = begin + MOST_CHARACTERS
    before, after = "…" if begin else "", "…" if end < len(text) else ""
    return f"{before}{text[begin:end].rstrip()}{after}"
