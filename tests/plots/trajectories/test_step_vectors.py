"""The parts of a step, against the recursions of momentum written out."""

import matplotlib.patches
import numpy as np
import pytest

from gdlab import adam, nesterov, plots, problems, sgd

CURVATURES, RATE, DECAY = np.array([1.0, 12.0]), 0.06, 0.7
BOWL = problems.quadratic(CURVATURES)
START = np.array([-3.0, 1.0])


def vectors(panel):
    """Name → (tail, head) of the arrows drawn."""
    arrows = [a for a in panel.patches if isinstance(a, matplotlib.patches.FancyArrowPatch)]
    names = [line.get_label() for line in panel.lines if len(line.get_xdata()) == 0]
    return {
        name: np.array(arrow._posA_posB) for name, arrow in zip(names, arrows, strict=True)
    }  # fmt: skip


def evaluated_at(panel):
    (ring,) = [line for line in panel.lines if "evaluated" in line.get_label()]
    return np.array(ring.get_xydata()[0])


@pytest.mark.x64
def test_momentum_and_nesterov_differ_only_in_where_the_gradient_is_evaluated():
    methods = {"momentum": sgd(RATE, momentum=DECAY), "Nesterov": nesterov(RATE, DECAY)}
    panels = plots.step_vectors(BOWL, methods, start=START)
    w = START - RATE * CURVATURES * START
    history = -RATE * DECAY * CURVATURES * START
    for panel, at in zip(panels, (w, w + history), strict=True):
        drawn = vectors(panel)
        end = w + history - RATE * CURVATURES * at
        np.testing.assert_allclose(drawn["history"], [w, w + history], rtol=1e-12)
        np.testing.assert_allclose(drawn["gradient"], [w + history, end], rtol=1e-12)
        np.testing.assert_allclose(drawn["step"], [w, end], rtol=1e-12)
        np.testing.assert_allclose(evaluated_at(panel), at, rtol=1e-12)


@pytest.mark.x64
def test_a_first_step_has_no_history():
    (panel,) = plots.step_vectors(BOWL, {"plain": sgd(RATE, 0.9)}, start=START, step=0)
    drawn = vectors(panel)
    assert set(drawn) == {"step", "gradient"}
    np.testing.assert_array_equal(drawn["step"], drawn["gradient"])
    np.testing.assert_allclose(drawn["step"][1], START * (1 - RATE * CURVATURES))


@pytest.mark.x64
def test_adams_history_is_its_step_without_a_gradient():
    (panel,) = plots.step_vectors(BOWL, {"Adam": adam(0.1, 0.8, 0.9, 0.0)}, start=START)
    first = CURVATURES * START
    history = -0.1 * (0.16 * first / (1 - 0.8**2)) / np.sqrt(0.09 * first**2 / (1 - 0.9**2))
    tail, head = vectors(panel)["history"]
    np.testing.assert_allclose(head - tail, history, rtol=1e-12)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="name → optimizer"):
        plots.step_vectors(BOWL, {})
    with pytest.raises(ValueError, match=r"a point in the plane, of shape \(2,\), not of shape"):
        plots.step_vectors(BOWL, {"plain": sgd(0.1)}, start=[1.0])
    with pytest.raises(ValueError, match="plain diverges before it comes to step 300"):
        plots.step_vectors(BOWL, {"plain": sgd(1.0)}, step=300)
