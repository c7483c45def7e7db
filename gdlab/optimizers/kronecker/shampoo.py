"""Shampoo: a preconditioner for each axis of an array."""

from gdlab.checks.kinds import Count
from gdlab.core.by_leaf import Mask, Structure
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period, StepCount
from gdlab.core.joins import bus
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, on_wires, wire
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.matrices.kronecker_roots import scale_by_kronecker_roots
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.grafting import grafted
from gdlab.transforms.signals.scaling import scale_by_learning_rate
from gdlab.transforms.signals.switching import from_step, switch


@transformation
def shampoo(
    learning_rate: Hyperparameter,
    decay: Fraction | None = None,
    eps: NonNegative = 1e-6,
    momentum: Hyperparameter | None = None,
    weight_decay: Hyperparameter | None = None,
    mask: Mask = None,
    *,
    graft: GradientTransformation | None = None,
    start: StepCount | None = None,
    exponent: Hyperparameter | None = None,
    every: Period = 1,
    relative_eps: bool = False,
    block_size: Count | None = 1024,
    axes: Structure | None = None,
    nesterov: bool = False,
) -> GradientTransformation:
    """Shampoo: Adagrad with one matrix per axis of an array instead of one for all elements.

    Lₜ = Lₜ₋₁ + gₜ·gₜᵀ, Rₜ = Rₜ₋₁ + gₜᵀ·gₜ, wₜ₊₁ = wₜ − η·(Lₜ + ε)^(−1/4)·gₜ·(Rₜ + ε)^(−1/4)

    r·(L ⊗ R)^(1/2) bounds the full matrix of Adagrad from above, for gradients of rank r at most,
    at m² + n² numbers for m·n weights. Rotating an axis of the weights rotates the path. Without
    accumulation (``decay=0``, ε → 0) a matrix of full rank moves by its polar factor UVᵀ, as in
    Muon. For vectors and scalars the diagonal form is used, :func:`adagrad`.

    When to use:
        Large matrices and well-tuned training; it won AlgoPerf. Use averages as factors, the step
        length of Adam, and roots at some steps only:
        ``shampoo(1e-3, 0.999, graft=scale_by_adam(), start=25, every=10, momentum=0.9)``.
        :func:`soap` has fewer hyperparameters to tune.

    Args:
        learning_rate: η.
        decay: decay of the factors as averages; they are sums unless given.
        eps: ε, added to the eigenvalues of the factors.
        momentum: decay of the momentum of the steps; none unless given.
        weight_decay: λ, decoupled, which the learning rate scales; none unless given.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        graft: the direction whose norm the step takes, array by array, such as
            :func:`scale_by_adam` or :func:`scale_by_rss`; no grafting unless given.
        start: the number of initial steps that follow ``graft`` alone.
        exponent: p of the roots F^(−p); 1/(2k) for k factors unless given.
        every: the number of steps from one computation of the roots to the next.
        relative_eps: whether ε is in units of the largest eigenvalue of a factor.
        block_size: the largest side of the blocks into which an array is split.
        axes: the axes with a factor, as in :func:`scale_by_kronecker_roots`.
        nesterov: whether the momentum looks one step ahead.

    Raises:
        ValueError: if ``start`` is given without ``graft``.

    >>> import jax.numpy as jnp
    >>> from gdlab import expand, shampoo
    >>> expand(shampoo(0.1, momentum=0.9))
    chain(scale_by_kronecker_roots(), trace(0.9), scale_by_learning_rate(0.1))

    Source: V. Gupta, T. Koren, Y. Singer, Shampoo: preconditioned stochastic tensor optimization,
    2018, algorithms 1 and 2; R. Anil, V. Gupta, T. Koren, K. Regan, Y. Singer, Scalable second
    order optimization for deep learning, 2020; H.-J. M. Shi and others, A distributed data-parallel
    PyTorch implementation of the distributed Shampoo optimizer, 2023, section 3.
    """
    roots = scale_by_kronecker_roots(
        decay,
        eps,
        exponent=exponent,
        every=every,
        relative_eps=relative_eps,
        block_size=block_size,
        axes=axes,
    )
    return descent_along(
        roots, learning_rate, momentum, nesterov, weight_decay, mask, graft=graft, start=start
    )


def descent_along(
    direction: GradientTransformation,
    learning_rate: Hyperparameter,
    momentum: Hyperparameter | None,
    nesterov: bool,
    weight_decay: Hyperparameter | None,
    mask: Mask,
    *,
    graft: GradientTransformation | None,
    start: StepCount | None,
) -> GradientTransformation:
    """A direction, optionally grafted, with momentum, decoupled decay and a learning rate."""
    if start is not None and graft is None:
        raise ValueError("start is the number of steps that graft takes alone: give graft as well")
    links = [direction if graft is None else grafted_onto(graft, direction, start)]
    if momentum is not None:
        links.append(trace(momentum, nesterov))
    if weight_decay is not None:
        links.append(add_decayed_weights(weight_decay, mask))
    return chain(*links, scale_by_learning_rate(learning_rate))


def grafted_onto(
    graft: GradientTransformation,
    direction: GradientTransformation,
    start: StepCount | None,
) -> GradientTransformation:
    """A direction with the norm of ``graft``; before the step ``start``, ``graft`` alone."""
    if start is None:
        return fork(grafted(), graft, direction)
    both = fork(bus(), graft, direction)
    return chain(both, fork(switch(from_step(start)), wire(0), on_wires(grafted())))
