"""Low-precision parameters with a float32 copy of each in the state."""

import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.rounding import nearest
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.storage.narrow_params import ParamFormat, narrow_params

MASTER = ParamFormat(
    begin=lambda param, _: param,
    exact=lambda param, master, dtype: jnp.where(nearest(master, dtype) == param, master, param),
    rounded=lambda exact, dtype, _: (nearest(exact, dtype), exact),
)


@transformation(reads=("params", EVERYTHING), slots=("inner", "master"))
def master_params(inner: GradientTransformation) -> TreeFunctions:
    """Train float32 copies of bfloat16 or float16 parameters; these are the rounded copies.

    xₜ₊₁ = xₜ + uₜ in float32, wₜ₊₁ = xₜ₊₁ rounded to nearest; ``inner`` sees x, and the gradients
    are taken at w.

    The state holds the copies under ``master``. If a parameter was changed between two steps, so
    that it is no longer the rounded copy, the copy is replaced by it.

    When to use:
        If 4 bytes per parameter can be spared. :func:`split_params` with 16 bits has the same
        numbers in half the memory.

    Parameters of float32 pass through. It must be the last to change the updates: chain other
    transformations within ``inner``.

    Args:
        inner: the whole method, including its learning rate.

    Raises:
        ValueError: if ``params`` are missing.
        TypeError: if parameters have a dtype of 8 bits.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, master_params, sgd
    >>> tx, w = master_params(sgd(1e-3)), jnp.ones(1, jnp.bfloat16)
    >>> state = tx.init(w)
    >>> for _ in range(3):
    ...     updates, state = tx.update(jnp.ones(1), state, w)
    ...     w = apply_updates(w, updates)
    >>> w, state.master.kept
    (Array([0.996094], dtype=bfloat16), Array([0.997], dtype=float32))

    Source: P. Micikevicius et al., Mixed precision training, 2018, section 3.1.
    """
    return narrow_params(inner, MASTER)
