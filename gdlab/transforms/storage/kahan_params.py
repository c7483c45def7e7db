"""Low-precision parameters with the rounding error of each kept in the state."""

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.authoring import TreeFunctions
from gdlab.core.rounding import nearest
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.storage.narrow_params import ParamFormat, narrow_params


def _begin(param: jax.Array, _: np.dtype) -> jax.Array:
    return jnp.zeros_like(param, jnp.bfloat16)


def _exact(param: jax.Array, compensation: jax.Array, dtype: np.dtype) -> jax.Array:
    """The parameter plus its compensation, unless that is larger than a rounding error.

    A rounding error is at most half a spacing, which is at most half of eps times the parameter.
    """
    lost, limits = compensation.astype(jnp.float32), jnp.finfo(dtype)
    relative, absolute = float(limits.eps) / 2, float(limits.smallest_subnormal) / 2
    most = jnp.maximum(jnp.abs(param) * relative, absolute)
    return param + jnp.where(jnp.abs(lost) <= most, lost, 0)


def _rounded(exact: jax.Array, dtype: np.dtype, _: jax.Array) -> tuple[jax.Array, jax.Array]:
    rounded = nearest(exact, dtype)
    return rounded, nearest(exact - rounded, jnp.bfloat16).astype(jnp.bfloat16)


KAHAN = ParamFormat(_begin, _exact, _rounded)


@transformation(reads=("params", EVERYTHING), slots=("inner", "compensation"))
def kahan_params(inner: GradientTransformation) -> TreeFunctions:
    """Train bfloat16 or float16 parameters by compensated summation.

    xₜ = wₜ + cₜ, wₜ₊₁ = xₜ + uₜ rounded to nearest, cₜ₊₁ = xₜ + uₜ − wₜ₊₁ in bfloat16, c₀ = 0;
    ``inner`` sees x.

    The state holds the compensations under ``compensation``. Together with the parameters they have
    16 or 17 binary digits. If a parameter was changed between two steps, its compensation is kept
    only if it is less than half a spacing.

    When to use:
        If 2 bytes per parameter can be spared and the state must not contain integers.
        :func:`split_params` keeps as many digits in 1 byte.

    Parameters of float32 pass through. It must be the last to change the updates: chain other
    transformations within ``inner``.

    Args:
        inner: the whole method, including its learning rate.

    Raises:
        ValueError: if ``params`` are missing.
        TypeError: if parameters have a dtype of 8 bits.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, kahan_params, sgd
    >>> tx, w = kahan_params(sgd(1e-3)), jnp.ones(1, jnp.bfloat16)
    >>> state = tx.init(w)
    >>> for _ in range(3):
    ...     updates, state = tx.update(jnp.ones(1), state, w)
    ...     w = apply_updates(w, updates)
    >>> w, state.compensation.kept
    (Array([0.996094], dtype=bfloat16), Array([0.000907898], dtype=bfloat16))

    Source: P. Zamirai, J. Zhang, C. R. Aberger, C. De Sa, Revisiting bfloat16 training, 2020,
    algorithm 3.
    """
    return narrow_params(inner, KAHAN)
