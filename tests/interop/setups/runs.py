"""Runs of a training script under several optimizers, put beside each other."""

from typing import Any, NamedTuple

import jax
import numpy as np


class Run(NamedTuple):
    """What a training script has to show in the end."""

    losses: Any
    """The loss at each step, an array."""
    params: Any
    """The parameters after the last step, a tree."""
    logged: dict[str, Any] = {}  # noqa: RUF012
    """What else it has written down, such as learning rates, norms and averages: trees by name."""


def assert_alike(run: Run, other: Run, rtol: float = 1e-9) -> None:
    """Compare what two runs have to show, each tree relative to its largest element.

    Of a parameter that the loss does not depend on, such as the bias of the keys in an attention,
    Adam makes a random walk out of rounding errors, so it has no size of its own to compare with.
    Leaves that are no arrays, such as the functions in a module, are passed over.
    """
    assert set(other.logged) <= set(run.logged)
    shown = {"losses": other.losses, "params": other.params} | other.logged
    for name, tree in shown.items():
        wanted = arrays_in(run.logged[name] if name in run.logged else getattr(run, name))
        found = arrays_in(tree)
        assert set(found) == set(wanted)
        largest = max(np.abs(leaf).max() for leaf in wanted.values())
        for path, leaf in found.items():
            np.testing.assert_allclose(
                leaf, wanted[path], rtol=0, atol=rtol * largest, err_msg=name + path
            )


def arrays_in(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a tree by their paths, as float64."""
    return {
        jax.tree_util.keystr(path): np.asarray(leaf, float)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if isinstance(leaf, jax.Array | np.ndarray)
    }
