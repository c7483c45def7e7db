"""One call of each factory of optax, as a function of the library that has it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp


def points():
    """A small tree of parameters of ranks 0 to 2."""
    return {
        "w": jnp.array([[1.0, -2.0, 0.5], [0.3, 3.0, -0.7]]),
        "b": jnp.array([0.3, -0.7, 1.5]),
        "s": jnp.array(0.4),
    }


def without_scalars():
    """The same without the one of rank 0."""
    return {name: leaf for name, leaf in points().items() if leaf.ndim}


def loss(params):
    """A smooth loss above zero."""
    return 20 + sum(jnp.sum(0.5 * leaf**2 + jnp.cos(leaf)) for leaf in jax.tree.leaves(params))


def nothing(_):
    return {}


@dataclass(frozen=True)
class Call:
    """A call of a factory, and what its updates need."""

    make: Callable[[Any], Any]
    """From the library to the transformation."""
    params: Callable[[], Any] = points
    extra: Callable[[Any], dict[str, Any]] = nothing
    """From the parameters to the keywords of an update."""
    examples: tuple[int, ...] = ()
    """The axes of gradients before those of the parameters."""
    goes_downhill: bool = False
    """True for the gradients of the loss, in place of some that vary without end."""
    pair: str = ""
    """The class of the library that pairs the parameters, if any."""

    def run(self, library, steps):
        """The updates of some steps, stacked, and the state after them."""
        tx = library.with_extra_args_support(self.make(library))
        start = self.params()
        given = varying(start, steps, self.examples)
        params = getattr(library, self.pair).init_synced(start) if self.pair else start

        def step(carry, gradient):
            params, state = carry
            if self.goes_downhill:
                gradient = jax.grad(loss)(params)
            updates, state = tx.update(gradient, state, params, **self.extra(params))
            return (library.apply_updates(params, updates), state), updates

        run = jax.jit(lambda params, state: jax.lax.scan(step, (params, state), given))
        (_, state), updates = run(params, tx.init(params))
        return updates, state


def varying(params, steps, examples=()):
    """Gradients that vary from step to step, stacked along a leading axis."""
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(7), len(leaves))
    drawn = [
        jax.random.normal(key, (steps, *examples, *leaf.shape), leaf.dtype) * (1 + 0.5 * index)
        for index, (key, leaf) in enumerate(zip(keys, leaves, strict=True))
    ]
    return treedef.unflatten(drawn)


def with_value(params):
    return {"value": loss(params)}


def searching(params):
    return {"value": loss(params), "grad": jax.grad(loss)(params), "value_fn": loss}


MASK = {"w": True, "b": False, "s": True}
LABELS = {"w": "slow", "b": "fast", "s": "fast"}


def falling(count):
    """A learning rate that varies."""
    return 0.1 / (1 + count)


def groups(lib):
    return {"slow": lib.adam(0.01), "fast": lib.sgd(falling, momentum=0.9)}


def contributed(name, *args, **kwargs):
    """A call of a factory of contrib."""
    return lambda lib: getattr(lib.contrib, name)(*args, **kwargs)


def part(name, *args, **kwargs):
    """A call of a factory."""
    return lambda lib: getattr(lib, name)(*args, **kwargs)


def with_rate(name, **kwargs):
    """A call of a method, with a learning rate that varies."""
    return part(name, falling, **kwargs)


TOP = {
    "adabelief": with_rate("adabelief"),
    "adadelta": with_rate("adadelta"),
    "adafactor": with_rate("adafactor"),
    "adagrad": with_rate("adagrad"),
    "adam": with_rate("adam"),
    "adamax": with_rate("adamax"),
    "adamaxw": with_rate("adamaxw"),
    "adamw": with_rate("adamw", weight_decay=0.1, mask=MASK),
    "adan": with_rate("adan", weight_decay=0.1),
    "adaptive_grad_clip": part("adaptive_grad_clip", 0.1),
    "add_decayed_weights": part("add_decayed_weights", 0.1, MASK),
    "add_noise": part("add_noise", 0.1, 0.5, key=3),
    "amsgrad": with_rate("amsgrad", b2=0.9),
    "apply_every": part("apply_every", 3),
    "apply_if_finite": lambda lib: lib.apply_if_finite(lib.adam(0.1), 2),
    "centralize": part("centralize"),
    "chain": lambda lib: lib.chain(lib.clip(0.5), lib.sgd(0.1, momentum=0.9)),
    "clip": part("clip", 0.5),
    "clip_by_block_rms": part("clip_by_block_rms", 0.5),
    "clip_by_global_norm": part("clip_by_global_norm", 1.0),
    "conditionally_mask": lambda lib: lib.conditionally_mask(lib.adam(0.1), lambda t: t % 2 == 0),
    "conditionally_transform": lambda lib: lib.conditionally_transform(
        lib.adam(0.1), lambda t: t % 3 == 1
    ),
    "ema": part("ema", 0.9),
    "flatten": lambda lib: lib.flatten(lib.adam(0.1)),
    "freeze": part("freeze", {"w": True, "b": False, "s": False}),
    "fromage": with_rate("fromage"),
    "identity": part("identity"),
    "inject_hyperparams": lambda lib: lib.inject_hyperparams(lib.adamw)(falling, weight_decay=0.1),
    "lbfgs": part("lbfgs"),
    "lookahead": lambda lib: lib.lookahead(lib.adam(0.1), 3, 0.5, reset_state=True),
    "keep_params_nonnegative": part("keep_params_nonnegative"),
    "lamb": with_rate("lamb", weight_decay=0.1),
    "lars": with_rate("lars"),
    "lion": with_rate("lion"),
    "masked": lambda lib: lib.masked(lib.adam(0.1), MASK),
    "multi_transform": lambda lib: lib.multi_transform(groups(lib), LABELS),
    "MultiSteps": lambda lib: lib.MultiSteps(
        lib.adam(0.1), lambda n: jnp.where(n < 3, 2, 3), accumulator_dtype=float
    ),
    "nadam": with_rate("nadam"),
    "nadamw": with_rate("nadamw"),
    "named_chain": lambda lib: lib.named_chain(("clip", lib.clip(0.5)), ("step", lib.sgd(0.1))),
    "noisy_sgd": with_rate("noisy_sgd", key=5),
    "normalize_by_update_norm": part("normalize_by_update_norm"),
    "novograd": with_rate("novograd", weight_decay=0.1),
    "optimistic_adam": part("optimistic_adam", 0.1),
    "optimistic_adam_v2": with_rate("optimistic_adam_v2"),
    "optimistic_gradient_descent": with_rate("optimistic_gradient_descent"),
    "partition": lambda lib: lib.partition(groups(lib), LABELS),
    "polyak_sgd": part("polyak_sgd", 0.5),
    "radam": with_rate("radam"),
    "rmsprop": with_rate("rmsprop", momentum=0.9, centered=True),
    "rprop": part("rprop", 0.1),
    "scale": part("scale", 0.5),
    "scale_by_adadelta": part("scale_by_adadelta"),
    "scale_by_adam": part("scale_by_adam", nesterov=True),
    "scale_by_adamax": part("scale_by_adamax"),
    "scale_by_adan": part("scale_by_adan"),
    "scale_by_amsgrad": part("scale_by_amsgrad", b2=0.9),
    "scale_by_backtracking_linesearch": lambda lib: lib.chain(
        lib.sgd(2.0), lib.scale_by_backtracking_linesearch(20, store_grad=True)
    ),
    "scale_by_zoom_linesearch": lambda lib: lib.chain(
        lib.sgd(1.0), lib.scale_by_zoom_linesearch(20, curv_rtol=float("inf"))
    ),
    "scale_by_belief": part("scale_by_belief"),
    "scale_by_distance_over_gradients": part("scale_by_distance_over_gradients"),
    "scale_by_factored_rms": part("scale_by_factored_rms", min_dim_size_to_factor=2),
    "scale_by_lbfgs": part("scale_by_lbfgs"),
    "scale_by_learning_rate": part("scale_by_learning_rate"),
    "scale_by_lion": part("scale_by_lion", mode="smooth", smooth_beta=2.0),
    "scale_by_novograd": part("scale_by_novograd"),
    "scale_by_optimistic_gradient": part("scale_by_optimistic_gradient"),
    "scale_by_param_block_norm": part("scale_by_param_block_norm"),
    "scale_by_param_block_rms": part("scale_by_param_block_rms"),
    "scale_by_polyak": part("scale_by_polyak"),
    "scale_by_radam": part("scale_by_radam"),
    "scale_by_rms": part("scale_by_rms"),
    "scale_by_rprop": part("scale_by_rprop", 0.1),
    "scale_by_rss": part("scale_by_rss"),
    "scale_by_schedule": lambda lib: lib.scale_by_schedule(falling),
    "scale_by_sign": part("scale_by_sign"),
    "scale_by_sm3": part("scale_by_sm3"),
    "scale_by_stddev": part("scale_by_stddev"),
    "scale_by_trust_ratio": lambda lib: lib.chain(lib.scale_by_trust_ratio(), lib.scale(-0.1)),
    "scale_by_yogi": part("scale_by_yogi"),
    "selective_transform": lambda lib: lib.selective_transform(lib.adam(0.1), freeze_mask=MASK),
    "set_to_zero": part("set_to_zero"),
    "sgd": with_rate("sgd", momentum=0.9, nesterov=True),
    "sign_sgd": with_rate("sign_sgd"),
    "signum": with_rate("signum"),
    "sm3": part("sm3", 0.1),
    "snapshot": lambda lib: lib.snapshot("norm", lib.global_norm),
    "stateless": part("stateless", lambda u, p: jax.tree.map(lambda a, b: 2 * a + b, u, p)),
    "stateless_with_tree_map": part("stateless_with_tree_map", lambda u, p: 2 * u + p),
    "trace": part("trace", 0.9),
    "with_extra_args_support": lambda lib: lib.with_extra_args_support(lib.adam(0.1)),
    "yogi": with_rate("yogi"),
    "zero_nans": part("zero_nans"),
}

CONTRIB = {
    "acprop": lambda lib: lib.contrib.acprop(falling),
    "ademamix": lambda lib: lib.contrib.ademamix(falling, weight_decay=0.1),
    "adopt": lambda lib: lib.contrib.adopt(falling),
    "cocob": contributed("cocob"),
    "dadapt_adamw": contributed("dadapt_adamw", weight_decay=0.1),
    "differentially_private_aggregate": contributed(
        "differentially_private_aggregate", 1.0, 0.5, key=4
    ),
    "dpsgd": contributed("dpsgd", 0.1, 1.0, 0.5, 3, momentum=0.9),
    "hutchinson_estimator_diag_hessian": contributed("hutchinson_estimator_diag_hessian"),
    "dog": contributed("dog"),
    "dowg": contributed("dowg"),
    "galore": lambda lib: lib.contrib.galore(falling, rank=1),
    "madgrad": lambda lib: lib.contrib.madgrad(0.1, momentum=0.8),
    "mechanize": lambda lib: lib.contrib.mechanize(lib.sgd(0.1)),
    "momo": contributed("momo", 0.1),
    "momo_adam": contributed("momo_adam", 0.1),
    "muon": lambda lib: lib.contrib.muon(falling, weight_decay=0.1),
    "normalize": contributed("normalize"),
    "prodigy": contributed("prodigy"),
    "reduce_on_plateau": contributed("reduce_on_plateau", patience=2),
    "sam": lambda lib: lib.contrib.sam(
        lib.sgd(0.1, momentum=0.9), lib.chain(lib.contrib.normalize(), lib.sgd(0.05)), 3
    ),
    "scale_by_acprop": contributed("scale_by_acprop"),
    "scale_by_ademamix": contributed("scale_by_ademamix"),
    "scale_by_adopt": contributed("scale_by_adopt", nesterov=True),
    "scale_by_cocob": contributed("scale_by_cocob"),
    "scale_by_galore": contributed("scale_by_galore", rank=1),
    "scale_by_madgrad": contributed("scale_by_madgrad", 0.1),
    "scale_by_muon": lambda lib: lib.contrib.scale_by_muon(
        weight_dimension_numbers={"w": lib.contrib.MuonDimensionNumbers()}
    ),
    "scale_by_simplified_ademamix": contributed("scale_by_simplified_ademamix"),
    "schedule_free": lambda lib: lib.contrib.schedule_free(lib.sgd(0.1), 0.1, b1=0.9),
    "schedule_free_adamw": lambda lib: lib.contrib.schedule_free_adamw(0.1, weight_decay=0.1),
    "schedule_free_sgd": lambda lib: lib.contrib.schedule_free_sgd(0.1),
    "simplified_ademamix": lambda lib: lib.contrib.simplified_ademamix(falling),
    "sophia": lambda lib: lib.contrib.sophia(falling, gamma=10.0, update_interval=3),
    "split_real_and_imaginary": lambda lib: lib.contrib.split_real_and_imaginary(lib.adam(0.1)),
}

CALLS = {name: Call(make) for name, make in TOP.items()}
CALLS |= {f"contrib.{name}": Call(make) for name, make in CONTRIB.items()}


def change(names, **changes):
    for name in names.split():
        CALLS[name] = replace(CALLS[name], **changes)


change("polyak_sgd scale_by_polyak contrib.momo contrib.momo_adam", extra=with_value)
change("contrib.reduce_on_plateau", extra=with_value)
change("contrib.sophia contrib.hutchinson_estimator_diag_hessian", extra=lambda _: {"obj_fn": loss})
change("lbfgs scale_by_backtracking_linesearch", extra=searching, goes_downhill=True)
change("scale_by_zoom_linesearch", extra=searching, goes_downhill=True)
change("scale_by_lbfgs", goes_downhill=True)
change("contrib.dpsgd contrib.differentially_private_aggregate", examples=(5,))
change("lookahead", pair="LookaheadParams")
change("sm3 scale_by_sm3 scale_by_distance_over_gradients", params=without_scalars)
change("contrib.scale_by_muon", params=lambda: {"w": points()["w"]})
