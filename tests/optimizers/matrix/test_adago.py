"""AdaGO: the direction of Muon, and the step size of Adagrad on the norms of gradients."""

import numpy as np
import pytest

from gdlab import adago, adagrad
from tests.paths import gdlab_path

pytestmark = pytest.mark.x64


def test_with_one_direction_it_is_adagrad_on_the_norm():
    # Of a gradient that only changes its length, U·Vᵀ stays; its coordinate is Adagrad's.
    lengths = np.array([3.0, 0.5, 2.0, 1.0, 4.0])
    rate = np.geomspace(0.3, 0.1, 5)
    direction = np.eye(2)
    make = lambda lr: adago(  # noqa: E731
        lr, "polar_express", 12, beta=0.0, eps=0.0, initial_accumulator_value=0.01
    )
    grads = lengths[:, None, None] * direction / np.sqrt(2)
    path = gdlab_path(make, rate, grads, np.zeros((2, 2)))
    scalar = gdlab_path(lambda lr: adagrad(lr, 0.01, 0.0), rate, lengths, np.array(0.0))
    np.testing.assert_allclose(path, scalar[:, None, None] * direction, atol=1e-6)


def test_large_gradients_count_up_to_gamma_and_steps_are_no_shorter_than_epsilon():
    grads = np.stack([np.eye(2) * size for size in (1e6, 1e6, 1e-12)])
    make = lambda lr: adago(lr, "polar_express", 12, beta=0.0, gamma=1.0, eps=0.01)  # noqa: E731
    path = gdlab_path(make, np.full(3, 0.3), grads, np.zeros((2, 2)))
    steps = -np.diff(path[:, 0, 0], prepend=0.0)
    # The last gradient is so small that the ε of the orthogonalisation shows.
    np.testing.assert_allclose(steps[:2], [0.3, 0.3 / np.sqrt(2)], rtol=1e-5)
    assert steps[2] < 0.011
