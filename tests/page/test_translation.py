"""Translated optimizers against JAX in float64.

Both kinds of test are needed: one step from JAX's own states does not notice a wrong ``init``,
and a free run has to leave out those that are chaotic in JAX itself.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.core.transformation import as_transformation
from gdlab.page.translator.program import RUNNER, translate_function, translate_optimizer
from tests.page import node
from tests.page.functions import CASES
from tests.page.parts import parts

pytestmark = node.needs_node

STEPS = 200
EVERY = 4


METHODS = (
    "sgd", "nesterov", "adagrad", "full_matrix_adagrad", "adadelta", "rmsprop", "adam", "adamw",
    "amsgrad", "adamax", "nadam", "lion", "rprop", "ademamix", "adabelief", "radam", "lamb",
    "schedule_free_adamw", "prodigy",
)  # fmt: skip


def first_order_optimizers(learning_rate):
    """The methods of the lecture, and one at least of each kind that came after them, by name."""
    return {name: getattr(gdlab, name)(learning_rate) for name in METHODS}


def variants(learning_rate):
    """Schedules, wrappers, several gradients a step, and links of optax."""
    schedule = gdlab.warmup_cosine_decay_schedule(0.0, learning_rate, 10, 150)
    return {
        "momentum": gdlab.sgd(learning_rate, momentum=0.9, nesterov=True),
        "averaged momentum": gdlab.sgd(learning_rate, momentum=0.5, averaging=True),
        "scheduled": gdlab.adam(schedule, b1=gdlab.linear_schedule(0.5, 0.9, 50)),
        "optax schedule": gdlab.sgd(optax.cosine_decay_schedule(learning_rate, 100)),
        "clipped": gdlab.chain(gdlab.clip_by_global_norm(0.5), gdlab.adam(learning_rate)),
        "centered": gdlab.rmsprop(learning_rate, centered=True, momentum=0.5),
        "accumulated": gdlab.accumulate(gdlab.adam(learning_rate), steps=3),
        "guarded": gdlab.apply_if_finite(gdlab.sgd(learning_rate)),
        "averaged": gdlab.chain(gdlab.sgd(learning_rate), gdlab.params_ema(0.9)),
        "per parameter": gdlab.sgd(jnp.array([1.0, 0.5]) * learning_rate),
        "linked": gdlab.chain(optax.clip(0.3), optax.scale_by_adam(), gdlab.scale(-learning_rate)),
        "optax": optax.lion(learning_rate),
    }


def reference(name, make):
    """What JAX does: points, states and values of each optimizer, and points under noise."""
    function, start, rate = CASES[name]
    optimizers = {key: as_transformation(tx) for key, tx in make(rate).items()}
    noise = np.random.default_rng(0).uniform(-1, 1, (STEPS, 2))
    value_and_grad, grad_fn = jax.value_and_grad(function), jax.grad(function)

    def one_step(tx, carry, factor):
        # The last bit of the point: what comes of it near a minimum is large beside the gradient.
        w, state = carry[0] * factor, carry[1]
        value, grad = value_and_grad(w)
        updates, state = tx.update(
            grad, state, w, value=value, grad=grad, value_fn=function, grad_fn=grad_fn
        )
        return gdlab.apply_updates(w, updates), state

    def run(optimizers, amount):
        w = jnp.array(start)
        carries = {key: (w, tx.init(w)) for key, tx in optimizers.items()}

        def body(carries, step_noise):
            new = {
                key: one_step(optimizers[key], carry, 1 + amount * step_noise)
                for key, carry in carries.items()
            }
            return new, carries

        last, before = jax.lax.scan(body, carries, noise)
        append = lambda a, b: jnp.concatenate([a, b[None]])  # noqa: E731
        return jax.tree.map(append, before, last)

    with jax.enable_x64(True):
        amounts = jnp.array([0.0, 2.2e-16])
        # Compiled otherwise, the numbers of a maximum are rounded once more where they are compared
        # with it; none of them is equal to it, and its gradient is lost.
        compiled = jax.jit(
            jax.vmap(run, in_axes=(None, 0)),
            compiler_options={"xla_cpu_use_fusion_emitters": True},
        )
        both = compiled(optimizers, amounts)
        made = {}
        for key, (points, state) in both.items():
            flat = [np.asarray(leaf[0]).reshape(STEPS + 1, -1) for leaf in jax.tree.leaves(state)]
            states = np.concatenate([np.zeros((STEPS + 1, 0)), *flat], 1)
            made[key] = np.asarray(points[0]), states, np.asarray(points[1])
    return optimizers, made


def translated(name, optimizers, expected):
    """What Node makes of the same: free runs, and one step from some of JAX's states."""
    function, start, _ = CASES[name]
    problem = translate_function(function)
    script = [f"const problem={problem.javascript},out={{}};"]
    for key, tx in optimizers.items():
        points, states, _ = expected[key]
        made = translate_optimizer(tx, problem)
        script.append(f"""{{
const p=({RUNNER})({made.javascript},problem);
const h={node.array([*made.hyperparameters.values()])},points=[],states=[];
const ws={node.array(points[:-1:EVERY])},ss={node.array(states[:-1:EVERY])};
ws.forEach((w,i)=>{{p.step(h,w,ss[i]);points.push(w);states.push(ss[i])}});
out[{key!r}]={{points,states,...p.run(h,{node.array(start)},{STEPS})}};
}}""")
    made = node.evaluate("\n".join(script) + "return out;")
    return {key: {k: np.array(v, float) for k, v in one.items()} for key, one in made.items()}


def deviation(actual, expected):
    """The largest difference, relative where numbers are larger than 1; NaN where both are is 0."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    difference = np.abs(actual - expected) / np.maximum(1, np.abs(expected))
    return float(
        np.where(same, 0, np.where(np.isnan(difference), np.inf, difference)).max(initial=0)
    )


ONE_OF_EACH_KIND = ("rosenbrock", "piecewise", "least_squares")
"""The problems on which all methods are translated at each run; the others are slow."""


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "make"),
    [
        pytest.param(
            name,
            first_order_optimizers,
            marks=() if name in ONE_OF_EACH_KIND else pytest.mark.slow,
        )
        for name in CASES
    ]
    + [(name, variants) for name in ("rosenbrock", "piecewise", "least_squares", "iterated")]
    + [("rosenbrock", parts)],
)
def test_steps_from_states_of_jax_and_free_runs_agree_with_it(name, make):
    optimizers, expected = reference(name, make)
    compared = 0
    for key, made in translated(name, optimizers, expected).items():
        points, states, noisy = expected[key]
        assert deviation(made["points"], points[1::EVERY]) < 1e-12, key
        assert deviation(made["states"], states[1::EVERY]) < 1e-12, key
        if deviation(noisy, points) < 1e-11:
            compared += 1
            assert deviation(made["path"].reshape(-1, 2), points) < 1e-9, key
            with jax.enable_x64(True):
                values = jax.jit(jax.vmap(CASES[name].function))(jnp.asarray(points))
            assert deviation(made["values"], values) < 1e-9, key
    assert compared > len(expected) / 2
