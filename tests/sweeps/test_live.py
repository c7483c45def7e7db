"""The live picture, in a window and in a notebook that is really run."""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from gdlab import Axis, Resources, adam, rmsprop, sgd, sweep
from gdlab.progress import redraw
from gdlab.sweeps.live import LivePicture

RATES = Axis("learning_rate", [0.1, 0.5, 1.5, 3.0])


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(redraw, "SECONDS_BETWEEN_PICTURES", 0.0)
    yield
    plt.close("all")


def quadratic(w):
    return 0.5 * jnp.sum(w**2)


def swept(live, **arguments):
    tx = arguments.pop("tx", sgd(RATES))
    return sweep(quadratic, jnp.ones(2), tx, live=live, **{"steps": 100} | arguments)


def curve(axes):
    """Where the curve of a picture goes, without the points that have no value."""
    x, y = axes.lines[0].get_data()
    return x[~np.isnan(y)], y[~np.isnan(y)]


def test_a_function_is_given_results_that_grow_and_the_finished_one_last():
    seen = []
    result = swept(seen.append)
    recorded = [np.isfinite(one.loss[0, 0]).sum() for one in seen]
    assert len(seen) > 3
    assert recorded[:-1] == sorted(set(recorded[:-1]))
    assert recorded[-1] == 101
    assert set(seen[0].status[:2, 0]) == {"unfinished"}
    assert seen[-1] is result
    for one in seen:
        taken = np.isfinite(one.loss[0, 0]).sum()
        expected = 0.9 ** (2 * np.arange(taken))
        np.testing.assert_allclose(one.loss[0, 0, :taken], expected, rtol=1e-4)


def test_a_picture_shows_the_latest_loss_of_each_lane():
    shown = []

    def live(result):
        picture(result)
        (axes,) = plt.gcf().axes
        shown.append((result, *curve(axes)))

    picture = LivePicture()
    swept(live)
    for result, rates, losses in shown:
        last = np.isfinite(result.loss[0, 0]).sum() - 1
        # Beyond them it diverges, at once.
        np.testing.assert_allclose(rates, [0.1, 0.5, 1.5], rtol=1e-6)
        expected = (1 - rates) ** (2.0 * last)
        np.testing.assert_allclose(losses, expected, rtol=1e-3, atol=1e-37)
    assert len(shown) > 3
    assert len(plt.get_fignums()) == 1


@pytest.mark.slow
def test_a_picture_is_redrawn_for_two_axes_and_as_optimizers_begin():
    picture, panels = LivePicture(), []

    def live(result):
        picture(result)
        panels.append([axes.get_title() for axes in plt.gcf().axes if axes.get_visible()])

    optimizers = {"sgd": sgd(RATES), "adam": adam(RATES), "rmsprop": rmsprop(RATES)}
    swept(live, tx=optimizers, steps=20)
    assert panels[0] == ["sgd"]
    assert panels[-1] == ["sgd", "adam", "rmsprop"]
    assert len(plt.get_fignums()) == 1
    # Two axes, in groups some of which have not begun.
    tx = sgd(RATES, momentum=Axis("momentum", [0.0, 0.9]))
    swept(LivePicture(), tx=tx, resources=Resources(lane_chunk=3), steps=20)
    assert len(plt.get_fignums()) == 2


def test_of_optimizers_with_axes_of_their_own_the_one_that_runs_is_drawn():
    picture, labels = LivePicture(), []

    def live(result):
        picture(result)
        figure = plt.gcf()
        labels.append(figure.get_supxlabel() or figure.axes[0].get_xlabel())

    swept(live, tx={"one": sgd(RATES), "other": sgd(Axis("step_size", [0.1, 0.2]))})
    assert labels[0] == "learning rate"
    assert labels[-1] == "step size"


def test_without_axes_there_is_nothing_to_draw():
    swept(True, tx=sgd(0.1))
    assert not plt.get_fignums()


def test_a_live_picture_is_off_unless_wanted(monkeypatch):
    monkeypatch.setattr(LivePicture, "__call__", lambda *_: pytest.fail("it was drawn"))
    swept(False)


NOTEBOOK = """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("error")
    from gdlab import Axis, SuccessiveHalving, sgd, sweep
    from gdlab.progress import redraw
    redraw.SECONDS_BETWEEN_PICTURES = 0.0
    rates = Axis("learning_rate", [0.1, 0.5, 1.5, 3.0])
    halving = SuccessiveHalving(factor=2, rungs=[20])
    sweep(lambda w: 0.5 * w**2, 1.0, sgd(rates), steps=100, policy=halving, live=True);
"""


class Reader(NotebookClient):
    """Runs a notebook and notes what it shows, also what is there for a while only."""

    def process_message(self, msg, cell, cell_index):
        self.messages = [*getattr(self, "messages", []), msg]
        return super().process_message(msg, cell, cell_index)

    def shown(self, kind, mime):
        of_kind = [msg["content"] for msg in self.messages if msg["msg_type"] == kind]
        return [content["data"][mime] for content in of_kind if mime in content["data"]]


def test_a_notebook_has_one_picture_that_is_updated_and_no_trace_of_the_bar(monkeypatch):
    # As a notebook chooses it.
    monkeypatch.delenv("MPLBACKEND")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    reader = Reader(notebook, timeout=120, startup_timeout=120, kernel_name="python3")
    reader.execute()
    outputs = notebook.cells[0].outputs
    assert [output.output_type for output in outputs] == ["display_data"] * 2
    bar, picture = (output.data for output in outputs)
    assert bar == {"text/html": "", "text/plain": ""}
    assert "image/png" in picture

    assert len(reader.shown("display_data", "image/png")) == 1
    updates = reader.shown("update_display_data", "image/png")
    assert len(updates) >= 3
    assert len(set(updates)) >= 2
    assert picture["image/png"] == updates[-1]
    assert len(reader.shown("display_data", "application/vnd.jupyter.widget-view+json")) == 1
    # The widget of the bar, as it was when it was closed.
    states = list(reader.widget_state.values())
    (widget,) = [state for state in states if state["_model_name"] == "FloatProgressModel"]
    assert widget["value"] == widget["max"] == 4 * 20 + 2 * 81
    texts = [s["value"] for s in states if s["_model_name"] == "HTMLModel" and s["value"]]
    words = " ".join(texts).replace("\u2007", " ")
    assert "sweep: 100%" in words
    assert "2/4 lanes alive, best " in words
