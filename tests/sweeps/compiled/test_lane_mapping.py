"""A function of one lane is the same at all lanes, however many are computed together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.sweeps.compiled import lane_mapping
from gdlab.sweeps.compiled.lane_mapping import mapped, mapped_in_cache

TABLE = 1000
SEEDS, POINTS = 3, 4


def spread(point, lane):
    """A number of a lane by way of a table that is larger than the lane, 4 kB."""
    table = jnp.sort(jnp.sin(lane["w"][0] * jnp.arange(float(TABLE))))
    return {"quantile": table[TABLE // 4], "sum": lane["w"] + point["rate"], "lane": lane["number"]}


@pytest.fixture
def lanes():
    w = np.random.default_rng(0).uniform(1, 2, (SEEDS, POINTS, 2)).astype(np.float32)
    return {"w": w, "number": np.arange(SEEDS * POINTS).reshape(SEEDS, POINTS)}


@pytest.mark.parametrize("at_once", [1, 5, SEEDS * POINTS])
def test_values_are_those_of_a_loop(monkeypatch, lanes, at_once):
    monkeypatch.setattr(lane_mapping, "CACHE_OF_A_CORE", at_once * 4 * TABLE)
    points = {"rate": np.arange(float(POINTS), dtype=np.float32)}
    found = mapped_in_cache(spread, points, lanes)
    tables = np.sort(np.sin(lanes["w"][..., :1] * np.arange(TABLE, dtype=np.float32)))
    np.testing.assert_allclose(found["quantile"], tables[..., TABLE // 4], atol=1e-4)
    expected = lanes["w"] + points["rate"][None, :, None]
    np.testing.assert_allclose(found["sum"], expected, rtol=1e-6)
    np.testing.assert_array_equal(found["lane"], lanes["number"])


@pytest.mark.parametrize(("room", "at_once"), [(0.5, 1), (1, 1), (5, 4), (11, 6)])
def test_tables_of_no_more_lanes_than_there_is_room_for_are_there(
    monkeypatch, lanes, room, at_once
):
    """Of twelve lanes, the largest divisor that fits."""
    monkeypatch.setattr(lane_mapping, "CACHE_OF_A_CORE", int(room * 4 * TABLE))
    points = {"rate": np.zeros(POINTS, np.float32)}
    all_, few = (
        # A function of its own, or JAX would hand out the program of another room.
        jax.jit(lambda *args, how=how: how(spread, *args))
        .lower(points, lanes)
        .compile()
        .memory_analysis()
        .temp_size_in_bytes
        for how in (mapped, mapped_in_cache)
    )
    tables = 4 * TABLE
    assert all_ >= SEEDS * POINTS * tables
    assert few / all_ == pytest.approx(at_once / (SEEDS * POINTS), rel=0.25)


def test_lanes_are_computed_together_where_all_have_room(lanes):
    points = {"rate": np.zeros(POINTS, np.float32)}
    program = jax.make_jaxpr(lambda *args: mapped_in_cache(spread, *args))(points, lanes)
    assert not any(each.primitive.name == "scan" for each in program.eqns)
