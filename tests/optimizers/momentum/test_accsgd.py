"""Accelerated stochastic gradient descent beside gradient descent."""

from functools import partial

import pytest

import gdlab
from tests.paths import agree, differ, gdlab_path

pytestmark = pytest.mark.x64


@pytest.mark.parametrize("kappa", [10.0, 1000.0])
def test_without_statistical_advantage_it_is_gradient_descent(kappa):
    plain = gdlab_path(gdlab.sgd)
    agree(gdlab_path(partial(gdlab.accsgd, kappa=kappa, xi=1 / 0.7)), plain)
    assert differ(gdlab_path(partial(gdlab.accsgd, kappa=kappa, xi=3.0)), plain)
