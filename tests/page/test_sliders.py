"""Which stretch of a hyperparameter a slider covers, and what it is called."""

import pytest

from gdlab.page.sliders import check_ranges, shortest_ends, sliders_of


def test_a_slider_is_named_by_the_shortest_end_of_its_path_that_is_its_own():
    paths = ["a.b1", "a.learning_rate", "c.b1", "eps"]
    assert shortest_ends(paths) == ["a.b1", "learning_rate", "c.b1", "eps"]
    assert shortest_ends(["decay", "0.decay"]) == ["decay", "0.decay"]


def test_what_belongs_to_a_schedule_says_of_what():
    paths = ["0.max_norm", "1.b1.init_value", "1.b1.transition_steps", "1.b2"]
    assert shortest_ends(paths, ["1.b1"]) == [
        "max_norm",
        "b1.init_value",
        "b1.transition_steps",
        "b2",
    ]


def test_numbers_by_leaf_say_of_what_they_are():
    made = sliders_of({"1.learning_rate.0": 0.1, "1.learning_rate.1": 0.2, "1.eps.0": 1e-8}, {})
    assert [(slider.label, slider.folded) for slider in made] == [
        ("learning_rate.0", False),
        ("learning_rate.1", False),
        ("eps.0", True),
    ]


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
        ("steps", 2.0, "whole"),
        ("momentum.decay_steps", 100.0, "whole"),
        ("learning_rate.boundaries.0", 10.0, "whole"),
        ("learning_rate.transition_begin", 0.0, "whole"),
        ("learning_rate.decay_steps", 10.5, "log"),
        ("learning_rate.boundaries_and_scales.10", 0.5, "log"),
        ("momentum.init_value", 0.5, "decay"),
        ("learning_rate.init_value", 0.5, "log"),
        ("momentum.1", 0.5, "decay"),
    ],
)
def test_the_scale_follows_from_the_name_and_the_value_which_lies_within(path, value, scale):
    (slider,) = sliders_of({path: value}, {})
    assert slider.scale == scale
    assert slider.low <= value <= slider.high
    assert slider.low < slider.high
    assert slider.low > 0 or scale != "log"
    assert slider.high < 1 or scale != "decay"


def test_a_slider_of_steps_has_whole_ends_with_room_on_both_sides():
    made = sliders_of({"steps": 2.0, "rate.decay_steps": 100.0, "rate.begin": 0.0}, {})
    assert [(slider.low, slider.high) for slider in made] == [(1, 10), (1, 300), (0, 100)]
    (slider,) = sliders_of({"steps": 7.0}, {"steps": (1.5, 8.5)})
    assert (slider.low, slider.high, slider.scale) == (1, 9, "whole")


def test_a_schedule_that_begins_at_zero_goes_as_far_as_its_other_values():
    made = sliders_of({"rate.init_value": 0.0, "rate.peak_value": 0.1, "other.value": 9.0}, {})
    assert (made[0].low, made[0].high) == (0, pytest.approx(0.3))


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
