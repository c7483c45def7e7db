"""Results whose outcome is written down, so that a test need not train anything."""

import numpy as np

from gdlab import Axis, SweepResult, adam

STEPS = np.array([0, 10, 20])


def made(final, coords, axes=None, seeds=(0, 1), status=None, **fields):
    """A result with these final losses; a NaN is a lane that diverged at step 7.

    ``coords`` are the dimensions but that of the seeds, in order, and the values of axes that lie
    along a dimension of another name, which ``axes`` gives.
    """
    final = np.asarray(final, float)
    if axes is None:
        axes = {name: name for name in coords if name not in ("problem", "optimizer")}
    dims = (*(name for name in coords if name in axes.values() or name not in axes), "seed")
    names = {name: np.asarray(values) for name, values in coords.items()}
    if status is None:
        status = np.where(np.isnan(final), "diverged", "ok")
    stopped = np.where(np.asarray(status) == "ok", -1, 7)
    swept = {
        name: Axis(name, names[name], axes[name])
        for name in ("learning_rate", "b1")
        if name in axes
    }
    optimizers = (adam(**({"learning_rate": 0.1} | swept)),)
    return SweepResult(
        **{
            "dims": dims,
            "coords": names | {"seed": np.asarray(seeds), "step": STEPS},
            "axes": axes,
            "loss": np.stack([np.full(final.shape, 9.0), np.full(final.shape, 5.0), final], -1),
            "aux": {},
            "metrics": {},
            "status": np.asarray(status),
            "stopped_at": stopped,
            "evaluations": np.where(stopped < 0, 21, 8),
            "optimizers": optimizers * len(names.get("optimizer", [0])),
            "settings": {"steps": 20, "batch_size": 0},
            "provenance": {"gdlab": "0", "time": "noon"},
        }
        | fields
    )


def on_rates(final, rates, **fields):
    """A result over learning rates, with a row of final losses for each."""
    seeds = fields.pop("seeds", range(np.shape(final)[-1]))
    return made(final, {"learning_rate": np.asarray(rates)}, seeds=seeds, **fields)


def sampled(final, rates, decays, **fields):
    """A result over samples of learning rate and momentum."""
    coords = {
        "sample": np.arange(len(rates)),
        "learning_rate": np.asarray(rates),
        "b1": np.asarray(decays),
    }
    axes = {"learning_rate": "sample", "b1": "sample"}
    seeds = fields.pop("seeds", range(np.shape(final)[-1]))
    return made(final, coords, axes, seeds=seeds, **fields)


def assert_same(one, other):
    """Two results agree in all but what :meth:`SweepResult.save` does not keep."""
    assert one.dims == other.dims
    assert one.axes == other.axes
    assert one.settings == other.settings
    assert one.provenance == other.provenance
    assert repr(one.optimizers) == repr(other.optimizers)
    for name in ("loss", "status", "stopped_at", "evaluations"):
        _assert_same_array(getattr(one, name), getattr(other, name))
    for name in ("coords", "aux", "metrics", "history"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert ours.keys() == theirs.keys()
        for key in ours:
            _assert_same_array(ours[key], theirs[key])


def _assert_same_array(one, other):
    np.testing.assert_array_equal(one, other)
    one, other = np.asarray(one).dtype, np.asarray(other).dtype
    assert one == other or one.kind == other.kind == "U"
