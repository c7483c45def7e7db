"""The Gauss–Newton matrix of a model and a loss, as a linear map that is never formed."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax

from gdlab.analysis.curvature.batch_mean import mean_over_batches
from gdlab.analysis.curvature.parameter_space import as_vector, in_one_dtype, require_finite
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count
from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_tree_of_arrays, shortened
from gdlab.training.batches import EpochSampler
from gdlab.training.models import Form, ModelState, open_model
from gdlab.training.objective import ByIdentity, Objective


@checked
def gauss_newton_vector_product(
    model: Callable[[Any, Any], Any],
    loss: Callable[[Any, Any], Any],
    params: Any,
    vector: Any,
    data: tuple[Any, Any],
    *,
    batch_size: Count | None = None,
) -> Any:
    """The generalised Gauss–Newton matrix times a vector.

    Gv = Jᵀ (∇² loss) J v,    J = ∂ model / ∂ params

    G is the Hessian without the curvature of the model, and is positive semidefinite if the loss is
    convex in the outputs. If the loss is the negative log-likelihood of an exponential family in
    its natural parameters (cross-entropy of logits, half the squared error of means), G is the
    Fisher matrix of the model.

    Args:
        model: ``model(params, inputs)``, which returns the outputs, a tree of arrays. If ``params``
            is a callable module, pass ``lambda module, inputs: module(inputs)``.
        loss: ``loss(outputs, targets)``, a mean over the batch, a real scalar.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        vector: a tree like ``params``.
        data: the pair ``(inputs, targets)`` of trees whose leading axis counts the examples.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Returns:
        A tree like ``params``; for a model, a tree of its trainable parameters.

    Raises:
        TypeError: if a parameter is not real, the loss no real scalar, or the data no pair.
        ValueError: if ``vector`` is not like ``params``, or the product is not finite.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import gauss_newton_vector_product
    >>> model = lambda w, x: (w * x) ** 2
    >>> loss = lambda outputs, targets: 0.5 * jnp.mean((outputs - targets) ** 2)
    >>> data = jnp.ones(4), jnp.zeros(4)
    >>> gauss_newton_vector_product(model, loss, jnp.array(3.0), jnp.array(1.0), data)
    Array(36., dtype=float32)

    Source: N. Schraudolph, Fast Curvature Matrix-Vector Products for Second-Order Gradient Descent,
    2002.
    """
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"data must be the pair (inputs, targets), but is {type(data).__name__}")
    opened = open_model(params)
    params = in_one_dtype(opened.params)
    objective = Objective(
        ByIdentity(loss), has_batch=True, has_aux=False, has_state=False,
        arguments=("outputs", "targets"),
    )  # fmt: skip
    sampler = EpochSampler.for_data(data, batch_size)
    vector = as_vector("vector", vector, params)
    network = _Network(ByIdentity(model), opened.form, opened.held)
    product = _product(network, objective, sampler, params, vector, tuple(data))
    require_finite(product, "the Gauss–Newton product")
    return product


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Network:
    """The user's model as a function of parameters and inputs."""

    function: ByIdentity = dataclasses.field(metadata={"static": True})
    form: Form = dataclasses.field(metadata={"static": True})
    held: Any

    def __call__(self, params: Any, inputs: Any) -> Any:
        call = lambda model: called_as(  # noqa: E731
            "model(params, inputs)", self.function.function, model, inputs
        )
        outputs = self.form.call(call, params, self.held, None)[0]
        if not is_tree_of_arrays(outputs):
            raise TypeError(
                f"model must return the outputs, a tree of arrays, not {shortened(outputs)}"
            )
        return outputs


@functools.partial(jax.jit, static_argnums=(1, 2))
def _product(
    model: _Network, loss: Objective, sampler: EpochSampler, params: Any, vector: Any, data: Any
) -> Any:
    def product(batch: Any) -> Any:
        inputs, targets = batch
        outputs, pull_back = jax.vjp(lambda p: model(p, inputs), params)
        _, pushed = jax.jvp(lambda p: model(p, inputs), (params,), (vector,))
        gradient = jax.grad(lambda o: loss(o, targets, None, ModelState())[0])
        return pull_back(jax.jvp(gradient, (outputs,), (pushed,))[1])[0]

    with jax.default_matmul_precision("highest"):
        return mean_over_batches(product, data, sampler)
