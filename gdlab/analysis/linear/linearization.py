"""An optimizer near a minimum as a matrix, taken from the very code that trains."""

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
    """x ← Ax + Bξ: one step of an optimizer at the fixed point, ξ being noise of the gradient.

    Where the steps differ and repeat after a period of k, as with gradient accumulation, A and B
    are those of k steps, and so are the poles; rates are per step all the same.

    For one curvature ``matrix`` has the shape (d, d), for a spectrum of m modes (m, d, d), for a
    Hessian of n weights (dn, dn).
    """

    matrix: np.ndarray
    """A, the Jacobian of (state, w) → (state, w), where w comes last; over a period, the product of
    ``step_matrices``, which is called the monodromy matrix."""
    step_matrices: np.ndarray
    """The Jacobian of each step of a period, in order; of shape ``(period, …)``."""
    input: np.ndarray
    """B, the derivative with respect to the gradient, the same one in all steps of a period."""
    start: np.ndarray
    """The initial (state, w) that a w of 1 has, in the shape of ``input``."""
    coordinates: tuple[str, ...]
    """The coordinate of each row and column: paths in the state, then w."""
    curvature: np.ndarray
    """λ, the spectrum, or the Hessian."""

    @property
    def period(self) -> int:
        """The number of steps after which the optimizer repeats the same map; 1 for most."""
        return len(self.step_matrices)

    @functools.cached_property
    def poles(self) -> np.ndarray:
        """The eigenvalues of the matrix, largest first; of each mode if there is a spectrum.

        A pole r contributes a multiple of rᵏ to the error after k periods.
        """
        return sorted_poles(self.matrix)

    @property
    def spectral_radius(self) -> Any:
        """ρ, the asymptotic factor by which the error shrinks in one step.

        It is the modulus of the largest pole.

        Over a period of k steps that pole is ρᵏ.
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
            w0: the start, as distance to the minimum: a number, or one for each mode or weight.
            steps: how many steps.
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

        The modes of a spectrum are told apart as long as there are shapes for them.

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

    xₜ₊₁ = A·xₜ with x = (state, w), from the code of ``tx`` itself. Scales, such as Adam's second
    moment, are held; parts of the state that w does not come back from, such as averages of the
    parameters, are left out. Where the steps differ, as with gradient accumulation or in look-ahead
    optimizers, they are followed over their period.

    Args:
        tx: any transformation that is odd in the gradients, and linear once its scales are held.
        curvature: λ of one mode; a spectrum of shape (n,), whose modes are taken apart; or a
            Hessian of shape (n, n).
        step: t ≥ 1, to take clocks and scales at the t-th update, or the period that begins with
            it; the limit t → ∞ unless given.
        state: a state of ``tx`` whose scales are held instead, at the step or the period that led
            to it; a spectrum is then the diagonal of a Hessian.
        params: the tree of parameters that the state belongs to; unless given, an array of shape
            (n,), or a number if the curvature is one.
        gradient_rms: the root mean square of the gradients that the scales have seen, a number or
            one for each mode or weight. With 1 curvature is measured in the preconditioner's
            metric.

    Returns:
        A :class:`Linearization`, computed in float64.

    Raises:
        ValueError: if ``tx`` is not odd, not linear or random; if its scales have no limit
            (Adagrad's grow for ever) and neither ``step`` nor ``state`` is given; if its steps
            differ, and do not repeat within 64; if the curvature is not finite or not symmetric.

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
    """Eigenvalues of matrices (…, d, d), largest first, conjugates with the positive one first."""
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
