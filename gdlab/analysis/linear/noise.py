"""The effect of gradient noise: expected loss along a run, and stationary variance."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from gdlab.analysis.linear.arguments import one_each
from gdlab.analysis.linear.frozen import after_silence, at_rest
from gdlab.analysis.linear.linear_system import closed_loop
from gdlab.analysis.linear.period import require_every_step
from gdlab.analysis.linear.precision import in_float64
from gdlab.analysis.linear.setting import Setting, closed_loops, prepare, require_linear
from gdlab.analysis.linear.superposition import require_superposition
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Length
from gdlab.core.transformation import GradientTransformation


class ExpectedLoss(NamedTuple):
    """The mean of the loss over many runs on a quadratic, ½·Σᵢ λᵢ·E[wᵢ²], after each step."""

    deterministic: np.ndarray
    """The loss of the mean iterate, which is that of a run without noise, of shape (steps + 1,)."""
    stochastic: np.ndarray
    """The part of the loss that the noise adds, of shape (steps + 1,)."""

    @property
    def total(self) -> np.ndarray:
        """The whole expected loss: the sum of its two parts."""
        return self.deterministic + self.stochastic

    def plot(self, ax: Any = None) -> Any:
        """Draw the expected loss and its two parts over the steps; needs the extra ``lab``."""
        from gdlab import plots

        return plots.expected_loss(self.deterministic, self.stochastic, ax=ax)


@checked
@in_float64
def expected_loss(
    tx: GradientTransformation, curvature: Any, w0: Any, steps: Length, *, noise: Any
) -> ExpectedLoss:
    """The expected loss of ``tx`` on a quadratic whose gradients carry white noise.

    The mean iterate follows x ← Aₜx, the covariance P ← AₜPAₜᵀ + s²BₜBₜᵀ, with Aₜ and Bₜ those of
    the t-th step, so that bias corrections, schedules and periods are included from the first step.

    Args:
        tx: a linear transformation: momentum, averages, weight decay; not an adaptive one.
        curvature: the curvature λ of one mode, or a spectrum of shape (n,).
        w0: the initial distance to the minimum: a number, or one for each mode.
        steps: the number of steps.
        noise: the standard deviation s of each component of the gradient: a number, or one for each
            mode.

    Raises:
        ValueError: if ``tx`` is adaptive or not linear, or if ``curvature`` is a Hessian.

    >>> from gdlab import sgd
    >>> from gdlab.analysis import expected_loss
    >>> loss = expected_loss(sgd(0.5), curvature=1.0, w0=2.0, steps=2, noise=1.0)
    >>> loss.deterministic
    array([2.   , 0.5  , 0.125])
    >>> loss.stochastic
    array([0.     , 0.125  , 0.15625])

    Source: G. Goh, Why momentum really works, 2017, section on stochastic gradients.
    """
    setting = _linear_on_modes(tx, curvature)
    modes = len(setting.hessians)
    start, deviation = one_each("w0", w0, modes), one_each("noise", noise, modes, 0)
    mean, variance = _moments(
        setting.anatomy, steps, setting.tx, setting.params, setting.hessians, start, deviation
    )
    half = setting.hessians[:, 0, 0] / 2
    return ExpectedLoss(np.asarray(mean**2 @ half), np.asarray(variance @ half))


@checked
@in_float64
def stationary_variance(tx: GradientTransformation, curvature: Any, *, noise: Any) -> Any:
    """The stationary variance of w under gradient noise.

    It solves P = APAᵀ + s²BBᵀ: ηs²/(λ(2 − ηλ)) for gradient descent.

    Args:
        tx: a linear transformation.
        curvature: the curvature λ > 0 of one mode, or a spectrum of shape (n,).
        noise: the standard deviation s of each component of the gradient: a number, or one for each
            mode.

    Returns:
        The variance, or one for each mode; ∞ where ``tx`` is unstable.

    Raises:
        ValueError: as for :func:`expected_loss`; or if ``tx`` has a period, during which the
            variance changes.

    >>> from gdlab import sgd
    >>> from gdlab.analysis import stationary_variance
    >>> round(stationary_variance(sgd(0.5), 1.0, noise=1.0), 9)
    0.333333333
    """
    setting = _linear_on_modes(tx, curvature)
    require_every_step(setting.name, setting.period, "variance that stays")
    system = closed_loops(setting)
    deviation = one_each("noise", noise, len(setting.hessians), 0)
    variances = []
    for A, B, s in zip(system.A, system.B, deviation, strict=True):
        stable = np.max(np.abs(np.linalg.eigvals(A))) < 1
        P = solve_discrete_lyapunov(A, s**2 * B @ B.T)[-1, -1] if stable else np.inf
        variances.append(float(P))
    return setting.shaped(np.array(variances)) if setting.form == "spectrum" else variances[0]


def _linear_on_modes(tx: GradientTransformation, curvature: Any) -> Setting:
    setting = prepare(tx, curvature)
    if setting.form == "hessian":
        raise ValueError(
            "noise is taken mode by mode: hand over the spectrum, np.linalg.eigvalsh(hessian)"
        )
    if setting.anatomy.adaptive:
        raise ValueError(
            f"{setting.name} is not linear: its scales {', '.join(setting.anatomy.adaptive)} "
            "follow the gradients, noise included"
        )
    require_superposition(setting.name, setting.tx, "noise comes in every size")
    require_linear(setting)
    return setting


@functools.partial(jax.jit, static_argnums=(0, 1))
def _moments(anatomy, steps, tx, params, hessians, w0, deviation):
    """Mean and variance of w in each mode before the first and after each step."""

    # The scales of a linear transformation depend on the step alone, and are carried along.
    def of_mode(hessian, w0, deviation):
        def body(carry, _):
            mean, covariance, state = carry
            system = closed_loop(anatomy, tx, params, state, hessian)
            A, B = system.A, system.B
            state = after_silence(anatomy, tx, params, state)
            after = A @ mean, A @ covariance @ A.T + deviation**2 * B @ B.T, state
            return after, (mean[-1], covariance[-1, -1])

        state = at_rest(anatomy, tx.init(params))
        mean = closed_loop(anatomy, tx, params, state, hessian).start[:, 0] * w0
        carry = mean, jnp.zeros((mean.size, mean.size)), state
        (mean, covariance, _), (means, variances) = jax.lax.scan(body, carry, length=steps)
        return jnp.append(means, mean[-1]), jnp.append(variances, covariance[-1, -1])

    return tuple(x.T for x in jax.vmap(of_mode)(hessians, w0, deviation))
