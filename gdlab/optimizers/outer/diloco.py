"""DiLoCo: an outer Nesterov step every so many inner ones."""

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
    """DiLoCo on one worker: Nesterov's momentum over what an inner method does in many steps.

    w takes steps of ``inner`` from φ. After every ``every`` of them Δ = φ − w, v ← β·v + Δ,
    φ ← φ − η·(Δ + β·v), and w ← φ. φ is what :func:`evaluation_params` reads.

    At η = 1, β = 0 it is ``inner``, at β = 0 :func:`lookahead` with the slow step size η.

    With ``inner = muon(…)`` it is MuLoCo, and as it stands here, without further workers, SNOO. On
    several workers, which take inner steps on data of their own under ``jax.shard_map``, the outer
    method gets the mean of their Δ: give :func:`slow_weights` one that begins with a part made of
    ``jax.lax.pmean``.

    When to use:
        Workers that can exchange their weights only now and then; and on one worker, long runs of
        language models, for a few per cent fewer steps at two arrays more. Then ``every`` is 20 to
        100.

    Args:
        inner: the method of the inner steps, with its own schedule; its state goes on.
        outer_learning_rate: η of the outer step.
        outer_momentum: β of the outer step.
        every: inner steps for each outer one.

    Raises:
        ValueError: if ``params`` are missing.

    >>> from gdlab import adamw, diloco, expand
    >>> expand(diloco(adamw(1e-3), every=20))
    slow_weights(adamw(0.001), sgd(0.7, momentum=0.9, nesterov=True), 20.0)

    Source: A. Douillard et al., DiLoCo: distributed low-communication training of language models,
    2023, algorithm 1; D. Kallusky et al., SNOO: step-K Nesterov outer optimizer, 2025.
    """
    return slow_weights(inner, sgd(outer_learning_rate, outer_momentum, nesterov=True), every)
