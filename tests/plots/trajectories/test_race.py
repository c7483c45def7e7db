"""Races whose best learning rates are known, and the files they are written to."""

import re

import jax
import matplotlib.animation
import numpy as np
import pytest
from PIL import Image

from gdlab import (
    adam,
    chain,
    hyperparameters,
    linear_schedule,
    nesterov,
    plots,
    problems,
    rmsprop,
    sgd,
)

QUADRATIC = problems.quadratic([1.0, 9.0])
OPTIMIZERS = {"plain": sgd(1.0), "momentum": sgd(1.0, momentum=0.25)}


@pytest.fixture(scope="module")
def short():
    return plots.race(QUADRATIC, OPTIMIZERS, steps=4, tune=[0.1, 0.2], progress=False)


def test_each_rate_is_the_most_robust_of_its_optimizer_by_a_recursion_written_out():
    rates = [0.02, 0.04, 0.08, 0.1, 0.2, 0.3]
    close = [[0], [1], [2, 3], [2, 3], [4, 5], [4, 5]]  # within a factor of 1.6
    race = plots.race(QUADRATIC, OPTIMIZERS, steps=20, tune=rates, progress=False)
    for name, beta in (("plain", 0.0), ("momentum", 0.25)):
        losses = []
        for rate in rates:
            w, v = np.array(QUADRATIC.start), np.zeros(2)
            losses.append([])
            for _ in range(20):
                v = beta * v + [1, 9] * w
                w = w - rate * v
                losses[-1].append(0.5 * np.sum([1, 9] * w**2))
        means = np.mean(np.array(losses)[:, -10:], axis=1)
        best = min(range(6), key=lambda rate: (max(means[close[rate]]), means[rate]))
        assert race.learning_rates[name] == rates[best]
        assert race.values[name][-1] == pytest.approx(losses[best][-1], rel=1e-3)
        np.testing.assert_array_equal(race.paths[name][0], QUADRATIC.start)
    assert race.result.dims == ("optimizer", "learning_rate", "seed")
    assert (
        hyperparameters(race.optimizers["plain"])["learning_rate"] == race.learning_rates["plain"]
    )


def test_of_rates_that_all_arrive_the_quickest_is_taken():
    # Every one of them ends at exactly zero, in float32.
    problem = problems.quadratic([1.0, 1.0])
    race = plots.race(problem, {"plain": sgd(1.0)}, steps=200, tune=[0.8, 1.0, 0.9], progress=False)
    assert race.learning_rates == {"plain": 1.0}


def test_a_run_may_end_lower_than_all_that_is_drawn_where_the_minimum_is_not_known():
    # The minimum is between the points that are drawn. Both rates end below these: the first one
    # comes there sooner, the other goes on to 0.7⁴⁰ and 0.05·0.83⁴⁰ from it, and not 0.05·0.9⁴⁰.
    race = plots.race(
        lambda w: (w[0] - 0.01) ** 2 + 0.1 * (w[1] - 0.01) ** 2, {"plain": sgd(1.0)},
        start=(1.01, 0.06), bounds=((-6, 6), (-6, 6)), steps=40, tune=[0.5, 0.85], progress=False,
    )  # fmt: skip
    assert race.values["plain"][-1] < race.terrain.floor
    assert race.learning_rates == {"plain": 0.85}


def test_on_a_saddle_no_step_of_a_near_rate_is_longer_than_a_tenth_of_the_diagonal():
    rates = np.geomspace(0.01, 10, 31)
    race = plots.race(problems.saddle(), {"adam": adam(0.1)}, steps=60, tune=rates, progress=False)
    chosen = np.argmin(np.abs(rates - race.learning_rates["adam"]))
    faster = {str(i): adam(rates[chosen + i]) for i in range(4)}
    paths = plots.race(problems.saddle(), faster, steps=60, tune=False).paths

    def leaps(path):
        inside = np.all(np.abs(path[:-1]) <= 1.5, axis=1)
        longest = np.max(np.linalg.norm(np.diff(path, axis=0), axis=1)[inside])
        return longest > 0.1 * np.hypot(3, 3)

    assert [bool(leaps(path)) for path in paths.values()] == [False, False, False, True]
    assert not np.all(np.abs(race.paths["adam"][-1]) < 1.5)


@pytest.fixture(scope="module")
def beale_rates():
    """The rates that are chosen on Beale's function, by width, moved start and number of steps."""
    methods = {"RMSProp": rmsprop(1.0), "Adam": adam(1.0), "momentum": sgd(1.0, momentum=0.9)}
    settings = [(False, 0.0, n) for n in (110, 120, 121, 130)]
    settings += [(True, 0.0, 120), (True, 0.01, 120), (False, 0.01, 120)]
    found = []
    for wide, moved, steps in settings:
        with jax.enable_x64(wide):
            problem = problems.beale()
            start = np.asarray(problem.start) + moved
            race = plots.race(problem, methods, steps=steps, start=start, progress=False)
        found.append(race.learning_rates)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RMSProp", "Adam", "momentum"])
def test_more_steps_another_width_and_a_moved_start_change_a_rate_by_two_tenths_of_a_decade(
    beale_rates, name
):
    decades = np.log10([rates[name] for rates in beale_rates])
    assert np.ptp(decades) < 0.21


def test_without_tuning_each_runs_as_it_is():
    race = plots.race(QUADRATIC, {"as it is": sgd(0.1)}, steps=3, tune=False)
    expected = QUADRATIC.start * np.array([0.9, 0.1]) ** np.arange(4)[:, None]
    np.testing.assert_allclose(race.paths["as it is"], expected, rtol=1e-5)
    assert race.result is None
    assert repr(race) == "<Race as it is, η = 0.1>"


def test_another_hyperparameter_that_is_tuned_is_called_by_its_name():
    setting = dict(hyperparameter="momentum", steps=3, progress=False)
    race = plots.race(QUADRATIC, {"ball": sgd(0.1, momentum=0.9)}, tune=[0.25], **setting)
    assert repr(race) == "<Race ball, momentum = 0.25>"


def test_a_function_of_ones_own_runs_from_the_start_it_is_given():
    race = plots.race(
        lambda w: w[0] ** 2 + w[1] ** 4, {"nesterov": nesterov(0.1, 0.5)},
        start=(1, 1), bounds=((-2, 2), (-2, 2)), steps=5, tune=[0.1], progress=False,
    )  # fmt: skip
    np.testing.assert_array_equal(race.paths["nesterov"][0], [1, 1])
    assert race.values["nesterov"][0] == 2


def test_the_picture_of_a_function_of_ones_own_is_the_window_around_its_runs():
    def bowl(w):
        return (w[0] - 40) ** 2 + 3 * (w[1] - 7) ** 2

    optimizers = {"plain": sgd(0.1), "momentum": sgd(0.03, momentum=0.5)}
    race = plots.race(bowl, optimizers, start=(30, 2), steps=40, tune=False)
    ((left, right), (bottom, top)) = race.terrain.bounds
    assert left < 30 < 40 < right
    assert bottom < 2 < 7 < top
    assert right - left < 30
    assert all(np.all(race.terrain.inside(path)) for path in race.paths.values())


def test_a_random_problem_is_raced_with_its_noise_and_drawn_by_its_expectation():
    problem = problems.quadratic([1.0, 2.0], noise=[0.5, 0.5])
    race = plots.race(problem, {"plain": sgd(0.1)}, steps=20, tune=[0.1, 0.2], progress=False)
    path = race.paths["plain"]
    expected = 0.5 * np.sum([1, 2] * path**2, axis=1)
    np.testing.assert_allclose(race.values["plain"], expected, rtol=1e-5, atol=1e-7)
    factors = path[1:] / path[:-1]
    assert np.ptp(factors[:, 0]) > 1e-3


def test_rates_stand_in_the_legend_and_losses_are_those_of_the_paths(short):
    left, right = short.plot()
    texts = [text.get_text() for text in left.get_legend().get_texts()]
    rates = short.learning_rates
    assert texts[:2] == [f"plain, η = {rates['plain']}", f"momentum, η = {rates['momentum']}"]
    assert right.get_yscale() == "log"
    for path, drawn in zip(short.paths.values(), right.lines, strict=True):
        np.testing.assert_allclose(drawn.get_ydata(), 0.5 * (path**2 @ [1, 9]), rtol=1e-5)


def test_a_schedule_has_no_rate_in_the_legend_and_is_not_tuned():
    scheduled = {"falling": sgd(linear_schedule(0.1, 0.0, 10))}
    race = plots.race(QUADRATIC, scheduled, steps=2, tune=False)
    assert repr(race) == "<Race falling>"
    with pytest.raises(ValueError, match="falling: its learning_rate follows a schedule"):
        plots.race(QUADRATIC, scheduled, steps=2)


@pytest.mark.parametrize(
    ("problem", "optimizers", "settings", "said"),
    [
        (lambda w: w[0], {"a": sgd(0.1)}, {}, "start must be a point"),
        (QUADRATIC, {"a": sgd(0.1)}, {"start": (1, 1, 1)}, r"not of shape \(3,\)"),
        (QUADRATIC, {"a": sgd(0.1)}, {"start": (1, np.nan)}, "not .*nan"),
        (QUADRATIC, {}, {}, "optimizers must be .* name → optimizer, .* not an empty one"),
        (QUADRATIC, {"a": sgd(0.1)}, {"tune": [100.0, 1e3]}, "a comes to its end at none"),
    ],
)
def test_what_cannot_be_raced_is_refused(problem, optimizers, settings, said):
    with pytest.raises(ValueError, match=said):
        plots.race(problem, optimizers, steps=20, progress=False, **settings)


def test_a_rate_that_fits_several_is_named():
    two = chain(sgd(0.1), sgd(0.1))
    with pytest.raises(KeyError, match=r"two: .*fits several.*tune=False"):
        plots.race(QUADRATIC, {"two": two}, steps=2, progress=False)


def test_a_gif_has_a_frame_for_each_step_and_waits_at_the_last(short, tmp_path):
    short.save(tmp_path / "race.gif", frames_per_second=10)
    with Image.open(tmp_path / "race.gif") as gif:
        assert gif.n_frames == 5
        durations, frames = [], []
        for number in range(5):
            gif.seek(number)
            durations.append(gif.info["duration"])
            frames.append(np.asarray(gif.convert("RGB")))
    assert durations == [100, 100, 100, 100, 2000]
    assert all(np.any(frame != frames[0]) for frame in frames[1:])
    assert [path.name for path in tmp_path.iterdir()] == ["race.gif"]


def test_the_head_of_a_run_is_seen_whole_at_the_edge_of_the_picture(short):
    animation = short.animate()
    animation._init_draw()
    figure = animation._fig
    heads = [line for ax in figure.axes for line in ax.lines if line.get_zorder() == 7]
    assert len(heads) == 2 * len(OPTIMIZERS)
    for head in heads:
        half = 0.5 * head.get_markersize() * figure.dpi / 72
        assert head.get_clip_path() is None
        assert head.get_clip_box().x1 >= head.axes.bbox.x1 + half


def test_frames_show_the_path_as_far_as_it_has_come(short):
    animation = short.animate()
    animation._init_draw()
    left, right = animation._fig.axes
    animation._draw_frame(2)
    np.testing.assert_allclose(np.transpose(left.lines[0].get_data()), short.paths["plain"][:3])
    np.testing.assert_allclose(right.lines[0].get_ydata(), short.values["plain"][:3])


def test_a_page_is_a_player_that_needs_nothing_from_elsewhere(short, tmp_path):
    short.save(tmp_path / "race.html")
    html = (tmp_path / "race.html").read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert html.count("data:image/png;base64,") == 5
    assert "http" not in html
    assert "<link" not in html
    assert 'class="fa' not in html
    assert "http" not in short._repr_html_()


def test_a_player_shows_the_whole_run_until_it_plays_and_plays_again_from_its_start(short):
    html = short._repr_html_()
    (name,) = re.findall(r"(anim\w+) = new Animation\([^;]*; \1\.last_frame\(\);", html)
    again = f"if ({name}.current_frame >= {name}.frames.length - 1) {name}.first_frame(); "
    assert f'onclick="{again}{name}.play_animation()"' in html


def test_an_mp4_is_refused_where_ffmpeg_is_missing(short, tmp_path, monkeypatch):
    monkeypatch.setattr(matplotlib.animation.FFMpegWriter, "isAvailable", lambda: False)
    with pytest.raises(RuntimeError, match="ffmpeg, which is not installed"):
        short.save(tmp_path / "race.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    not matplotlib.animation.FFMpegWriter.isAvailable(), reason="ffmpeg is not installed"
)
def test_an_mp4_is_written_where_ffmpeg_is_present(short, tmp_path):
    short.save(tmp_path / "race.mp4")
    assert (tmp_path / "race.mp4").read_bytes()[4:8] == b"ftyp"


def test_a_file_of_another_kind_is_refused(short, tmp_path):
    with pytest.raises(ValueError, match=r"\.gif, \.mp4 or \.html, not 'race\.png'"):
        short.save(tmp_path / "race.png")


def test_a_film_without_frames_is_refused(short, tmp_path):
    with pytest.raises(ValueError, match=r"frames_per_second must be .* between 1 and 100, not 0"):
        short.save(tmp_path / "race.gif", frames_per_second=0)
