"""Low-precision parameters that are rounded at random."""

import jax
import numpy as np

from gdlab.core.authoring import TreeFunctions
from gdlab.core.rounding import noise_of, salts_by_place, stochastic
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.storage.narrow_params import ParamFormat, narrow_params


def _rounded(exact: jax.Array, dtype: np.dtype, salt: jax.Array) -> tuple[jax.Array, tuple[()]]:
    # Weights of one value would move together under methods whose steps have one size.
    noise = noise_of(exact, salts_by_place(salt, exact.shape))
    return stochastic(exact, noise, dtype), ()


STOCHASTIC = ParamFormat(begin=lambda _, __: (), exact=lambda param, _, __: param, rounded=_rounded)


@transformation(reads=("params", "step", EVERYTHING), slots=("inner", "rounding"))
def stochastic_params(inner: GradientTransformation) -> TreeFunctions:
    """Train bfloat16 or float16 parameters that are rounded up or down at random, mean exact.

    wₜ₊₁ = SR(wₜ + uₜ), where SR(x) is one of the two neighbours of x among the numbers of 16 bits
    and E SR(x) = x

    Plain rounding to nearest loses each step of less than half a spacing, 0.002 to 0.004 of the
    parameter in bfloat16, so that small learning rates stop learning. Here such a step moves the
    parameter seldom, and on average by just as much.

    When to use:
        First, wherever the parameters are to take 2 bytes: nothing is kept beside them and no more
        is read or written than without it. Where runs must not differ from float32 by random
        rounding at all, take :func:`split_params` or :func:`master_params`.

    The random bits are a hash of each sum, its place and the step count. So no key is needed, and a
    run that is repeated or resumed rounds as before. Parameters of float32 pass through. It must be
    the last to change the updates: chain what else there is within ``inner``.

    Args:
        inner: the whole method, down to its learning rate.

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
