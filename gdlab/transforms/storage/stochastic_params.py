"""Low-precision parameters that are rounded at random."""

import jax
import numpy as np

from gdlab.core.authoring import TreeFunctions
from gdlab.core.rounding import noise_of, salts_by_place, stochastic
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.storage.narrow_params import ParamFormat, narrow_params


def _rounded(exact: jax.Array, dtype: np.dtype, salt: jax.Array) -> tuple[jax.Array, tuple[()]]:
    # The place is hashed too: else equal weights with equal steps would all round the same way.
    noise = noise_of(exact, salts_by_place(salt, exact.shape))
    return stochastic(exact, noise, dtype), ()


STOCHASTIC = ParamFormat(begin=lambda _, __: (), exact=lambda param, _, __: param, rounded=_rounded)


@transformation(reads=("params", "step", EVERYTHING), slots=("inner", "rounding"))
def stochastic_params(inner: GradientTransformation) -> TreeFunctions:
    """Train bfloat16 or float16 parameters, rounded up or down at random, exact in the mean.

    wₜ₊₁ = SR(wₜ + uₜ), where SR(x) is one of the two 16-bit neighbours of x, and E SR(x) = x

    Rounding to nearest loses each step of less than half a spacing, 0.002 to 0.004 of the parameter
    in bfloat16, so that small learning rates do not learn. With random rounding such a step moves
    the parameter rarely, but on average by the right amount.

    When to use:
        Try it first for 16-bit parameters: it needs no additional memory or memory traffic. If
        random rounding must not disturb runs at all, use :func:`split_params` or
        :func:`master_params`.

    The random bits are a hash of each sum, its place and the step count. So no key is needed, and a
    repeated or resumed run rounds the same way. Parameters of float32 pass through. It must be the
    last to change the updates: chain other transformations within ``inner``.

    Args:
        inner: the whole method, including its learning rate.

    Raises:
        ValueError: if ``params`` are missing.
        TypeError: if parameters have a dtype of 8 bits.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, sgd, stochastic_params
    >>> tx, w = stochastic_params(sgd(1e-3)), jnp.ones(4, jnp.bfloat16)
    >>> state = tx.init(w)
    >>> for g in range(1, 5):
    ...     updates, state = tx.update(g + jnp.arange(4.0), state, w)
    ...     w = apply_updates(w, updates)
    >>> w.dtype, bool(jnp.any(w < 1))
    (dtype(bfloat16), True)

    Source: S. Gupta, A. Agrawal, K. Gopalakrishnan, P. Narayanan, Deep learning with limited
    numerical precision, 2015, section 3.
    """
    return narrow_params(inner, STOCHASTIC)
