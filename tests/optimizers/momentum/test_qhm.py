"""The special cases of quasi-hyperbolic momentum, and its stable range."""

from functools import partial

import pytest

import gdlab
from gdlab.analysis import stable_range
from tests.paths import agree, differ, gdlab_path

pytestmark = pytest.mark.x64

BETA = 0.8


@pytest.mark.parametrize(
    ("nu", "simpler"),
    [
        (0.0, gdlab.sgd),
        (1.0, partial(gdlab.sgd, momentum=BETA, averaging=True)),
        (BETA, partial(gdlab.sgd, momentum=BETA, averaging=True, nesterov=True)),
    ],
    ids=["gradient descent", "average", "Nesterov"],
)
def test_qhm_has_simpler_methods_at_special_weights(nu, simpler):
    agree(gdlab_path(partial(gdlab.qhm, beta=BETA, nu=nu)), gdlab_path(simpler))
    assert differ(gdlab_path(partial(gdlab.qhm, beta=BETA, nu=0.5)), gdlab_path(simpler))


@pytest.mark.parametrize(("beta", "nu"), [(0.999, 0.7), (0.8, 0.3), (0.5, 1.0)])
def test_stable_range_of_qhm_is_that_of_its_docstring(beta, nu):
    _, high = stable_range(gdlab.qhm(0.1, beta, nu), curvature=3.0)
    assert high == pytest.approx(2 * (1 + beta) / ((1 + beta - 2 * nu * beta) * 3), rel=1e-6)
