"""Which stretch of a hyperparameter a slider covers, and what it is called."""

import pytest

from gdlab.page.sliders import check_ranges, shortest_ends, sliders_of


def test_a_slider_is_named_by_the_shortest_end_of_its_path_that_is_its_own():
    paths = ["a.b1", "a.learning_rate", "c.b1", "eps"]
    assert shortest_ends(paths) == ["a.b1", "learning_rate", "c.b1", "eps"]
    assert shortest_ends(["decay", "0.decay"]) == ["decay", "0.decay"]


def test_learning_rates_come_first_and_every_epsilon_is_folded_away():
    made = sliders_of({"eps": 1e-8, "b1": 0.9, "learning_rate": 0.1}, {})
    assert [(slider.label, slider.folded) for slider in made] == [
        ("learning_rate", False),
        ("b1", False),
        ("eps", True),
    ]


@pytest.mark.parametrize(
    ("path", "value", "scale"),
    [
        ("learning_rate", 0.6, "log"),
        ("b1", 0.9, "decay"),
        ("momentum", 0.0, "decay"),
        ("weight_decay", 1e-4, "log"),
        ("weight_decay", 0.0, "linear"),
        ("max_norm", 5.0, "log"),
        ("max_delta", 0.95, "log"),
        ("nu", 0.95, "decay"),
        ("shift", -2.0, "linear"),
    ],
)
def test_the_scale_follows_from_the_name_and_the_value_which_lies_within(path, value, scale):
    (slider,) = sliders_of({path: value}, {})
    assert slider.scale == scale
    assert slider.low <= value <= slider.high
    assert slider.low < slider.high
    assert slider.low > 0 or scale != "log"
    assert slider.high < 1 or scale != "decay"


def test_a_decay_close_to_one_still_has_room_above():
    (slider,) = sliders_of({"b2": 0.9999}, {})
    assert slider.high == pytest.approx(0.99999)


def test_a_chosen_range_holds_and_stretches_to_the_value():
    (slider,) = sliders_of({"0.learning_rate": 0.5}, {"learning_rate": (0.1, 4.0)})
    assert (slider.low, slider.high, slider.scale) == (0.1, 4.0, "log")
    (slider,) = sliders_of({"weight_decay": 0.0}, {"weight_decay": (0.0, 2.0)})
    assert (slider.low, slider.high, slider.scale) == (0.0, 2.0, "linear")
    (slider,) = sliders_of({"momentum": 0.95}, {"momentum": (0.0, 0.9)})
    assert (slider.low, slider.high, slider.scale) == (0.0, 0.95, "decay")


def test_a_range_of_nothing_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"no hyperparameter is called 'lr'; there are b1"):
        check_ranges({"lr": (0, 1)}, ["b1"])
    with pytest.raises(ValueError, match=r"'b1' needs \(low, high\)"):
        check_ranges({"b1": (1, 0)}, ["b1"])
