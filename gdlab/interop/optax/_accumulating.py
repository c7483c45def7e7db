"""Averages, and updates from several micro-batches."""

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.authoring import TreeFunctions, open_tree_rule
from gdlab.core.export import is_exported_call
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import cast, dtype_like, safe_increment, trained
from gdlab.core.opening import declaration
from gdlab.core.parametrized import parametrized
from gdlab.core.rarely import rarely
from gdlab.core.rules import EVERYTHING
from gdlab.core.schedule import Schedule
from gdlab.core.state import State
from gdlab.core.structure import (
    DType,
    Function,
    Leaf,
    Params,
    Tree,
    Updates,
)
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.interop.optax._counting import count_steps
from gdlab.transforms.averages import averaging, debiasing
from gdlab.transforms.steps.periods import is_complete


@transformation
def ema(
    decay: Hyperparameter, debias: bool = True, accumulator_dtype: DType | None = None
) -> GradientTransformation:
    """Exponential moving average, by default corrected for its start at zero.

    Args:
        decay: the weight of the old value.
        debias: whether the average is corrected for its start; gdlab's own ``ema`` never is.
        accumulator_dtype: the dtype in which the average is stored.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.ema(0.9)
    >>> tx.update(jnp.ones(1), tx.init(jnp.ones(1)))[0]
    Array([1.], dtype=float32)
    """
    average = averaging.ema(decay, accumulator_dtype=accumulator_dtype)
    return chain(debiasing.debias(average) if debias else average, count_steps())


def skip_not_finite(
    updates: Updates,
    gradient_step: jax.typing.ArrayLike,  # noqa: ARG001
    params: Params | None,  # noqa: ARG001
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Tell :class:`MultiSteps` to skip gradients with an element that is not finite."""
    bad = [jnp.sum(~jnp.isfinite(leaf)) for leaf in jax.tree.leaves(updates)]
    num_not_finite = jnp.sum(jnp.array(bad))
    should_skip = num_not_finite > 0
    return should_skip, {"should_skip": should_skip, "num_not_finite": num_not_finite}


def skip_large_updates(
    updates: Updates,
    gradient_step: jax.typing.ArrayLike,  # noqa: ARG001
    params: Params | None,  # noqa: ARG001
    max_squared_norm: jax.typing.ArrayLike,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Tell :class:`MultiSteps` to skip gradients whose squared norm is too large, or NaN."""
    squares = [jnp.sum(leaf**2) for leaf in jax.tree.leaves(updates)]
    norm_squared = jnp.sum(jnp.array(squares))
    should_skip = ~(norm_squared < max_squared_norm)
    return should_skip, {"should_skip": should_skip, "norm_squared": norm_squared}


@is_exported_call
class MultiSteps(GradientTransformation):
    """Update once out of several calls, with the mean or the sum of their gradients.

    ``every_k_schedule`` is the number of calls for each update, or a function from the number of
    updates so far to it. A call for which ``should_skip_update_fn`` returns True is ignored; the
    second value that the function returns is kept as ``skip_state`` in the state.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.MultiSteps(optax.sgd(1.0), every_k_schedule=2)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 3.0):
    ...     updates, state = tx.update(jnp.array([g]), state)
    ...     print(updates, tx.has_updated(state))
    [0.] False
    [-2.] True
    """

    __slots__ = ()

    def __new__(
        cls,
        opt: GradientTransformation,
        every_k_schedule: Hyperparameter,
        use_grad_mean: bool = True,
        should_skip_update_fn: Function | None = None,
        accumulator_dtype: DType = jnp.float32,
    ) -> "MultiSteps":
        """Wrap ``opt``."""
        steps, schedule = every_k_schedule, None
        if callable(every_k_schedule):
            # optax's schedule is a function of the number of updates, not of calls.
            steps, schedule = None, every_k_schedule
            if isinstance(schedule, Schedule):
                schedule = schedule.__call__
        return multi_steps(
            opt, steps, schedule, use_grad_mean, should_skip_update_fn, accumulator_dtype
        )

    @property
    def inner_opt(self) -> GradientTransformation:
        """The wrapped transformation."""
        return self.opt

    def has_updated(self, state: State) -> jax.Array:
        """Tell whether the last call made an update."""
        return (state.mini_step == 0) & (state.gradient_step > 0)

    def gradient_transformation(self) -> GradientTransformation:
        """The wrapper itself, which is a transformation already."""
        return self


def _update_rarely(
    opt: GradientTransformation,
    every_k: Hyperparameter | None = None,
    every_k_schedule: Function | None = None,
    use_grad_mean: bool = True,
    should_skip_update_fn: Function | None = None,
    accumulator_dtype: DType = jnp.float32,
) -> TreeFunctions:
    """Update once out of several calls."""
    should_skip = should_skip_update_fn or _never
    accumulator = np.dtype(accumulator_dtype)

    def init(params):
        zero = jnp.zeros((), jnp.int32)
        gradients = jax.tree.map(jnp.zeros_like, trained(params))
        accumulated = jax.tree.map(lambda g: cast(g, dtype_like(g, accumulator)), gradients)
        _, skip_state = should_skip(gradients, zero, params)
        return zero, zero, opt.init(params), accumulated, skip_state

    def update(updates, state, params, **extra):
        mini_step, gradient_step, inner_state, accumulated, _ = state
        skipped, skip_state = should_skip(updates, gradient_step, params)
        every = every_k if every_k_schedule is None else every_k_schedule(gradient_step)
        count = mini_step + 1

        def with_update(total, u):
            share = count.astype(u.real.dtype) if use_grad_mean else None
            return total + u if share is None else total + (u - total) / share

        grown = jax.tree.map(with_update, accumulated, updates)
        step = lambda total, state: opt.update(total, state, params, **extra)  # noqa: E731
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(step, grown, inner_state)[0])
        due = ~skipped & is_complete(count, jnp.asarray(every))
        new, inner_state = rarely(due, step, lambda _, state: (zeros, state), grown, inner_state)

        def after(total, grown):
            kept = jnp.where(skipped, total, grown.astype(total.dtype))
            return jnp.where(due, jnp.zeros_like(total), kept)

        mini_step = jnp.where(skipped, mini_step, jnp.where(due, 0, count))
        gradient_step = jnp.where(due, safe_increment(gradient_step), gradient_step)
        accumulated = jax.tree.map(after, accumulated, grown)
        return new, (mini_step, gradient_step, inner_state, accumulated, skip_state)

    return init, update


def _never(updates: Updates, gradient_step: Leaf, params: Params) -> tuple[jax.Array, Tree]:  # noqa: ARG001
    return jnp.array(False), ()


SLOTS = ("mini_step", "gradient_step", "inner_opt_state", "acc_grads", "skip_state")
"""The entries of the state of :class:`MultiSteps`."""
_update_rarely.__name__ = "MultiSteps"  # as it is written out
multi_steps = parametrized(
    MultiSteps,
    _update_rarely,
    declaration(_update_rarely, open_tree_rule, (EVERYTHING,), EVERYTHING, SLOTS),
)
multi_steps.__qualname__ = "multi_steps"  # as it is pickled
