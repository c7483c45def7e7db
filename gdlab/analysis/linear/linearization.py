"""An optimizer near a minimum as a matrix, computed from its own code."""

import dataclasses
import functools
from typing import Annotated, Any

import numpy as np

from gdlab.analysis.linear.arguments import one_each
from gdlab.analysis.linear.linear_system import in_succession
from gdlab.analysis.linear.precision import in_float64
from gdlab.analysis.linear.setting import Setting, periodic_setting, signal_sizes, step_loops
from gdlab.checks.checked import checked
from gdlab.checks.kinds import LARGEST_LENGTH, Between
from gdlab.core.transformation import GradientTransformation


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Linearization:
    """One step of an optimizer at its fixed point as x ← Ax + Bξ, with ξ the gradient noise.

    If the steps differ and repeat after a period of k, as with gradient accumulation, A, B and the
    poles are those of k steps, while rates are still per step.

    ``matrix`` has the shape (d, d) for one curvature, (m, d, d) for a spectrum of m modes, and (dn,
    dn) for a Hessian of n weights.
    """

    matrix: np.ndarray
    """The Jacobian A of (state, w) → (state, w), with w last; over a period, the product of
    ``step_matrices``, called the monodromy matrix."""
    step_matrices: np.ndarray
    """The Jacobian of each step of a period, in order; of shape ``(period, …)``."""
    input: np.ndarray
    """The derivative B with respect to the gradient; over a period, with respect to a gradient that
    is the same at all steps."""
    start: np.ndarray
    """The initial (state, w) for an initial w of 1, of the shape of ``input``."""
    coordinates: tuple[str, ...]
    """The coordinate of each row and column: paths in the state, then w."""
    curvature: np.ndarray
    """The curvature λ, the spectrum, or the Hessian."""

    @property
    def period(self) -> int:
        """The number of steps after which the optimizer repeats itself; 1 for most methods."""
        return len(self.step_matrices)

    @functools.cached_property
    def poles(self) -> np.ndarray:
        """The eigenvalues of the matrix, largest first; of each mode if there is a spectrum.

        A pole r contributes a multiple of rᵏ to the error after k periods.
        """
        return sorted_poles(self.matrix)

    @property
    def spectral_radius(self) -> Any:
        """The asymptotic factor ρ by which the error shrinks in one step.

        It is the modulus of the largest pole; with a period of k steps, its k-th root.
        """
        radius = np.abs(self.poles[..., 0]) ** (1 / self.period)
        return radius if radius.ndim else float(radius)

    @property
    def characteristic(self) -> np.ndarray:
        """Coefficients of the characteristic polynomial, highest power first; of each mode."""
        return _characteristic(self.matrix)

    @checked
    def simulate(self, w0: Any, steps: Annotated[int, Between(0, LARGEST_LENGTH)]) -> np.ndarray:
        """The iterates w₀, w₁, …, of shape (steps + 1,), or (steps + 1, n) for n modes or weights.

        Args:
            w0: the initial distance to the minimum: a number, or one for each mode or weight.
            steps: the number of steps.
        """
        n = self.input.shape[-1]
        w0 = one_each("w0", w0, len(self.curvature) if self.curvature.ndim else 1)
        x = self.start @ np.reshape(w0, (*self.matrix.shape[:-2], n, 1))
        path = np.empty((steps + 1, *x[..., -n:, 0].shape))
        for step in range(steps + 1):
            path[step] = x[..., -n:, 0]
            x = self.step_matrices[step % self.period] @ x
        return path.reshape(steps + 1, *self.curvature.shape[:1])

    def plot(self, ax: Any = None) -> Any:
        """Draw the poles in the unit circle; needs the extra ``lab``.

        The modes of a spectrum have different markers, as far as there are enough.

        Args:
            ax: the matplotlib axes to draw on; new ones unless given.

        Returns:
            The matplotlib axes.
        """
        from gdlab import plots
        from gdlab.plots.scales import MARKERS, label

        modes = self.curvature if self.matrix.ndim == 3 else ()
        labels = [f"λ = {label(curvature)}" for curvature in modes]
        told_apart = labels if 1 < len(labels) <= len(MARKERS) else None
        return plots.poles(self.poles, ax=ax, labels=told_apart)


@checked
@in_float64
def linearize(
    tx: GradientTransformation,
    curvature: Any,
    *,
    step: int | None = None,
    state: Any = None,
    params: Any = None,
    gradient_rms: Any = 1.0,
) -> Linearization:
    """The Jacobian of one step of ``tx`` at the minimum of a quadratic.

    xₜ₊₁ = A·xₜ with x = (state, w), computed from the code of ``tx`` itself. Scales, such as Adam's
    second moment, are held fixed; parts of the state that do not influence w, such as averages of
    the parameters, are left out. If the steps differ, as with gradient accumulation or look-ahead
    optimizers, A is the product over their period.

    Args:
        tx: any transformation that is odd in the gradients, and linear once its scales are held.
        curvature: the curvature λ of one mode; a spectrum of shape (n,), whose modes are treated
            separately; or a Hessian of shape (n, n).
        step: t ≥ 1, to take clocks and scales at the t-th update, or over the period that begins
            with it; by default the limit t → ∞.
        state: a state of ``tx`` whose scales are held instead, at the step or over the period that
            led to it; a spectrum is then the diagonal of a Hessian.
        params: the tree of parameters to which the state belongs; by default an array of shape
            (n,), or a scalar if the curvature is a number.
        gradient_rms: the root mean square of the gradients from which the scales are computed, a
            number or one for each mode or weight. With 1, curvature is measured in the metric of
            the preconditioner.

    Returns:
        A :class:`Linearization`, computed in float64.

    Raises:
        ValueError: if ``tx`` is not odd, not linear or random; if its scales have no limit
            (Adagrad's grow forever) and neither ``step`` nor ``state`` is given; if its steps
            differ and do not repeat within 64 steps; if the curvature is not finite or not
            symmetric.

    >>> from gdlab import adam, sgd
    >>> from gdlab.analysis import linearize
    >>> heavy_ball = linearize(sgd(0.1, momentum=0.5), curvature=1.0)
    >>> heavy_ball.coordinates
    ('trace', 'w')
    >>> heavy_ball.matrix
    array([[ 0.5 ,  1.  ],
           [-0.05,  0.9 ]])
    >>> heavy_ball.characteristic
    array([ 1. , -1.4,  0.5])
    >>> float(abs(linearize(adam(1.0), 38.0).poles[0]).round(6))
    1.0

    Source: L. Lessard, B. Recht, A. Packard, Analysis and design of optimization algorithms via
    integral quadratic constraints, 2016, section 2; for held scales J. Cohen et al., Adaptive
    gradient methods at the edge of stability, 2022, section 2.
    """
    setting = periodic_setting(
        tx, curvature, step=step, state=state, params=params, gradient_rms=gradient_rms
    )
    steps = step_loops(setting)
    system = in_succession(steps)
    return Linearization(
        matrix=setting.shaped(system.A),
        step_matrices=np.stack([setting.shaped(matrix) for matrix in steps.A]),
        input=setting.shaped(system.B),
        start=setting.shaped(system.start),
        coordinates=_labels(setting),
        curvature=setting.curvature,
    )


def sorted_poles(matrix: np.ndarray) -> np.ndarray:
    """Eigenvalues of matrices (…, d, d), largest first, the positive one of conjugates first."""
    poles = np.linalg.eigvals(matrix).astype(complex)
    order = np.lexsort((-np.imag(poles), -np.real(poles), -np.abs(poles).round(12)), axis=-1)
    return np.take_along_axis(poles, order, -1)


def _labels(setting: Setting) -> tuple[str, ...]:
    anatomy = setting.anatomy
    names = [anatomy.paths[i] for i in anatomy.positions("signal")]
    sizes = signal_sizes(anatomy, setting.tx, setting.params)
    labels = []
    for name, size, kept in zip(
        [*names, "w"], [*sizes, setting.hessians.shape[-1]], [*setting.kept, True], strict=True
    ):
        if kept:
            labels += [name] if size == 1 else [f"{name}[{i}]" for i in range(size)]
    return tuple(labels)


def _characteristic(matrix: np.ndarray) -> np.ndarray:
    """Coefficients of det(r − A), by Faddeev and LeVerrier: exact to rounding at double roots."""
    d = matrix.shape[-1]
    coefficients = [np.ones(matrix.shape[:-2])]
    partial = np.zeros_like(matrix)
    for power in range(1, d + 1):
        partial = matrix @ partial + coefficients[-1][..., None, None] * np.eye(d)
        coefficients.append(-np.trace(matrix @ partial, axis1=-2, axis2=-1) / power)
    return np.stack(coefficients, -1)
