"""What does an optimizer step cost, in gdlab, in its peers, and at least?

    python examples/benchmarks/run.py                    # all of it: seven minutes on two cores
    python examples/benchmarks/run.py --only adam muon   # some of the works
    python examples/benchmarks/run.py --save             # and keep the figures
    python examples/benchmarks/run.py --quick            # a smoke test

Prints one table, and with ``--save`` writes one file to ``docs/performance/runs``, from which the
page of the documentation is made.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from bench.works import WORKS

RUNS = Path(__file__).parents[2] / "docs" / "performance" / "runs"


def function_of(task: str) -> Any:
    """The function that ``"module:function"`` names, the module below ``bench``."""
    module, name = task.split(":")
    return getattr(importlib.import_module(f"bench.{module}"), name)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small arrays, few repetitions")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=WORKS, help=", ".join(WORKS))
    parser.add_argument("--save", action="store_true", help=f"write a file to {RUNS}")
    parser.add_argument("--folder", type=Path, default=RUNS, help="where --save writes to")
    parser.add_argument("--note", default="", help="what a reader of the file should know")
    # How the processes that this one starts are told what to do.
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    given = options()
    if given.task:
        print(json.dumps(function_of(given.task[0])(*given.task[1:])))
    elif given.worker:
        from bench.processes import serve

        serve(function_of(given.worker[0])(*given.worker[1:]))
    else:
        from bench.command import measure_all

        measure_all(given)


if __name__ == "__main__":
    sys.exit(main())
