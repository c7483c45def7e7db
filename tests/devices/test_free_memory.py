"""The memory that devices say they have left."""

import types

import pytest

from gdlab.devices.free_memory import free_bytes


def device(statistics):
    return types.SimpleNamespace(memory_stats=lambda: statistics)


def test_a_device_that_tells_has_what_is_not_in_use():
    told = {"bytes_limit": 16_000, "bytes_in_use": 6_000, "peak_bytes_in_use": 9_000}
    assert free_bytes(device(told)) == 10_000


@pytest.mark.parametrize("statistics", [None, {}, {"bytes_in_use": 6_000}])
def test_a_device_that_does_not_tell_has_the_memory_of_the_host(statistics, monkeypatch):
    monkeypatch.setattr("gdlab.devices.free_memory.free_bytes_of_host", lambda: 123.0)
    assert free_bytes(device(statistics)) == 123.0
