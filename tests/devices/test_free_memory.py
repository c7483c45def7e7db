"""The memory that devices say they have left."""

import contextlib
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from gdlab import minimize, sgd
from gdlab.devices import free_memory
from gdlab.devices.free_memory import bytes_in_memory, bytes_on_a_device, free_bytes


def device(statistics):
    return types.SimpleNamespace(memory_stats=lambda: statistics)


def test_a_device_that_tells_has_what_is_not_in_use():
    told = {"bytes_limit": 16_000, "bytes_in_use": 6_000, "peak_bytes_in_use": 9_000}
    assert free_bytes(device(told)) == 10_000


@pytest.mark.parametrize("statistics", [None, {}, {"bytes_in_use": 6_000}])
def test_a_device_that_does_not_tell_has_the_memory_of_the_host(statistics, monkeypatch):
    monkeypatch.setattr("gdlab.devices.free_memory.free_bytes_of_host", lambda: 123.0)
    assert free_bytes(device(statistics)) == 123.0


def test_memory_of_one_device_holds_its_shards_and_that_of_the_host_all_of_them():
    mesh = jax.make_mesh((4,), ("x",))
    split, whole = (NamedSharding(mesh, PartitionSpec(axis)) for axis in ("x", None))
    array = jnp.zeros((4, 10), jnp.float32)
    assert bytes_on_a_device(jax.device_put(array, split)) == 40
    assert bytes_in_memory(jax.device_put(array, split)) == 160
    assert bytes_in_memory(jax.device_put(array, whole)) == 4 * 160
    assert bytes_in_memory({"a": array, "b": np.zeros(3)}) == 160 + 24
    found = []
    jax.eval_shape(lambda traced: found.append(bytes_in_memory(traced)), array)
    assert found == [160]


@pytest.mark.parametrize(("share", "fits"), [(1.1, True), (0.9, False)])
def test_a_start_that_is_split_over_devices_needs_the_memory_of_its_shards(
    monkeypatch, share, fits
):
    mesh = jax.make_mesh((4,), ("x",))
    start = jax.device_put(jnp.ones(64, jnp.float32), NamedSharding(mesh, PartitionSpec("x")))
    one = types.SimpleNamespace(platform="gpu")
    # The path of 300 steps, 300 losses, and a copy of both, of 4 bytes a number.
    needed = 2 * 300 * (64 / 4 + 1) * 4
    monkeypatch.setattr(free_memory, "MIN_CHECKED_BYTES", 0)
    monkeypatch.setattr(free_memory, "_devices_of", lambda tree: [one] * 4)
    monkeypatch.setattr(free_memory, "free_bytes", lambda device: share * needed)
    refusal = pytest.raises(ValueError, match="losses of 300 steps take")
    with contextlib.nullcontext() if fits else refusal:
        minimize(lambda w: jnp.sum(w**2), start, sgd(0.1), 300)
