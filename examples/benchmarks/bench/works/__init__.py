"""What is measured: the rows of the table, each a module with a function ``measure``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Work(NamedTuple):
    """A row of the table.

    Attributes:
        title: how tables call it.
        module: the file in this folder that measures it.
        function: the function in that file, ``(effort) -> list of figures``.
        environment: variables of the process in which it is measured.
    """

    title: str
    module: str
    function: str
    environment: Mapping[str, str] = MappingProxyType({})


FUSION_FLAG = "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion"
"""Lets XLA write several results in one kernel on a CPU, as it does on a GPU."""
FUSED = {"XLA_FLAGS": FUSION_FLAG}

WORKS = {
    "clipped_adamw": Work("Clipping and AdamW", "adam", "clipped_adamw"),
    "adam": Work("Adam", "adam", "adam"),
    "adam_fused": Work("Adam, multi-output fusion on", "adam", "adam_fused", FUSED),
    "bfloat16_moments": Work("Adam, moments in bfloat16", "storage", "bfloat16_moments"),
    "int8_moments": Work("Adam, moments in eight bits", "storage", "int8_moments"),
    "bfloat16_params": Work("Adam, parameters in bfloat16", "storage", "bfloat16_params"),
    "adadelta": Work("Adadelta", "adadelta", "adadelta"),
    "leaves": Work("Adam on 600 arrays, jitted", "leaves", "leaves"),
    "bare": Work("Adam outside jit", "bare", "bare"),
    "muon": Work("Muon, 12 layers of width 256", "muon", "muon"),
    "refresh": Work("Shampoo's roots every k steps, in a sweep", "refresh", "refresh"),
    "sweep": Work("A sweep of a 64-32-10 network", "sweep", "sweep"),
    "importing": Work("import gdlab", "importing", "importing"),
}
"""By the name that ``--only`` takes and files keep."""
