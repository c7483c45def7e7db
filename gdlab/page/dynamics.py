"""What a page must know of an optimizer to linearise its steps where the reader looks."""

from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.linear.setting import closed_loops, linear_setting
from gdlab.core.transformation import GradientTransformation

NOISE_TOLERANCE = 1e-9


def dynamics_of(tx: GradientTransformation, hessian: np.ndarray) -> dict[str, Any]:
    """Which atoms of the state are signals, scales and clocks; or why there is no telling.

    Returns:
        ``{"refused": why}``, or ``signals``, the atoms that a linearisation keeps, in order;
        ``silent``, those that are set to zero beside them; ``scales``; ``clocks``; ``components``,
        which of the two weights each kept signal belongs to, None if to neither; and ``additive``,
        whether weights enter a step through the gradient alone, so that noise acts as they do.
    """
    try:
        # Scales that grow for ever have no limit, but a first step.
        setting = linear_setting(tx, hessian, step=1)
    except ValueError as error:
        return {"refused": str(error)}
    anatomy = setting.anatomy
    leaves = jax.tree.leaves(jax.eval_shape(setting.tx.init, setting.params))
    sizes = [int(np.prod(leaf.shape)) for leaf in leaves]
    starts = np.concatenate([[0], np.cumsum(sizes)])

    def atoms(positions: Any) -> list[int]:
        return [int(a) for i in positions for a in range(starts[i], starts[i + 1])]

    signals = anatomy.positions("signal")
    kept = [i for i, own in zip(signals, setting.kept, strict=True) if own]
    system, weights = closed_loops(setting), ravel_pytree(setting.params)[0].size
    through_state = system.A[0] - np.eye(len(system.A[0]))
    columns, through_gradient = through_state[:, -weights:], system.B[0] @ hessian
    off = np.max(np.abs(columns - through_gradient))
    return {
        "signals": atoms(kept),
        "silent": atoms(i for i in signals if i not in kept),
        "scales": atoms(anatomy.positions("scale")),
        "clocks": atoms(anatomy.positions("clock")),
        "components": [c if sizes[i] == 2 else None for i in kept for c in range(sizes[i])],
        "additive": bool(off <= NOISE_TOLERANCE * np.max(np.abs(through_gradient))),
    }
