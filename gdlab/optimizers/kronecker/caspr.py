"""CASPR: the preconditioners of the axes combined by a Kronecker sum."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.kronecker.shampoo import grafted_onto
from gdlab.transforms.decay import add_decayed_weights
from gdlab.transforms.kronecker_roots import scale_by_kronecker_roots
from gdlab.transforms.momentum import trace
from gdlab.transforms.scaling import scale_by_learning_rate


@transformation
def caspr(
    learning_rate: Hyperparameter,
    decay: Hyperparameter | None = None,
    eps: Hyperparameter = 1e-6,
    momentum: Hyperparameter | None = None,
    weight_decay: Hyperparameter | None = None,
    mask: Mask = None,
    *,
    graft: GradientTransformation | None = None,
    start: Hyperparameter | None = None,
    every: Hyperparameter = 1,
    relative_eps: bool = False,
    block_size: int | None = 1024,
    nesterov: bool = False,
) -> GradientTransformation:
    """CASPR: Shampoo whose factors are combined by the sum of their roots.

    Jₜ = L̃ₜ·gₜ + gₜ·R̃ₜ, wₜ₊₁ = wₜ − η·¼(L̃ₜ·Jₜ + Jₜ·R̃ₜ), with L̃ = (L + ε)^(−1/4),
    R̃ = (R + ε)^(−1/4), L and R as in :func:`shampoo`

    The preconditioner (½(L̃ ⊗ I + I ⊗ R̃))² is at least that of Shampoo, L̃ ⊗ R̃, and so bounds the
    inverse root of Adagrad's full matrix more closely. Without accumulation (``decay=0``, ε → 0)
    a square matrix of full rank moves by its polar factor UVᵀ, as in :func:`shampoo`. Vectors and
    numbers have the diagonal form.

    When to use:
        As :func:`shampoo`, at twice its products of matrices. In AlgoPerf's comparison at equal
        budgets it did worse.

    Args:
        learning_rate: η.
        decay: weight of the old value, where factors are averages; without it they are sums.
        eps: ε, added to the eigenvalues of the factors.
        momentum: weight of the old value in the momentum of the steps; none without it.
        weight_decay: λ, decoupled, which the learning rate scales; none without it.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        graft: the direction whose length the step is given, array by array; its own without it.
        start: the number of steps that ``graft`` takes alone at first.
        every: steps from one computation of the roots to the next.
        relative_eps: whether ε is in units of the largest eigenvalue of a factor.
        block_size: the largest side of the blocks that an array is cut into.
        nesterov: whether the momentum looks one step ahead.

    Raises:
        ValueError: if ``start`` is given without ``graft``.

    >>> from gdlab import caspr, expand
    >>> expand(caspr(0.1))
    chain(scale_by_kronecker_roots(kronecker_sum=True), scale_by_learning_rate(0.1))

    Source: S. S. Duvvuri, F. Devvrit, R. Anil, C.-J. Hsieh, I. S. Dhillon, Combining axes
    preconditioners through Kronecker approximation for deep learning, 2024, algorithm 1.
    """
    if start is not None and graft is None:
        raise ValueError("start is the number of steps that graft takes alone: give graft as well")
    roots = scale_by_kronecker_roots(
        decay,
        eps,
        every=every,
        relative_eps=relative_eps,
        block_size=block_size,
        kronecker_sum=True,
    )
    links = [roots if graft is None else grafted_onto(graft, roots, start)]
    if momentum is not None:
        links.append(trace(momentum, nesterov))
    if weight_decay is not None:
        links.append(add_decayed_weights(weight_decay, mask))
    return chain(*links, scale_by_learning_rate(learning_rate))
