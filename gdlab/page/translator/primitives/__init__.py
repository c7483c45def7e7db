"""All rules: importing this registers them."""

from gdlab.page.translator.primitives import (
    control,
    elementwise,
    indexing,
    linear_algebra,
    random,
    reductions,
    structural,
)

__all__ = [
    "control",
    "elementwise",
    "indexing",
    "linear_algebra",
    "random",
    "reductions",
    "structural",
]
