"""The contract that every public transformation keeps.

A transformation is public if its factory stands in ``gdlab.__all__``. Each needs an example in
``tests/contract``; a new one without is a failure that says so.
"""

import copy
import functools
import pickle
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import (
    Axis,
    GradientTransformation,
    apply_updates,
    expand,
    hyperparameters,
    linear_schedule,
    set_hyperparameters,
)
from gdlab.core.numerics import widen
from tests.contract import EXAMPLES
from tests.names import NAMES

PUBLIC = [
    name
    for name in gdlab.__all__
    if getattr(getattr(getattr(gdlab, name), "factory", None), "made", None)
    is GradientTransformation
]


EACH_TIME = ("gdlab.core", "gdlab.transforms.averages")
"""The parts, and with them the classic methods, that are held to the contract at each run; the
others are at a run of what is slow."""
CLASSIC = ("adam", "adadelta", "amsgrad", "nadam", "rmsprop", "sgd")
"""The methods that are held to all of the contract, as every part is.

The others are made of those parts, and a sweep over each of their numbers runs them in lanes.
"""


def is_thorough(name):
    is_method = getattr(gdlab, name).__module__.startswith("gdlab.optimizers")
    return not is_method or name in CLASSIC


def each(*, where=lambda example: True, at_most=None, thorough=False, every_second_from=None):
    """Every example; at most so many of one transformation, where compiling takes its time.

    With ``every_second_from``, 0 or 1, the plain run takes every second example of those that are
    not slow anyway. Laws begin at one or the other, so that each example is held to half of them.
    """
    names = [name for name in PUBLIC if is_thorough(name) or not thorough]
    examples = [
        (example, marks_of(name))
        for name in names
        for example in EXAMPLES.get(name, [])[: at_most if is_thorough(name) else 1]
        if where(example)
    ]
    if every_second_from is not None:
        quick = [marks for _, marks in examples if pytest.mark.slow not in marks]
        for marks in quick[1 - every_second_from :: 2]:
            marks.append(pytest.mark.slow)
    return pytest.mark.parametrize(
        "example",
        [pytest.param(example, id=repr(example.tx), marks=marks) for example, marks in examples],
    )


def marks_of(name):
    marks = [] if is_quick(name) else [pytest.mark.slow]
    if name == "foreign":
        marks.append(pytest.mark.usually(dtype_promotion="it is a method of optax"))
    return marks


def is_quick(name):
    return name in CLASSIC or getattr(gdlab, name).__module__.startswith(EACH_TIME)


def with_numbers(example):
    return bool(jax.tree.leaves(example.tx))


each_example = each()
each_with_numbers = each(where=with_numbers)

STEPS = 4

# Computed by one program or another, a step differs by a few roundings of float32. In low precision
# that may move what is stored by one unit in the last place, and what comes of it by another.
CLOSE = {
    "float32": {"rtol": 2e-5, "atol": 1e-6},
    "complex64": {"rtol": 2e-5, "atol": 1e-6},
    "bfloat16": {"rtol": 2 * 2**-7, "atol": 1e-6},
    "float16": {"rtol": 2 * 2**-10, "atol": 1e-6},
}


def assert_close(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        name = jnp.result_type(other).name
        wide = np.complex128 if name == "complex64" else np.float64
        np.testing.assert_allclose(
            np.asarray(one).astype(wide), np.asarray(other).astype(wide), **CLOSE.get(name, {})
        )


def every_kind_of_leaf():
    """Parameters of each dtype and rank, with nothing where nothing may be."""
    return {
        "matrix": jnp.array([[0.5, -1.0], [2.0, 0.25]]),
        "scalar": jnp.array(-0.5, jnp.bfloat16),
        "half": jnp.array([-1.0, 0.75], jnp.float16),
        "cube": jnp.linspace(-1.0, 2.0, 12).reshape(2, 3, 2),
        "no_elements": jnp.zeros((0, 3), jnp.bfloat16),
        "absent": None,
        "no_leaves": ({}, []),
    }


def vector(dtype=jnp.float32):
    return {"matrix": jnp.array([0.5, -1.0, 2.0], dtype)}


def gradients(params, seed=0):
    """Gradients of ``STEPS`` steps, stacked; the first element of each leaf and step 2 are zero."""
    rng = np.random.default_rng(seed)

    def of_leaf(param):
        values = rng.normal(size=(STEPS, *param.shape))
        if jnp.iscomplexobj(param):
            values = values + 1j * rng.normal(size=values.shape)
        values[2] = 0
        if param.ndim:
            values.reshape(STEPS, -1)[:, :1] = 0
        return jnp.asarray(values, param.dtype)

    return jax.tree.map(of_leaf, params)


def scaled(grads, scale, in_half):
    """Gradients times a number, or times another one in float16, which has a smaller range."""
    size = lambda g: in_half if g.dtype == jnp.float16 else scale  # noqa: E731
    return jax.tree.map(lambda g: (g.astype(jnp.float32) * size(g)).astype(g.dtype), grads)


def zeros(params):
    return jax.tree.map(lambda param: jnp.zeros((STEPS, *param.shape), param.dtype), params)


def half_square_gradient(params):
    return jax.tree.map(lambda param: 0.5 * param, params)


def half_square(params):
    leaves = jax.tree.leaves(params)
    return 0.25 * sum((jnp.sum(jnp.abs(w).astype(float) ** 2) for w in leaves), jnp.zeros(()))


def extra_at(params, gradient):
    """All that a step knows."""
    return {
        "value": half_square(params),
        "grad": gradient,
        "value_fn": half_square,
        "grad_fn": half_square_gradient,
        "key": jax.random.key(0),
    }


def step_by_step(tx, grads, params):
    """All updates, stacked, and the last state, of calls outside ``jit``."""
    state, every = tx.init(params), []
    for step in range(STEPS):
        gradient = jax.tree.map(lambda g: np.asarray(g)[step], grads)  # noqa: B023
        updates, state = tx.update(gradient, state, params, **extra_at(params, gradient))
        every.append(updates)
    return jax.tree.map(lambda *updates: np.stack(updates), *every), state


def uncompiled(tx, grads, params):
    """The same, one operation after another: what the compiled ones must be."""
    with jax.disable_jit():
        return step_by_step(tx, grads, params)


TRACES: list[Any] = []


def scan(tx, grads, params):
    """The same in one program."""
    TRACES.append(jax.tree.structure(tx))

    def step(state, gradient):
        updates, state = tx.update(gradient, state, params, **extra_at(params, gradient))
        return state, updates

    state, updates = jax.lax.scan(step, tx.init(params), grads)
    return updates, state


compiled_scan = jax.jit(scan)
compiled_lanes = jax.jit(jax.vmap(scan, in_axes=(0, None, None)))


def types(tree):
    """Structure, and shape, dtype and weak type of each leaf."""
    leaves, treedef = jax.tree.flatten(tree)
    return treedef, [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in leaves]


def varied(tx):
    """``tx`` with each number in turn changed by a quarter, and unchanged."""
    numbers, definition = jax.tree.flatten(tx)
    changes = 1 - 0.25 * np.eye(len(numbers) + 1, len(numbers))
    return [
        definition.unflatten([n * c for n, c in zip(numbers, row, strict=True)])
        for row in changes.tolist()
    ]


def ramps(tx):
    """``tx`` with a schedule in every slot."""
    paths = hyperparameters(tx)
    return set_hyperparameters(
        tx, {path: linear_schedule(value, 0.5 * value, 3) for path, value in paths.items()}
    )


def test_every_public_transformation_has_an_example():
    missing = sorted(set(PUBLIC) - set(EXAMPLES))
    assert not missing, (
        f"{missing} are public transformations without an example of their arguments: add "
        "one to its family in tests/contract, and they are held to the contract"
    )
    assert not set(EXAMPLES) - set(PUBLIC)


@each_example
@pytest.mark.parametrize("params", ["vector", "every_kind_of_leaf"])
def test_updates_have_the_types_of_gradients_and_states_keep_their_own(example, params):
    params = vector(jnp.bfloat16) if params == "vector" else every_kind_of_leaf()
    state = jax.eval_shape(example.tx.init, params)
    first = types(state)
    assert not any(weak for _, _, weak in first[1])
    update = functools.partial(example.tx.update, **extra_at(params, params))
    updates, state = jax.eval_shape(update, params, state, params)
    assert types(updates) == types(params if example.keeps_dtypes else widen(params))
    assert types(state) == first
    assert types(example.tx.init(params)) == first


@each(every_second_from=0)
def test_leaves_of_every_kind_pass_and_stay_finite_under_zero_tiny_and_huge_gradients(example):
    params = every_kind_of_leaf()
    updates, state = compiled_scan(example.tx, gradients(params), params)
    if is_thorough(example.tx.factory.name):
        # jit and scan change nothing.
        assert_close((updates, state), uncompiled(example.tx, gradients(params), params))
    last = jax.tree.map(lambda leaf: leaf[-1], updates)
    assert types(apply_updates(params, last)) == types(params)
    assert all(np.isfinite(leaf.astype(np.float32)).all() for leaf in jax.tree.leaves(updates))

    huge, tiny = (scaled(gradients(params), *sizes) for sizes in ((1e30, 1e3), (1e-30, 6e-8)))
    for hazard in (*([huge, tiny] if example.bears_extremes else []), zeros(params)):
        updates, state = compiled_scan(example.tx, hazard, params)
        for leaf in jax.tree.leaves((updates, state)):
            assert jnp.isfinite(leaf).all()
    if (
        example.rests
        and "nesterov" not in repr(example.tx)
        and "look_ahead" not in repr(example.tx)
    ):
        assert not any(np.any(leaf != 0) for leaf in jax.tree.leaves(updates))


@each_example
def test_a_tree_without_leaves_passes_through(example):
    tx = example.tx
    for empty in ({}, ()):
        updates, _ = tx.update(empty, tx.init(empty), empty, **extra_at(empty, empty))
        assert updates == empty


@each(where=with_numbers, thorough=True, every_second_from=1)
def test_lanes_of_different_numbers_are_a_loop_over_them_traced_once(example):
    params = vector()
    grads = gradients(params)
    loop = varied(example.tx)
    TRACES.clear()
    expected = [compiled_scan(tx, grads, params) for tx in loop]
    assert len(TRACES) <= 1  # none, if another test has traced it
    TRACES.clear()
    stacked = jax.tree.map(lambda *numbers: np.array(numbers, np.float32), *loop)
    lanes = compiled_lanes(stacked, grads, params)
    assert len(TRACES) <= 1
    for lane, alone in enumerate(expected):
        assert_close(jax.tree.map(lambda leaf: np.asarray(leaf)[lane], lanes), alone)  # noqa: B023


@each_example
def test_a_state_can_be_donated_with_the_parameters(example):
    params = vector()
    state = example.tx.init(params)
    arrays = [leaf for leaf in jax.tree.leaves((params, state)) if leaf.size]
    assert len({leaf.unsafe_buffer_pointer() for leaf in arrays}) == len(arrays)


@each(where=lambda example: example.keeps_nan)
@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_a_nan_in_a_gradient_shows_in_the_updates_there_and_nowhere_else(example):
    params = vector() | {"other": jnp.array([0.25, 0.75])}
    grads = jax.tree.map(np.array, gradients(params))
    grads["matrix"][:, 1] = np.nan
    updates, _ = compiled_scan(example.tx, grads, params)
    assert np.isnan(updates["matrix"][-1]).tolist() == [False, True, False]
    assert np.isfinite(updates["other"]).all()


@each(where=with_numbers, thorough=True, every_second_from=0)
def test_schedules_in_every_slot_are_the_loop_that_sets_their_values(example):
    params = vector()
    grads = gradients(params)
    scheduled = ramps(example.tx)
    numbers = list(hyperparameters(example.tx))
    state = scheduled.init(params)
    by_hand = None
    for step in range(STEPS):
        reported = hyperparameters(scheduled, state)
        values = {path: float(reported[path]) for path in numbers}
        if example.counts_calls:
            expected = {
                path: value * (1 - 0.5 * min(step / 3, 1))
                for path, value in hyperparameters(example.tx).items()
            }
            assert values == pytest.approx(expected, rel=1e-6)
        now = set_hyperparameters(example.tx, values)
        by_hand = now.init(params) if by_hand is None else by_hand
        gradient = jax.tree.map(lambda g: g[step], grads)  # noqa: B023
        extra = extra_at(params, gradient)
        updates, state = scheduled.update(gradient, state, params, **extra)
        with jax.disable_jit():
            expected, by_hand = now.update(gradient, by_hand, params, **extra)
        assert_close(updates, expected)


@each(where=lambda e: with_numbers(e) and e.derivatives, at_most=1, every_second_from=1)
def test_derivatives_by_every_number_are_finite(example):
    params = vector()
    grads = gradients(params)

    def size(tx):
        updates, _ = scan(tx, grads, params)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(updates))

    with jax.disable_jit():
        slopes = jax.grad(size)(example.tx)
    assert jax.tree.structure(slopes) == jax.tree.structure(example.tx)
    for path, slope in hyperparameters(slopes).items():
        assert np.isfinite(slope), path


def forms(tx):
    """``tx`` with numbers, arrays, axes and schedules in its slots."""
    paths = hyperparameters(tx)
    yield tx
    yield set_hyperparameters(tx, {path: jnp.array([0.1, 0.3]) for path in paths})
    # The one number that is in the range of each: of decays, and of factors of growth.
    yield set_hyperparameters(tx, {path: Axis(path, [1.0]) for path in paths})
    yield ramps(tx)


def assert_same(rebuilt, tx):
    assert jax.tree.structure(rebuilt) == jax.tree.structure(tx)
    assert hash(jax.tree.structure(rebuilt)) == hash(jax.tree.structure(tx))
    for one, other in zip(jax.tree.leaves(rebuilt), jax.tree.leaves(tx), strict=True):
        assert type(one) is type(other)
        assert jnp.result_type(one) == jnp.result_type(other)
        assert np.array_equal(one, other)


@each(where=lambda example: example.source)
def test_its_repr_is_its_source_and_copies_are_equal(example):
    for tx in forms(example.tx):
        assert_same(eval(repr(tx), NAMES), tx)
        assert_same(pickle.loads(pickle.dumps(tx)), tx)
        assert_same(copy.deepcopy(tx), tx)


@each_with_numbers
def test_its_numbers_have_readable_paths_by_which_each_can_be_set(example):
    numbers = hyperparameters(example.tx)
    assert len(numbers) == len(jax.tree.leaves(example.tx))
    for path in numbers:
        assert re.fullmatch(r"[a-z]\w*(\.\w+)*", path), path
        changed = hyperparameters(set_hyperparameters(example.tx, {path: 0.125}))
        assert changed == numbers | {path: 0.125}


@each(at_most=1, thorough=True, every_second_from=0)
def test_its_expansion_makes_the_same_updates(example):
    params = vector()
    grads = gradients(params)
    updates, _ = uncompiled(expand(example.tx), grads, params)
    assert_close(updates, uncompiled(example.tx, grads, params)[0])


@each(where=lambda example: example.by_element, at_most=1, thorough=True, every_second_from=1)
def test_many_leaves_handed_over_one_by_one_move_as_one_array_does(example):
    whole = {"matrix": np.linspace(-2.0, 2.0, 33, dtype=np.float32)}
    grads = jax.tree.map(np.asarray, gradients(whole))
    expected, _ = uncompiled(example.tx, grads, whole)
    separate = lambda array: {"matrix": list(array["matrix"].T)}  # noqa: E731
    updates, _ = step_by_step(example.tx, separate(grads), separate(whole))
    assert_close(np.stack(updates["matrix"], axis=1), expected["matrix"])


@each(thorough=True, every_second_from=0)
def test_calls_outside_jit_are_compiled_right_and_have_no_nan_in_between(example):
    params = vector()
    grads = gradients(params)
    with jax.debug_nans(True):
        expected, _ = uncompiled(example.tx, grads, params)
    updates, _ = step_by_step(example.tx, grads, params)
    assert_close(updates, expected)


@each(at_most=1, thorough=True, every_second_from=1)
def test_inside_a_method_that_hides_it_and_on_a_bare_array_it_makes_the_same_updates(example):
    @gdlab.transformation
    def hiding():
        return example.tx

    params = vector()
    grads = gradients(params)
    expected, _ = uncompiled(example.tx, grads, params)
    assert_close(uncompiled(hiding(), grads, params)[0], expected)
    bare, of_bare = vector()["matrix"], gradients(vector())["matrix"]
    if re.search(r"['^]matrix", repr(example.tx)):
        with pytest.raises(ValueError, match=r"matches none of the paths \[''\]"):
            example.tx.update(bare, example.tx.init(bare), bare)
        return
    updates, _ = uncompiled(example.tx, of_bare, bare)
    assert_close(updates, expected["matrix"])


@each(where=lambda example: not example.random, at_most=1, thorough=True, every_second_from=0)
def test_beside_itself_with_a_key_it_makes_twice_the_same_updates(example):
    params = vector()
    gradient = jax.tree.map(lambda g: g[0], gradients(params))
    twice = gdlab.fork(jnp.subtract, example.tx, example.tx)
    state = twice.init(params)
    assert len(jax.tree.leaves(state)) >= len(jax.tree.leaves(example.tx.init(params)))
    extra = extra_at(params, gradient)
    updates, _ = jax.jit(lambda g, s: twice.update(g, s, params, **extra))(gradient, state)
    assert_close(updates, jax.tree.map(jnp.zeros_like, params))


@each(at_most=1, thorough=True, every_second_from=1)
def test_in_lanes_that_carry_their_states_it_is_a_loop_over_them(example):
    params = vector()
    steps = [jax.tree.map(lambda g: g[k], gradients(params)) for k in range(2)]  # noqa: B023
    states = [example.tx.init(params)]
    update = lambda g, s: example.tx.update(g, s, params, **extra_at(params, g))  # noqa: E731
    compiled = jax.jit(update)
    states.append(compiled(steps[0], states[0])[1])
    stack = lambda *trees: jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)  # noqa: E731
    # Two lanes that are at different steps.
    lanes = jax.jit(jax.vmap(update))(stack(*steps), stack(*states))
    for lane, (gradient, state) in enumerate(zip(steps, states, strict=True)):
        alone = compiled(gradient, state)
        assert_close(jax.tree.map(lambda leaf: leaf[lane], lanes), alone)  # noqa: B023


@each(where=lambda example: example.on_complex, every_second_from=0)
def test_a_phase_of_complex_gradients_is_one_of_the_updates_or_is_lost(example):
    turn = jnp.exp(jnp.array(0.75j))
    params = vector(jnp.complex64)
    grads = gradients(params)
    turned = lambda tree: jax.tree.map(lambda leaf: turn * leaf, tree)  # noqa: E731
    updates, _ = compiled_scan(example.tx, grads, params)
    after, _ = compiled_scan(example.tx, turned(grads), turned(params))
    assert_close(after, turned(updates) if example.on_complex == "direction" else updates)
