"""Block diagrams: what is drawn, where, and how it is wired."""

import itertools
import operator

import matplotlib.pyplot as plt
import optax
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from gdlab import (
    accumulate,
    adam,
    adamw,
    bus,
    chain,
    ema,
    expand,
    fork,
    identity,
    masked,
    on_wires,
    partition,
    rmsprop,
    scale,
    sgd,
    trace,
    wire,
)
from gdlab.plots import block_diagram

COMPOSITIONS = {
    "adam": adam(1e-3),
    "adamw": adamw(1e-3),
    "rmsprop": rmsprop(0.1, momentum=0.9, centered=True),
    "a part": trace(0.9),
    "wrappers": accumulate(masked(adam(0.1), "w"), 4),
    "groups": partition(
        {"matrix": sgd(0.1), "other": adamw(0.1)}, [("w", "matrix"), ("", "other")]
    ),
    "a bus": chain(fork(bus(), identity(), ema(0.9)), fork(operator.mul, wire(1), on_wires(max))),
    "another library's": chain(optax.scale_by_adam(), scale(-0.1)),
    "a long chain": chain(*[trace(0.9), ema(0.5), scale(2.0)] * 6),
    "many branches": fork(max, *[chain(ema(0.9), scale(float(k))) for k in range(5)]),
}
every = pytest.mark.parametrize("tx", COMPOSITIONS.values(), ids=COMPOSITIONS)


def boxes(ax):
    return [p.get_bbox().frozen() for p in ax.patches if isinstance(p, FancyBboxPatch)]


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_adam_is_two_branches_a_ratio_and_a_learning_rate():
    ax = block_diagram(adam(1e-3))
    names = ["ema", "square", "ema", "ratio", "scale_by_learning_rate"]
    found = [word for word in words(ax) if word in names]
    assert found == names
    assert {"g", "u", "mu", "nu", "debias", "eps=1e-08", "0.9", "0.999"} <= set(words(ax))
    # Boxes, and the two frames of debias.
    assert len(boxes(ax)) == 5 + 2


@every
def test_every_name_in_the_expansion_stands_in_the_diagram(tx):
    ax = block_diagram(tx)
    text = " ".join(words(ax))
    for name in set(repr(expand(tx)).replace("(", " ").replace(",", " ").split()):
        if name.isidentifier() and name not in ("chain", "fork", "foreign", "foreign_join"):
            assert name in text, name


@every
def test_boxes_stand_apart_or_within_each_other_and_inside_the_picture(tx):
    ax = block_diagram(tx)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for box in boxes(ax):
        assert left <= box.x0 < box.x1 <= right
        assert top <= box.y0 < box.y1 <= bottom
    for one, other in itertools.combinations(boxes(ax), 2):
        apart = one.x1 < other.x0 or other.x1 < one.x0 or one.y1 < other.y0 or other.y1 < one.y0
        within = one.fully_containsx(other.x0) and one.fully_containsy(other.y0)
        assert apart or within or other.fully_containsx(one.x0)


@every
def test_words_fit_into_the_boxes_that_hold_them(tx):
    ax = block_diagram(tx)
    ax.figure.canvas.draw()
    to_inches = ax.transData.inverted()
    for text in ax.texts:
        extent = to_inches.transform_bbox(text.get_window_extent())
        x = (extent.x0 + extent.x1) / 2
        around = [b for b in boxes(ax) if b.contains(x, text.get_position()[1])]
        for box in around:
            assert box.x0 - 0.02 <= extent.x0
            assert extent.x1 <= box.x1 + 0.02


@every
def test_wires_run_along_the_axes_and_arrows_end_at_boxes_or_at_the_way_out(tx):
    ax = block_diagram(tx)
    for line in ax.lines:
        x, y = line.get_xdata(), line.get_ydata()
        for k in range(len(x) - 1):
            assert abs(x[k] - x[k + 1]) < 1e-9 or abs(y[k] - y[k + 1]) < 1e-9
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    ends = [arrow._posA_posB[1] for arrow in arrows]
    outside = [(x, y) for x, y in ends if not any(abs(x - b.x0) < 1e-6 for b in boxes(ax))]
    assert len(outside) == 1


def test_a_long_chain_goes_on_in_further_rows():
    ax = block_diagram(COMPOSITIONS["a long chain"])
    assert len({round(box.y0 + box.y1, 6) for box in boxes(ax)}) > 1
    assert ax.get_xlim()[1] < 11


def test_it_is_drawn_on_axes_that_are_given():
    _, ax = plt.subplots()
    assert block_diagram(adam(0.1), ax) is ax
    with pytest.raises(TypeError, match="tx must be a GradientTransformation"):
        block_diagram("adam")
