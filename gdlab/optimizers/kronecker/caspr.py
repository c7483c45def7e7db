"""CASPR: Shampoo with a Kronecker sum in place of the Kronecker product."""

from gdlab.checks.kinds import Count
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period, StepCount
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.optimizers.kronecker.shampoo import descent_along
from gdlab.transforms.matrices.kronecker_roots import scale_by_kronecker_roots


@transformation
def caspr(
    learning_rate: Hyperparameter,
    decay: Fraction | None = None,
    eps: NonNegative = 1e-6,
    momentum: Hyperparameter | None = None,
    weight_decay: Hyperparameter | None = None,
    mask: Mask = None,
    *,
    graft: GradientTransformation | None = None,
    start: StepCount | None = None,
    every: Period = 1,
    relative_eps: bool = False,
    block_size: Count | None = 1024,
    nesterov: bool = False,
) -> GradientTransformation:
    """CASPR: Shampoo with a Kronecker sum of the roots of its factors.

    Jₜ = L̃ₜ·gₜ + gₜ·R̃ₜ, wₜ₊₁ = wₜ − η·¼(L̃ₜ·Jₜ + Jₜ·R̃ₜ), with L̃ = (L + ε)^(−1/4),
    R̃ = (R + ε)^(−1/4), L and R as in :func:`shampoo`

    The preconditioner (½(L̃ ⊗ I + I ⊗ R̃))² is at least that of Shampoo, L̃ ⊗ R̃, and at most √r
    times the inverse root of Adagrad's full matrix, for gradients of rank r at most. Without
    accumulation (``decay=0``, ε → 0) a square matrix of full rank moves by its polar factor UVᵀ, as
    in :func:`shampoo`. For vectors and scalars the diagonal form is used.

    When to use:
        As :func:`shampoo`, with twice as many matrix products. In AlgoPerf, at equal budgets, it
        did worse.

    Args:
        learning_rate: η.
        decay: decay of the factors as averages; they are sums unless given.
        eps: ε, added to the eigenvalues of the factors.
        momentum: decay of the momentum of the steps; none unless given.
        weight_decay: λ, decoupled, which the learning rate scales; none unless given.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        graft: the direction whose norm the step takes, array by array; no grafting unless given.
        start: the number of initial steps that follow ``graft`` alone.
        every: the number of steps from one computation of the roots to the next.
        relative_eps: whether ε is in units of the largest eigenvalue of a factor.
        block_size: the largest side of the blocks into which an array is split.
        nesterov: whether the momentum looks one step ahead.

    Raises:
        ValueError: if ``start`` is given without ``graft``.

    >>> from gdlab import caspr, expand
    >>> expand(caspr(0.1))
    chain(scale_by_kronecker_roots(kronecker_sum=True), scale_by_learning_rate(0.1))

    Source: S. S. Duvvuri, F. Devvrit, R. Anil, C.-J. Hsieh, I. S. Dhillon, Combining axes
    preconditioners through Kronecker approximation for deep learning, 2024, algorithm 1.
    """
    roots = scale_by_kronecker_roots(
        decay,
        eps,
        every=every,
        relative_eps=relative_eps,
        block_size=block_size,
        kronecker_sum=True,
    )
    return descent_along(
        roots, learning_rate, momentum, nesterov, weight_decay, mask, graft=graft, start=start
    )
