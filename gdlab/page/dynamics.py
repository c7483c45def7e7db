"""The parts of an optimizer's state that a page needs to linearise its steps."""

from typing import Any

import jax
import numpy as np

from gdlab.analysis.linear.setting import linear_setting
from gdlab.core.transformation import GradientTransformation


def dynamics_of(tx: GradientTransformation, hessian: np.ndarray) -> dict[str, Any]:
    """The positions of signals, scales and clocks in the state; or why they are unknown.

    Returns:
        ``{"refused": why}``, or a dictionary of positions in the state: ``signals``, the signals
        that a linearisation keeps, in order; ``silent``, the other signals, which are set to zero;
        ``scales``; ``clocks``; and ``components``, the weight, 0 or 1, to which each kept signal
        belongs, or None.
    """
    try:
        # Scales that grow forever have no limit, so the first step is taken.
        setting = linear_setting(tx, hessian, step=1)
    except ValueError as error:
        return {"refused": str(error)}
    anatomy = setting.anatomy
    leaves = jax.tree.leaves(jax.eval_shape(setting.tx.init, setting.params))
    # A window of past gradients has its own axis before that of the weights.
    by_weight = [leaf.shape[-1:] == setting.params.shape for leaf in leaves]
    sizes = [int(np.prod(leaf.shape)) for leaf in leaves]
    starts = np.concatenate([[0], np.cumsum(sizes)])

    def atoms(positions: Any) -> list[int]:
        return [int(a) for i in positions for a in range(starts[i], starts[i + 1])]

    signals = anatomy.positions("signal")
    kept = [i for i, own in zip(signals, setting.kept, strict=True) if own]
    return {
        "signals": atoms(kept),
        "silent": atoms(i for i in signals if i not in kept),
        "scales": atoms(anatomy.positions("scale")),
        "clocks": atoms(anatomy.positions("clock")),
        "components": [a % 2 if by_weight[i] else None for i in kept for a in range(sizes[i])],
    }
