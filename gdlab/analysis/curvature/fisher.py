"""The empirical Fisher matrix, as a linear map that is never formed."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from gdlab.analysis.curvature.batch_mean import mean_over_batches
from gdlab.analysis.curvature.parameter_space import as_vector, in_one_dtype, require_finite
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count
from gdlab.training.batches import EpochSampler
from gdlab.training.models import ModelState, open_model
from gdlab.training.objective import ByIdentity, Objective


@checked
def empirical_fisher_vector_product(
    log_likelihood: Callable[[Any, Any], Any],
    params: Any,
    vector: Any,
    data: Any,
    *,
    batch_size: Count | None = None,
) -> Any:
    """The empirical Fisher matrix times a vector.

    Fv = mean over examples of gᵢ (gᵢᵀv),    gᵢ = ∇ log p(exampleᵢ)

    It is the second moment of the gradients on the data, whose diagonal Adam estimates. The Fisher
    matrix proper takes targets drawn from the model instead of those of the data;
    :func:`gauss_newton_vector_product` of the negative log-likelihood computes it.

    Args:
        log_likelihood: ``log_likelihood(params, example)`` of a single example, without the leading
            axis; a real scalar. Its sign does not matter.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        vector: a tree like ``params``.
        data: a tree of arrays whose leading axis counts the examples.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Returns:
        A tree like ``params``; for a model, a tree of its trainable parameters.

    Raises:
        TypeError: if a parameter is not real, or the log-likelihood no real scalar.
        ValueError: if ``vector`` is not like ``params``, or the product is not finite.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import empirical_fisher_vector_product
    >>> log_likelihood = lambda mean, x: -0.5 * (x - mean) ** 2
    >>> x = jnp.array([1.0, 3.0])
    >>> empirical_fisher_vector_product(log_likelihood, jnp.array(0.0), jnp.array(1.0), x)
    Array(5., dtype=float32)

    Source: F. Kunstner, L. Balles and P. Hennig, Limitations of the Empirical Fisher Approximation
    for Natural Gradient Descent, 2019.
    """
    model = open_model(params)
    params = in_one_dtype(model.params)
    likelihood = Objective(
        ByIdentity(log_likelihood), has_batch=True, has_aux=False, has_state=False, form=model.form,
        name="log_likelihood", arguments=("params", "example"),
    )  # fmt: skip
    sampler = EpochSampler.for_data(data, batch_size)
    vector = as_vector("vector", vector, params)
    product = _product(likelihood, sampler, params, model.held, vector, data)
    require_finite(product, "the Fisher product")
    return product


@functools.partial(jax.jit, static_argnums=(0, 1))
def _product(
    likelihood: Objective, sampler: EpochSampler, params: Any, held: Any, vector: Any, data: Any
) -> Any:
    def product(batch: Any) -> Any:
        def each(params: Any) -> jax.Array:
            of_example = lambda one: likelihood(params, one, None, ModelState(held))[0]  # noqa: E731
            return jax.vmap(of_example)(batch)

        values, pull_back = jax.vjp(each, params)
        _, slopes = jax.jvp(each, (params,), (vector,))
        return pull_back(slopes / values.size)[0]

    with jax.default_matmul_precision("highest"):
        return mean_over_batches(product, data, sampler)
