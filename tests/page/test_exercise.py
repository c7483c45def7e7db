"""An exercise as a file, and in a real browser: what it hides, judges and reveals."""

import re

import jax.numpy as jnp
import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest

import gdlab

BLUE = (0, 114, 178)
"""The colour of the first run on light ground."""
SECRET = "the-explanation-that-nobody-has-seen"


def ravine(w):
    return 0.5 * (w[0] ** 2 + 25 * w[1] ** 2)


def figure():
    return gdlab.explore(
        ravine, gdlab.sgd(0.03), (-2.0, 1.0), panels=["map", "loss"], steps=40
    )  # fmt: skip


@pytest.fixture(scope="module")
def number_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("exercise") / "number.html"
    gdlab.exercise(
        "Up to which rate?\n\nIt is <b>not</b> </script> 1.", 0.08, figure(),
        hint="Mind the steep one.", explanation=SECRET,
    ).save(path)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def choice_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("exercise") / "choice.html"
    gdlab.exercise(
        "Which one?", "B", figure(), choices={"A": "A is steeper.", "B": "", "C": "C is flat."},
        hides="sliders",
    ).save(path)  # fmt: skip
    return path


def test_an_exercise_is_one_small_file_whose_source_tells_no_answer(number_file):
    written = number_file.read_text(encoding="utf-8")
    assert "default-src 'none'" in written
    assert len(written.encode()) < 100_000
    assert SECRET not in written


def test_an_answer_may_be_any_real_number():
    for answer in (1, np.float32(0.5), jnp.array(2.0)):
        assert gdlab.exercise("How much?", answer).answer == float(answer)


def test_an_exercise_refuses_answers_and_figures_that_are_none():
    with pytest.raises(TypeError, match=r"answer must be a number, or one of choices"):
        gdlab.exercise("Which?", "B")
    for answer in (np.ones(2), None, 1j, True):
        with pytest.raises(TypeError, match=r"answer must be a number"):
            gdlab.exercise("Which?", answer)
    with pytest.raises(ValueError, match="answer must be finite, not nan"):
        gdlab.exercise("How much?", np.nan)
    with pytest.raises(ValueError, match="'D' is none of the choices A, B"):
        gdlab.exercise("Which?", "D", choices=["A", "B"])
    with pytest.raises(ValueError, match=r"\['A'\] is none of the choices A, B"):
        gdlab.exercise("Which?", ["A"], choices=["A", "B"])
    with pytest.raises(ValueError, match="two choices at least"):
        gdlab.exercise("Which?", "A", choices=["A"])
    with pytest.raises(TypeError, match="figure must be a page"):
        gdlab.exercise("How much?", 1.0, figure="map.png")
    with pytest.raises(TypeError, match=r"figure must be a page .*, not \[\]"):
        gdlab.exercise("How much?", 1.0, figure=[])


def test_an_exercise_has_no_picture_of_its_own(tmp_path):
    with pytest.raises(ValueError, match="path: this page has no pictures"):
        gdlab.exercise("How much?", 1.0).save(tmp_path / "task.svg")


def test_a_picture_goes_into_the_exercise_and_is_closed():
    _, axes = plt.subplots(1, 2)
    axes[0].plot([1, 2])
    task = gdlab.exercise("How steep?", 1.0, axes)
    assert "data:image/png;base64," in task.html
    assert plt.get_fignums() == []


def test_a_picture_that_makes_the_page_large_is_told():
    _, ax = plt.subplots(figsize=(8, 8))
    ax.imshow(np.random.default_rng(0).normal(size=(400, 400)))
    with pytest.warns(UserWarning, match="of which .* are its picture") as caught:
        gdlab.exercise("What is it?", 1.0, ax)
    assert caught[0].filename == __file__


def press(tab, key):
    text = {"text": "\r"} if key == "Enter" else {}
    code = {"ArrowDown": 40, "Enter": 13}[key]
    for kind in ("keyDown", "keyUp"):
        tab.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key,
            windowsVirtualKeyCode=code, **text,
        )  # fmt: skip


def answer(tab, written):
    """Type an answer over the one that is there, and press Enter."""
    tab.run("document.getElementById('number').select()")
    for letter in written:
        tab.key(letter)
    press(tab, "Enter")
    tab.frames(2)
    return tab.run("document.getElementById('judgement').innerText")


def seen(tab, selector):
    return tab.run(f"document.querySelector('{selector}').checkVisibility()")


def blue_pixels(tab, tmp_path):
    tab.screenshot(tmp_path / "page.png")
    left, top, width, height = tab.run(
        "(() => { const r = document.getElementById('map').getBoundingClientRect();"
        "return [r.left + scrollX, r.top + scrollY, r.width, r.height].map(Math.round); })()"
    )
    pixels = matplotlib.image.imread(tmp_path / "page.png")[..., :3] * 255
    inside = pixels[top : top + height, left + 45 : left + width]
    return int(np.sum(np.all(np.abs(inside - BLUE) < 3, axis=-1)))


def opened(tab, path, width=1000):
    tab.prefer(prefers_color_scheme="light", prefers_reduced_motion="no-preference")
    tab.open(path, width=width)
    tab.wait("document.querySelector('.exercise #given input') !== null")
    tab.run("document.querySelector('#given input').focus()")


def test_a_number_is_judged_by_its_direction_and_the_right_one_runs(tab, number_file, tmp_path):
    opened(tab, number_file)
    assert not seen(tab, ".sliders")
    assert not seen(tab, "#loss")
    tab.key("r", code="KeyR")
    tab.run("document.activeElement.blur()")
    tab.key(" ", code="Space")  # plays, of which nothing can be seen
    tab.frames(20)
    assert blue_pixels(tab, tmp_path) == 0
    tab.run("document.getElementById('number').focus()")
    for written in ("about one", "1,000", "-12,500", "3,000,000"):
        assert answer(tab, written) == "Type a number, such as 0.25, 1/4 or 1000."
    assert not seen(tab, "#give-up")
    assert answer(tab, "0,2") == "Too large. Mind the steep one."
    assert answer(tab, "2") == "Much too large. Mind the steep one."
    assert answer(tab, "1/20") == "Too small. Mind the steep one."
    assert answer(tab, "-0.08") == "Much too small. Mind the steep one."
    assert answer(tab, "0.085") == "A little too large. Mind the steep one."
    assert seen(tab, "#give-up")
    assert not seen(tab, "#explanation")
    assert answer(tab, "2/25") == "Right: 0.08."
    assert tab.run("document.getElementById('explanation').innerText") == SECRET
    assert seen(tab, ".sliders")
    assert seen(tab, "#loss")
    tab.wait("gdlab.settings().shown === 40")
    tab.frames(2)
    assert blue_pixels(tab, tmp_path) > 100
    assert tab.complaints == []
    assert tab.requests == [number_file.as_uri()]


def test_a_choice_is_made_by_keyboard_and_a_wrong_one_has_its_own_hint(tab, choice_file, tmp_path):
    opened(tab, choice_file)
    assert not seen(tab, ".sliders")
    assert blue_pixels(tab, tmp_path) > 100
    press(tab, "Enter")
    assert tab.run("document.getElementById('judgement').innerText") == "Choose one first."
    for _ in range(2):
        press(tab, "ArrowDown")
    press(tab, "Enter")
    assert tab.run("document.getElementById('judgement').innerText") == "Not this one. C is flat."
    tab.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowUp", windowsVirtualKeyCode=38)
    press(tab, "Enter")
    assert tab.run("document.getElementById('judgement').innerText") == "Right: B."
    assert seen(tab, ".sliders")
    assert tab.complaints == []


def test_who_gives_up_is_told_the_answer_and_markup_is_text(tab, number_file):
    opened(tab, number_file, width=400)
    asked = tab.run("document.getElementById('task').innerText")
    assert re.sub(r"\s+", " ", asked) == "Up to which rate? It is <b>not</b> </script> 1."
    answer(tab, "1")
    tab.run("document.getElementById('give-up').focus()")
    press(tab, "Enter")
    assert tab.run("document.activeElement.id") == "judgement"
    assert tab.run("document.getElementById('judgement').innerText") == "The answer is 0.08."
    assert seen(tab, "#explanation")
    assert tab.run("document.documentElement.scrollWidth") <= 400
    assert tab.run("document.getElementById('number').readOnly")
    assert tab.complaints == []


def test_an_exercise_prints_its_question_without_buttons(tab, number_file):
    opened(tab, number_file)
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.frames(2)
    assert seen(tab, "#task")
    assert seen(tab, "#number")
    assert not seen(tab, "#check")
    assert not seen(tab, ".sliders")
    assert not seen(tab, "#explanation")
    tab.call("Emulation.setEmulatedMedia", media="")


def test_a_notebook_judges_an_answer_in_its_sandbox(tab, tmp_path):
    task = gdlab.exercise("How much?", 3.0, explanation="word " * 400)
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body>{task._repr_html_()}", encoding="utf-8")
    tab.open(path, width=900)
    height = "document.querySelector('iframe').clientHeight"
    tab.wait(f"{height} < 300")
    tab.mouse("mousePressed", 180, 90)
    tab.mouse("mouseReleased", 180, 90)
    tab.key("3")
    press(tab, "Enter")
    tab.wait(f"{height} > 400")  # the explanation is there
    assert tab.complaints == []


@pytest.mark.slow
def test_a_network_trains_once_its_exercise_is_answered(tab, tmp_path):
    inputs = jnp.linspace(-1, 1, 20)

    def loss(params):
        return jnp.mean((jnp.tanh(jnp.outer(inputs, params["w"])) @ params["v"] - inputs**2) ** 2)

    params = {"v": jnp.array([0.1, -0.2]), "w": jnp.array([0.3, 0.5])}
    page = gdlab.explore_training(loss, gdlab.sgd(0.5), params)
    path = tmp_path / "training.html"
    gdlab.exercise("How sharp does it become?", 4.0, page).save(path)
    opened(tab, path)
    assert not seen(tab, "#sharpness")
    assert answer(tab, "4") == "Right: 4."
    assert seen(tab, "#sharpness")
    assert seen(tab, ".sliders")
    tab.wait("Number(document.getElementById('scrub').max) > 5")
    assert tab.complaints == []
