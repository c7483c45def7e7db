"""The layouts of optax's states of methods, and gdlab's names for their entries."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from gdlab.core.parametrized import is_schedule
from gdlab.core.structure import Value
from gdlab.core.transformation import GradientTransformation, composition_of
from gdlab.interop.states.optax.correspondence import (
    Arrays,
    BesideOurs,
    BesideTheirs,
    Count,
    Fixed,
    Fresh,
    FromCount,
    Item,
    Moved,
    Refused,
    Wrapped,
    below,
    same,
)
from gdlab.interop.states.places import links

Layout = Callable[[GradientTransformation], Sequence[Item]]
"""A function from a transformation of gdlab to the layout of optax's state of the same call."""
Link = Layout | Sequence[Item]

CONVERSION_DTYPE = np.longdouble
"""The dtype of conversions, wide enough that converting back gives the same bits."""
FIRST_STEP = FromCount("is_initial_step", lambda t: np.array(t == 0), lambda is_first: not is_first)


def scheduled(value: Value) -> bool:
    """Tell whether an argument follows a schedule, for which optax keeps a count."""
    return is_schedule(value)


def chain_of(*links: Link) -> Layout:
    """The layout of a chain of optax, whose links have their positions for names."""

    def layout(tx: GradientTransformation) -> list[Item]:
        made = [link(tx) if callable(link) else link for link in links]
        return [item for i, items in enumerate(made) for item in below(str(i), items)]

    return layout


def of_schedule(name: str) -> Layout:
    """The layout of a link that scales by an argument, which may follow a schedule."""
    return lambda tx: [Count("count", of_schedule=True)] if scheduled(getattr(tx, name)) else []


def constant(tx: GradientTransformation, name: str) -> np.ndarray:
    """An argument that has to be a number.

    Raises:
        ValueError: if it follows a schedule.
    """
    value = getattr(tx, name)
    if scheduled(value):
        raise ValueError(
            f"{name} of {tx.factory.name} follows a schedule, {value!r}, and optax keeps one number"
        )
    return np.asarray(value, jnp.result_type(float))


def decay(tx: GradientTransformation) -> list[Item]:
    """The layout of ``add_decayed_weights`` within a method."""
    arguments = tx.arguments()
    if not any(scheduled(arguments.get(name)) for name in ("weight_decay", "weight_decay_rate")):
        return []
    masks = ("mask", "weight_decay_mask")
    # The mask of optax's lars is True by default.
    is_masked = tx.factory.name == "lars" or any(arguments.get(x) is not None for x in masks)
    return below("inner_state" if is_masked else "", [Count("count", of_schedule=True)])


rate = of_schedule("learning_rate")
NOTHING: tuple[Item, ...] = ()
ADAM = (Count("count"), same("mu"), same("nu"))
LION = (Count("count"), same("mu"))
TRACE = (same("trace"),)
EMA = (Count("count"), same("ema"))
RSS = (same("sum_of_squares"),)
ADADELTA = (same("e_g", "mean_square_gradient"), same("e_x", "mean_square_step"))
ADAN = (
    same("m", "mu"),
    same("v", "mu_of_changes"),
    same("n", "nu"),
    same("g", "previous"),
    Count("t"),
)
OPTIMISTIC = (FIRST_STEP, same("previous_gradient", "previous"))
ADEMAMIX = (
    Count("count"),
    Count("count_m2"),
    same("m1", "mu"),
    same("m2", "mu_slow"),
    same("nu"),
)
SIMPLIFIED_ADEMAMIX = (Count("t"), same("m", "mu"), same("n", "nu"))
ACPROP = (Count("count"), same("mu", "nu_mu"), same("nu", "nu_belief"))
SM3 = (same("mu", "nu"), same("nu", "ema"))
COCOB = (
    same("init_particles", "from_start"),
    *map(same, ("cumulative_gradients", "scale", "subgradients", "reward")),
)
MADGRAD = (
    Count("count"),
    same("grad_sum_sq", "nu"),
    same("s", "sum"),
    same("x0", "from_start"),
)
DADAPT = (
    same("exp_avg", "mu"),
    same("exp_avg_sq", "nu"),
    same("grad_sum"),
    same("estim_lr"),
    same("numerator_weighted", "numerator"),
    Count("count"),
)
PRODIGY = (
    same("exp_avg", "mu"),
    same("exp_avg_sq", "nu"),
    same("grad_sum"),
    same("params0"),
    Moved(
        ("estim_lr",),
        ("estim_lr", "largest_estimate"),
        lambda theirs, *_: [theirs[0], theirs[0]],
        lambda ours, _: [ours[0]],
    ),
    same("numerator_weighted", "numerator"),
    Count("count"),
)
MOMO = (
    same("exp_avg", "mu"),
    same("barf", "loss_model.value"),
    same("gamma", "loss_model.product"),
    same("lb", "loss_model.bound"),
    Count("count"),
)
PLATEAU = (
    *map(same, ("scale", "best_value", "plateau_count", "cooldown_count", "avg_value")),
    same("count", "seen"),
)
DISTANCE_OVER_GRADIENTS = (
    same("max_dist"),
    same("init_params", "params0"),
    Moved(
        ("grad_sum_of_squares",),
        ("grad_norm",),
        lambda theirs, like, _: [_root(theirs[0]).reshape(like[0].shape)],
        lambda ours, _: [_square(ours[0]).reshape(1)],
    ),
)
DOG = (
    same("max_dist"),
    same("init_params", "params0"),
    Moved(
        ("sum_sq_norm_grads",),
        ("grad_norm",),
        lambda theirs, *_: [_root(theirs[0])],
        lambda ours, _: [_square(ours[0])],
    ),
    FIRST_STEP._replace(theirs="is_init_step"),
)
DOWG = (
    same("init_params", "params0"),
    same("estim_sq_dist"),
    Moved(
        ("weighted_sq_norm_grads",),
        ("weighted_norm",),
        lambda theirs, *_: [_root(theirs[0])],
        lambda ours, _: [_square(ours[0])],
    ),
)
KEYED = (
    Refused("rng_key", "optax keeps a random key, where gdlab takes one at each call of update"),
)
SEARCHED = (
    Refused("", "gdlab's line search keeps other numbers than optax's; begin with a fresh state"),
)


def _root(x: np.ndarray) -> np.ndarray:
    return np.sqrt(x.astype(CONVERSION_DTYPE)).astype(x.dtype)


def _square(x: np.ndarray) -> np.ndarray:
    return np.square(x.astype(CONVERSION_DTYPE)).astype(x.dtype)


# --- Methods whose layout depends on their arguments


def _amsgrad(tx: GradientTransformation) -> list[Item]:
    reason = (
        "optax keeps the maximum of the corrected second moments, and gdlab's amsgrad that of the "
        "raw ones; amsgrad(…, maximum_of_corrected=True) is optax's"
    )
    of_corrected = tx.maximum_of_corrected
    return [*ADAM, same("nu_max") if of_corrected else Refused("nu_max", reason)]


def _rms(tx: GradientTransformation) -> list[Item]:
    counted = [Count("count")] if tx.bias_correction else []
    if getattr(tx, "centered", tx.factory.name == "scale_by_stddev"):
        return [*counted, *_variance(tx)]
    return [*counted, same("nu")]


def _variance(tx: GradientTransformation) -> list[Item]:
    """The mean square in optax, and its excess over the squared mean in gdlab."""

    def forward(theirs: Arrays, *_: object) -> Arrays:
        mean, square = theirs
        spread = square.astype(_wide(square)) - np.abs(mean.astype(_wide(mean))) ** 2
        return [mean, np.maximum(spread, 0).astype(square.dtype)]

    def backward(ours: Arrays, _: BesideOurs) -> Arrays:
        mean, spread = ours
        square = spread.astype(_wide(spread)) + np.abs(mean.astype(_wide(mean))) ** 2
        return [mean, square.astype(spread.dtype)]

    if tx.bias_correction:
        # There the mean and the variance are kept corrected.
        return [Refused("nu", "gdlab keeps corrected moments; optax keeps them raw")]
    # The weight is there, but nothing reads it.
    return [Moved(("mu", "nu"), ("mean", "variance"), forward, backward), Fresh("weight")]


def _wide(x: np.ndarray) -> np.dtype:
    return np.dtype(np.clongdouble if np.iscomplexobj(x) else CONVERSION_DTYPE)


def _momentum(*, has_rate: bool) -> Layout:
    """The layout of momentum, in which optax has the learning rate for one method alone."""

    def layout(tx: GradientTransformation) -> Sequence[Item]:
        if tx.momentum is None:
            return NOTHING
        if tx.learning_rate_in_momentum == has_rate:
            return TRACE
        reason = f"optax has learning_rate_in_momentum={has_rate} in {tx.factory.name}"
        return [Refused("trace", reason)]

    return layout


def _rprop(_: GradientTransformation) -> list[Item]:
    """Optax keeps the last step, of which gdlab keeps the sign."""

    def forward(theirs: Arrays, *_: object) -> Arrays:
        size, step = theirs
        return [size, np.sign(step)]

    def backward(ours: Arrays, _: BesideOurs) -> Arrays:
        size, sign = ours
        return [size, (size * sign).astype(sign.dtype)]

    paths = ("step_sizes", "prev_updates"), ("step_sizes", "previous_sign")
    return [Moved(*paths, forward, backward)]


def _factored(tx: GradientTransformation) -> list[Item]:
    """Means of rows and of columns, or the whole where nothing is factored."""

    def forward(theirs: Arrays, like: Arrays, _: BesideTheirs) -> Arrays:
        rows, columns, whole = theirs
        if like[1] is None:
            return [whole, None]
        return [
            x if x is None or y is None or x.size != y.size else x.reshape(y.shape)
            for x, y in zip((rows, columns), like, strict=True)
        ]

    def backward(ours: Arrays, _: BesideOurs) -> Arrays:
        rows, columns = ours
        nothing = np.zeros(1, rows.dtype)
        if columns is None:
            return [nothing, nothing, rows]
        shape = np.broadcast_shapes(rows.shape, columns.shape)
        second, longest = np.argsort(shape, kind="stable")[-2:]
        return [rows.squeeze(longest), columns.squeeze(second), nothing]

    if getattr(tx, "axes", "largest") != "largest":
        return [Refused("v_row", 'optax factors the two largest axes: axes="largest"')]
    paths = ("v_row", "v_col", "v"), ("nu_rows", "nu_columns")
    return [Count("count"), Moved(*paths, forward, backward)]


def _adafactor(tx: GradientTransformation) -> list[Item]:
    links: list[Link] = [_factored]
    links += [NOTHING] if tx.clipping_threshold is not None else []
    links += [rate] if tx.learning_rate is not None else []
    links += [NOTHING] if tx.multiply_by_parameter_scale else []
    links += [EMA] if tx.momentum is not None else []
    links += [decay] if tx.weight_decay_rate is not None else []
    return list(chain_of(*links)(tx))


def _fromage(tx: GradientTransformation) -> list[Item]:
    counted = [Count("count", of_schedule=True)] if scheduled(tx.learning_rate) else []
    return list(chain_of(NOTHING, counted, counted)(tx))


def _polynomials(tx: GradientTransformation) -> list[Item]:
    return [Fixed("ns_coeffs", lambda: _numbers_of(tx.ns_coeffs))]


def _numbers_of(coefficients: Value) -> np.ndarray:
    if isinstance(coefficients, str):
        raise ValueError(
            f"the coefficients {coefficients!r} are known to optax by other numbers; hand over "
            "like = optax_tx.init(params)"
        )
    return np.asarray(coefficients, np.float32)


def _scale_by_muon(tx: GradientTransformation) -> list[Item]:
    return [*LION, *_polynomials(tx)]


def _muon(tx: GradientTransformation) -> list[Item]:
    groups = _within(tx, "partition").transforms
    layout = chain_of(_scale_by_muon, NOTHING, decay, rate)(tx)
    at = "inner_states.{}.inner_state".format
    return [
        Wrapped(at("muon"), ("groups", "muon"), groups["muon"], tuple(layout)),
        Wrapped(at("adam"), ("groups", "adam"), groups["adam"]),
    ]


def _in_subspace(base: GradientTransformation) -> list[Item]:
    def forward(theirs: Arrays, like: Arrays, _: BesideTheirs) -> Arrays:
        return [None if y is None or x is None else x.T for x, y in zip(theirs, like, strict=True)]

    def backward(ours: Arrays, _: BesideOurs) -> Arrays:
        return [None if basis is None else basis.T for basis in ours]

    return [
        Count("count"),
        *below("base_optimizer_state", METHODS[base.factory.name](base)),
        Moved(("projector",), ("basis",), forward, backward),
    ]


def _galore(tx: GradientTransformation) -> list[Item]:
    base = _within(tx, "in_subspace").inner
    return list(chain_of(lambda _: _in_subspace(base), decay, rate)(tx))


def _within(tx: GradientTransformation, name: str) -> GradientTransformation:
    """The part of this name in a composition."""
    waiting = [tx]
    while waiting:
        part = waiting.pop(0)
        if part.factory.name == name:
            return part
        made = composition_of(part)
        waiting += [inner for _, inner in links(part)] if made is None else [made]
    raise LookupError(f"{tx!r} has no part {name}")


def _mechanize(tx: GradientTransformation) -> list[Item]:
    """The way that the base method has come, which is the displacement over the scale."""
    reason = (
        "optax keeps the first parameters, which gdlab's mechanize has not; the state of its base "
        "method is state.base_optimizer_state"
    )

    def forward(theirs: Arrays, _: Arrays, beside: BesideTheirs) -> Arrays:
        param, start = beside.param().astype(CONVERSION_DTYPE), theirs[0]
        scale = beside.theirs("s").astype(CONVERSION_DTYPE).sum() + CONVERSION_DTYPE(
            constant(tx, "eps")
        )
        return [((param - start.astype(CONVERSION_DTYPE)) / scale).astype(start.dtype)]

    def backward(*_: object) -> Arrays:
        raise ValueError(reason)

    return [
        Count("count"),
        Wrapped("base_optimizer_state", ("base_optimizer_state",), tx.base_optimizer),
        *(same(name, f"bettors.{name}") for name in ("r", "m", "v", "s")),
        Moved(("x0",), ("displacement",), forward, backward),
    ]


def _schedule_free(tx: GradientTransformation) -> list[Item]:
    """Optax keeps z alone, from which and the parameters the average follows."""
    kept = [same("weight_sum"), same("max_lr"), Count("step_count", ahead=1)]
    b1 = Fixed("b1", lambda: constant(tx, "b1"), check=True)
    base = Wrapped("base_optimizer_state", ("base_optimizer_state",), tx.base_optimizer)
    if not tx.keeps_average:
        return [*kept, base, b1, Fresh("average.b1"), same("z", "average.z")]

    def forward(theirs: Arrays, _: Arrays, beside: BesideTheirs) -> Arrays:
        z, y = theirs[0], beside.param()
        wide = z.astype(CONVERSION_DTYPE)
        average = wide + (y.astype(CONVERSION_DTYPE) - wide) / CONVERSION_DTYPE(constant(tx, "b1"))
        return [z, average.astype(np.result_type(z.dtype, np.float32))]

    moved = Moved(("z",), ("z", "average.average"), forward, lambda ours, _: [ours[0]])
    return [*kept, base, b1, moved]


def _schedule_free_sgd(tx: GradientTransformation) -> list[Item]:
    """The base method is a chain in optax, and in gdlab no more than the learning rate."""
    descent = chain_of(NOTHING, rate)
    base = descent if tx.weight_decay is None else chain_of(decay, descent)
    return [
        item._replace(layout=tuple(base(tx))) if isinstance(item, Wrapped) else item
        for item in _schedule_free(_within(tx, "schedule_free"))
    ]


def _lbfgs(_: GradientTransformation) -> list[Item]:
    """The pairs of differences: a ring in optax, and the newest one first in gdlab."""

    def order(memory: np.ndarray, updates: int) -> np.ndarray:
        # It is its own inverse.
        return memory[(updates - 2 - np.arange(len(memory))) % len(memory)]

    def forward(theirs: Arrays, _: Arrays, beside: BesideTheirs) -> Arrays:
        return [order(theirs[0], beside.updates())]

    def backward(ours: Arrays, beside: BesideOurs) -> Arrays:
        return [order(ours[0], beside.updates())]

    names = ("diff_params_memory", "diff_updates_memory", "weights_memory")
    memories = [Moved((name,), (name,), forward, backward) for name in names]
    return [Count("count"), same("params"), same("updates"), *memories]


METHODS: dict[str, Layout] = {
    "adabelief": chain_of(ADAM, rate),
    "adadelta": chain_of(decay, ADADELTA, rate),
    "adafactor": _adafactor,
    "adagrad": chain_of(RSS, rate),
    "adam": chain_of(ADAM, rate),
    "adamax": chain_of(ADAM, rate),
    "adamaxw": chain_of(ADAM, decay, rate),
    "adamw": chain_of(ADAM, decay, rate),
    "adan": chain_of(ADAN, decay, rate),
    "amsgrad": chain_of(_amsgrad, rate),
    "fromage": _fromage,
    "lamb": chain_of(ADAM, decay, NOTHING, rate),
    "lars": chain_of(decay, NOTHING, rate, TRACE),
    "lion": chain_of(LION, decay, rate),
    "nadam": chain_of(ADAM, rate),
    "nadamw": chain_of(ADAM, decay, rate),
    "noisy_sgd": chain_of(KEYED, rate),
    "novograd": chain_of(ADAM, rate),
    "optimistic_adam": chain_of(ADAM, OPTIMISTIC, NOTHING),
    "optimistic_adam_v2": chain_of(ADAM, OPTIMISTIC, rate),
    "optimistic_gradient_descent": chain_of(OPTIMISTIC, rate),
    "polyak_sgd": lambda tx: below("0.1", of_schedule("scaling")(tx)),
    "radam": chain_of(ADAM, rate),
    "rmsprop": chain_of(_rms, rate, _momentum(has_rate=True)),
    "rprop": chain_of(_rprop, NOTHING),
    "sgd": chain_of(_momentum(has_rate=False), rate),
    "sign_sgd": chain_of(NOTHING, rate),
    "signum": chain_of(EMA, NOTHING, rate),
    "sm3": chain_of(SM3, NOTHING),
    "yogi": chain_of(ADAM, rate),
    "lbfgs": chain_of(_lbfgs, NOTHING, SEARCHED),
    "acprop": chain_of(ACPROP, decay, rate),
    "ademamix": chain_of(ADEMAMIX, decay, rate),
    "adopt": chain_of(ADAM, rate),
    "cocob": chain_of(decay, rate, COCOB),
    "dadapt_adamw": lambda _: DADAPT,
    "dog": chain_of(decay, DOG, rate),
    "dowg": chain_of(decay, DOWG, rate),
    "dpsgd": chain_of(KEYED, NOTHING, rate),
    "galore": _galore,
    "madgrad": chain_of(decay, MADGRAD),
    "mechanize": _mechanize,
    "momo": lambda _: MOMO,
    "momo_adam": lambda _: (*MOMO, same("exp_avg_sq", "nu")),
    "muon": _muon,
    "prodigy": lambda _: PRODIGY,
    "reduce_on_plateau": lambda _: PLATEAU,
    "schedule_free": _schedule_free,
    "schedule_free_sgd": _schedule_free_sgd,
    "simplified_ademamix": chain_of(SIMPLIFIED_ADEMAMIX, decay, rate),
    "sophia": chain_of((Refused("hessian_fn_state", KEYED[0].reason),)),
    "sam": lambda _: [
        Refused("", "gdlab's sam takes the gradient elsewhere, where optax alternates two methods")
    ],
    # Parts
    "add_decayed_weights": decay,
    "add_noise": lambda _: KEYED,
    "differentially_private_aggregate": lambda _: KEYED,
    "ema": lambda _: EMA,
    "debias": lambda _: EMA,
    "trace": lambda _: TRACE,
    "in_subspace": lambda tx: _in_subspace(tx.inner),
    "scale_by_galore": lambda tx: _in_subspace(_within(tx, "in_subspace").inner),
    "scale": of_schedule("step_size"),
    "scale_by_schedule": lambda _: [Count("count", of_schedule=True)],
    "scale_by_learning_rate": rate,
    "scale_by_adadelta": lambda _: ADADELTA,
    "scale_by_adam": lambda _: ADAM,
    "scale_by_adamax": lambda _: ADAM,
    "scale_by_adan": lambda _: ADAN,
    "scale_by_amsgrad": _amsgrad,
    "scale_by_acprop": lambda _: ACPROP,
    "scale_by_ademamix": lambda _: ADEMAMIX,
    "scale_by_adopt": lambda _: ADAM,
    "scale_by_backtracking_linesearch": lambda _: SEARCHED,
    "scale_by_belief": lambda _: ADAM,
    "scale_by_cocob": lambda _: COCOB,
    "scale_by_distance_over_gradients": lambda _: DISTANCE_OVER_GRADIENTS,
    "scale_by_dog": lambda _: DOG,
    "scale_by_dowg": lambda _: DOWG,
    "scale_by_factored_rms": _factored,
    "scale_by_lbfgs": _lbfgs,
    "scale_by_lion": lambda _: LION,
    "scale_by_madgrad": lambda _: MADGRAD,
    "scale_by_muon": _scale_by_muon,
    "scale_by_novograd": lambda _: ADAM,
    "scale_by_optimistic_gradient": lambda _: OPTIMISTIC,
    "scale_by_radam": lambda _: ADAM,
    "scale_by_rms": _rms,
    "scale_by_rprop": _rprop,
    "scale_by_rss": lambda _: RSS,
    "scale_by_simplified_ademamix": lambda _: SIMPLIFIED_ADEMAMIX,
    "scale_by_sm3": lambda _: SM3,
    "scale_by_sophia": lambda _: [Refused("hessian_fn_state", KEYED[0].reason)],
    "scale_by_stddev": _rms,
    "scale_by_yogi": lambda _: ADAM,
    "scale_by_zoom_linesearch": lambda _: SEARCHED,
    "zero_nans": lambda _: [same("found_nan")],
}
"""The layouts by the name of the transformation."""
