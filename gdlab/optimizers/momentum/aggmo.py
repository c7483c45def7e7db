"""Aggregated momentum: the mean of several velocities of different decays."""

from collections.abc import Sequence
from typing import Annotated

from gdlab.checks.kinds import StorageDType
from gdlab.core.annotations import NonEmpty
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.signals.joins import weighted_sum
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def aggmo(
    learning_rate: Hyperparameter,
    betas: Annotated[Sequence[Hyperparameter], NonEmpty] = (0.0, 0.9, 0.99),
    accumulator_dtype: StorageDType | None = None,
) -> GradientTransformation:
    """Aggregated momentum: steps along the mean of several velocities.

    vₜ⁽ⁱ⁾ = βᵢ·vₜ₋₁⁽ⁱ⁾ + gₜ, wₜ₊₁ = wₜ − η·(vₜ⁽¹⁾ + … + vₜ⁽ᴷ⁾)/K

    With one β it is ``sgd(η, β)``. On a constant gradient the mean velocity grows to g·mean(1/(1 −
    βᵢ)). The velocities with smaller β damp the oscillations of those with larger β.

    When to use:
        If momentum of 0.99 or more would be fast but oscillates, as on losses with long, narrow
        valleys. Its state has one array for each β.

    Args:
        learning_rate: η.
        betas: the β of each velocity; the paper uses 1 − 0.1ᵏ, k = 0, …, K − 1.
        accumulator_dtype: dtype in which the velocities are stored.

    >>> import jax.numpy as jnp
    >>> from gdlab import aggmo
    >>> tx = aggmo(1.0, betas=(0.0, 0.5))
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (4.0, 0.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [-4.]
    [-1.]

    Source: J. Lucas, S. Sun, R. Zemel, R. Grosse, Aggregated momentum: stability through passive
    damping, 2018, eq. 4.
    """
    velocities = [trace(beta, accumulator_dtype=accumulator_dtype) for beta in betas]
    mean = weighted_sum(*[1 / len(velocities)] * len(velocities))
    return chain(fork(mean, *velocities), scale_by_learning_rate(learning_rate))
