"""The table of differences says where the namespace departs from optax, and is never stale."""

import jax
import jax.numpy as jnp
import numpy as np
import optax as theirs
import pytest

from gdlab.interop import optax

pytestmark = pytest.mark.filterwarnings("ignore:.*(deprecated|dtype):")
NAN = float("nan")


def updates(tx, *gradients, params=None, **extra):
    """The updates of some steps."""
    gradients = [jax.tree.map(jnp.asarray, gradient) for gradient in gradients]
    params = jax.tree.map(jnp.zeros_like, gradients[0]) if params is None else params
    state, found = tx.init(params), []
    for gradient in gradients:
        update, state = tx.update(gradient, state, params, **extra)
        params = jax.tree.map(lambda w, u: w + u, params, update)
        found.append(update)
    return found


def values(schedule):
    return [float(schedule(step)) for step in range(5)]


W = jnp.array([3.0, 4.0])
G = jnp.array([1.0, 2.0])
CUBE = jnp.arange(24.0).reshape(2, 3, 4)
STEEP = {"value": 25.0, "grad": 2 * W, "value_fn": lambda w: jnp.sum(w**2)}


def plateau(lib):
    tx = lib.contrib.reduce_on_plateau(factor=0.5, patience=1, rtol=0.1)
    state, found = tx.init(W), []
    for value in (-1.0, -0.95, -0.95):
        update, state = tx.update(G, state, value=value)
        found.append(update)
    return found


def sees_grad(lib):
    """What stands for the gradient sees the keyword of that name in some layout."""

    def update(updates, state, params=None, *, grad=None, **_):
        return jax.tree.map(lambda u: u + len(jax.tree.leaves(grad)), updates), state

    return lib.GradientTransformationExtraArgs(lambda params: (), update)


def chosen_by_sign(lib):
    tx = lib.masked(lib.scale(2.0), lambda tree: bool(tree[0] > 0))
    with jax.disable_jit():
        return updates(tx, -G, params=W)


def labelled_by_sign(lib):
    transforms = {"plus": lib.scale(2.0), "minus": lib.scale(3.0)}
    tx = lib.partition(transforms, lambda tree: "plus" if tree[0] > 0 else "minus")
    with jax.disable_jit():
        return updates(tx, -G, params=W)


def two(name, *args, **kwargs):
    """Two steps of a part of ``contrib`` or of the whole."""

    def run(lib):
        module = lib.contrib if name.startswith("contrib.") else lib
        tx = getattr(module, name.removeprefix("contrib."))(*args, **kwargs)
        return updates(tx, G, jnp.array([-0.5, 1.0]), params=W)

    return run


def scheduled(name, *args):
    return lambda lib: values(getattr(lib, name)(*args))


def counted_on(name):
    """A step of Adam after its count was set."""

    def run(lib):
        module, _, function = name.partition(".")
        tx = lib.adam(0.1)
        set_entries = getattr(getattr(lib, module), function)
        return tx.update(G, set_entries(tx.init(W), count=jnp.int32(9)), W)[0]

    return run


MATRIX = {"w": jnp.array([[1.0, -2.0, 0.5], [0.3, 3.0, -0.7]])}
SHOWN = {
    "adadelta": lambda lib: updates(lib.adadelta(), G),
    "amsgrad": lambda lib: updates(lib.amsgrad(0.1), G, 0.1 * G, 0.1 * G),
    "scale_by_amsgrad": lambda lib: updates(lib.scale_by_amsgrad(), G, 0.1 * G, 0.1 * G),
    "adan": two("adan", 0.1),
    "scale_by_adan": two("scale_by_adan"),
    "rprop": two("rprop", 0.1),
    "scale_by_rprop": two("scale_by_rprop", 0.1),
    "yogi": lambda lib: updates(lib.yogi(0.1), 0 * G),
    "scale_by_yogi": lambda lib: updates(lib.scale_by_yogi(), 0 * G),
    "lars": two("lars", 0.1, weight_decay=0.1),
    "adafactor": two("adafactor", 0.1, weight_decay_rate=0.1),
    "scale_by_lbfgs": lambda lib: updates(lib.scale_by_lbfgs(), G, -G, G, params=W),
    "scale_by_zoom_linesearch": lambda lib: updates(
        lib.chain(lib.sgd(1e-3), lib.scale_by_zoom_linesearch(20)), 2 * W, params=W, **STEEP
    ),
    "lbfgs": lambda lib: updates(lib.lbfgs(1e-3), 2 * W, params=W, **STEEP),
    "contrib.acprop": two("contrib.acprop", 0.1),
    "contrib.scale_by_acprop": two("contrib.scale_by_acprop"),
    "contrib.madgrad": two("contrib.madgrad", 0.0),
    "contrib.scale_by_madgrad": two("contrib.scale_by_madgrad", 0.0),
    "contrib.mechanize": lambda lib: updates(
        lib.contrib.mechanize(lib.sgd(1.0), s_init=1e-8), G, G, params=W
    ),
    "contrib.muon": lambda lib: updates(lib.contrib.muon(0.1), G, 2 * G, params=W),
    "contrib.scale_by_muon": lambda lib: updates(
        lib.contrib.scale_by_muon(
            weight_dimension_numbers={"w": lib.contrib.MuonDimensionNumbers()}
        ),
        MATRIX,
        {"w": MATRIX["w"] ** 2},
        params=MATRIX,
    ),
    "contrib.galore": lambda lib: updates(lib.contrib.galore(0.1, 1), MATRIX, params=MATRIX),
    "contrib.scale_by_galore": lambda lib: updates(
        lib.contrib.scale_by_galore(1), MATRIX, params=MATRIX
    ),
    "contrib.sophia": lambda lib: updates(
        lib.contrib.sophia(0.1, gamma=1.0), G, params=W, obj_fn=lambda w: jnp.sum(w**4)
    ),
    "contrib.schedule_free": lambda lib: updates(
        lib.contrib.schedule_free(lib.sgd(lambda t: 0.1 * t), lambda t: 0.1 * t, b1=0.9), G, G, G
    ),
    "contrib.schedule_free_sgd": two("contrib.schedule_free_sgd", 0.1, warmup_steps=3),
    "contrib.schedule_free_adamw": two("contrib.schedule_free_adamw", 0.1, warmup_steps=3),
    "contrib.reduce_on_plateau": plateau,
    "clip_by_global_norm": lambda lib: updates(
        lib.clip_by_global_norm(1.0), jnp.array([NAN, 3.0, 4.0])
    ),
    "global_norm": lambda lib: lib.global_norm(jnp.array([1e30, 1e30])),
    "centralize": lambda lib: updates(lib.centralize(), MATRIX),
    "adaptive_grad_clip": lambda lib: updates(
        lib.adaptive_grad_clip(0.01), jnp.ones_like(CUBE), params=CUBE
    ),
    "transforms.unitwise_norm": lambda lib: lib.transforms.unitwise_norm(CUBE),
    "contrib.normalize": lambda lib: updates(lib.contrib.normalize(), 0 * G),
    "scale_by_adam": lambda lib: updates(lib.scale_by_adam(), jnp.float16(0)),
    "adam": lambda lib: updates(lib.adam(0.1, eps=0.0), 0 * G),
    "adamw": lambda lib: updates(lib.adamw(0.1, eps=0.0), 0 * G),
    "adamax": lambda lib: updates(lib.adamax(0.1, eps=0.0), 0 * G),
    "nadam": lambda lib: updates(lib.nadam(0.1, eps=0.0), 0 * G),
    "scale_by_stddev": lambda lib: updates(lib.scale_by_stddev(), *[jnp.float32(3)] * 300)[-1],
    "rmsprop": lambda lib: updates(lib.rmsprop(1e-6, centered=True), *[jnp.float32(3)] * 300)[-1],
    "flatten": lambda lib: updates(
        lib.flatten(sees_grad(lib)), {"a": G, "b": G}, grad={"a": G, "b": G}
    ),
    "contrib.split_real_and_imaginary": lambda lib: updates(
        lib.with_extra_args_support(lib.contrib.split_real_and_imaginary(sees_grad(lib))),
        G + 1j * G,
        grad=G + 1j * G,
    ),
    "masked": chosen_by_sign,
    "partition": labelled_by_sign,
    "linear_schedule": scheduled("linear_schedule", 1.0, 0.1, 0),
    "polynomial_schedule": scheduled("polynomial_schedule", 1.0, 0.1, 2, 4, -2),
    "exponential_decay": scheduled("exponential_decay", 1.0, 2, 0.0),
    "cosine_decay_schedule": scheduled("cosine_decay_schedule", 1.0, 0),
    "warmup_cosine_decay_schedule": scheduled("warmup_cosine_decay_schedule", 0.0, 1.0, 4, 4),
    "linear_onecycle_schedule": scheduled("linear_onecycle_schedule", 0, 1.0),
    "cosine_onecycle_schedule": scheduled("cosine_onecycle_schedule", 0, 1.0),
    "piecewise_constant_schedule": scheduled("piecewise_constant_schedule", 1.0, {2: -0.5}),
    "piecewise_interpolate_schedule": scheduled(
        "piecewise_interpolate_schedule", "linear", 1.0, {2: -0.5}
    ),
    "optimistic_adam": lambda lib: updates(lib.optimistic_adam(lambda step: 0.1), G),
    "sm3": lambda lib: updates(lib.sm3(lambda step: 0.1), G),
    "scale_by_distance_over_gradients": lambda lib: updates(
        lib.scale_by_distance_over_gradients(), jnp.array(1.0)
    ),
    "scale_by_sm3": lambda lib: updates(lib.scale_by_sm3(), jnp.array(1.0)),
    "chain": lambda lib: isinstance(lib.chain(lib.trace(0.9)).init(W), dict),
    "named_chain": lambda lib: isinstance(
        lib.named_chain(("a", lib.trace(0.9))).init(W)["a"], tuple
    ),
    "tree.set": counted_on("tree.set"),
    "tree_utils.tree_set": counted_on("tree_utils.tree_set"),
    "state": lambda lib: isinstance(lib.scale_by_adam().init(W), tuple),
    "low precision": lambda lib: str(lib.trace(0.9).init(W.astype("bfloat16")).trace.dtype),
    "small numbers": lambda lib: updates(lib.adam(0.1, eps=1e-50), G),
}


ERROR = "an error"
QUICK = ("adadelta", "centralize", "chain", "clip_by_global_norm", "linear_schedule", "state")


def outcome(shown, lib):
    """The value that is shown, or that it is an error."""
    try:
        return jax.tree.map(np.asarray, shown(lib))
    except (TypeError, ValueError, IndexError):
        return ERROR


def same(one, other):
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    if jax.tree.structure(one) != jax.tree.structure(other):
        return False
    return all(
        a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


def test_each_difference_is_shown_here_and_nothing_else():
    assert set(SHOWN) == set(optax.differences())


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SHOWN],
)
def test_the_two_differ_where_the_table_says_so(name):
    there, here = outcome(SHOWN[name], theirs), outcome(SHOWN[name], optax)
    assert not same(there, here)
    rows = optax.differences()[name]
    assert (there is ERROR) == any(ERROR in row.optax for row in rows)
    assert (here is ERROR) == any(ERROR in row.gdlab for row in rows)


def test_the_functions_of_the_table_are_in_the_namespace():
    for name in optax.differences():
        if name in ("state", "low precision", "small numbers"):
            continue
        module, _, last = name.rpartition(".")
        assert hasattr(getattr(optax, module) if module else optax, last), name


def test_the_table_prints_and_shows_every_row():
    table = optax.differences()
    text, page = repr(table), table._repr_html_()
    assert max(map(len, text.splitlines())) <= 120
    assert page.count("<tr>") == len(table.rows) + 1
    assert all(name in text.replace("\n", " ") for name in ("amsgrad", "contrib.muon"))
