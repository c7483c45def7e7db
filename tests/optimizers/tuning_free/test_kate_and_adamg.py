"""KATE in the units of the data, and AdamG's golden steps."""

import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, agree, gdlab_path, steps_of

pytestmark = pytest.mark.x64


def test_kate_makes_the_same_run_in_any_units_of_the_data():
    # With w = z/c for each element the gradient by z is that by w times 1/c.
    units = np.array([1e-3, 1.0, 10.0, 1e3, 0.5])
    in_units = gdlab_path(gdlab.kate, grads=GRADS / units, params=PARAMS * units)
    agree(in_units / units, gdlab_path(gdlab.kate))


def test_the_first_step_of_kate_is_one_over_the_gradient():
    path = gdlab_path(lambda _: gdlab.kate(0.5), grads=GRADS[:1, :2], params=PARAMS[:2])
    agree(steps_of(path, PARAMS[:2])[0], -0.5 / GRADS[0, :2])


def test_kates_steps_on_a_constant_gradient_in_closed_form():
    # b² = t·g² and m² = 1 + 1/2 + … + 1/t.
    t = np.arange(1, 31)
    path = gdlab_path(lambda _: gdlab.kate(1.0), grads=np.full((30, 1), 4.0), params=np.zeros(1))
    agree(steps_of(path, np.zeros(1))[:, 0], -np.sqrt(np.cumsum(1 / t)) / (4 * t))


def test_adamgs_steps_follow_the_scale_of_the_loss_by_twice_its_exponent():
    make = lambda lr: gdlab.adamg(lr, q=0.1, eps=0.0)  # noqa: E731
    one, other = (steps_of(gdlab_path(make, grads=c * GRADS)) for c in (1.0, 1e3))
    np.testing.assert_allclose(other, one * 1e3**0.2, rtol=1e-9, atol=1e-12)


def test_adamg_without_golden_steps_is_adam_at_most_at_one_over_the_root_of_the_step():
    # An exponent of 0 and no memory of it make every weight p.
    make = lambda lr: gdlab.adamg(lr, 0.9, 0.999, 0.0, p=1.0, q=0.0)  # noqa: E731
    capped = lambda lr: gdlab.adam(gdlab.at_most_inverse_root(lr))  # noqa: E731
    rates = np.full(30, 0.3)
    agree(gdlab_path(make, rates), gdlab_path(capped, rates))
    steps = steps_of(gdlab_path(make, rates))[:, 3]
    np.testing.assert_allclose(steps, np.minimum(0.3, 1 / np.sqrt(np.arange(1, 31))), rtol=1e-6)
