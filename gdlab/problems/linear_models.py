"""Linear models on real data, with known minimisers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.losses.classification import sigmoid_binary_cross_entropy
from gdlab.losses.regression import squared_error
from gdlab.problems.bundled_data import breast_cancer, diabetes
from gdlab.problems.problem import Problem, tags


@checked
def least_squares(examples: int | None = None) -> Problem:
    """Least squares on the diabetes data: ten measurements, and the progression of the disease.

    f(w) = ‖Xw − y‖²/n,    H = 2XᵀX/n

    Inputs and targets are shifted to mean zero and scaled to variance one over all 442 patients.
    With fewer than ten patients the problem is underdetermined: the loss is zero on a whole affine
    subspace, and ``minimisers`` has the point of smallest norm, X⁺y, to which gradient descent
    converges from the start, zero. With more patients the equations are inconsistent, so that
    stochastic steps on single examples never settle.

    It needs scikit-learn.

    Args:
        examples: the number of patients; by default all 442.

    Raises:
        ValueError: if there are fewer patients than that.

    >>> from gdlab import minimize, problems, sgd
    >>> problem = problems.least_squares(examples=5)
    >>> run = minimize(problem, problem.start, sgd(0.1), steps=2000, data=problem.data)
    >>> bool(abs(run.params - problem.minimisers[0]).max() < 1e-3)
    True

    Source: B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least angle regression, 2004.
    """
    inputs, targets = diabetes()
    count = len(targets) if examples is None else examples
    if not 1 <= count <= len(targets):
        raise ValueError(f"examples must be from 1 to {len(targets)}, not {examples}")
    inputs, targets = standardised(inputs)[:count], standardised(targets)[:count]
    best = np.linalg.pinv(inputs) @ targets
    scales = np.zeros(inputs.shape[1])
    singular = np.linalg.svd(inputs, compute_uv=False)
    scales[: len(singular)] = singular
    spectrum = np.sort(2 * scales**2 / count)
    underdetermined = count < len(best)
    residual = np.mean((inputs @ best - targets) ** 2)
    return Problem(
        function=_mean_squared_error,
        name="least squares" if examples is None else f"least squares, {examples} examples",
        start=np.zeros_like(best),
        source="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least angle regression, 2004",
        tags=tags("convex", "quadratic", "data", "ravine", degenerate=underdetermined),
        minimum=0.0 if underdetermined else float(residual),
        minimisers=(best,),
        spectrum=spectrum,
        curvature_bounds=(float(spectrum[0]), float(spectrum[-1])),
        data=(inputs, targets),
        model=_linear,
    )


@checked
def logistic_regression(regularisation: float = 0.01) -> Problem:
    """Logistic regression on the breast-cancer data, with L² regularisation.

    f(w) = meanᵢ log(1 + exp(−yᵢ xᵢᵀw)) + ½ regularisation ‖w‖²,    yᵢ = ±1

    There are 569 tumours with 30 measurements, each shifted to mean zero and scaled to variance
    one, and a constant input. The minimiser is computed by Newton's method when the problem is
    made. The curvature is everywhere between the regularisation μ and μ + ¼ times the largest
    eigenvalue of XᵀX/n.

    It needs scikit-learn.

    Args:
        regularisation: the regularisation μ > 0, without which the minimiser would be at infinity,
            since a plane separates the data almost perfectly.

    Raises:
        ValueError: if ``regularisation`` is not positive.

    >>> import jax
    >>> from gdlab import problems
    >>> problem = problems.logistic_regression()
    >>> gradient = jax.grad(problem)(problem.minimisers[0], problem.data)
    >>> bool(abs(gradient).max() < 1e-5)
    True

    Source: W. N. Street, W. H. Wolberg, O. L. Mangasarian, Nuclear feature extraction for breast
    tumor diagnosis, 1993.
    """
    if not regularisation > 0:
        raise ValueError(f"regularisation must be positive, not {regularisation}")
    inputs, labels = breast_cancer()
    inputs = np.column_stack([standardised(inputs), np.ones(len(inputs))])
    signs = 2.0 * labels - 1

    def function(w: jax.Array, batch: Any) -> jax.Array:
        x, y = (jnp.asarray(part, w.dtype) for part in batch)
        fit = jnp.mean(sigmoid_binary_cross_entropy(x @ w, 0.5 * (1 + y)))
        return fit + 0.5 * regularisation * jnp.sum(w**2)

    best, hessian = _newton(inputs, signs, regularisation)
    spectrum = np.linalg.eigvalsh(hessian)
    steepest = np.linalg.svd(inputs, compute_uv=False)[0] ** 2 / len(inputs) / 4
    losses = np.logaddexp(0, -signs * (inputs @ best))
    return Problem(
        function=function,
        name="logistic regression",
        start=np.zeros_like(best),
        source="W. N. Street, W. H. Wolberg, O. L. Mangasarian, Nuclear feature extraction for "
        "breast tumor diagnosis, 1993",
        tags=tags("convex", "data", "ravine"),
        minimum=float(losses.mean() + 0.5 * regularisation * best @ best),
        minimisers=(best,),
        spectrum=spectrum,
        curvature_bounds=(regularisation, float(regularisation + steepest)),
        data=(inputs, signs),
        model=_linear,
    )


def standardised(values: np.ndarray) -> np.ndarray:
    """The values with each column shifted to mean zero and scaled to variance one."""
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _linear(w: jax.Array, inputs: Any) -> jax.Array:
    w = jnp.asarray(w)
    return jnp.asarray(inputs, w.dtype) @ w


def _mean_squared_error(w: jax.Array, batch: Any) -> jax.Array:
    inputs, targets = batch
    return jnp.mean(squared_error(_linear(w, inputs), targets))


def _newton(
    inputs: np.ndarray, signs: np.ndarray, regularisation: float
) -> tuple[np.ndarray, np.ndarray]:
    """The minimiser of the regularised logistic loss, and the Hessian at the minimiser."""
    count, size = inputs.shape
    weights, hessian = np.zeros(size), np.eye(size)
    for _ in range(100):
        doubt = 1 / (1 + np.exp(signs * (inputs @ weights)))
        gradient = regularisation * weights - inputs.T @ (signs * doubt) / count
        curvatures = doubt * (1 - doubt) / count
        hessian = (inputs.T * curvatures) @ inputs + regularisation * np.eye(size)
        step = np.linalg.solve(hessian, gradient)
        # A full step may overshoot far from the minimiser, so it is damped by the Newton decrement.
        weights = weights - step / (1 + np.sqrt(step @ gradient))
        if np.abs(step).max() < 1e-13 * max(1, np.abs(weights).max()):
            break
    return weights, hessian
