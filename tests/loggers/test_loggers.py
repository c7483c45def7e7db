"""What trackers are told of the lanes of a sweep, by the trackers themselves where they install."""

import sys
import types

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, SuccessiveHalving, sgd, sweep
from gdlab.loggers import (
    LaneLogger,
    MLflowLogger,
    TensorBoardLogger,
    TrackioLogger,
    WandbLogger,
)
from gdlab.progress import redraw

RATES = [0.1, 0.5, 2.5]


def distance(w):
    return jnp.abs(w)


def logged(logger, steps=6, **arguments):
    """Gradient descent, w ← (1 − η) w from 1, whose loss at step t is ½ (1 − η)²ᵗ."""
    return sweep(
        lambda w: 0.5 * w**2, 1.0, sgd(Axis("rate", RATES)), steps=steps, evaluate=distance,
        evaluate_every=3, progress=False, live=logger, **arguments,
    )  # fmt: skip


def losses(rate, steps=6):
    return 0.5 * (1 - rate) ** (2 * np.arange(steps + 1))


class Notebook(LaneLogger):
    """A tracker that remembers what it is told."""

    def __init__(self):
        super().__init__()
        self.runs, self.ends = {}, {}

    def begin(self, name, config):
        self.runs[name] = []
        return name

    def log(self, run, step, values):
        self.runs[run].append((step, values))

    def end(self, run, status, metrics):
        assert run not in self.ends
        self.ends[run] = status, metrics


def test_every_step_of_every_lane_is_logged_once(monkeypatch):
    # Between any two calls of the devices.
    monkeypatch.setattr(redraw, "SECONDS_BETWEEN_PICTURES", 0.0)
    seen, logger = [], Notebook()
    logged([logger, seen.append], steps=30)
    assert len(seen) > 2
    assert list(logger.runs) == [f"rate={rate}, seed=0" for rate in RATES]
    for rate, rows in zip(RATES, logger.runs.values(), strict=True):
        steps, values = zip(*rows, strict=True)
        assert list(steps) == list(range(len(steps)))
        np.testing.assert_allclose(
            [row["loss"] for row in values], losses(rate, 30)[: len(steps)], rtol=1e-4, atol=1e-30
        )
        assert [step for step, row in rows if "distance" in row] == list(range(0, len(steps), 3))
    assert [logger.ends[name][0] for name in logger.runs] == ["ok", "ok", "diverged"]


def test_lanes_that_a_policy_drops_end_where_they_were_dropped():
    logger = Notebook()
    logged(logger, policy=SuccessiveHalving(factor=3, rungs=[3]))
    assert [len(rows) for rows in logger.runs.values()] == [3, 7, 3]
    assert [status for status, _ in logger.ends.values()] == ["pruned", "ok", "pruned"]


def test_a_sweep_that_is_broken_off_leaves_no_run_open(monkeypatch):
    monkeypatch.setattr(redraw, "SECONDS_BETWEEN_PICTURES", 0.0)

    def interrupted(result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Notebook() as logger:
        logged([logger, interrupted], steps=1000)
    assert len(logger.runs) == 3
    assert logger.ends.keys() == logger.runs.keys()
    assert "unfinished" in {status for status, _ in logger.ends.values()}


@pytest.mark.filterwarnings("ignore")  # of the libraries below it
def test_mlflow_has_a_run_for_each_lane(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is an optional tracker")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    logged(MLflowLogger("rates", uri))
    client = mlflow.tracking.MlflowClient(uri)
    experiment = client.get_experiment_by_name("rates")
    runs = {run.data.params["rate"]: run for run in client.search_runs(experiment.experiment_id)}
    assert {rate: run.info.status for rate, run in runs.items()} == {
        "0.1": "FINISHED", "0.5": "FINISHED", "2.5": "FINISHED",
    }  # fmt: skip
    history = client.get_metric_history(runs["0.5"].info.run_id, "loss")
    found = [metric.value for metric in sorted(history, key=lambda metric: metric.step)]
    np.testing.assert_allclose(found, losses(0.5), rtol=1e-5)
    assert runs["0.1"].data.metrics["final/distance"] == pytest.approx(0.9**6)


def test_tensorboard_has_a_folder_for_each_lane(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is an optional tracker")
    logged(TensorBoardLogger(tmp_path))
    folders = sorted(path.name for path in tmp_path.iterdir())
    assert folders == ["rate=0.1,_seed=0", "rate=0.5,_seed=0", "rate=2.5,_seed=0"]
    from tensorboardX.proto.event_pb2 import Event

    (file,) = (tmp_path / folders[1]).iterdir()
    content, found, position = file.read_bytes(), {}, 0
    while position < len(content):
        # A record is its length in eight bytes, a checksum of four, the event, another checksum.
        length = int.from_bytes(content[position : position + 8], "little")
        event = Event.FromString(content[position + 12 : position + 12 + length])
        position += 16 + length
        for value in event.summary.value:
            if value.tag == "loss":
                found[event.step] = value.simple_value
    assert sorted(found) == list(range(7))
    np.testing.assert_allclose([found[step] for step in range(7)], losses(0.5), rtol=1e-5)


def test_weights_and_biases_is_called_as_its_documentation_says(monkeypatch):
    """``wandb.init(project=…, name=…, config=…, reinit="create_new")``, ``run.log``, ``finish``."""
    runs = []

    class Run:
        def __init__(self, **options):
            self.options, self.rows, self.summary, self.exit_code = options, [], {}, None
            runs.append(self)

        def log(self, data, step=None):
            self.rows.append((step, data))

        def finish(self, exit_code=None):
            self.exit_code = exit_code

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=Run))
    logged(WandbLogger("digits", group="rates"), steps=30)
    assert [run.options["config"]["rate"] for run in runs] == RATES
    assert runs[0].options["project"] == "digits"
    assert runs[0].options["reinit"] == "create_new"
    assert runs[0].rows[0] == (0, {"loss": 0.5, "distance": 1.0})
    assert [run.exit_code for run in runs] == [0, 0, 1]
    assert runs[2].summary["status"] == "diverged"


def test_trackio_is_told_one_run_after_the_other(monkeypatch):
    """``trackio.init`` ends the run before it; a run has ``log`` and ``finish``."""
    told = []

    def init(**options):
        told.append(("init", options["name"]))
        return types.SimpleNamespace(
            log=lambda values, step=None: told.append(("log", step)),
            finish=lambda: told.append(("finish", None)),
        )

    monkeypatch.setitem(sys.modules, "trackio", types.SimpleNamespace(init=init))
    monkeypatch.setattr(redraw, "SECONDS_BETWEEN_PICTURES", 0.0)
    logged(TrackioLogger("digits"), steps=2)
    lane = [("log", 0), ("log", 1), ("log", 2), ("log", None), ("finish", None)]
    assert told == [each for rate in RATES for each in (("init", f"rate={rate}, seed=0"), *lane)]
