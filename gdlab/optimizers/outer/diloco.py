"""DiLoCo: an outer Nesterov step after every few hundred inner steps."""

from gdlab.core.hyperparameter import Hyperparameter, Period
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.optimizers.momentum.sgd import sgd
from gdlab.transforms.parameters.slow_weights import slow_weights


@transformation
def diloco(
    inner: GradientTransformation,
    outer_learning_rate: Hyperparameter = 0.7,
    outer_momentum: Hyperparameter = 0.9,
    every: Period = 500,
) -> GradientTransformation:
    """DiLoCo on one worker: Nesterov's momentum on the displacement by many inner steps.

    w takes steps of ``inner`` from φ. After each ``every`` steps Δ = φ − w, v ← β·v + Δ, φ ← φ −
    η·(Δ + β·v), and w ← φ. :func:`evaluation_params` returns φ.

    At η = 1, β = 0 it is ``inner``, at β = 0 :func:`lookahead` with the slow step size η.

    With ``inner = muon(…)`` it is MuLoCo, and on one worker, as here, SNOO. With several workers,
    which take inner steps on different data under ``jax.shard_map``, the outer method needs the
    mean of their Δ: use :func:`slow_weights` with an outer method that begins with
    ``jax.lax.pmean``.

    When to use:
        Workers that can exchange their weights only rarely. On one worker, long runs of language
        models, where it needs a few per cent fewer steps, two more arrays, and ``every`` from 20 to
        100.

    Args:
        inner: the method of the inner steps, with its own schedule; its state is not reset.
        outer_learning_rate: η, the learning rate of the outer step.
        outer_momentum: β, the momentum of the outer step.
        every: the number of inner steps per outer step.

    Raises:
        ValueError: if ``params`` are missing.

    >>> from gdlab import adamw, diloco, expand
    >>> expand(diloco(adamw(1e-3), every=20))
    slow_weights(adamw(0.001), sgd(0.7, momentum=0.9, nesterov=True), 20.0)

    Source: A. Douillard et al., DiLoCo: distributed low-communication training of language models,
    2023, algorithm 1; D. Kallusky et al., SNOO: step-K Nesterov outer optimizer, 2025.
    """
    return slow_weights(inner, sgd(outer_learning_rate, outer_momentum, nesterov=True), every)
