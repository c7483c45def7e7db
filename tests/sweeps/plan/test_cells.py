"""Axes that change shapes: a program for each value, and one labelled result."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    Axis,
    Checkpointing,
    Resources,
    SuccessiveHalving,
    SweepResult,
    adam,
    linear_schedule,
    map_axes,
    sgd,
    sweep,
)
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint
from tests.sweeps.counting import count_compilations, executed

WIDTHS = Axis("width", [1, 2, 5])
RATES = np.array([0.1, 0.5])


def half_square(w):
    return 0.5 * jnp.sum(w**2)


def ones(key, width):
    return jnp.ones(width)


def wide(tx=None, **arguments):
    """A bowl in as many dimensions as it is wide."""
    tx = sgd(Axis("rate", RATES)) if tx is None else tx
    arguments = {"steps": 4, "hyperparameters": {"width": WIDTHS}} | arguments
    return sweep(half_square, ones, tx, progress=False, **arguments)


def after(steps, width, rate):
    """The closed form of the loss after some steps of gradient descent."""
    return 0.5 * width * (1 - rate) ** (2 * np.asarray(steps))


def test_each_value_of_an_axis_of_shapes_is_a_label_beside_those_of_data():
    result = wide(seeds=2)
    assert result.dims == ("width", "rate", "seed")
    assert result.axes == {"width": "width", "rate": "rate"}
    np.testing.assert_array_equal(result.coords["width"], [1, 2, 5])
    width, rate, step = np.ix_([1, 2, 5], RATES, range(5))
    expected = np.broadcast_to(after(step, width, rate)[:, :, None], result.loss.shape)
    np.testing.assert_allclose(result.loss, expected, rtol=1e-5)
    assert result.best(maximize=True) == pytest.approx(
        {"width": 5, "rate": 0.1, "final_loss": after(4, 5, 0.1)}
    )
    assert set(result.to_xarray().sizes) == {"width", "rate", "seed", "step"}


def test_a_value_is_one_program_and_none_when_it_was_there_before(monkeypatch):
    tx = adam(Axis("rate", RATES))
    with executed(monkeypatch) as noted:
        compiled = count_compilations(lambda: wide(tx))
    assert len(noted.calls) == 3
    assert compiled >= 3
    assert count_compilations(lambda: wide(tx)) == 0
    wider = {"width": Axis("width", [1, 2, 5, 7])}
    # The programs of one width more: the start, the steps, and what is copied to the host.
    assert count_compilations(lambda: wide(tx, hyperparameters=wider)) <= compiled // 2


def test_shorter_runs_stay_at_their_last_losses():
    result = sweep(half_square, 1.0, sgd(0.5), steps=Axis("steps", [2, 4]), progress=False)
    np.testing.assert_array_equal(result.coords["step"], range(5))
    expected = [after([0, 1, 2, 2, 2], 1, 0.5), after(range(5), 1, 0.5)]
    np.testing.assert_allclose(result.loss[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(result.final_loss[:, 0], [after(2, 1, 0.5), after(4, 1, 0.5)])
    assert (result.stopped_at == -1).all()


def test_any_callable_makes_what_the_function_within_it_makes():
    def made(momentum, rate):
        return sgd(rate, momentum)

    hyperparameters = {"rate": Axis.choices("rate", [0.1, 0.5])}
    results = [
        sweep(half_square, 1.0, tx, steps=3, hyperparameters=hyperparameters, progress=False)
        for tx in (lambda rate: sgd(rate, 0.5), functools.partial(made, 0.5))
    ]
    np.testing.assert_array_equal(results[1].loss, results[0].loss)


def test_steps_that_a_run_did_not_record_are_nan():
    result = sweep(
        half_square, 1.0, sgd(0.5), steps=Axis("steps", [3, 4]), record_every=2, progress=False
    )
    np.testing.assert_array_equal(result.coords["step"], [0, 2, 3, 4])
    np.testing.assert_array_equal(np.isnan(result.loss[:, 0]), [[0, 0, 0, 0], [0, 0, 1, 0]])


def test_an_axis_of_batch_sizes_and_steps_of_equal_cost():
    data = np.arange(12, dtype=np.float32)

    def loss(w, batch):
        return w * jnp.mean(batch), {"examples": jnp.float32(batch.size)}

    result = sweep(
        loss, 1.0, sgd(0.0), data, has_aux=True, progress=False,
        batch_size=Axis.choices("size", [2, 6]),
        steps=lambda size: 24 // size,
        hyperparameters={"size": Axis.choices("size", [2, 6])},
    )  # fmt: skip
    np.testing.assert_array_equal(result.aux["examples"][:, 0, 0], [2, 6])
    np.testing.assert_array_equal(result.coords["step"], range(13))
    assert "steps" not in result.settings


def test_axes_along_one_dimension_are_paired():
    result = sweep(
        half_square, lambda key, width, depth: jnp.ones((depth, width)), sgd(0.5), steps=1,
        hyperparameters={
            "width": Axis("width", [2, 3], along="size"),
            "depth": Axis("depth", [1, 4], along="size"),
        },
        progress=False,
    )  # fmt: skip
    assert result.dims == ("size", "seed")
    np.testing.assert_allclose(result.loss[:, 0, 0], [1.0, 6.0])
    assert result.best() == pytest.approx({"width": 2, "depth": 1, "final_loss": 0.25})


def test_an_optimizer_that_is_made_for_a_width_is_told_for_each():
    result = wide(lambda width: sgd(Axis("rate", RATES), momentum=0.1 * width), steps=2)
    assert repr(result.optimizer_at({"width": 2, "rate": 0.5})) == "sgd(0.5, momentum=0.2)"
    assert repr(result.select(width=5).optimizers) == (
        "(sgd(Axis('rate', array([0.1, 0.5], 'float32')), momentum=0.5),)"
    )
    # With heavy-ball momentum: w₁ = 1 − η, w₂ = w₁ − η w₁ − η β.
    width, rate = np.ix_([1, 2, 5], RATES)
    last = (1 - rate) ** 2 - rate * 0.1 * width
    np.testing.assert_allclose(result.final_loss[..., 0], 0.5 * width * last**2, rtol=1e-5)


def test_choices_may_be_functions_schedules_and_optimizers():
    powers = {"square": lambda w: w**2, "fourth": lambda w: w**4}

    def loss(w, power):
        return power(w)

    result = sweep(
        loss, 1.0,
        sgd(Axis.choices("schedule", {"flat": 0.1, "falling": linear_schedule(0.1, 0.0, 2)})),
        steps=2, hyperparameters={"power": Axis.choices("power", powers)}, progress=False,
    )  # fmt: skip
    assert result.coords["schedule"].tolist() == ["flat", "falling"]
    flat = (0.8 * 0.8) ** 2, (0.6 - 0.4 * 0.6**3) ** 4
    falling = (0.8 * 0.9) ** 2, (0.6 - 0.2 * 0.6**3) ** 4
    np.testing.assert_allclose(result.final_loss[..., 0], [flat, falling], rtol=1e-5)
    assert repr(result.optimizer_at({"schedule": "flat", "power": "square"})) == "sgd(0.1)"
    both = Axis.choices("optimizer_kind", {"sgd": sgd(0.1), "adam": adam(0.1)})
    result = sweep(lambda w: w**2, 1.0, both, steps=1, progress=False)
    np.testing.assert_allclose(result.final_loss[:, 0], [0.64, 0.81], rtol=1e-4)


def test_models_of_other_shapes_are_kept_each_in_its_own():
    result = wide(steps=1, keep_params="all", seeds=2)
    assert {width: tree.shape for width, tree in result.params.items()} == {
        1: (2, 2, 1), 2: (2, 2, 2), 5: (2, 2, 5),
    }  # fmt: skip
    np.testing.assert_allclose(result.model(width=2, rate=0.5, seed=1), [0.5, 0.5])
    assert result.select(width=5, rate=[0.1]).params.shape == (1, 2, 5)
    assert list(result.select(width=[1, 2]).params) == [1, 2]
    with pytest.raises(ValueError, match=r"several shapes .* model\(width=…\)"):
        result.model(rate=0.5)


def test_results_of_several_shapes_are_saved_and_loaded(tmp_path):
    result = wide(keep_params="all")
    result.save(tmp_path / "result.nc")
    read = SweepResult.load(tmp_path / "result.nc")
    np.testing.assert_array_equal(read.loss, result.loss)
    np.testing.assert_array_equal(read.coords["width"], [1, 2, 5])
    assert {name: array.shape for name, array in read.params.items()} == {
        "1": (2, 1, 1), "2": (2, 1, 2), "5": (2, 1, 5),
    }  # fmt: skip


def test_the_best_shape_is_run_again_and_other_shapes_are_added():
    result = wide()
    again = result.rerun(result.best(), keep_params="all")
    assert again.dims == result.dims
    assert again.model().shape == (1,)
    wider = result.extend("width", [3, 5])
    np.testing.assert_array_equal(wider.coords["width"], [1, 2, 3, 5])
    np.testing.assert_allclose(wider.final_loss[2, :, 0], after(4, 3, RATES), rtol=1e-5)


def test_a_policy_acts_within_each_shape():
    result = wide(sgd(Axis("rate", [0.1, 0.5, 0.9])), policy=SuccessiveHalving(3, rungs=[2]))
    assert (result.status[..., 0] == [["pruned", "pruned", "ok"]] * 3).all()


def test_lanes_of_each_shape_are_spread_over_devices():
    mesh = jax.make_mesh((4,), ("lanes",), devices=jax.devices()[:4])
    result = wide(resources=Resources(mesh=mesh))
    np.testing.assert_allclose(result.final_loss, wide().final_loss, rtol=1e-6)


def test_a_sweep_goes_on_at_the_shape_where_it_was_broken_off(tmp_path, monkeypatch):
    checkpoint = Checkpointing(tmp_path, seconds_between_saves=0)
    save = FailsafeCheckpoint.save

    def broken_off(self, name, tree):
        save(self, name, tree)
        if name.startswith("2.") and name.endswith("whole"):
            raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(FailsafeCheckpoint, "save", broken_off)
        with pytest.raises(InterruptedError) as caught:
            wide(checkpoint=checkpoint)
    np.testing.assert_array_equal(caught.value.result.coords["width"], [1, 2])
    with executed(monkeypatch) as noted:
        result = wide(checkpoint=checkpoint)
    # Steps that are only traced, to tell the sweep from others, come before.
    assert [steps for _, _, steps in noted.calls] == [1, 1, 1, 5]
    np.testing.assert_array_equal(result.loss, wide().loss)


def test_a_size_that_is_data_tells_how_it_is_swept():
    def loss(w, size):
        return jnp.sum(w * jnp.ones(size))

    sizes = {"size": Axis("size", [1.0, 2.0])}
    with pytest.raises(TypeError) as caught:
        sweep(loss, 1.0, sgd(0.1), steps=1, hyperparameters=sizes, progress=False)
    assert "Axis.choices" in caught.value.__notes__[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tx": lambda depth: sgd(0.1)}, "tx is a function of 'depth', which must be"),
        ({"steps": Axis("steps", [0, 3])}, "steps must be positive"),
        ({"steps": Axis("steps", [2.5])}, "steps must be positive and an integer, not 2.5"),
        ({"tx": sgd(Axis("width", [0.1]))}, "another axis is named 'width'"),
        ({"tx": sgd(Axis("rate", [0.1, 0.2, 0.3], along="width"))}, "'width', which changes"),
    ],
)
def test_impossible_axes_of_shapes(arguments, message):
    with pytest.raises(ValueError, match=message):
        wide(**arguments)


def test_choices_are_refused_where_one_program_is_made_for_all_points():
    with pytest.raises(ValueError, match=r"each choice of .* is a program of its own"):
        map_axes(lambda x: x)(Axis.choices("x", [1, 2]))


def test_choices_with_one_label_are_refused():
    with pytest.raises(ValueError, match="different labels"):
        Axis.choices("power", [lambda w: w, lambda w: w**2])
    with pytest.raises(ValueError, match="nothing to choose"):
        Axis.choices("power", {})
