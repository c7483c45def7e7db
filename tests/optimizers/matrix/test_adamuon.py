"""AdaMuon: blind to the scale of each element, and no step but of one size."""

import numpy as np
import pytest

from gdlab import adamuon
from tests.oracles.method import GRADS
from tests.paths import gdlab_path, steps_of
from tests.references.matrix import newton_schulz, to_rms

pytestmark = pytest.mark.x64

RATE = np.full(5, 0.1)
START = np.ones((3, 5))


def test_the_sign_makes_it_blind_to_the_scale_of_each_element():
    scales = np.geomspace(1e-3, 1e3, 15).reshape(3, 5)
    grads = GRADS["wide"][:5]
    make = lambda lr: adamuon(lr, eps=0.0)  # noqa: E731
    once = gdlab_path(make, RATE, grads, START)
    np.testing.assert_allclose(gdlab_path(make, RATE, scales * grads, START), once, rtol=1e-9)


def test_without_averages_it_is_the_sign_of_an_orthogonalized_sign():
    # With v = o² the quotient is the sign, whose root mean square is 1.
    grads = GRADS["wide"][:5]
    path = gdlab_path(lambda lr: adamuon(lr, beta=0.0, beta2=0.0, eps=0.0), RATE, grads, START)
    for g, step in zip(grads, steps_of(path, START), strict=True):
        expected = to_rms(np.sign(newton_schulz(np.sign(g))), 0.2)
        np.testing.assert_allclose(step, -0.1 * expected, rtol=1e-9)
