"""What is saved comes back, and nothing else is taken for it."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, SweepResult, adam, sweep
from tests.sweeps.made import assert_same, made, on_rates, sampled

NAN = np.nan


def through_a_file(result, folder, **settings):
    result.save(folder / "result.nc")
    return SweepResult.load(folder / "result.nc", **settings)


def test_a_sweep_comes_back_as_it_was(tmp_path):
    result = sweep(
        lambda w, key: (jnp.sum(w["a/b"] ** 2), {"size": jnp.sum(w["a/b"])}),
        {"a/b": jnp.ones(3)},
        adam(Axis("learning_rate", [0.1, 1e9]), b1=Axis("b1", [0.5, 0.9])),
        steps=3, seeds=2, has_aux=True, keep_params="all",
        evaluate=lambda w: {"val/accuracy": jnp.sum(w["a/b"]), "most": jnp.max(w["a/b"])},
    )  # fmt: skip
    read = through_a_file(result, tmp_path)
    assert_same(read, result)
    assert set(read.metrics) == {"val/accuracy", "most"}
    assert read.params_dims == result.params_dims
    np.testing.assert_array_equal(read.params["a/b"], result.params["a/b"])
    assert read.best() == result.best()


@pytest.mark.parametrize(
    "result",
    [
        made(np.ones((2, 1, 1)), {"optimizer": ["sgd", "größer"], "rate": [0.1]}, seeds=[0]),
        sampled([[1, NAN], [2, 3]], [0.1, 0.2], [0.9, 0.8], history={
            "learning_rate": np.array([[0.1, 0.12]]), "parent": np.array([[0, 0]]),
        }),
        sampled([[1], [2]], [0.1, 0.2], [0.9, 0.8]).select(sample=1),
        on_rates([[1], [NAN]], [0.1, 0.2], status=[["converged"], ["not run"]],
                 settings={"steps": 3, "target": None, "policy": "halving", "flag": True}),
    ],
    ids=["optimizers", "samples and history", "a single point", "settings"],
)  # fmt: skip
def test_every_kind_of_result_comes_back(result, tmp_path):
    result.coords.setdefault("rung", np.array([10]))
    assert_same(through_a_file(result, tmp_path), result)


def test_parameters_of_types_that_netcdf_has_not_come_back_too(tmp_path):
    params = {
        "half": jnp.array([[[1.5, 2.5]]], jnp.bfloat16),
        "wave": np.array([[[1 + 2j, 3 - 1j]]]),
        "flag": np.array([[[True, False]]]),
        "bias": [np.array([[2.0]])],
    }
    result = on_rates([[1.0]], [0.1], kept=params, params_dims=("learning_rate", "seed"))
    read = through_a_file(result, tmp_path).params
    np.testing.assert_array_equal(read["half"], [[[1.5, 2.5]]])
    np.testing.assert_array_equal(read["wave"], params["wave"])
    np.testing.assert_array_equal(read["flag"], params["flag"])
    np.testing.assert_array_equal(read["bias.0"], [[2.0]])


def test_other_programs_read_the_file(tmp_path):
    import xarray

    on_rates([[1.0], [NAN]], [0.1, 0.2]).save(tmp_path / "result.nc")
    with xarray.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as read:
        assert read["final_loss"].sel(seed=0).isel(learning_rate=0) == 1.0
        assert list(read["status"].values[:, 0]) == ["ok", "diverged"]
        assert json.loads(read.attrs["provenance"])["time"] == "noon"
        assert "adam(Axis(" in read.attrs["optimizers"]


def test_optimizers_are_not_made_from_the_file(tmp_path):
    result = on_rates([[1.0]], [0.1])
    read = through_a_file(result, tmp_path)
    assert repr(read.optimizers[0]) == repr(result.optimizers[0])
    assert not hasattr(read.optimizers[0], "update")


def test_a_result_can_be_saved_again_and_merges_after_loading(tmp_path):
    one, other = on_rates([[1.0]], [0.1]), on_rates([[2.0]], [0.2])
    read = through_a_file(through_a_file(one, tmp_path), tmp_path)
    assert_same(read.merge(other), one.merge(other))


def test_a_file_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "result.nc"
    on_rates([[1.0]], [0.1]).save(path)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        on_rates([[2.0]], [0.1]).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_files_are_refused(tmp_path):
    import xarray

    text, foreign, newer = (tmp_path / name for name in ("a.txt", "b.nc", "c.nc"))
    text.write_text("loss: 1")
    with pytest.raises(ValueError, match=r"a\.txt is no netCDF file"):
        SweepResult.load(text)
    xarray.Dataset({"loss": ("x", [1.0])}).to_netcdf(foreign, engine="h5netcdf")
    with pytest.raises(ValueError, match=r"b\.nc holds no result"):
        SweepResult.load(foreign)
    xarray.Dataset(attrs={"gdlab_sweep_result": 99}).to_netcdf(newer, engine="h5netcdf")
    with pytest.raises(ValueError, match=r"version 99 .* takes a newer gdlab"):
        SweepResult.load(newer)
    older = tmp_path / "d.nc"
    xarray.Dataset(attrs={"gdlab_sweep_result": 1}).to_netcdf(older, engine="h5netcdf")
    with pytest.raises(ValueError, match=r"version 1 of the format .* run the sweep again"):
        SweepResult.load(older)
    with pytest.raises(FileNotFoundError):
        SweepResult.load(tmp_path / "missing.nc")


def test_parameters_come_back_in_the_structure_that_is_given(tmp_path):
    params = {"a": [np.ones((1, 1, 2))], "b": jnp.ones((1, 1), jnp.bfloat16)}
    result = on_rates([[1.0]], [0.1], kept=params, params_dims=("learning_rate", "seed"))
    like = {"a": [np.zeros(2)], "b": jnp.zeros((), jnp.bfloat16)}
    read = through_a_file(result, tmp_path, like=like)
    assert jax.tree.structure(read.params) == jax.tree.structure(like)
    assert read.params["b"].dtype == jnp.bfloat16
    one = read.model()
    np.testing.assert_array_equal(one["a"][0], [1.0, 1.0])
    assert one["b"].shape == ()


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"a": np.zeros(3)}, r"'a' is of shape \(2,\) in the file and of shape \(3,\) in like"),
        ({"b": np.zeros(2)}, r"'a' is of shape \(2,\) in the file and absent in like"),
        ({"a": np.zeros(2), "b": 1.0}, r"'b' is absent in the file and of shape \(\) in like"),
    ],
)
def test_parameters_of_another_structure_are_refused(like, message, tmp_path):
    kept = {"a": np.ones((1, 1, 2))}
    result = on_rates([[1.0]], [0.1], kept=kept, params_dims=("learning_rate", "seed"))
    with pytest.raises(ValueError, match=message):
        through_a_file(result, tmp_path, like=like)


def test_attributes_and_arrays_of_others_are_passed_over(tmp_path):
    import xarray

    result = on_rates([[1.0], [NAN]], [0.1, 0.2])
    result.save(tmp_path / "result.nc")
    with xarray.load_dataset(tmp_path / "result.nc", engine="h5netcdf") as read:
        read.attrs["history"] = "Mon: ncatted -a author"
        read["loss"].attrs["units"] = "seconds since 2000-01-01"
        read["theirs"] = ("x", [1.0, 2.0])
        read.coords["label"] = ("learning_rate", ["low", "high"])
        read.to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    assert_same(SweepResult.load(tmp_path / "other.nc"), result)


def test_a_file_whose_numbers_are_others_is_damaged(tmp_path):
    import h5py

    on_rates([[1.0], [NAN]], [0.1, 0.2]).save(tmp_path / "result.nc")
    with h5py.File(tmp_path / "result.nc", "r+") as file:
        file["loss"][0, 0, 0] += 1
    with pytest.raises(ValueError, match=r"result\.nc is damaged.* checksum"):
        SweepResult.load(tmp_path / "result.nc")


# A file of h5netcdf that could not be opened complains when it is let go.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damage_to_a_file_is_found_or_does_no_harm(tmp_path):
    result = on_rates([[1.0], [NAN]], [0.1, 0.2])
    result.save(tmp_path / "result.nc")
    good, rng, found = (tmp_path / "result.nc").read_bytes(), np.random.default_rng(1), 0
    for position in rng.integers(len(good), size=60):
        bad = bytearray(good)
        bad[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged.nc").write_bytes(bad)
        try:
            assert_same(SweepResult.load(tmp_path / "damaged.nc"), result)
        except ValueError as error:
            found += "damaged.nc" in str(error)
    assert found
    (tmp_path / "damaged.nc").write_bytes(good[: len(good) // 2])
    with pytest.raises(ValueError, match=r"damaged\.nc"):
        SweepResult.load(tmp_path / "damaged.nc")


FULL_DISK = """
import resource, signal, sys
from tests.sweeps.made import assert_same, on_rates
from gdlab import SweepResult
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
result = on_rates(np.ones((40, 100)), np.linspace(0.1, 0.2, 40))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
try:
    result.save(sys.argv[1] + "/full.nc")
except OSError:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
result.save(sys.argv[1] + "/elsewhere.nc")
assert_same(SweepResult.load(sys.argv[1] + "/elsewhere.nc"), result)
print("saved")
"""


def test_a_full_disk_is_an_os_error_and_the_result_can_be_saved_elsewhere(tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout) == (0, "refused\nsaved\n"), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere.nc"]


def test_parameters_whose_dotted_paths_are_alike_are_told_apart(tmp_path):
    kept = {"a": {"b": np.ones((1, 1))}, "a.b": np.full((1, 1), 2.0)}
    result = on_rates([[1.0]], [0.1], kept=kept, params_dims=("learning_rate", "seed"))
    result.metrics["params:['a.b']"] = np.full((1, 1), 3.0)
    read = through_a_file(result, tmp_path)
    assert read.params == {"['a']['b']": 1.0, "['a.b']": 2.0}
    assert read.metrics == {"params:['a.b']": 3.0}
    assert through_a_file(result, tmp_path, like={"a": {"b": 0.0}, "a.b": 0.0}).params == kept


def test_metrics_do_not_take_the_place_of_labels_in_a_table():
    one = np.ones((2, 1))
    metrics = {"learning_rate": -one, "seed": -2 * one, "status": -3 * one, "metric_seed": 4 * one}
    frame = on_rates([[1.0], [2.0]], [0.1, 0.2], metrics=metrics).to_pandas()
    np.testing.assert_allclose(frame["learning_rate"], [0.1, 0.2])
    assert list(frame["seed"]) == [0, 0]
    assert list(frame["status"]) == ["ok", "ok"]
    assert list(frame["metric_status"]) == [-3, -3]
    assert frame.shape[1] == 10
