"""Methods of dual averaging, for sparse gradients, for games and with scales of the model."""

from functools import partial

import optax

import gdlab
from tests.oracles.adaptive import after_correction
from tests.oracles.method import LEARNING_RATE, Method
from tests.paths import per_step
from tests.references import lazy_and_dual as ref


class SparseGradients:
    """An optimizer of torch's that is given the rows of each gradient that are not all zero."""

    def __init__(self, optimizer):
        self.optimizer, self.param_groups = optimizer, optimizer.param_groups

    def step(self):
        for group in self.param_groups:
            for theta in group["params"]:
                theta.grad = theta.grad.to_sparse(1)
        self.optimizer.step()


def size_of_torchs_shapes(params):
    """What pytorch_optimizer expects of the weights, whose inputs are the second axis."""
    return {"vector": 0.5, "matrix": (2 / 3) ** 0.5, "wide": (2 / 5) ** 0.5, "cube": (1 / 3) ** 0.5}


def amos_of_each(grads, params0, **others):
    shapes = {(5,): "vector", (4, 3): "matrix", (3, 5): "wide", (2, 3, 4): "cube"}
    eta = size_of_torchs_shapes(None)[shapes[params0.shape]]
    return ref.amos(grads, params0, eta=eta, **others)


def madgrad_with_epsilon(_):
    """MADGRAD as its authors' code has it, whose learning rate is larger by ε."""
    return gdlab.madgrad(per_step(LEARNING_RATE + 1e-3), 0.8, 0.01, 1e-3)


def madgrad_with_epsilon_paper(grads, params0, *, learning_rate):
    return ref.madgrad(
        grads,
        params0,
        learning_rate=learning_rate + 1e-3,
        momentum=0.8,
        weight_decay=0.01,
        eps=1e-3,
    )


AXES = ("vector", "matrix", "wide", "cube")

METHODS = {
    "madgrad": Method(
        partial(gdlab.madgrad, weight_decay=0.01, eps=1e-3),
        partial(ref.madgrad, weight_decay=0.01, eps=1e-3),
        also="the next, whose learning rate is larger by eps",
    ),
    "madgrad with its epsilon in the learning rate": Method(
        madgrad_with_epsilon,
        madgrad_with_epsilon_paper,
        others={
            "pytorch_optimizer": lambda o, p: o.MADGRAD(
                p, momentum=0.8, weight_decay=0.01, eps=1e-3
            )
        },
    ),
    "madgrad, optax's": Method(
        madgrad_with_epsilon,
        madgrad_with_epsilon_paper,
        partial(optax.contrib.madgrad, momentum=0.8, weight_decay=0.01, eps=1e-3),
        rtol=1e-6,  # it takes the root of the step in float32
    ),
    "ftrl": Method(
        gdlab.ftrl,
        ref.ftrl,
        keras=lambda o: o.Ftrl(),
    ),
    "ftrl with all its terms": Method(
        partial(
            gdlab.ftrl,
            learning_rate_power=-0.6,
            initial_accumulator_value=0.3,
            l1_regularization_strength=2.0,
            l2_regularization_strength=0.1,
            l2_shrinkage_regularization_strength=0.2,
        ),
        partial(ref.ftrl, power=0.6, n0=0.3, l1=2.0, l2=0.1, shrinkage=0.2),
        keras=lambda o: o.Ftrl(
            learning_rate_power=-0.6,
            initial_accumulator_value=0.3,
            l1_regularization_strength=2.0,
            l2_regularization_strength=0.1,
            l2_shrinkage_regularization_strength=0.2,
        ),
    ),
    "ftrl with the paper's beta": Method(
        partial(gdlab.ftrl, initial_accumulator_value=0.0, beta=1.0),
        partial(ref.ftrl, n0=0.0, beta=1.0),
        keras=lambda o: o.Ftrl(initial_accumulator_value=0.0, beta=1.0),
    ),
    "sparse_adam": Method(
        lambda lr: gdlab.sparse_adam(lr, eps=per_step(after_correction(1e-3))),
        partial(ref.sparse_adam, eps=after_correction(1e-3)),
        torch=lambda o, p: SparseGradients(o.SparseAdam(p, eps=1e-3)),
        leaves=AXES,  # torch's sparse gradients have rows
    ),
    "optimistic_adam": Method(
        lambda lr: gdlab.optimistic_adam(lr, 0.2, eps=1e-3),
        partial(ref.optimistic_adam, optimism=0.2, eps=1e-3),
        also="optax's, which takes no schedule: test_lazy.py",
    ),
    "optimistic_adam_v2": Method(
        lambda lr: gdlab.optimistic_adam_v2(lr, alpha=0.5, beta=2.0, eps=1e-3),
        lambda grads, params0, learning_rate: ref.optimistic_adam(
            grads,
            params0,
            learning_rate=0.5 * learning_rate,
            optimism=2.0 * learning_rate,
            eps=1e-3,
        ),
        partial(optax.optimistic_adam_v2, alpha=0.5, beta=2.0, eps=1e-3, nesterov=False),
    ),
    "amos": Method(
        partial(gdlab.amos, beta=0.95),
        lambda grads, params0, learning_rate: ref.amos(
            grads,
            params0,
            learning_rate=learning_rate,
            eta=gdlab.expected_scales(params0),
            beta=0.95,
        ),
        also="the next, with the shapes of pytorch_optimizer",
    ),
    "amos with momentum and the scales of torch's shapes": Method(
        partial(gdlab.amos, eta=gdlab.by_leaf(size_of_torchs_shapes), beta=0.95, momentum=0.9),
        partial(amos_of_each, beta=0.95, momentum=0.9),
        others={"pytorch_optimizer": lambda o, p: o.Amos(p, beta=0.95, momentum=0.9)},
        leaves=AXES,
    ),
}
