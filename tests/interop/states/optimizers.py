"""All of optax's transformations beside gdlab's of the same expression."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

import gdlab


def SCHEDULE(count):
    """A rate that rises and falls, in the widest dtype; optax's schedules are of float32."""
    return 0.003 / (1 + 0.1 * jnp.abs(jnp.asarray(count, float) - 8))


FLOAT32 = 1e-7
"""How near runs in float64 are where optax computes something in float32: Adafactor's power of the
step and its momentum, and the singular vectors of GaLore. With the power and the vectors in float64
they agree to 1e-15."""
CANCELLATION = 1e-5
"""How near runs of RAdam are in float32, where its ρ is a small difference of large numbers; in
float64 they agree to 1e-15."""
LONGER_AXES = [("c", 1), ("d.1", 0), ("", 0)]
"""The axis of each matrix that optax's GaLore projects, where gdlab's takes the shorter one."""


class Pair(NamedTuple):
    """An optimizer of optax and gdlab's of the same expression."""

    theirs: Callable[[], optax.GradientTransformation]
    ours: Callable[[], gdlab.GradientTransformation]
    goes_on: bool = True
    """False where gdlab goes on by a rule of its own, so that the state alone is compared."""
    returns: bool = True
    """False where what comes back is as near as rounding, and not the same to the bit."""
    leaves: tuple[str, ...] = ("a", "b", "c", "d")
    """The parameters that optax's can train."""
    single: float = 1e-6
    """How near the ends of the runs are in float32. optax's correction 1 − 0.999ᵗ is off by 6e-5 at
    first, and so are the steps of methods that learn their own rate."""
    double: float = 1e-12
    """How near they are in float64."""


def module_of(name: str):
    return optax if hasattr(optax, name) else optax.contrib


def both(name: str, *args, **kwargs) -> Pair:
    """The functions of this name, called alike."""
    return Pair(
        lambda: getattr(module_of(name), name)(*args, **kwargs),
        lambda: getattr(gdlab, name)(*args, **kwargs),
    )


def with_options(pair: Pair, **options) -> Pair:
    """The same, with options of gdlab's alone that give optax's method."""
    return pair._replace(ours=lambda: pair.ours().replace(**options))


def then_descend(pair: Pair) -> Pair:
    """A part of a method, whose output is made a step down."""
    return pair._replace(
        theirs=lambda: optax.chain(pair.theirs(), optax.scale(-0.002)),
        ours=lambda: gdlab.chain(pair.ours(), gdlab.scale(-0.002)),
    )


def around(name: str, *args, **kwargs) -> Pair:
    """A wrapper of Adam with a schedule."""
    return Pair(
        lambda: getattr(module_of(name), name)(optax.adam(SCHEDULE), *args, **kwargs),
        lambda: getattr(gdlab, name)(gdlab.adam(SCHEDULE), *args, **kwargs),
    )


def clipped_and_accumulated(library, accumulate):
    """What training scripts of language models have."""
    matrices = {"a": False, "b": False, "c": True, "d": (True, True)}
    made = library.chain(
        library.clip_by_global_norm(1.0),
        library.adamw(SCHEDULE, b2=0.95, weight_decay=0.1, mask=matrices),
    )
    return accumulate(made)


def accumulated_by_optax(tx):
    """Gradients of four calls, in the widest dtype; optax's own choice is float32."""
    widest = jnp.result_type(float)
    return optax.MultiSteps(tx, 4, accumulator_dtype=widest).gradient_transformation()


OPTIMIZERS = {
    "adabelief": both("adabelief", SCHEDULE),
    "adadelta": both("adadelta", SCHEDULE, weight_decay=0.01),
    "adafactor": both("adafactor", SCHEDULE, min_dim_size_to_factor=2)._replace(double=FLOAT32),
    "adafactor with momentum": both(
        "adafactor", 0.01, min_dim_size_to_factor=3, momentum=0.9, multiply_by_parameter_scale=False
    )._replace(double=FLOAT32),
    "adafactor with a scheduled and masked decay": both(
        "adafactor",
        0.01,
        weight_decay_rate=SCHEDULE,
        weight_decay_mask={"a": True, "b": False, "c": True, "d": (True, False)},
    )._replace(goes_on=False),
    "adagrad": both("adagrad", SCHEDULE),
    "adam": both("adam", 0.003),
    "adam with a schedule": both("adam", SCHEDULE),
    "adamax": both("adamax", SCHEDULE),
    "adamaxw": both("adamaxw", 0.003, weight_decay=0.1),
    "adamw": both("adamw", SCHEDULE, weight_decay=0.1),
    "adamw with a scheduled and masked decay": both(
        "adamw",
        0.003,
        weight_decay=SCHEDULE,
        mask={"a": True, "b": False, "c": True, "d": (True, False)},
    ),
    "adan": both("adan", SCHEDULE)._replace(goes_on=False),
    "amsgrad": with_options(both("amsgrad", SCHEDULE), maximum_of_corrected=True),
    "fromage": both("fromage", SCHEDULE),
    "lamb": both("lamb", SCHEDULE, weight_decay=0.1),
    "lars": both("lars", SCHEDULE),
    "lars with a scheduled decay": both("lars", SCHEDULE, weight_decay=SCHEDULE)._replace(
        goes_on=False
    ),
    "lion": both("lion", 0.01),
    "nadam": Pair(lambda: optax.nadam(SCHEDULE), lambda: gdlab.nadam(SCHEDULE)),
    "nadamw": both("nadamw", 0.003),
    "novograd": both("novograd", 0.01),
    "optimistic_adam": with_options(both("optimistic_adam", 0.003, optimism=0.01), nesterov=True),
    "optimistic_adam_v2": with_options(both("optimistic_adam_v2", SCHEDULE), nesterov=True),
    "optimistic_gradient_descent": both("optimistic_gradient_descent", SCHEDULE),
    "optimistic_gradient_descent without a schedule": both("optimistic_gradient_descent", 0.1),
    "polyak_sgd": both("polyak_sgd", 0.5),
    "radam": both("radam", SCHEDULE)._replace(single=CANCELLATION),
    "rmsprop": both("rmsprop", 0.05),
    "rmsprop with everything": both(
        "rmsprop", SCHEDULE, momentum=0.9, nesterov=True, bias_correction=True
    ),
    "rmsprop centered": both("rmsprop", 0.01, centered=True, initial_scale=1.0),
    "rprop": both("rprop", 0.01)._replace(goes_on=False),
    "sgd": both("sgd", 0.1),
    "sgd with momentum": both("sgd", SCHEDULE, momentum=0.9, nesterov=True),
    "sign_sgd": both("sign_sgd", SCHEDULE),
    "signum": both("signum", 0.01),
    "sm3": both("sm3", 0.01)._replace(leaves=("b", "c", "d")),
    "yogi": both("yogi", SCHEDULE),
    "acprop": both("acprop", SCHEDULE)._replace(goes_on=False),
    "ademamix": both("ademamix", 0.003, alpha=lambda count: 0.1 * jnp.asarray(count, float)),
    "adopt": both("adopt", SCHEDULE),
    "cocob": both("cocob", 1.0),
    "dadapt_adamw": with_options(both("dadapt_adamw", 1.0), bias_correction=True)._replace(
        single=1e-4
    ),
    "dog": Pair(
        lambda: optax.contrib.dog(1.0, init_step=("distance", 0.1)),
        lambda: gdlab.dog(1.0, init_step="distance", init_value=0.1),
        returns=False,
    ),
    "dowg": both("dowg", 1.0)._replace(returns=False),
    "galore": with_options(both("galore", 0.002, rank=1, scale=1.0), axis=LONGER_AXES)._replace(
        double=FLOAT32
    ),
    "madgrad": both("madgrad", 0.1)._replace(goes_on=False),
    "momo": both("momo", 0.1),
    "momo_adam": both("momo_adam", 0.003),
    # optax adds ε to the norm of the corrected average, and gdlab to that of the plain one.
    "muon": both("muon", SCHEDULE, nesterov=False, eps=1e-20),
    "prodigy": with_options(both("prodigy", 1.0), bias_correction=True)._replace(single=1e-4),
    "reduce_on_plateau": Pair(
        lambda: optax.chain(optax.adam(0.003), optax.contrib.reduce_on_plateau(patience=3)),
        lambda: gdlab.chain(gdlab.adam(0.003), gdlab.reduce_on_plateau(patience=3)),
    ),
    "schedule_free": with_options(around("schedule_free", 0.01), keeps_average=False),
    "schedule_free_adamw": both("schedule_free_adamw", 0.003),
    "schedule_free_sgd": both("schedule_free_sgd", 0.1),
    "schedule_free_sgd with schedules": both(
        "schedule_free_sgd", SCHEDULE, weight_decay=SCHEDULE
    )._replace(goes_on=False),  # optax weighs a point by the rate of the step after it
    "schedule_free_sgd with a falling schedule": both(
        "schedule_free_sgd", lambda count: SCHEDULE(count + 8)
    ),
    "simplified_ademamix": both("simplified_ademamix", 0.01),
    # Parts
    "add_decayed_weights": then_descend(both("add_decayed_weights", SCHEDULE)),
    "apply_every": Pair(
        lambda: optax.chain(optax.adam(0.003), optax.apply_every(3)),
        lambda: gdlab.chain(gdlab.adam(0.003), gdlab.apply_every(3)),
    ),
    "ema": then_descend(Pair(lambda: optax.ema(0.9), lambda: gdlab.debias(gdlab.ema(0.9)))),
    "scale_by_galore": then_descend(
        Pair(
            lambda: optax.contrib.scale_by_galore(rank=1),
            lambda: gdlab.in_subspace(gdlab.scale_by_adam(), rank=1, axis=LONGER_AXES),
            double=FLOAT32,
        )
    ),
    "snapshot": Pair(
        lambda: optax.chain(optax.snapshot("norm", gdlab.global_norm), optax.adam(0.003)),
        lambda: gdlab.chain(gdlab.snapshot("norm", gdlab.global_norm), gdlab.adam(0.003)),
    ),
    "trace": then_descend(both("trace", 0.9)),
    "zero_nans": Pair(
        lambda: optax.chain(optax.zero_nans(), optax.adam(0.003)),
        lambda: gdlab.chain(gdlab.zero_nans(), gdlab.adam(0.003)),
    ),
    "scale_by_schedule": then_descend(both("scale_by_schedule", SCHEDULE)),
    # Wrappers
    "apply_if_finite": Pair(
        lambda: optax.apply_if_finite(optax.adam(SCHEDULE), 3),
        lambda: gdlab.apply_if_finite(gdlab.adam(SCHEDULE)),
    ),
    "conditionally_mask": around("conditionally_mask", lambda step: step % 3 == 0),
    "conditionally_transform": then_descend(
        Pair(
            lambda: optax.conditionally_transform(optax.scale_by_adam(), lambda t: t % 3 != 0),
            lambda: gdlab.conditionally_transform(gdlab.scale_by_adam(), lambda t: t % 3 != 0),
        )
    ),
    "flatten": around("flatten"),
    "split_real_and_imaginary": around("split_real_and_imaginary"),
    "masked": around("masked", {"a": True, "b": False, "c": True, "d": (True, False)}),
    "MultiSteps": Pair(
        lambda: accumulated_by_optax(optax.adamw(SCHEDULE)),
        lambda: gdlab.accumulate(gdlab.adamw(SCHEDULE), 4),
    ),
    "clipping, AdamW with a mask, MultiSteps, all guarded": Pair(
        lambda: optax.apply_if_finite(clipped_and_accumulated(optax, accumulated_by_optax), 3),
        lambda: gdlab.apply_if_finite(
            clipped_and_accumulated(gdlab, lambda tx: gdlab.accumulate(tx, 4))
        ),
    ),
    "partition": Pair(
        lambda: optax.partition(
            {"one": optax.adam(SCHEDULE), "two": optax.sgd(0.1, 0.9), "no": optax.set_to_zero()},
            {"a": "one", "b": "two", "c": "one", "d": ("no", "two")},
        ),
        lambda: gdlab.partition(
            {"one": gdlab.adam(SCHEDULE), "two": gdlab.sgd(0.1, 0.9), "no": gdlab.set_to_zero()},
            {"a": "one", "b": "two", "c": "one", "d": ("no", "two")},
        ),
    ),
    "selective_transform": around(
        "selective_transform", freeze_mask={"a": True, "b": False, "c": True, "d": (True, False)}
    ),
    "chain": Pair(
        lambda: optax.chain(
            optax.clip_by_global_norm(1.0), optax.chain(optax.trace(0.5), optax.adamw(SCHEDULE))
        ),
        lambda: gdlab.chain(
            gdlab.clip_by_global_norm(1.0), gdlab.chain(gdlab.trace(0.5), gdlab.adamw(SCHEDULE))
        ),
    ),
    "named_chain": Pair(
        lambda: optax.named_chain(("clip", optax.clip(1.0)), ("descend", optax.adam(SCHEDULE))),
        lambda: gdlab.named_chain(("clip", gdlab.clip(1.0)), ("descend", gdlab.adam(SCHEDULE))),
    ),
    "inject_hyperparams": Pair(
        lambda: optax.inject_hyperparams(optax.adamw)(learning_rate=SCHEDULE, weight_decay=0.1),
        lambda: gdlab.adamw(SCHEDULE, weight_decay=0.1),
    ),
}
for name in (
    "scale_by_adadelta",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_belief",
    "scale_by_lion",
    "scale_by_novograd",
    "scale_by_optimistic_gradient",
    "scale_by_rms",
    "scale_by_rss",
    "scale_by_stddev",
    "scale_by_yogi",
    "scale_by_ademamix",
    "scale_by_adopt",
    "scale_by_simplified_ademamix",
):
    OPTIMIZERS[name] = then_descend(both(name))
OPTIMIZERS |= {
    "scale_by_sm3": then_descend(both("scale_by_sm3")._replace(leaves=("b", "c", "d"))),
    "scale_by_rprop": then_descend(both("scale_by_rprop", 0.1)._replace(goes_on=False)),
    "scale_by_acprop": then_descend(both("scale_by_acprop")._replace(goes_on=False)),
    "scale_by_adan": then_descend(both("scale_by_adan")._replace(goes_on=False)),
    "scale_by_radam": then_descend(both("scale_by_radam")._replace(single=CANCELLATION)),
    "scale_by_lbfgs": then_descend(both("scale_by_lbfgs")._replace(goes_on=False)),
    "scale_by_distance_over_gradients": then_descend(
        both("scale_by_distance_over_gradients")._replace(returns=False, leaves=("b", "c", "d"))
    ),
    "scale_by_muon": then_descend(
        Pair(
            lambda: optax.contrib.scale_by_muon(
                nesterov=False,
                eps=1e-20,
                weight_dimension_numbers={"c": optax.contrib.MuonDimensionNumbers()},
            ),
            lambda: gdlab.scale_by_muon(nesterov=False, eps=1e-20),
            leaves=("c",),
        )
    ),
    "scale_by_amsgrad": then_descend(
        with_options(both("scale_by_amsgrad"), maximum_of_corrected=True)
    ),
    "scale_by_madgrad": both("scale_by_madgrad", 0.1)._replace(goes_on=False),
    "scale_by_cocob": both("scale_by_cocob"),
    "scale_by_factored_rms": then_descend(
        both("scale_by_factored_rms", min_dim_size_to_factor=2)._replace(double=FLOAT32)
    ),
}


def parameters(names=("a", "b", "c", "d")):
    """Leaves of ranks 0 to 3, and a tuple among dictionaries."""
    key = iter(jax.random.split(jax.random.key(3), 5))
    leaf = lambda *shape: jax.random.normal(next(key), shape)  # noqa: E731
    every = {"a": leaf(), "b": leaf(3), "c": leaf(3, 4), "d": (leaf(2, 3, 4), leaf(5, 3))}
    return {name: every[name] for name in names}


def loss(params, step):
    """A bowl whose minimum and curvature move, and which is above zero."""
    target = jnp.sin(0.7 * step) + 0.3
    return sum(
        (1 + 0.5 * jnp.cos(step + i)) * jnp.sum((w - target - 0.1 * i) ** 2) / 2
        for i, w in enumerate(jax.tree.leaves(params))
    )


def run(tx, params, state, start, stop):
    """The parameters and the state after the steps from ``start`` to ``stop``."""
    takes_value = isinstance(
        tx, gdlab.GradientTransformation | optax.GradientTransformationExtraArgs
    )

    def step(t, carry):
        params, state = carry
        value, grad = jax.value_and_grad(loss)(params, jnp.asarray(t, float))
        extra = {"value": value} if takes_value else {}
        updates, state = tx.update(grad, state, params, **extra)
        return optax.apply_updates(params, updates), state

    return jax.lax.fori_loop(start, stop, step, (params, state))
