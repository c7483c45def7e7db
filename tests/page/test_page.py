"""Live pages in a real browser: what is dragged, computed, painted, and never loaded."""

import json
import re
import time

import jax
import jax.numpy as jnp
import matplotlib.image
import numpy as np
import optax
import pytest

import gdlab
from gdlab import problems
from gdlab.analysis import expected_loss, linearize, stable_range
from tests.page.parts import parts

pytestmark = pytest.mark.x64

CENTER = np.array([1.0, -0.5])
TURN = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
CURVATURES = np.array([1.0, 20.0])
HESSIAN = TURN @ np.diag(CURVATURES) @ TURN.T
START = (-2.0, 1.5)
OPTIMIZERS = {
    "plain": gdlab.sgd(0.04),
    "momentum": gdlab.sgd(0.02, momentum=0.8),
    "nesterov": gdlab.nesterov(0.02, momentum=0.8),
    "adam": gdlab.adam(0.1, b1=0.8, b2=0.99),
}


def ravine(w):
    return 0.5 * (w - CENTER) @ jnp.asarray(HESSIAN) @ (w - CENTER) + 3.0


def banana(w):
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


@pytest.fixture(scope="module")
def ravine_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "ravine.html"
    gdlab.explore(ravine, OPTIMIZERS, START, steps=80, title="Ravine").save(path)
    return path


@pytest.fixture
def opened(tab, ravine_file):
    tab.prefer(prefers_color_scheme="light", prefers_reduced_motion="no-preference")
    tab.open(ravine_file)
    yield tab
    tab.frames(2)
    assert tab.complaints == []
    assert tab.requests == [ravine_file.as_uri()]


def settings(tab):
    return json.loads(tab.run("JSON.stringify(gdlab.settings())"))


def slider(name, path):
    """The slider of a hyperparameter, as an expression."""
    groups = "[...document.querySelectorAll('fieldset')]"
    group = f"{groups}.find((group) => group.innerText.includes('{name}'))"
    return f"{group}.querySelector('input[type=range][title=\"{path}\"]')"


SCRUB = "document.getElementById('scrub')"


def slide(tab, selector, value):
    tab.run(
        f"(() => {{ const slider = {selector}; slider.value = {value};"
        "slider.dispatchEvent(new Event('input')); })()"
    )
    tab.frames(2)


def position(tab, selector):
    return tab.run(
        f"(() => {{ const r = {selector}.getBoundingClientRect();"
        "return [r.left, r.top, r.width, r.height]; })()"
    )


def expected(name, start, steps, **changes):
    tx = gdlab.set_hyperparameters(OPTIMIZERS[name], changes)
    run = gdlab.minimize(ravine, jnp.asarray(start), tx, steps)
    return np.asarray(run.path), np.asarray(run.values)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("plain", {"learning_rate": 0.07}),
        ("momentum", {"learning_rate": 0.01, "momentum": 0.95}),
        ("nesterov", {"momentum": 0.5}),
        ("adam", {"learning_rate": 0.03, "b1": 0.5, "b2": 0.9, "eps": 1e-3}),
    ],
)
def test_a_run_in_the_page_is_that_of_minimize(opened, name, changes):
    found = opened.run(
        f"(() => {{ const r = gdlab.run('{name}', [0.3, -4], {json.dumps(changes)}, 60);"
        "return [[...r.path], [...r.values]]; })()"
    )
    path, values = expected(name, (0.3, -4.0), 60, **changes)
    np.testing.assert_allclose(np.reshape(found[0], (-1, 2)), path, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[1], values, rtol=1e-9)


def test_gradient_descent_in_the_page_follows_its_closed_form(opened):
    found = opened.run("[...gdlab.run('plain', [0.3, -4], {learning_rate: 0.09}, 30).path]")
    factors = (1 - 0.09 * CURVATURES) ** np.arange(31)[:, None]
    modes = factors * (TURN.T @ (np.array([0.3, -4]) - CENTER))
    np.testing.assert_allclose(np.reshape(found, (-1, 2)), CENTER + modes @ TURN.T, atol=1e-11)


def test_unknown_names_are_refused_with_what_there_is(opened):
    with pytest.raises(RuntimeError, match="there are plain, momentum, nesterov, adam"):
        opened.run("gdlab.run('sgd', [0, 0])")
    with pytest.raises(RuntimeError, match="there are learning_rate"):
        opened.run("gdlab.run('plain', [0, 0], {lr: 1})")


def test_a_slider_moved_by_keys_moves_its_own_optimizer_and_no_other(opened):
    before = settings(opened)
    opened.run(f"{slider('momentum', 'momentum')}.focus()")
    for _ in range(3):
        opened.key("ArrowRight", "ArrowRight", windowsVirtualKeyCode=39)
    opened.frames(2)
    after = settings(opened)
    moved = after["optimizers"].pop("momentum")
    before["optimizers"].pop("momentum")
    assert after == before
    beta = moved["hyperparameters"]["momentum"]
    assert 0.8 < beta < 0.82
    path, values = expected("momentum", START, 80, momentum=beta)
    np.testing.assert_allclose(np.reshape(moved["path"], (-1, 2)), path, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(moved["values"], values, rtol=1e-9)


def test_a_slider_dragged_by_the_pointer_changes_the_picture(opened, tmp_path):
    before = opened.screenshot(tmp_path / "before.png")
    left, top, width, height = position(opened, slider("plain", "learning_rate"))
    opened.mouse("mousePressed", left + 0.55 * width, top + height / 2)
    for share in np.linspace(0.55, 0.9, 5):
        opened.mouse("mouseMoved", left + share * width, top + height / 2)
    opened.mouse("mouseReleased", left + 0.9 * width, top + height / 2)
    opened.frames(2)
    assert settings(opened)["optimizers"]["plain"]["hyperparameters"]["learning_rate"] > 0.3
    assert opened.screenshot(tmp_path / "after.png") != before


def test_a_run_that_leaves_says_when_it_was_gone(opened):
    opened.run("location.hash = '0.learning_rate=1e6'")
    opened.frames(2)
    gone = opened.run("gdlab.settings().optimizers.plain.values.findIndex((v) => !(v < Infinity))")
    said = opened.run("document.querySelector('#readout tbody tr').innerText")
    assert f"diverged at step {gone}" in said


def test_a_value_can_be_typed_and_nonsense_is_dropped(opened):
    typed = f"{slider('plain', 'learning_rate')}.closest('.row').querySelector('[type=text]')"
    for text, value in [("0.0123", 0.0123), ("much", 0.0123), ("", 0.0123), ("2e-3", 0.002)]:
        opened.run(f"{typed}.value = {text!r}; {typed}.dispatchEvent(new Event('change'));")
        opened.frames(2)
        now = settings(opened)["optimizers"]["plain"]["hyperparameters"]["learning_rate"]
        assert now == value


def test_the_start_is_dragged_and_moved_by_keys(opened):
    x, y = opened.run(
        "(() => { const m = document.getElementById('map').getBoundingClientRect();"
        "return [m.left + m.width / 2, m.top + m.height / 2]; })()"
    )
    opened.mouse("mousePressed", x, y)
    opened.mouse("mouseMoved", x + 40, y)
    opened.mouse("mouseReleased", x + 40, y)
    opened.frames(2)
    assert settings(opened)["start"] == list(START), "only the ring is a handle"
    opened.run("document.getElementById('map').focus()")
    opened.key("ArrowRight", "ArrowRight", windowsVirtualKeyCode=39)
    opened.frames(2)
    moved = settings(opened)
    assert moved["start"][0] > START[0]
    assert moved["start"][1] == pytest.approx(START[1], abs=1e-12)
    for name, run in moved["optimizers"].items():
        path, _ = expected(name, moved["start"], 80)
        np.testing.assert_allclose(np.reshape(run["path"], (-1, 2)), path, rtol=1e-8, atol=1e-8)


def ring(tab):
    """Where the ring is on the screen: the map's axes take 40 pixels at its left, 22 below."""
    now = settings(tab)
    left, top, width, height = position(tab, "document.getElementById('map')")
    shares = [
        (x - low) / (high - low) for x, (low, high) in zip(now["start"], now["view"], strict=True)
    ]
    return left + 40 + shares[0] * (width - 46), top + height - 22 - shares[1] * (height - 28)


def test_the_ring_moves_as_the_pointer_does(opened):
    x, y = ring(opened)
    # Events come in whole pixels.
    at = round(x) + 3, round(y) - 4
    opened.mouse("mousePressed", *at)
    for step in range(1, 6):
        opened.mouse("mouseMoved", at[0] + 20 * step, at[1] + 10 * step)
    opened.mouse("mouseReleased", at[0] + 100, at[1] + 50)
    opened.frames(2)
    assert settings(opened)["start"] != list(START)
    assert ring(opened) == pytest.approx((x + 100, y + 50), abs=0.5)


def test_a_finger_drags_the_ring(opened, ravine_file):
    opened.open(ravine_file, width=400)
    x, y = ring(opened)
    opened.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    for step in range(1, 6):
        at = {"x": x + 8 * step, "y": y + 12 * step}
        opened.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=[at])
    opened.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    opened.frames(2)
    assert ring(opened) == pytest.approx((x + 40, y + 60), abs=1)


def test_play_pause_scrub_and_reset(opened):
    opened.key(" ", "Space", windowsVirtualKeyCode=32)
    opened.wait("gdlab.settings().shown > 2 && gdlab.settings().shown < 80")
    assert opened.run("document.getElementById('play').textContent") == "Pause"
    opened.key(" ", "Space", windowsVirtualKeyCode=32)
    opened.frames(2)
    paused = settings(opened)["shown"]
    opened.frames(5)
    assert settings(opened)["shown"] == paused
    opened.key(".", "Period")
    opened.frames(2)
    assert settings(opened)["shown"] == paused + 1
    slide(opened, SCRUB, 17)
    assert settings(opened)["shown"] == 17
    row = opened.run("document.querySelector('#readout tbody tr').innerText").split()
    path, _ = expected("plain", START, 17)
    assert float(row[1].replace("−", "-")) == pytest.approx(path[17, 0], rel=1e-3)
    opened.key("r", "KeyR")
    opened.frames(2)
    assert settings(opened)["shown"] == 80


def test_who_asks_for_less_motion_sees_ten_pictures(opened):
    opened.prefer(prefers_reduced_motion="reduce")
    opened.key(" ", "Space", windowsVirtualKeyCode=32)
    seen = [settings(opened)["shown"]]
    for _ in range(2):
        opened.wait(f"gdlab.settings().shown !== {seen[-1]}")
        seen.append(settings(opened)["shown"])
    # A reader who comes late misses some of them, but sees none in between.
    assert set(seen) <= set(range(0, 88, 8))


def test_a_link_shares_the_settings(opened, ravine_file):
    slide(opened, slider("adam", "b1"), 0.7)
    slide(opened, SCRUB, 33)
    opened.run("document.getElementById('map').focus()")
    opened.key("ArrowUp", "ArrowUp", windowsVirtualKeyCode=38)
    opened.wait("location.hash.includes('shown=33') && location.hash.includes('start=')")
    shared, link = settings(opened), opened.run("location.hash")
    opened.open(ravine_file, link.removeprefix("#"))
    assert settings(opened) == shared
    assert settings(opened)["optimizers"]["adam"]["hyperparameters"]["b1"] != 0.8
    opened.key("r", "KeyR")
    opened.wait("location.hash === ''")


def test_a_broken_link_shows_the_page_as_it_was_made(opened, ravine_file):
    usual = settings(opened)
    opened.open(
        ravine_file, "start=1&steps=x&shown=&view=3,1,0,1&0.learning_rate=NaN&9.b1=2&focus=z"
    )
    assert settings(opened) == usual


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["plain", "momentum", "nesterov"])
def test_poles_and_stability_limit_are_those_of_the_analysis(opened, name):
    found = opened.run(f"gdlab.analysis('{name}')")
    poles = np.array(found["poles"]) @ [1, 1j]
    np.testing.assert_allclose(
        np.poly(poles), linearize(OPTIMIZERS[name], HESSIAN).characteristic, rtol=1e-9, atol=1e-12
    )
    _, high = stable_range(OPTIMIZERS[name], HESSIAN)
    assert found["limits"] == {"learning_rate": pytest.approx(high, rel=1e-9)}


def test_the_limit_of_heavy_ball_is_its_closed_form(opened):
    # η < 2(1 + β)/λ
    limit = opened.run("gdlab.analysis('momentum').limits.learning_rate")
    assert limit == pytest.approx(2 * 1.8 / 20, rel=1e-9)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("steps", [1, 7, 80])
def test_the_poles_of_adam_are_those_with_the_scales_of_the_step_shown(opened, steps):
    slide(opened, SCRUB, steps)
    found = opened.run("gdlab.analysis('adam')")
    state = gdlab.minimize(ravine, jnp.asarray(START), OPTIMIZERS["adam"], steps).state
    oracle = linearize(OPTIMIZERS["adam"], HESSIAN, state=state)
    poles = np.array(found["poles"]) @ [1, 1j]
    np.testing.assert_allclose(np.poly(poles), oracle.characteristic, rtol=1e-7, atol=1e-9)
    _, high = stable_range(OPTIMIZERS["adam"], HESSIAN, state=state)
    assert found["limits"]["learning_rate"] == pytest.approx(high, rel=1e-6)


@pytest.mark.slow
def test_the_poles_of_every_kind_of_state_are_those_of_the_analysis(tab, tmp_path):
    optimizers = {
        "scales without a limit": gdlab.adagrad(0.3),
        "a clock": gdlab.sgd(0.01, momentum=gdlab.linear_schedule(0.5, 0.9, 60)),
        "what only watches": gdlab.chain(gdlab.sgd(0.05), gdlab.params_ema(0.9)),
        "weights that act by themselves": gdlab.adamw(0.1, weight_decay=0.1),
        "a window": gdlab.chain(gdlab.moving_average(3), gdlab.scale(-0.03)),
        "a wrapper": parts(0.02)["a wrapper"],
    }
    path = tmp_path / "kinds.html"
    gdlab.explore(ravine, optimizers, START, steps=20).save(path)
    tab.open(path)
    for name, tx in optimizers.items():
        state = gdlab.minimize(ravine, jnp.asarray(START), tx, 20).state
        oracle = linearize(tx, HESSIAN, state=state)
        found = tab.run(f"gdlab.analysis('{name}')")
        poles = np.array(found["poles"]) @ [1, 1j]
        np.testing.assert_allclose(np.poly(poles), oracle.characteristic, rtol=1e-7, atol=1e-9)
    assert tab.complaints == []


def test_the_regime_changes_where_the_closed_form_says(opened):
    # Heavy ball is critically damped at β = (1 − √(ηλ))², here that of the flat mode.
    critical = (1 - 0.001**0.5) ** 2
    for beta, regime in [(critical - 1e-3, "monotone"), (critical + 1e-3, "oscillating")]:
        link = f"1.learning_rate=0.001&1.momentum={beta}"
        opened.run(f"location.hash = {link!r}")
        opened.frames(2)
        assert opened.run("gdlab.analysis('momentum').regime") == regime
    # And it is stable below η = 2(1 + β)/λ, of the steep mode.
    for rate, regime in [(0.18 - 1e-6, "oscillating"), (0.18 + 1e-6, "divergent")]:
        opened.run(f"location.hash = '1.learning_rate={rate}'")
        opened.frames(2)
        assert opened.run("gdlab.analysis('momentum').regime") == regime


def test_a_mark_stands_on_the_slider_at_the_limit(opened):
    rate = slider("plain", "learning_rate")
    mark = f"{rate}.parentElement.querySelector('.mark')"
    left, _, width, _ = position(opened, rate)
    at, _, own, _ = position(opened, mark)
    # Even in logarithms, two decades down and one and a half up; the knob is 16 pixels wide.
    share = np.log10((2 / 20) / (0.04 / 100)) / 3.5
    assert at + own / 2 == pytest.approx(left + 8 + share * (width - 16), abs=0.5)


def test_in_a_valley_the_flat_direction_stays_and_the_limit_is_that_of_the_other(tab, tmp_path):
    path = tmp_path / "valley.html"
    tx = gdlab.sgd(0.02, momentum=0.8)
    gdlab.explore(lambda w: 5 * (w[0] - w[1]) ** 2, {"momentum": tx}, (-2.0, 1.0)).save(path)
    tab.open(path)
    found = tab.run("gdlab.analysis('momentum')")
    assert found["radius"] == pytest.approx(1, abs=1e-12)
    assert found["limits"]["learning_rate"] == pytest.approx(2 * 1.8 / 20, rel=1e-9)
    assert "ρ = 1: the error stays along the valley" in words(tab, "verdict")


def test_a_saddle_has_no_limit_and_no_noise_and_says_so(tab, tmp_path):
    path = tmp_path / "saddle.html"
    gdlab.explore(lambda w: w[0] ** 2 - w[1] ** 2, gdlab.sgd(0.1), (-2.0, 0.1)).save(path)
    tab.open(path)
    assert tab.run("document.querySelector('.limit').textContent").startswith("stable nowhere")
    tab.run("document.getElementById('noise-details').open = true")
    assert "no minimum" in tab.run("document.getElementById('no-noise').innerText")
    assert tab.run("document.getElementById('split').offsetParent === null")
    assert tab.run("gdlab.analysis('sgd').noise") is None


def test_noise_adds_the_stationary_variance_of_heavy_ball(opened):
    opened.run("location.hash = 'steps=2000'")
    opened.frames(2)
    noise = opened.run("gdlab.analysis('momentum').noise")
    assert noise[0] == 0
    # ½λ times the variance; each direction has noise of size 1.
    eta, beta = 0.02, 0.8
    variances = eta * (1 + beta) / ((1 - beta) * (2 * (1 + beta) - eta * CURVATURES) * CURVATURES)
    assert noise[-1] == pytest.approx(0.5 * np.sum(CURVATURES * variances), rel=1e-9)


@pytest.mark.slow
def test_noise_adds_what_the_analysis_expects_of_schedules_and_decay(tab, tmp_path):
    optimizers = {
        "schedule": gdlab.sgd(0.02, momentum=gdlab.linear_schedule(0.5, 0.9, 30)),
        "decay": gdlab.chain(gdlab.add_decayed_weights(0.3), gdlab.sgd(0.05)),
    }
    path = tmp_path / "noise.html"
    gdlab.explore(ravine, optimizers, START, steps=40).save(path)
    tab.open(path)
    for name, tx in optimizers.items():
        expected = expected_loss(tx, CURVATURES, w0=0.0, steps=40, noise=1.0).stochastic
        found = tab.run(f"gdlab.analysis('{name}').noise")
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.slow
def test_noise_in_adamw_is_that_of_its_steps_with_their_scales(tab, tmp_path):
    eta, b1, b2, decay, steps = 0.1, 0.8, 0.9, 0.3, 30
    tx = gdlab.adamw(eta, b1=b1, b2=b2, weight_decay=decay)
    path = tmp_path / "adamw.html"
    gdlab.explore(ravine, {"adamw": tx}, START, steps=steps).save(path)
    points = np.asarray(gdlab.minimize(ravine, jnp.asarray(START), tx, steps).path)
    second, covariance, expected = np.zeros(2), np.zeros((4, 4)), [0.0]
    for t, w in enumerate(points[:-1], start=1):
        second = b2 * second + (1 - b2) * (HESSIAN @ (w - CENTER)) ** 2
        scale = np.diag(eta / (1 - b1**t) / (np.sqrt(second / (1 - b2**t)) + 1e-8))
        # (m, w) ← with m ← b₁m + (1 − b₁)(Hw + ξ), w ← (1 − ηλ)w − scale·m
        average = np.hstack([b1 * np.eye(2), (1 - b1) * HESSIAN])
        kick = (1 - b1) * np.vstack([np.eye(2), -scale])
        stay = np.hstack([np.zeros((2, 2)), (1 - eta * decay) * np.eye(2)])
        step = np.vstack([average, stay - scale @ average])
        covariance = step @ covariance @ step.T + kick @ kick.T
        expected.append(0.5 * np.trace(HESSIAN @ covariance[2:, 2:]))
    tab.open(path)
    np.testing.assert_allclose(tab.run("gdlab.analysis('adamw').noise"), expected, rtol=1e-6)


@pytest.mark.slow
def test_the_limit_of_a_scheduled_rate_is_that_of_the_rate_in_force(tab, tmp_path):
    tx = gdlab.sgd(gdlab.warmup_cosine_decay_schedule(0.01, 0.05, 10, 40), momentum=0.8)
    path = tmp_path / "schedule.html"
    gdlab.explore(ravine, {"schedule": tx}, START, steps=40).save(path)
    tab.open(path, "shown=6")
    # The sixth step is at count 5: half the start and half the peak make up the rate.
    limit = 2 * 1.8 / 20
    found = tab.run("gdlab.analysis('schedule').limits")
    assert found == {
        "learning_rate.init_value": pytest.approx(2 * limit - 0.05, rel=1e-9),
        "learning_rate.peak_value": pytest.approx(2 * limit - 0.01, rel=1e-9),
        "learning_rate.end_value": None,
    }
    limits = "[...document.querySelectorAll('.limit')].map((one) => one.textContent)"
    assert tab.run(limits) == [
        "stable below 0.31 at this step",
        "stable below 0.35 at this step",
        "no part in this step",
    ]
    slide(tab, SCRUB, 26)  # at count 25, half way down: half the peak and half the end
    found = tab.run("gdlab.analysis('schedule').limits")
    assert found["learning_rate.init_value"] is None
    assert found["learning_rate.peak_value"] == pytest.approx(2 * limit, rel=1e-9)
    assert tab.complaints == []


@pytest.mark.slow
def test_a_slider_of_steps_stops_at_whole_numbers_only(tab, tmp_path):
    path = tmp_path / "steps.html"
    gdlab.explore(ravine, gdlab.accumulate(gdlab.sgd(0.05), 2), START).save(path)
    tab.open(path)
    steps = "gdlab.settings().optimizers.accumulate.hyperparameters.steps"
    tab.run(f"{slider('accumulate', 'steps')}.focus()")
    tab.key("ArrowRight", "ArrowRight", windowsVirtualKeyCode=39)
    assert tab.run(steps) == 3
    slide(tab, slider("accumulate", "steps"), 0.4)
    assert tab.run(steps) == 5
    typed = f"{slider('accumulate', 'steps')}.closest('.row').querySelector('[type=text]')"
    tab.run(f"{typed}.value = '3.4'; {typed}.dispatchEvent(new Event('change'));")
    assert tab.run(steps) == 3
    assert "has no matrix that is the same at every step" in tab.run(
        "document.querySelector('.limit').title"
    )


def regimes_point(tab, across, up):
    """Where a share of the map of regimes is on the screen."""
    left, top, width, height = position(tab, "document.getElementById('regimes')")
    # Its axes take what their numbers need at the left, 10 pixels at the right, 25 above, 34 below.
    pen = "document.getElementById('regimes').getContext('2d')"
    margin = max(56, 28 + tab.run(f"{pen}.measureText('0.999').width"))
    x = left + margin + across * (width - margin - 10)
    return x, top + height - 34 - up * (height - 59)


def words(tab, name):
    return tab.run(f"document.getElementById('{name}').textContent")


def picture_of(tab, name):
    return tab.run(f"document.getElementById('{name}').toDataURL()")


def test_pointing_at_the_map_of_regimes_tries_a_setting_and_leaving_it_brings_back_the_present(
    opened,
):
    opened.run("document.getElementById('spring-details').open = true")
    opened.run("document.getElementById('noise-details').open = true")
    opened.run("document.getElementById('regimes').scrollIntoView()")
    opened.frames(30)  # until the contours are fine
    pictures = ["map", "loss", "modes", "poles", "spring", "phase", "split"]
    before, usual = {name: picture_of(opened, name) for name in pictures}, settings(opened)
    opened.mouse("mouseMoved", *regimes_point(opened, 0.9, 0.5), buttons=0)
    opened.frames(3)
    said = words(opened, "pointed")
    pattern = r"With learning_rate (\S+) and momentum (\S+): ρ = (\S+): the error (\w+)"
    tried = re.match(pattern, said)
    assert tried, said
    rate, momentum, radius = map(float, tried.groups()[:3])
    assert rate > 0.1
    oracle = linearize(gdlab.sgd(rate, momentum=momentum), HESSIAN)
    assert radius == pytest.approx(np.abs(np.roots(oracle.characteristic)).max(), rel=2e-2)
    assert tried[4] == "leaves"
    for name in pictures:
        assert picture_of(opened, name) != before[name], name
    assert settings(opened) == usual, "pointing sets nothing"
    opened.mouse("mouseMoved", 5, 5, buttons=0)
    opened.frames(3)
    assert {name: picture_of(opened, name) for name in pictures} == before


def test_a_click_on_the_map_of_regimes_sets_the_sliders_and_so_does_a_drag(opened):
    opened.run("document.getElementById('regimes').scrollIntoView()")
    opened.frames(3)
    ends = [(0.02 / 100, 0.02 * 10**1.5), (0.0, 0.999)]

    def expected_at(across, up):
        low, high = np.log10(ends[0])
        return 10 ** (low + across * (high - low)), 1 - 10 ** (-3 * up)

    opened.mouse("mousePressed", *regimes_point(opened, 0.3, 0.4))
    opened.frames(2)
    for at in [(0.3, 0.4), (0.6, 0.2)]:
        opened.mouse("mouseMoved", *regimes_point(opened, *at))
        opened.frames(2)
        set_to = settings(opened)["optimizers"]["momentum"]["hyperparameters"]
        found = set_to["learning_rate"], set_to["momentum"]
        assert found == pytest.approx(expected_at(*at), rel=2e-2)
    opened.mouse("mouseReleased", *regimes_point(opened, 0.6, 0.2))
    others = settings(opened)["optimizers"]
    assert others["nesterov"]["hyperparameters"] == {"learning_rate": 0.02, "momentum": 0.8}


@pytest.mark.slow
def test_a_finger_that_taps_the_map_of_regimes_sets_the_sliders(opened, ravine_file):
    opened.open(ravine_file, width=400)
    opened.run("document.getElementById('regimes').scrollIntoView()")
    opened.frames(3)
    x, y = regimes_point(opened, 0.25, 0.3)
    opened.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    opened.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    opened.wait("gdlab.settings().optimizers.momentum.hyperparameters.momentum !== 0.8")
    opened.frames(2)
    set_to = settings(opened)["optimizers"]["momentum"]["hyperparameters"]
    assert set_to["learning_rate"] == pytest.approx(0.0002 * 10 ** (0.25 * 3.5), rel=4e-2)
    assert words(opened, "pointed").startswith("Each point is a setting")


def test_arrows_on_the_map_of_regimes_move_the_setting(opened):
    opened.run("document.getElementById('regimes').focus()")
    opened.key("ArrowRight", "ArrowRight", windowsVirtualKeyCode=39)
    opened.key("ArrowDown", "ArrowDown", windowsVirtualKeyCode=40)
    opened.frames(2)
    moved = settings(opened)["optimizers"]["momentum"]["hyperparameters"]
    # A hundredth of 3.5 decades, and of 3 decades in 1 − β.
    assert moved["learning_rate"] == pytest.approx(0.02 * 10**0.035, rel=1e-3)
    assert moved["momentum"] == pytest.approx(1 - 0.2 * 10**0.03, rel=1e-2)
    assert settings(opened)["start"] == list(START)


def test_a_panel_that_is_opened_is_painted(opened):
    opened.frames(3)
    opened.run("document.getElementById('spring-details').open = true")
    opened.wait("document.getElementById('spring').width > 300")
    opened.frames(2)
    empty = "(() => { const c = document.getElementById('spring'); return c.getContext('2d')"
    assert opened.run(f"{empty}.getImageData(0, 0, c.width, c.height).data.some((x) => x); }})()")


def test_the_part_of_a_step_that_its_gradient_gives_is_a_step_of_gradient_descent(opened):
    slide(opened, SCRUB, 7)
    parts = opened.run("gdlab.analysis('momentum').parts")
    path, _ = expected("momentum", START, 8)
    np.testing.assert_allclose(parts["from"], path[7], rtol=1e-9)
    np.testing.assert_allclose(parts["whole"], path[8], rtol=1e-9)
    alone = path[7] - 0.02 * HESSIAN @ (path[7] - CENTER)
    np.testing.assert_allclose(parts["fresh"], alone, rtol=1e-9)


def test_a_mode_is_a_spring_whose_damping_follows_from_its_poles(opened):
    opened.run("document.getElementById('spring-details').open = true")
    opened.wait("document.getElementById('damping').innerText !== ''")
    # |r|² = β, and 2·Re r = 1 + β − ηλ
    for line, curvature in zip(
        opened.run("document.getElementById('damping').innerText").split("; "),
        CURVATURES,
        strict=True,
    ):
        pole = np.log(np.roots([1, -(1.8 - 0.02 * curvature), 0.8])[0])
        assert "underdamped" in line
        ratio = float(line.split("ζ = ")[1].rstrip("."))
        assert ratio == pytest.approx(-pole.real / abs(pole), rel=1e-2)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 400),
        ("dark", 1400),
        *(pytest.param("light", width, marks=pytest.mark.slow) for width in (900, 1400)),
        *(pytest.param("dark", width, marks=pytest.mark.slow) for width in (400, 900)),
    ],
)
def test_every_width_shows_everything(opened, ravine_file, tmp_path, width, scheme):
    opened.prefer(prefers_color_scheme=scheme)
    opened.open(ravine_file, width=width)
    opened.run("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    opened.frames(3)
    assert opened.run("document.documentElement.scrollWidth") <= width
    opened.screenshot(tmp_path / "page.png")
    picture = matplotlib.image.imread(tmp_path / "page.png")[..., :3]
    assert (np.mean(picture[0, 0]) > 0.5) == (scheme == "light")
    for name in ["map", "loss", "modes", "poles", "regimes", "spring", "phase", "split"]:
        left, top, across, down = position(opened, f"document.getElementById('{name}')")
        assert across > 200
        part = picture[int(top) : int(top + down), int(left) : int(left + across)]
        assert len(np.unique(part.reshape(-1, 3), axis=0)) > 8, name
        assert opened.run(f"document.getElementById('{name}').getAttribute('role')") == "img"


def test_a_small_page_shows_the_chosen_panels_and_the_sliders_alone(tab, tmp_path):
    path = tmp_path / "small.html"
    tx = gdlab.sgd(0.02, momentum=0.8)
    gdlab.explore(ravine, tx, START, steps=80, panels=["poles", "loss"]).save(path)
    shown = "[...document.querySelectorAll('canvas')].filter((c) => c.clientWidth).map((c) => c.id)"
    for width in (400, 800):
        tab.open(path, width=width)
        assert sorted(tab.run(shown)) == ["loss", "poles"]
        assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.run("document.querySelector('h1').offsetParent === null")
    slide(tab, slider("sgd", "momentum"), 0.2)
    # Even in −log₁₀(1 − β) from 0 to 0.999, with three digits.
    beta = settings(tab)["optimizers"]["sgd"]["hyperparameters"]["momentum"]
    assert beta == pytest.approx(1 - 10**-0.6, abs=1e-3)
    assert tab.complaints == []


@pytest.mark.slow
def test_a_page_prints_in_ink_on_paper_with_all_its_sliders(opened, ravine_file, tmp_path):
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    opened.call("Emulation.setEmulatedMedia", media="print", features=dark)
    opened.open(ravine_file, width=760)
    opened.run("window.dispatchEvent(new Event('beforeprint'))")
    opened.screenshot(tmp_path / "print.png")
    opened.run("window.dispatchEvent(new Event('afterprint'))")
    opened.call("Emulation.setEmulatedMedia", media="", features=[])
    picture = matplotlib.image.imread(tmp_path / "print.png")[..., :3]
    assert np.mean(picture) > 0.9
    assert len(opened.call("Page.printToPDF")["data"]) > 50_000


def test_a_dark_screen_paints_in_dark_ink_for_the_printer(opened):
    opened.prefer(prefers_color_scheme="dark")
    ink = "getComputedStyle(document.documentElement).getPropertyValue('--text').trim()"
    colors = [opened.run(ink)]
    for event in ("beforeprint", "afterprint"):
        opened.run(f"window.dispatchEvent(new Event('{event}'))")
        colors.append(opened.run(ink))
    opened.prefer(prefers_color_scheme="light")
    assert colors == ["#e8eaed", "#1c1f24", "#e8eaed"]


def test_every_picture_says_in_words_what_it_shows(opened):
    opened.wait("document.getElementById('map').hasAttribute('aria-label')")
    words = {
        name: opened.run(f"document.getElementById('{name}').getAttribute('aria-label')")
        for name in ["map", "loss", "modes", "poles", "regimes"]
    }
    assert "(−2, 1.5)" in words["map"]
    assert "momentum: f = " in words["loss"]
    assert "mode 1, λ = 1" in words["modes"]
    # r² − (1 + β − ηλ)r + β for λ = 1
    assert "0.89 + 0.0889i, 0.89 − 0.0889i" in words["poles"]
    assert "oscillates in" in words["regimes"]


def test_what_is_not_quadratic_has_no_modes(tab, tmp_path):
    path = tmp_path / "banana.html"
    gdlab.explore(banana, {"a": gdlab.adam(0.05)}, (-1.5, 2.0)).save(path)
    tab.open(path)
    assert tab.run("document.getElementById('modes').offsetParent === null")
    assert tab.run("document.getElementById('poles').offsetParent === null")
    assert tab.run("gdlab.analysis('a')") is None
    assert tab.complaints == []


@pytest.mark.slow
def test_an_optimizer_that_cannot_be_linearised_says_why_and_runs_all_the_same(tab, tmp_path):
    path = tmp_path / "accumulated.html"
    tx = gdlab.accumulate(gdlab.sgd(0.05), 2)
    gdlab.explore(ravine, {"accumulated": tx, "plain": gdlab.sgd(0.05)}, START, steps=9).save(path)
    tab.open(path)
    run = gdlab.minimize(ravine, jnp.asarray(START), tx, 9)
    found = settings(tab)["optimizers"]["accumulated"]["path"]
    np.testing.assert_allclose(np.reshape(found, (-1, 2)), run.path, rtol=1e-9)
    assert tab.run("gdlab.analysis('accumulated')") is None
    said = tab.run("document.getElementById('verdict').textContent")
    assert "repeat only after a period of 2" in said
    assert tab.run("document.getElementById('poles').offsetParent === null")
    assert tab.run("document.getElementById('modes').offsetParent !== null")
    assert tab.complaints == []


@pytest.mark.slow
def test_an_optimizer_without_hyperparameters_has_poles_and_no_map(tab, tmp_path):
    path = tmp_path / "fixed.html"
    gdlab.explore(lambda w: w[0] ** 2 + 2 * w[1] ** 2, optax.sgd(0.1)).save(path)
    tab.open(path)
    tab.frames(5)
    assert tab.complaints == []
    assert tab.run("document.getElementById('poles').offsetParent !== null")
    assert tab.run("document.getElementById('regimes').offsetParent === null")
    # 1 − 0.1 λ for λ = 2 and 4
    name = "document.querySelector('legend').innerText.trim()"
    poles = tab.run(f"gdlab.analysis({name}).poles")
    np.testing.assert_allclose(sorted(pole[0] for pole in poles), [0.6, 0.8], rtol=1e-6)


def test_labels_are_text(tab, tmp_path):
    path = tmp_path / "labels.html"
    evil = "</script><img src=x onerror=alert(1)><!--"
    gdlab.explore(ravine, {evil: gdlab.sgd(0.04)}, START, title=evil + "<script>").save(path)
    tab.open(path)
    assert tab.run("document.title").startswith("</script>")
    assert tab.run("document.querySelector('legend').innerText").strip() == evil
    assert tab.run("document.images.length") == 0
    assert tab.complaints == []
    assert tab.requests == [path.as_uri()]


def test_nothing_can_be_loaded(tab, ravine_file):
    tab.open(ravine_file)
    # Data addresses need no network, so that the policy alone can be what blocks this.
    assert tab.run("fetch('data:,x').then(() => 'through', () => 'blocked')") == "blocked"


@pytest.fixture
def notebook_file(tmp_path):
    path = tmp_path / "notebook.html"
    page = gdlab.explore(ravine, OPTIMIZERS, START)
    head = '<!doctype html><meta name="viewport" content="width=device-width"><body>'
    path.write_text(head + page._repr_html_(), encoding="utf-8")
    return path


def frame_height(tab):
    tab.wait("document.querySelector('iframe').style.height !== '900px'")
    tab.frames(10)
    return tab.run("document.querySelector('iframe').clientHeight")


@pytest.mark.parametrize("width", [pytest.param(800, marks=pytest.mark.slow), 1400])
def test_the_frame_in_a_notebook_is_as_high_as_the_page(tab, notebook_file, tmp_path, width):
    tab.open(notebook_file, width=width)
    inside = frame_height(tab)
    alone = tmp_path / "alone.html"
    gdlab.explore(ravine, OPTIMIZERS, START).save(alone)
    tab.open(alone, width=width - 16)  # the frame has the margins of the body around it
    tab.run("document.documentElement.classList.add('framed')")
    tab.frames(3)
    assert inside == pytest.approx(tab.run("document.body.getBoundingClientRect().height"), abs=2)
    assert inside > 1000
    assert tab.complaints == []


@pytest.mark.slow
def test_a_notebook_runs_it_in_its_sandbox_and_a_phone_scrolls_it(tab, notebook_file, tmp_path):
    tab.open(notebook_file, width=400)
    assert frame_height(tab) == pytest.approx(0.85 * 900, abs=1)
    time.sleep(0.5)
    assert tab.complaints == []
    tab.screenshot(tmp_path / "notebook.png", full=False)
    picture = matplotlib.image.imread(tmp_path / "notebook.png")[50:400, 60:340, :3]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_on_a_phone_the_map_and_the_loss_stay_in_view_while_a_slider_moves(opened, ravine_file):
    opened.open(ravine_file, width=400)
    opened.run(f"{slider('adam', 'b1')}.scrollIntoView({{block: 'center'}})")
    opened.frames(3)
    below = 0
    for name in ("map", "loss"):
        _, top, _, height = position(opened, f"document.getElementById('{name}')")
        assert top >= below - 1
        below = top + height
    _, top, _, height = position(opened, slider("adam", "b1"))
    assert below <= top
    assert top + height <= 900


def test_known_minima_saddles_and_maxima_are_in_the_window_and_named(tab, tmp_path):
    path = tmp_path / "himmelblau.html"
    problem = problems.himmelblau()
    gdlab.explore(problem, gdlab.adam(0.05), steps=5).save(path)
    tab.open(path)
    (left, right), (low, high) = settings(tab)["view"]
    for x, y in [*problem.minimisers, *problem.saddles, *problem.maximisers]:
        assert left < x < right
        assert low < y < high
    said = tab.run("document.getElementById('hint').textContent")
    assert said.endswith("✕ minimum, ◇ saddle, △ maximum.")
    assert list(settings(tab)["optimizers"]) == ["adam"]
    assert tab.complaints == []


@pytest.mark.slow
def test_a_saddle_is_not_called_a_minimum(tab, tmp_path):
    path = tmp_path / "saddle.html"
    gdlab.explore(lambda w: w[0] ** 2 - w[1] ** 2, gdlab.sgd(0.1), (-2.0, 0.1)).save(path)
    tab.open(path)
    said = tab.run("document.getElementById('hint').textContent")
    assert "◇ saddle" in said
    assert "minimum" not in said


@gdlab.transformation(reads="value")
def polyak_without_care():
    """f/|g|²·g, which is 0/0 at the minimum."""

    def update(updates, value):
        return jax.tree.map(lambda g: -0.6 * value / jnp.sum(g**2) * g, updates)

    return update


@pytest.mark.slow
def test_what_has_fallen_below_the_smallest_normal_number_converged(tab, tmp_path):
    path = tmp_path / "zero.html"
    optimizers = {"rests": polyak_without_care(), "leaves": gdlab.sgd(3.0)}
    gdlab.explore(lambda w: jnp.sum(w**2), optimizers, (1.0, 2.0), steps=2000).save(path)
    tab.open(path)
    rows = tab.run("[...document.querySelectorAll('#readout tbody tr')].map((r) => r.innerText)")
    assert "diverged" not in rows[0]
    assert "diverged at step" in rows[1]
    tab.wait("document.getElementById('loss').hasAttribute('aria-label')")
    assert "rests: converged at step" in tab.run(
        "document.getElementById('loss').getAttribute('aria-label')"
    )
    assert tab.complaints == []


@pytest.mark.slow
def test_a_start_without_a_value_is_told_from_a_run_that_diverged(tab, tmp_path):
    path = tmp_path / "nan.html"
    gdlab.explore(lambda w: jnp.log(w[0]) + w[1] ** 2, gdlab.adam(0.1)).save(path)
    tab.open(path)
    row = tab.run("document.querySelector('#readout tbody tr').innerText")
    assert "f(w) is no number at the start" in row
    assert tab.complaints == []


def test_swatches_are_drawn_wherever_the_page_is_first_shown(opened):
    strokes = opened.run(
        "[...document.querySelectorAll('.swatch line')].map((one) => one.getAttribute('stroke'))"
    )
    assert len(set(strokes)) == len(OPTIMIZERS)


@pytest.mark.slow
def test_every_move_of_a_slider_is_one_frame_whose_time_is_measured(opened, ravine_file):
    opened.open(ravine_file, "steps=400")
    opened.frames(3)
    times = opened.run(
        f"""(() => {{
          const [slider, ask, times] = [{slider("adam", "b1")}, requestAnimationFrame, []];
          window.requestAnimationFrame = (paint) => {{
            const begun = performance.now();
            paint(begun);
            times.push(performance.now() - begun);
          }};
          for (let i = 0; i < 60; i += 1) {{
            slider.value = 0.3 + 0.005 * i;
            slider.dispatchEvent(new Event('input'));
          }}
          window.requestAnimationFrame = ask;
          return times;
        }})()"""
    )
    assert len(times) == 60
    print(f"four optimizers of 400 steps: {np.median(times):.1f} ms a frame")
