"""Points in equal parts that can be dealt out."""

import pytest

from gdlab.devices.mesh import evenly


@pytest.mark.parametrize(
    ("size", "most", "part"),
    [(128, 19, 16), (32, 5, 4), (127, 19, 16), (7, 7, 7), (7, 100, 7), (10, 1, 1), (1, 1, 1)],
)
def test_parts_are_large_and_need_little_padding(size, most, part):
    assert evenly(size, most) == part


@pytest.mark.parametrize("size", range(1, 60))
def test_no_other_part_within_a_factor_of_two_needs_less_padding(size):
    for most in range(1, size + 3):
        part = evenly(size, most)
        assert part <= most
        others = range(min(size, most) // 2 + 1, min(size, most) + 1)
        assert -size % part == min(-size % other for other in others)
