"""The linear parts of optimizers as filters: their output for an input signal.

The functions here take a transformation as a filter from gradients to updates, and refuse one that
is not linear, since its response would depend on the size of the input. Functions of the steady
state also refuse a transformation with a period, since it answers a wave with waves of other
frequencies.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import solve_discrete_lyapunov
from scipy.optimize import root_scalar

from gdlab.analysis.linear.anatomy import anatomy_of
from gdlab.analysis.linear.frozen import frozen
from gdlab.analysis.linear.linear_system import LinearSystem, open_loop, reachable
from gdlab.analysis.linear.period import EVERY_STEP, period_of, require_every_step
from gdlab.analysis.linear.precision import as_float64, in_float64
from gdlab.analysis.linear.superposition import answer, require_superposition
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Length
from gdlab.checks.values import real_numbers
from gdlab.core.transformation import GradientTransformation, as_transformation


class FrequencyResponse(NamedTuple):
    """The response of a filter to sine waves."""

    frequency: np.ndarray
    """The frequencies of the waves, in cycles per step, from 0 to ½."""
    response: np.ndarray
    """The complex response H at each frequency: its modulus is the gain, its angle the phase."""

    def plot(self, ax: Any = None) -> Any:
        """Draw gain and phase; needs the extra ``lab``."""
        from gdlab import plots

        return plots.frequency_response(self.frequency, self.response, ax=ax)


@checked
@in_float64
def impulse_response(tx: GradientTransformation, steps: Length) -> np.ndarray:
    """The updates of ``tx`` for the gradients 1, 0, 0, …, from its initial state.

    For the average with decay β they are (1 − β)βᵏ; the array has the shape (steps,).

    Args:
        tx: a linear transformation.
        steps: the number of gradients.

    Raises:
        ValueError: if ``tx`` is not linear.

    >>> from gdlab import ema
    >>> from gdlab.analysis import impulse_response
    >>> impulse_response(ema(0.5), 4)
    array([0.5   , 0.25  , 0.125 , 0.0625])
    """
    return answer(_linear(tx), np.eye(1, steps)[0])


@checked
@in_float64
def step_response(tx: GradientTransformation, steps: Length) -> np.ndarray:
    """The updates of ``tx`` for the gradients 1, 1, 1, …, from its initial state.

    For the average with decay β they are 1 − βᵗ; the array has the shape (steps,).

    Args:
        tx: a linear transformation.
        steps: the number of gradients.

    Raises:
        ValueError: if ``tx`` is not linear.

    >>> from gdlab import ema
    >>> from gdlab.analysis import step_response
    >>> step_response(ema(0.5), 4)
    array([0.5   , 0.75  , 0.875 , 0.9375])
    """
    return answer(_linear(tx), np.ones(steps))


@checked
@in_float64
def frequency_response(tx: GradientTransformation, frequency: Any = None) -> FrequencyResponse:
    """The gain and phase of ``tx`` for sine waves, in the steady state.

    H(f) = D + C(e^(2πif) − A)⁻¹B, which is (1 − β)/(1 − βe^(−2πif)) for the average with decay β.

    Args:
        tx: a linear transformation, taken in the limit t → ∞.
        frequency: the frequencies in cycles per step, of shape (n,); by default 0 and 400 values up
            to ½.

    Raises:
        ValueError: if ``tx`` is not linear, or has a period.

    >>> from gdlab import ema
    >>> from gdlab.analysis import frequency_response
    >>> abs(frequency_response(ema(0.5), [0.0, 0.5]).response)
    array([1.        , 0.33333333])
    """
    if frequency is None:
        frequency = np.concatenate([[0.0], np.geomspace(5e-5, 0.5, 400)])
    frequency = real_numbers("frequency", frequency, ndim=1)
    if np.any(np.abs(frequency) > 0.5):
        raise ValueError(
            "frequency must be in cycles per step, of which a series of steps has at most ½, not "
            f"{np.max(np.abs(frequency)):g}; an angle per step is 2π times as large"
        )
    return FrequencyResponse(frequency, _transfer(_state_space(tx), np.exp(2j * np.pi * frequency)))


@checked
@in_float64
def cutoff_frequency(tx: GradientTransformation) -> float:
    """The −3 dB frequency: the lowest at which the gain has fallen to 1/√2 of that at frequency 0.

    For the average with decay β it solves 2(1 − cos ω) = (1 − β)²/β with ω = 2πf, and exists only
    for β > 3 − 2√2.

    Args:
        tx: a linear transformation, taken in the limit t → ∞.

    Returns:
        A frequency in cycles per step, NaN if there is none up to ½.

    Raises:
        ValueError: if ``tx`` is not linear, or has a period.

    >>> from gdlab import ema
    >>> from gdlab.analysis import cutoff_frequency
    >>> round(cutoff_frequency(ema(0.9)), 6)
    0.016784
    >>> cutoff_frequency(ema(0.1))
    nan
    """
    system = _state_space(tx)
    if not _decays(system):
        return np.nan

    def excess(frequency: Any) -> np.ndarray:
        z = np.exp(2j * np.pi * np.concatenate([[0.0], np.atleast_1d(frequency)]))
        gain = np.abs(_transfer(system, z))
        return gain[1:] - gain[0] / np.sqrt(2)

    grid = np.geomspace(1e-9, 0.5, 2000)
    below = np.flatnonzero(excess(grid) < 0)
    if not below.size or below[0] == 0:
        return np.nan
    bracket = grid[below[0] - 1], grid[below[0]]
    found = root_scalar(lambda f: excess(f)[0], bracket=bracket, xtol=1e-16, rtol=1e-14)
    return float(found.root)


@checked
@in_float64
def dc_gain(tx: GradientTransformation) -> float:
    """The limit of the updates of ``tx`` for a constant gradient of 1: the gain at frequency 0.

    Args:
        tx: a linear transformation.

    Returns:
        The gain, ∞ if the response to a constant grows forever.

    Raises:
        ValueError: if ``tx`` is not linear, or has a period.

    >>> from gdlab import trace
    >>> from gdlab.analysis import dc_gain
    >>> round(dc_gain(trace(0.9)), 9)
    10.0
    """
    system = _state_space(tx)
    return float(_transfer(system, np.array([1.0]))[0].real) if _decays(system) else np.inf


@checked
@in_float64
def half_life(tx: GradientTransformation) -> float:
    """The steps after which the effect of a gradient has halved: ln ½ / ln ρ, ρ the slowest pole.

    Args:
        tx: a linear transformation.

    Returns:
        The number of steps, 0 for a transformation without memory, ∞ if the effect never decays.

    Raises:
        ValueError: if ``tx`` is not linear, or has a period.

    >>> from gdlab import ema
    >>> from gdlab.analysis import half_life
    >>> round(half_life(ema(0.9)), 4)
    6.5788
    """
    system = _state_space(tx)
    slowest = np.max(np.abs(np.linalg.eigvals(system.A)), initial=0.0)
    if not _decays(system):
        return np.inf
    return float(np.log(0.5) / np.log(slowest)) if slowest > 0 else 0.0


@checked
@in_float64
def noise_gain(tx: GradientTransformation) -> float:
    """The factor by which ``tx`` multiplies the variance of white noise.

    It is Σₖ hₖ², with h the impulse response: (1 − β)/(1 + β) for the average with decay β.

    Args:
        tx: a linear transformation.

    Returns:
        The gain, ∞ if the variance grows forever.

    Raises:
        ValueError: if ``tx`` is not linear, or has a period.

    >>> from gdlab import ema
    >>> from gdlab.analysis import noise_gain
    >>> round(noise_gain(ema(0.9)), 6)  # 0.1/1.9
    0.052632
    """
    system = _state_space(tx)
    if not _decays(system):
        return np.inf
    if not system.A.size:
        return float(system.D[0, 0] ** 2)
    covariance = solve_discrete_lyapunov(system.A, system.B @ system.B.T)
    return float((system.D**2 + system.C @ covariance @ system.C.T)[0, 0])


@checked
@in_float64
def averaging_window(tx: GradientTransformation) -> float:
    """The number of gradients whose plain mean reduces noise as much: (Σh)²/Σh².

    For the average with decay β it is (1 + β)/(1 − β): 19 for β = 0.9.

    Args:
        tx: a linear transformation.

    Raises:
        ValueError: if ``tx`` is not linear, or has a period.

    >>> from gdlab import ema
    >>> from gdlab.analysis import averaging_window
    >>> round(averaging_window(ema(0.9)), 6)
    19.0
    """
    noise = noise_gain(tx)
    if noise == 0:
        raise ValueError(f"tx: {tx!r} gives nothing, and averages nothing")
    return dc_gain(tx) ** 2 / noise


def _linear(tx: GradientTransformation) -> GradientTransformation:
    """The transformation in float64, checked to be linear."""
    name = repr(tx)
    tx = as_float64(as_transformation(tx))
    require_superposition(
        name,
        tx,
        "hand over one of its averages, such as ema(0.9), or linearize it with its scales held",
    )
    return tx


def _state_space(tx: GradientTransformation) -> LinearSystem:
    """The steady-state system A, B, C, D, reduced to reachable and observable coordinates."""
    name, tx = repr(tx), _linear(tx)
    anatomy = anatomy_of(name, tx, np.zeros(1), np.ones(1))
    period = period_of(anatomy, tx, np.zeros(1), np.ones(1))
    require_every_step(name, period, "frequency response, nor what follows from one")
    system = jax.tree.map(np.asarray, _opened(anatomy, tx))
    leads = reachable((system.A != 0) | np.eye(len(system.A), dtype=bool))
    kept = (leads @ (system.B[:, 0] != 0)) & ((system.C[0] != 0) @ leads)
    return system._replace(A=system.A[kept][:, kept], B=system.B[kept], C=system.C[:, kept])


@functools.partial(jax.jit, static_argnums=0)
def _opened(anatomy: Any, tx: Any) -> LinearSystem:
    param = jnp.zeros(1)
    states = frozen(anatomy, EVERY_STEP, tx, param, jnp.ones(1)).states
    return open_loop(anatomy, tx, param, jax.tree.map(lambda leaf: leaf[0], states))


def _transfer(system: LinearSystem, z: np.ndarray) -> np.ndarray:
    """The transfer function H at complex numbers z, ∞ at a pole."""
    poles = np.linalg.eigvals(system.A)
    at_pole = np.any(np.abs(z[:, None] - poles) < 1e-14, axis=1)
    away = np.where(at_pole, 2.0, z)[:, None, None]
    inner = np.linalg.solve(away * np.eye(len(poles)) - system.A, system.B + 0 * away)
    return np.where(at_pole, np.inf, (system.C @ inner + system.D)[:, 0, 0])


def _decays(system: LinearSystem) -> bool:
    return bool(np.all(np.abs(np.linalg.eigvals(system.A)) < 1 - 1e-12))
