"""optax.transforms: parts, wrappers and wiring."""

from collections.abc import Callable
from typing import Any

from gdlab import (
    adaptive_grad_clip,
    add_decayed_weights,
    clip,
    clip_by_block_rms,
    clip_by_global_norm,
    conditionally_mask,
    conditionally_transform,
    flatten,
    freeze,
    keep_params_nonnegative,
    per_example_global_norm_clip,
    per_example_layer_norm_clip,
    selective_transform,
    snapshot,
    trace,
    unitwise_clip,
    unitwise_norm,
    zero_nans,
)
from gdlab.interop.optax._accumulating import (
    MultiSteps,
    ema,
    skip_large_updates,
    skip_not_finite,
)
from gdlab.interop.optax._grouping import (
    chain,
    masked,
    named_chain,
    partition,
)
from gdlab.interop.optax._guarding import apply_if_finite
from gdlab.interop.optax._handed_on import handed_on, listed
from gdlab.interop.optax._monitoring import measure_with_ema, monitor
from gdlab.interop.optax._noise import add_noise

__all__ = [
    "MultiSteps",
    "adaptive_grad_clip",
    "add_decayed_weights",
    "add_noise",
    "apply_if_finite",
    "chain",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "conditionally_mask",
    "conditionally_transform",
    "ema",
    "flatten",
    "freeze",
    "keep_params_nonnegative",
    "masked",
    "measure_with_ema",
    "monitor",
    "named_chain",
    "partition",
    "per_example_global_norm_clip",
    "per_example_layer_norm_clip",
    "selective_transform",
    "skip_large_updates",
    "skip_not_finite",
    "snapshot",
    "trace",
    "unitwise_clip",
    "unitwise_norm",
    "zero_nans",
]

__getattr__: Callable[[str], Any] = handed_on(__name__)
__dir__: Callable[[], list[str]] = listed(__name__)
