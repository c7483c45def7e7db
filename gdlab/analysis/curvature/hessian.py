"""The Hessian of a loss, as a linear map that is never formed."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.analysis.curvature.batch_mean import mean_over_batches
from gdlab.analysis.curvature.one_pass import OnePass, in_memory
from gdlab.analysis.curvature.parameter_space import as_vector, in_one_dtype, require_finite
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count
from gdlab.training.batches import EpochSampler
from gdlab.training.models import ModelState, open_model
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.step import sampler_of


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class MeanLoss:
    """The mean of a loss over all its data, with its derivatives.

    As an argument of compiled programs, the functions are static, and ``held`` is data.
    """

    objective: Objective = dataclasses.field(metadata={"static": True})
    sampler: EpochSampler | None = dataclasses.field(metadata={"static": True})
    held: Any = None
    """The constant arrays of a model beside its parameters, such as batch statistics."""

    @classmethod
    def of(
        cls, loss: Callable[..., Any], params: Any, data: Any, batch_size: Count | None
    ) -> tuple["MeanLoss", Any]:
        """The mean of ``loss(params)``, or of ``loss(params, batch)`` if there are data.

        The mean is over arrays, or over one pass over a loader, see :func:`in_memory`.

        Args:
            loss: the loss.
            params: the parameters, or a model.
            data: the data, None if there are none.
            batch_size: how many examples are in memory at a time.

        Returns:
            The mean, and the parameters in the dtype in which it is computed.

        Raises:
            ValueError: if the sizes do not fit.
            TypeError: if the loss is random, or a parameter is not real.
        """
        model = open_model(params)
        objective = Objective(
            ByIdentity(loss), data is not None, has_aux=False, has_state=False, form=model.form
        )
        if objective.takes_key:
            raise TypeError(
                "the loss takes a key: it is no function of the parameters alone; fix the key, as "
                "in lambda params: loss(params, key=key)"
            )
        sampler = None if isinstance(data, OnePass) else sampler_of(data, batch_size)
        return cls(objective, sampler, model.held), in_one_dtype(model.params)

    @classmethod
    def over(
        cls, loss: Callable[..., Any], params: Any, data: Any, batch_size: Count | None
    ) -> tuple["MeanLoss", Any, Any]:
        """The mean loss as in :meth:`of`, the parameters, and the data in memory.

        Raises:
            ValueError, TypeError: as in :meth:`of` and :meth:`OnePass.of`.
        """
        return *cls.of(loss, params, data, batch_size), in_memory(data)

    def value(self, params: Any, data: Any) -> jax.Array:
        """The loss."""
        return mean_over_batches(lambda batch: self._on(batch)(params), data, self.sampler)

    def gradient(self, params: Any, data: Any) -> Any:
        """The gradient of the mean loss, a tree like ``params``."""
        gradient = lambda batch: jax.grad(self._on(batch))(params)  # noqa: E731
        return mean_over_batches(gradient, data, self.sampler)

    def hessian_product(self, params: Any, data: Any, vector: Any) -> Any:
        """The Hessian of the mean loss times a vector: the derivative of the gradient along it."""

        def product(batch: Any) -> Any:
            value_and_gradient = jax.value_and_grad(self._on(batch))
            (value, _), (_, product) = jax.jvp(value_and_gradient, (params,), (vector,))
            # A loss that is NaN may have finite derivatives, which mean nothing.
            return jax.tree.map(lambda leaf: jnp.where(jnp.isnan(value), jnp.nan, leaf), product)

        # The low default precision of accelerators would leave three digits of a small curvature.
        with jax.default_matmul_precision("highest"):
            return mean_over_batches(product, data, self.sampler)

    def _on(self, batch: Any) -> Callable[[Any], jax.Array]:
        return lambda params: self.objective(params, batch, None, ModelState(self.held))[0]


@checked
def hessian_vector_product(
    loss: Callable[..., Any],
    params: Any,
    vector: Any,
    data: Any = None,
    *,
    batch_size: Count | None = None,
) -> Any:
    """The Hessian of a loss times a vector, in the memory of a few gradients.

    Hv = d/dε ∇L(w + εv) at ε = 0

    The program is compiled once per loss and shapes of arguments. It computes in the widest dtype
    of the parameters, and at least in float32.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data; a real scalar.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        vector: a tree of real numbers like ``params``, taken in their dtype.
        data: a tree of arrays with a leading axis of examples, or a loader, of which one pass is
            held in memory; the loss is the mean over all examples.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Returns:
        A tree like ``params``; for a model, a tree of its trainable parameters.

    Raises:
        TypeError: if a parameter is not real, or the loss no real scalar.
        ValueError: if ``vector`` is not like ``params``, or the product is not finite.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import hessian_vector_product
    >>> w, v = jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])
    >>> hessian_vector_product(lambda w: w[0] ** 2 * w[1], w, v)
    Array([4., 2.], dtype=float32)

    Source: B. Pearlmutter, Fast Exact Multiplication by the Hessian, 1994.
    """
    mean_loss, params, data = MeanLoss.over(loss, params, data, batch_size)
    product = _product(mean_loss, params, data, as_vector("vector", vector, params))
    require_finite(product, "the Hessian-vector product")
    return product


@jax.jit
def _product(mean_loss: MeanLoss, params: Any, data: Any, vector: Any) -> Any:
    return mean_loss.hessian_product(params, data, vector)
