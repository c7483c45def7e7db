"""The answers of the lecture's exercises, each beside a closed form or a computation in NumPy."""

import ast
import json
import re
from collections.abc import Callable

import numpy as np
import pytest

from gdlab.page.exercise import Exercise
from tests.lecture.exercises import exercise_cells, exercise_of, pages_with_exercises

EXERCISES = [
    (page, position) for page, count in pages_with_exercises().items() for position in range(count)
]


def distances(factors, steps):
    """The distances to the minimum of uncoupled modes that are multiplied by factors."""
    return np.abs(np.array(factors)) ** np.arange(steps + 1)[:, None]


def largest_stable_rate(task: Exercise):
    singular_values = np.array([1.0, 5.0])
    assert task.answer == pytest.approx(1 / np.max(singular_values) ** 2, rel=1e-9)
    for share, arrives in [(0.999, True), (1.001, False)]:
        left = distances(1 - 2 * share * task.answer * singular_values**2, 5000)[-1]
        assert bool(np.all(left < 1e-3)) is arrives


def steps_of_the_slower_mode(task: Exercise):
    slower = np.max(distances(1 - 2 * 0.03 * np.array([1.0, 25.0]), 200), axis=1)
    assert task.answer == np.argmax(slower <= 1e-3)


def window_of_equal_noise(task: Exercise):
    weights = 0.2 * 0.8 ** np.arange(400)
    assert task.answer == pytest.approx(1 / np.sum(weights**2), rel=1e-9)


def heavy_ball_radius(eta, beta, curvature):
    """The largest root of r² − (1 + β − ηλ)r + β in size."""
    middle = (1 + beta - eta * curvature) / 2
    root = np.sqrt(middle**2 - beta + 0j)
    return np.maximum(np.abs(middle + root), np.abs(middle - root))


def best_momentum(task: Exercise):
    assert task.answer == pytest.approx((4 / 6) ** 2, rel=1e-6)
    eta, beta = np.meshgrid(np.linspace(0.02, 0.2, 901), np.linspace(0.0, 0.98, 491))
    radius = np.max([heavy_ball_radius(eta, beta, curvature) for curvature in (1, 25)], axis=0)
    assert beta.ravel()[np.argmin(radius)] == pytest.approx(task.answer, abs=0.005)


def nesterov_is_stable_below_both(task: Exercise):
    def size_after_steps(name, rate, curvature=25.0):
        w, v = 1.0, 0.0
        for _ in range(2000):
            g = curvature * w
            v = (0.0 if name == "gradient descent" else 0.9) * v + g
            w -= rate * (g + 0.9 * v if name == "Nesterov" else v)
        return abs(w)

    limit = 2 * 1.9 / (2.8 * 25)
    assert size_after_steps("Nesterov", 0.99 * limit) < 1
    with np.errstate(over="ignore", invalid="ignore"):
        assert not size_after_steps("Nesterov", 1.01 * limit) < 1
    for name in ("gradient descent", "momentum"):
        assert size_after_steps(name, 1.01 * limit) < 1
    assert task.answer == "below both"


def first_step_of_rmsprop(task: Exercise):
    eta, decay, gradient = 0.1, 0.96, 7.0
    average = decay * 0.0 + (1 - decay) * gradient**2
    assert task.answer == pytest.approx(eta * gradient / np.sqrt(average), rel=1e-9)


def the_run_with_two_decays_is_adam(task: Exercise):
    page = re.search(r"const PAGE = (\{.*\});", task.html)
    assert page is not None
    labels = {
        own["name"]: {slider["label"] for slider in own["sliders"]}
        for own in json.loads(page[1])["optimizers"]
    }
    (adam,) = [name for name, found in labels.items() if {"b1", "b2"} <= found]
    assert task.answer == adam


def curvatures_of_both_signs(task: Exercise):
    low, high = np.linalg.eigvalsh([[2.0, 3.0], [3.0, 2.0]])
    assert low < 0 < high
    assert task.answer == "saddle"


def weights_of_kernels(task: Exercise):
    assert task.answer == 3 * 3 * 6 * 12


def nothing_leaves_the_ridge(task: Exercise):
    y = dict.fromkeys(("gradient descent", "momentum", "Adam"), 0.0)
    velocity = mean = square = 0.0
    for t in range(1, 61):
        g = {name: -2.0 * at for name, at in y.items()}
        velocity = 0.9 * velocity + g["momentum"]
        mean = 0.9 * mean + 0.1 * g["Adam"]
        square = 0.999 * square + 0.001 * g["Adam"] ** 2
        corrected = mean / (1 - 0.9**t) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
        y["gradient descent"] -= 0.05 * g["gradient descent"]
        y["momentum"] -= 0.05 * velocity
        y["Adam"] -= 0.05 * corrected
    assert all(at == 0 for at in y.values())
    assert task.answer == "none of them"


ORACLES: dict[tuple[str, int], Callable[[Exercise], None]] = {
    ("gradient-descent", 0): largest_stable_rate,
    ("gradient-descent", 1): steps_of_the_slower_mode,
    ("averages", 0): window_of_equal_noise,
    ("momentum", 0): best_momentum,
    ("momentum", 1): nesterov_is_stable_below_both,
    ("adaptive", 0): first_step_of_rmsprop,
    ("adaptive", 1): the_run_with_two_decays_is_adam,
    ("landscapes", 0): curvatures_of_both_signs,
    ("networks", 0): weights_of_kernels,
    ("races", 0): nothing_leaves_the_ridge,
}


def test_there_are_ten_exercises_and_each_has_an_independent_answer():
    assert len(EXERCISES) == 10
    assert set(EXERCISES) == set(ORACLES)


@pytest.mark.sampled(2)
@pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")
@pytest.mark.parametrize(("page", "position"), EXERCISES)
def test_the_answer_of_an_exercise_is_that_of_an_independent_computation(page, position):
    task = exercise_of(page, position)
    ORACLES[page, position](task)
    assert len(task.html.encode()) < 100_000


@pytest.mark.parametrize(("page", "position"), EXERCISES)
def test_no_exercise_has_its_answer_written_into_it(page, position):
    """It is computed when the documentation is built, so that it is that of the code there is."""
    last = ast.parse(exercise_cells(page)[1][position]).body[-1]
    assert isinstance(last, ast.Expr)
    assert isinstance(last.value, ast.Call)
    assert ast.unparse(last.value.func) == "gdlab.exercise"
    answer = last.value.args[1]
    assert [node for node in ast.walk(answer) if isinstance(node, ast.Name)]
