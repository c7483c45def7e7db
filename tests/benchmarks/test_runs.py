"""The files of the benchmarks, their verdicts, and the command itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from examples.benchmarks.bench.compiled import compiled_in_place, launches, memory
from examples.benchmarks.bench.figures import Figure
from examples.benchmarks.bench.files import MACHINE, VERSIONS, Run, read_run, read_runs, write_run
from examples.benchmarks.bench.table import lines, markdown_table, text_table
from examples.benchmarks.bench.timing import Sample, in_turns, ratios
from examples.benchmarks.bench.works import WORKS

CHECKOUT = Path(__file__).parents[2]
FIGURES = (
    Figure("step", "gdlab", "words", 10.0, target=10.0),
    Figure("step", "optax", "words", 10.0),
    Figure("step", "gdlab", "cpu", 0.021, quartiles=(0.02, 0.03)),
    Figure("step", "gdlab", "cpu", 1.2, "optax", (1.1, 1.3), 1.0),
    Figure("step", "gdlab", "wall", 0.9, "optax", (0.8, 1.0)),
)
RUN = Run(
    date="2026-01-02T03:04:05+00:00",
    quick=False,
    note="",
    machine=dict.fromkeys(MACHINE, 1),
    versions=dict.fromkeys(VERSIONS, "1.0"),
    flags={},
    works={"adam": FIGURES},
)


def changed(tmp_path, change):
    """The file of a run after a change to its content."""
    path = write_run(RUN, tmp_path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_a_run_is_read_back_as_it_was_written_and_nothing_else_lies_beside_it(tmp_path):
    path = write_run(RUN, tmp_path / "runs")
    assert read_run(path) == RUN
    assert [each.name for each in path.parent.iterdir()] == ["2026-01-02T030405.json"]


def test_runs_are_read_from_the_oldest_to_the_newest(tmp_path):
    for year in ("2027", "2025", "2026"):
        write_run(RUN._replace(date=f"{year}-01-02T03:04:05+00:00"), tmp_path)
    assert [run.date[:4] for run in read_runs(tmp_path)] == ["2025", "2026", "2027"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: run.update(schema=2), "schema is 2"),
        (lambda run: run.pop("flags"), "lacks flags"),
        (lambda run: run.update(extra=1), "has also extra"),
        (lambda run: run["machine"].pop("cpu"), "machine lacks cpu"),
        (lambda run: run["works"].update(adamm=[]), "no work adamm"),
        (lambda run: run["works"]["adam"][0].update(measure="weight"), "measure is 'weight'"),
        (lambda run: run["works"]["adam"][0].update(value="10"), "value is '10'"),
        (lambda run: run["works"]["adam"][0].update(value=float("nan")), "NaN"),
        (lambda run: run["works"]["adam"][3].update(quartiles=[1.0]), "not two numbers"),
        (lambda run: run["works"]["adam"][0].pop("part"), r"works.adam\[0\] lacks part"),
        (lambda run: run.update(works=[]), "works is not an object"),
    ],
)
def test_a_file_with_what_the_reader_does_not_know_is_refused_by_name(tmp_path, change, said):
    path = changed(tmp_path, change)
    with pytest.raises(ValueError, match=rf"2026-01-02T030405.json .*{said}"):
        read_run(path)


def test_a_file_that_is_cut_off_is_refused_by_name(tmp_path):
    path = write_run(RUN, tmp_path)
    path.write_text(path.read_text()[:200])
    with pytest.raises(ValueError, match="is no run of the benchmarks"):
        read_run(path)


def test_a_target_is_met_up_to_its_value_and_missed_beyond():
    verdicts = [
        Figure("step", "gdlab", "words", value, target=7.0).verdict for value in (6.9, 7, 7.1)
    ]
    assert verdicts == ["met", "met", "missed"]
    assert Figure("step", "gdlab", "words", 7.0).verdict == ""


def test_the_table_has_a_line_for_each_target_and_gives_ratios_of_both_times_in_one():
    counted, timed = lines(RUN, targets_only=True)
    assert (counted.value, counted.target, counted.verdict) == ("10", "≤ 10", "met")
    assert (timed.value, timed.wall) == ("1.2 (1.1–1.3)", "0.9 (0.8–1)")
    assert (timed.subject, timed.verdict) == ("gdlab ÷ optax", "missed")
    assert "1 met, 1 missed" in text_table(RUN)
    assert markdown_table(RUN).count("**missed**") == 1


def test_ratios_are_paired_within_rounds():
    # The machine slows tenfold in each round: the medians' ratio is 2 as well, but the quartiles
    # would not be.
    ours = [Sample(2.0 * 10**n, 3.0 * 10**n) for n in range(5)]
    theirs = [Sample(1.0 * 10**n, 1.0 * 10**n) for n in range(5)]
    cpu, wall = ratios("step", {"gdlab": ours, "optax": theirs}, "gdlab", "optax", 2.0)
    assert (cpu.value, cpu.quartiles, wall.value) == (2.0, (2.0, 2.0), 3.0)


def test_contenders_take_turns_and_each_begins_a_round():
    calls = []
    turns = {name: lambda name=name: calls.append(name) or Sample(0.0, 0.0) for name in "ab"}
    in_turns(turns, rounds=2, warm_up=0)
    assert calls == ["a", "b", "b", "a"]


def test_words_temporaries_and_launches_are_those_of_the_program():
    step = lambda params, state, grads: (params - grads, state + grads)  # noqa: E731
    array = jnp.ones(4096)
    program = compiled_in_place(step, array, jnp.ones(4096), array)
    words, temporaries = memory("gdlab", program, 4096)
    # Three are read and two written; XLA may read the gradient for each of two kernels.
    assert 5 <= words.value <= 6
    assert temporaries.value == 0
    assert 1 <= launches("gdlab", program).value <= 2
    nothing = jax.jit(lambda x: x).lower(array).compile()
    assert launches("gdlab", nothing).value <= 1


def test_the_runs_that_are_kept_can_be_read_and_have_the_works_of_the_code():
    for run in read_runs(CHECKOUT / "docs" / "performance" / "runs"):
        assert run.works.keys() <= WORKS.keys()


@pytest.mark.slow
def test_the_command_measures_one_work_and_saves_its_figures(tmp_path):
    command = [sys.executable, "examples/benchmarks/run.py", "--quick", "--only", "adadelta"]
    done = subprocess.run(
        [*command, "--save", "--folder", str(tmp_path)],
        cwd=CHECKOUT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    (run,) = read_runs(tmp_path)
    assert (run.quick, list(run.works)) == (True, ["adadelta"])
    found = {(f.contender, f.measure) for f in run.works["adadelta"] if f.against is None}
    assert {(who, what) for who in ("gdlab", "optax") for what in ("words", "cpu")} <= found
    assert "gdlab: words moved" in done.stdout
