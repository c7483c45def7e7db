"""Scion: steps of a fixed norm, chosen for each layer, inside a ball of that norm."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, identity, named_chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.matrices.matrix_axes import MatrixAxes
from gdlab.transforms.matrices.newton_schulz import STANDARD, IterationCount, Polynomials
from gdlab.transforms.norms.steepest import BY_SHAPE, Norms, steepest
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale, scale_by_learning_rate


@transformation
def scion(
    learning_rate: Hyperparameter,
    radius: NonNegative = 1.0,
    beta: Hyperparameter = 0.9,
    norms: Norms = BY_SHAPE,
    ns_coeffs: Polynomials = STANDARD,
    ns_steps: IterationCount = 5,
    eps: NonNegative = 1e-8,
    mu_dtype: StorageDType | None = None,
    *,
    constrained: bool = True,
    weight_dimension_numbers: MatrixAxes = None,
    dtype: StorageDType | None = None,
) -> GradientTransformation:
    """Scion: steepest descent in a norm chosen for each layer, in a ball of that norm.

    mₜ = β·mₜ₋₁ + (1 − β)·gₜ, wₜ₊₁ = (1 − η)·wₜ − η·ρ·steepest(mₜ); unconstrained without (1 − η)

    If constrained, it is the conditional gradient method: every step goes towards a point of the
    ball ‖w‖ ≤ ρ, and weights that begin in the ball stay in it (0 ≤ η ≤ 1, exact directions).
    Scaling the loss changes nothing (ε → 0), and learning rates carry over from width to width.

    When to use:
        For whole networks. Muon leaves embeddings, output layers and biases to AdamW with a
        separate learning rate; here each layer has a norm, and one learning rate suffices. Give the
        output layer "sign" and a radius 10 to 100 times that of hidden layers.

    Args:
        learning_rate: η.
        radius: ρ, one for all leaves, or a list of pairs ``(pattern, radius)``:
            ``[("head", 3000.0), ("", 50.0)]``.
        beta: β, the weight of the old average; the paper's α is 1 − β.
        norms: the norm of each leaf, as for :func:`steepest`:
            ``[("embedding", "column"), ("head", "sign")]``.
        ns_coeffs: coefficients of the polynomials, as for :func:`orthogonalize`.
        ns_steps: the number of iterations.
        eps: ε, added to each norm in a denominator.
        mu_dtype: dtype in which the average is stored.
        constrained: whether the weights are multiplied by 1 − η, as by weight decay 1.
        weight_dimension_numbers: which parameters are matrices, and their axes, as for
            :func:`orthogonalize`; those with two axes unless given.
        dtype: dtype of the matrix products; at least float32 unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab import scion
    >>> tx = scion(0.1, norms="sign", constrained=False)
    >>> tx.update(jnp.array([[3.0, -1.0]]), tx.init(jnp.ones((1, 2))), jnp.ones((1, 2)))[0]
    Array([[-0.1,  0.1]], dtype=float32)

    Source: T. Pethick, W. Xie, K. Antonakopoulos, Z. Zhu, A. Silveti-Falls, V. Cevher, Training
    deep learning models with norm-constrained LMOs, 2025, algorithms 1 and 2.
    """
    direction = steepest(
        norms,
        ns_coeffs,
        ns_steps,
        eps,
        weight_dimension_numbers=weight_dimension_numbers,
        dtype=dtype,
    )
    return chain(
        named_chain(("mu", ema(beta, accumulator_dtype=mu_dtype))),
        direction,
        scale(radius),
        add_decayed_weights(1.0) if constrained else identity(),
        scale_by_learning_rate(learning_rate),
    )
