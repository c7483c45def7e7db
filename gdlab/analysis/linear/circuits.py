"""The electric circuit that behaves like an optimizer.

A current source feeds a resistor, an inductor and, with momentum, a capacitor, all in parallel. The
current through the inductor is the weight w; the source delivers the optimum w*. The difference
flows through the resistor, and the voltage across the resistor drives the inductor.
"""

from typing import Any, NamedTuple

import numpy as np

from gdlab.analysis.linear.arguments import one_each
from gdlab.analysis.linear.linearization import linearize
from gdlab.checks.checked import checked
from gdlab.checks.values import real_numbers
from gdlab.core.transformation import GradientTransformation


class Circuit(NamedTuple):
    """C·L·ẅ + (L/R)·ẇ + w = w*, time in steps; arrays have an entry for each mode."""

    resistance: Any
    """The resistance R, 1 by convention, since the equation determines only L/R and RC."""
    inductance: Any
    """The inductance L, in steps."""
    capacitance: Any
    """The capacitance C, in steps; 0 without momentum."""

    @property
    def damping_ratio(self) -> Any:
        """ζ = √(L/C)/(2R): the response oscillates below 1; ∞ without a capacitor."""
        with np.errstate(divide="ignore"):
            return np.sqrt(np.divide(self.inductance, self.capacitance)) / (2 * self.resistance)

    @property
    def natural_frequency(self) -> Any:
        """ω₀ = 1/√(LC), in radians a step; ∞ without a capacitor."""
        with np.errstate(divide="ignore"):
            return 1 / np.sqrt(np.multiply(self.inductance, self.capacitance))

    @property
    def exponents(self) -> np.ndarray:
        """The exponents s of the two solutions e^(st), the slower first; −∞ for a missing one.

        Both have negative real parts: the circuit is stable for every step size.
        """
        L, RC = np.asarray(self.inductance, complex), np.asarray(self.capacitance, complex)
        root = np.sqrt(1 - 4 * RC / L)
        # A form without cancellation or division by a small capacitance.
        slow = -2 / (L * (1 + root))
        with np.errstate(divide="ignore", invalid="ignore"):
            fast = np.where(RC == 0, -np.inf, -(1 + root) / (2 * RC))
        return np.stack([slow, fast], -1)

    @property
    def time_constants(self) -> np.ndarray:
        """The time constants −1/Re s in steps, the slower first: L/R and 0 without a capacitor."""
        return -1 / np.real(self.exponents)

    def response(self, times: Any, w0: Any = 1.0) -> np.ndarray:
        """The response w(t) − w* from rest at w₀ − w*, of shape (n,) or (n, modes).

        Args:
            times: the times in steps, of shape (n,).
            w0: the initial distance w₀ − w*, a number or one for each mode.
        """
        times = real_numbers("times", times, least=0)
        w0 = one_each("w0", w0, np.size(self.inductance)).reshape(np.shape(self.inductance))
        times = times.reshape(-1, *[1] * np.ndim(self.inductance))
        slow, fast = np.moveaxis(self.exponents, -1, 0)
        with np.errstate(invalid="ignore"):
            apart = np.abs(fast - slow) > 1e-7 * np.abs(slow)
            gap = np.where(apart & np.isfinite(fast), fast - slow, 1)
            both = (fast * np.exp(slow * times) - slow * np.exp(fast * times)) / gap
        critical = (1 - slow * times) * np.exp(slow * times)
        free = np.exp(slow * times)
        shape = np.where(np.isfinite(fast), np.where(apart, both, critical), free)
        return np.real(shape) * w0

    def plot(self, iterates: Any, ax: Any = None) -> Any:
        """Draw the response beside iterates of the same start; needs the extra ``lab``.

        Args:
            iterates: the iterates, of shape (steps + 1,) or (steps + 1, modes), as
                :meth:`Linearization.simulate` returns them.
            ax: the matplotlib axes to draw on; new ones unless given.
        """
        from gdlab import plots

        iterates = real_numbers("iterates", iterates, finite=False)
        modes = np.shape(self.inductance)
        if not iterates.ndim or not len(iterates) or iterates.shape[1:] != modes:
            raise ValueError(
                f"iterates must be of the shape (steps + 1{', modes' * len(modes)}), not "
                f"{iterates.shape}"
            )
        times = np.linspace(0, len(iterates) - 1, 400)
        return plots.circuit_response(times, self.response(times, iterates[0]), iterates, ax=ax)


@checked
def circuit(tx: GradientTransformation, curvature: Any, *, gradient_rms: Any = 1.0) -> Circuit:
    """The circuit with the dynamics of each mode of ``tx``.

    A mode with poles r₁ and r₂ obeys β·Δ²w + (1 − β)·Δw + k·w = 0, with β = r₁r₂ and k = (1 − r₁)(1
    − r₂), where Δ is the forward difference and Δ² the second difference. With time in steps this
    is the circuit's equation with L/R = (1 − β)/k and RC = β/(1 − β): for momentum L/R = (1 −
    β)/(ηλ); for gradient descent L/R = 1/(ηλ), without a capacitor.

    The iterates approach the circuit's response as the steps shrink (η → 0 together with 1 − β).
    The circuit is stable for every η; the iteration is not.

    Args:
        tx: a transformation with one or two poles for each mode.
        curvature: λ > 0, or a spectrum.
        gradient_rms: as for :func:`linearize`.

    Raises:
        ValueError: if a mode has more than two poles, or would need a component of negative value
            (r₁r₂ < 0, as for Nesterov's method beyond η = 1/λ); if ``tx`` has a period, or cannot
            be linearised.

    >>> from gdlab import sgd
    >>> from gdlab.analysis import circuit
    >>> momentum = circuit(sgd(0.1, momentum=0.5), curvature=1.0)
    >>> [round(float(x), 6) for x in momentum]
    [1.0, 5.0, 1.0]
    >>> round(float(momentum.damping_ratio), 4)
    1.118
    """
    linear = linearize(tx, curvature, gradient_rms=gradient_rms)
    if linear.period > 1:
        raise ValueError(
            f"no circuit is like {tx!r}: its parts would have to change over a period of "
            f"{linear.period} steps; take the circuit of the transformation within it"
        )
    polynomial = linear.characteristic
    order = polynomial.shape[-1] - 1
    if np.ndim(linear.curvature) == 2 or order > 2:
        raise ValueError(
            f"a circuit has one resistor, inductor and capacitor for a mode of one or two poles, "
            f"but {tx!r} has {order}"
            + (": hand over the spectrum" if np.ndim(linear.curvature) == 2 else "")
        )
    beta = polynomial[..., 2] if order == 2 else np.zeros(polynomial.shape[:-1])
    spring = np.sum(polynomial, -1)
    if not (np.all(spring > 0) and np.all((beta >= 0) & (beta < 1))):
        raise ValueError(
            f"no circuit of positive parts is like {tx!r}: the product of its poles is "
            f"{np.min(beta):.3g} to {np.max(beta):.3g}, and should be at least 0 and below 1"
        )
    # A product of poles of this size is a rounding error of 0.
    beta = np.where(beta < 1e-15, 0.0, beta)
    parts = np.ones_like(beta), (1 - beta) / spring, beta / (1 - beta)
    return Circuit(*(part if part.ndim else float(part) for part in parts))
