"""What is drawn of the loss that noise leaves."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import minimize, plots, sgd
from gdlab.analysis import expected_loss


@pytest.mark.x64
def test_an_expected_loss_draws_itself_with_its_two_parts():
    """½E[w²] of gradient descent: ½(1 − η)²ᵗ w₀², and η s²/(2(2 − η))·(1 − (1 − η)²ᵗ) of noise."""
    rate, start, noise = 0.5, 2.0, 0.3
    ax = expected_loss(sgd(rate), 1.0, start, 20, noise=noise).plot()
    shrunk = (1 - rate) ** (2 * np.arange(21))
    parts = 0.5 * shrunk * start**2, rate * noise**2 / (2 * (2 - rate)) * (1 - shrunk)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["of the mean iterate"], parts[0], rtol=1e-12)
    np.testing.assert_allclose(drawn["added by noise"], parts[1], rtol=1e-12)
    np.testing.assert_allclose(drawn["expected loss"], sum(parts), rtol=1e-12)
    assert ax.get_yscale() == "log"


def test_parts_of_other_lengths_are_refused():
    message = "stochastic must have a value for each of the 2 of deterministic, not 3"
    with pytest.raises(ValueError, match=message):
        plots.expected_loss([1.0, 2.0], [1.0, 2.0, 3.0])


def test_a_run_draws_its_losses():
    run = minimize(lambda w: jnp.sum(w**2), jnp.ones(2), sgd(0.1), 5)
    ax = run.plot(minimum=0.0)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), run.values)
