"""Schedule-Free learning: an average of the iterates in place of a decaying learning rate."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.apply import apply_updates
from gdlab.core.authoring import TreeFunctions
from gdlab.core.export import is_exported
from gdlab.core.hyperparameter import Fraction, Hyperparameter
from gdlab.core.numerics import cast, common_dtype, safe_divide, storage_dtype, trained, widen
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import Params, is_none, map_arrays
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.parameters.parameter_average import AveragedParams


@is_exported
class ImpliedAverage(NamedTuple):
    """The average x, computed from the parameters y = b1·x + (1 − b1)·z."""

    z: Params
    """The iterates."""
    b1: jax.Array
    """The weight of the average in the current parameters."""

    def evaluation_params(self, params: Params) -> Params:
        """x = z + (y − z)/b1, and z where b1 is 0."""
        of_leaf = lambda y, z: z + safe_divide(y - z, self.b1.astype(z.real.dtype))  # noqa: E731
        return map_arrays(of_leaf, widen(params), widen(self.z))


@transformation(
    reads=("params", "step", EVERYTHING),
    slots=("weight_sum", "max_lr", "z", "average", "base_optimizer_state"),
)
def schedule_free(
    base_optimizer: GradientTransformation,
    learning_rate: Hyperparameter,
    b1: Fraction = 0.9,
    weight_lr_power: Hyperparameter = 2.0,
    state_dtype: StorageDType | None = None,
    *,
    r: Hyperparameter = 0.0,
    decay_at_z: bool = False,
    keeps_average: bool = True,
) -> TreeFunctions:
    """Use any optimizer, with gradients taken between its iterate and the average of iterates.

    zₜ₊₁ = zₜ + base(∇f(yₜ)), xₜ₊₁ = (1 − cₜ)·xₜ + cₜ·zₜ₊₁, yₜ₊₁ = b1·xₜ₊₁ + (1 − b1)·zₜ₊₁ with
    cₜ = γₜ/(γ₁ + … + γₜ), γₜ = tʳ·(largest learning rate so far)^weight_lr_power

    The parameters during training are y; evaluate x, which :func:`evaluation_params` returns. With
    b1 = 0, y is the iterate of the base optimizer; with b1 = 1, gradients are taken at the average
    (primal averaging).

    When to use:
        In place of a learning rate that decays to zero, if the length of training is not known
        beforehand: x is good at every step. Use a constant learning rate after the warm-up, a base
        optimizer without momentum, and a larger b1 (0.95, 0.98) for longer runs.

    Args:
        base_optimizer: an optimizer, including its learning rate.
        learning_rate: the learning rate of ``base_optimizer``, which sets the weights of the
            average.
        b1: β, the weight of the average in the point at which gradients are taken, in [0, 1].
        weight_lr_power: the exponent of the learning rate in the weights.
        state_dtype: dtype in which z is stored; the parameter's, at least float32.
        r: the exponent of the step number in the weights; larger ones forget the start.
        decay_at_z: whether ``base_optimizer`` is given z instead of y as the parameters, so that
            its weight decay acts on z.
        keeps_average: False to compute x from y and z at each step, which saves one number per
            parameter. This needs b1 > 0 and parameters in at least float32: narrower ones are too
            inaccurate to compute x.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, evaluation_params, schedule_free, sgd
    >>> tx = schedule_free(sgd(1.0), 1.0, b1=0.5)
    >>> y = jnp.array([8.0])
    >>> state = tx.init(y)
    >>> for _ in range(2):
    ...     updates, state = tx.update(jnp.array([2.0]), state, y)
    ...     y = apply_updates(y, updates)
    >>> state.z, evaluation_params(state, y), y
    (Array([4.], dtype=float32), Array([5.], dtype=float32), Array([4.5], dtype=float32))

    Source: A. Defazio, X. Yang, H. Mehta, K. Mishchenko, A. Khaled, A. Cutkosky, The road less
    scheduled, 2024, eq. 3–5 and 19; the largest learning rate is the authors' code's.
    """

    def init(params):
        x = trained(params)
        zero = jnp.zeros((), common_dtype(jax.tree.leaves(params)))
        z = jax.tree.map(lambda w: cast(w, storage_dtype(w, state_dtype)), x)
        average = AveragedParams(x) if keeps_average else ImpliedAverage(z, b1 + zero)
        return zero, zero, z if keeps_average else (), average, base_optimizer.init(params)

    def update(updates, state, params, *, step, **extra):
        weight_sum, max_lr, z, average, inner = state
        z, x = widen(z if keeps_average else average.z), average.evaluation_params(params)
        max_lr = jnp.maximum(max_lr, learning_rate)
        weight = (jnp.asarray(step, max_lr.dtype) + 1) ** r * max_lr**weight_lr_power
        weight_sum = weight_sum + weight
        share = safe_divide(weight, weight_sum)

        at_z = jax.tree.map(lambda z, w: w if z is None else z, z, params, is_leaf=is_none)
        moved, inner = base_optimizer.update(
            updates, inner, at_z if decay_at_z else params, **extra
        )
        # Both means are written such that the mean of equal numbers is exact.
        z = apply_updates(z, moved)
        x = map_arrays(lambda x, z: x + share.astype(x.real.dtype) * (z - x), x, z)
        to_y = lambda _, w, x, z: z + b1 * (x - z) - w  # noqa: E731
        updates = map_arrays(to_y, updates, params, x, z)
        average = AveragedParams(x) if keeps_average else ImpliedAverage(z, b1 + 0 * max_lr)
        return updates, (weight_sum, max_lr, z if keeps_average else (), average, inner)

    return init, update
