"""Whatever fails around a sweep, what was computed is not lost."""

import gc
import os
import pickle
import sys
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, sgd, sweep
from gdlab.progress.bar import Bar

RATES = sgd(Axis("learning_rate", [0.1, 0.3]))


def bowl(w):
    return jnp.sum(w**2)


def test_a_removed_working_directory_leaves_the_result_without_a_revision(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    (tmp_path / "scratch").rmdir()
    result = sweep(bowl, jnp.ones(2), RATES, steps=3)
    assert "git_revision" not in result.provenance
    assert (result.status == "ok").all()


@pytest.mark.parametrize("kind", ["missing", "closed"])
def test_without_a_stderr_there_is_no_bar(kind, monkeypatch):
    with open(os.devnull, "w") as stream:
        pass
    monkeypatch.setattr(sys, "stderr", None if kind == "missing" else stream)
    assert (sweep(bowl, jnp.ones(2), RATES, steps=3).status == "ok").all()


class Broken:
    """A terminal whose other end has gone."""

    encoding, closed = "utf-8", False

    def isatty(self):
        return True

    def fileno(self):
        raise OSError

    def write(self, text):
        raise BrokenPipeError

    flush = None


def test_a_stderr_that_breaks_costs_nothing_and_leaves_no_lock(monkeypatch):
    from tqdm import tqdm

    monkeypatch.setattr(sys, "stderr", broken := Broken())
    broken.flush = lambda: broken.write("")
    with Bar(10) as bar:
        assert bar.is_seen
        bar.advanced("", 5)
    assert (sweep(bowl, jnp.ones(2), RATES, steps=3).status == "ok").all()
    assert not any(lock._is_owned() for lock in tqdm.get_lock().locks if hasattr(lock, "_is_owned"))


def test_an_error_in_the_last_picture_has_the_whole_result():
    def live(result):
        raise RuntimeError("no display")

    with pytest.raises(RuntimeError, match="no display") as kept:
        sweep(bowl, jnp.ones(2), RATES, steps=3, live=live, progress=False)
    np.testing.assert_array_equal(
        kept.value.result.loss, sweep(bowl, jnp.ones(2), RATES, steps=3).loss
    )


def test_an_error_in_a_callback_of_the_loss_has_what_was_noted_before():
    def check(value):
        if value < 0.1:
            raise RuntimeError("the user's own check")

    def loss(w):
        value = jnp.sum(w**2)
        jax.debug.callback(check, value)
        return value

    with pytest.raises(Exception, match="the user's own check") as kept:
        sweep(loss, jnp.ones(1), sgd(Axis("learning_rate", [0.01])), steps=500, progress=False)
    result = kept.value.result
    assert (result.status == "unfinished").all()
    np.testing.assert_allclose(result.loss[0, 0, :8], 0.98 ** (2 * np.arange(8)), rtol=1e-5)


def test_a_result_of_a_local_loss_is_pickled_without_its_call():
    result = sweep(lambda w: jnp.sum(w**2), jnp.ones(2), RATES, steps=3)
    read = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(read.loss, result.loss)
    assert read.recipe is None
    assert read.optimizer_at({"learning_rate": 0.1}) == sgd(0.1)


def test_a_sweep_runs_under_debug_nans_and_a_lane_that_diverges_is_a_result_there_too():
    with jax.debug_nans(True), jax.debug_infs(True):
        tx = sgd(Axis("learning_rate", [0.1, 1e30]))
        result = sweep(lambda w: jnp.sum(w**4), jnp.ones(2), tx, steps=5)
    assert result.status[:, 0].tolist() == ["ok", "diverged"]


def test_what_a_loss_an_init_and_an_evaluation_hold_is_let_go_with_the_caches_of_jax():
    class Table:
        array = jnp.ones(3)

    tables = [Table() for _ in range(3)]
    alive = [weakref.ref(table) for table in tables]

    def run(of_loss, of_init, of_evaluate):
        sweep(
            lambda w: jnp.sum(w**2) * of_loss.array[0], lambda _: of_init.array, RATES, steps=2,
            evaluate=lambda w: w[0] * of_evaluate.array[0],
        )  # fmt: skip

    run(*tables)
    tables.clear()
    jax.clear_caches()
    gc.collect()
    assert [reference() for reference in alive] == [None] * 3
