"""The cost of a compiled program as counted by XLA, which does not depend on the machine's load."""

import re
from collections.abc import Iterable
from typing import Any

import jax

from .figures import Figure

FREE = frozenset(("parameter", "constant", "tuple", "get-tuple-element", "bitcast"))
"""Instructions that launch no kernel."""
OPERATION = re.compile(r"^\s+(?:ROOT )?%?[\w.-]+ = .*?([a-z][a-z0-9-]*)\(")


def memory(
    contender: str, program: Any, parameters: int, targets: tuple[float, float] | None = None
) -> Iterable[Figure]:
    """The words moved for each parameter, and those of temporaries.

    Args:
        contender: whose step it is.
        program: a compiled step (``jax.stages.Compiled``).
        parameters: how many parameters it updates.
        targets: the targets of the words moved and of the words of temporaries.
    """
    words = program.cost_analysis()["bytes accessed"] / 4 / parameters
    temporaries = program.memory_analysis().temp_size_in_bytes / 4 / parameters
    for measure, value, target in zip(
        ("words", "temporaries"), (words, temporaries), targets or (None, None), strict=True
    ):
        yield Figure("step", contender, measure, round(value, 2), target=target)


def launches(contender: str, program: Any) -> Figure:
    """How many kernels, loops, calls and copies the entry computation of a program launches."""
    lines = program.as_text().split("\nENTRY ")[-1].split("\n}")[0].splitlines()[1:]
    operations = (found[1] for line in lines if (found := OPERATION.match(line)))
    count = sum(operation not in FREE for operation in operations)
    return Figure("step", contender, "launches", count)


def compiled_in_place(step: Any, *arguments: Any) -> Any:
    """Compile a step that overwrites its first two arguments."""
    return jax.jit(step, donate_argnums=(0, 1)).lower(*arguments).compile()
