"""Factories of optax, lifted, beside the same factories called as they are."""

import copy
import inspect
import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import Axis, hyperparameters, linear_schedule, set_hyperparameters
from gdlab.interop import lift
from tests.names import NAMES

STEPS = 10
pytestmark = [
    pytest.mark.x64(dtype_promotion="standard", rank_promotion="allow"),
    pytest.mark.filterwarnings('ignore:"seed" is deprecated:DeprecationWarning'),
]
DEPRECATED = ("optimistic_adam",)


def methods():
    """The optimizers of optax: whatever takes a learning rate, by the name under which it stands.

    Those that make a transformation of another, or a link of a chain, are left out.
    """
    found = {}
    for module in (optax, optax.contrib):
        for name, factory in inspect.getmembers(module, inspect.isfunction):
            signature = inspect.signature(factory)
            made = getattr(signature.return_annotation, "__name__", "")
            is_method = made.startswith("GradientTransformation") and name not in DEPRECATED
            has_rate = {"learning_rate", "max_learning_rate"} & set(signature.parameters)
            if is_method and has_rate and not name.startswith(("_", "scale_by")):
                found[name] = factory
    return found


METHODS = methods()
ARGUMENTS = {
    "dpsgd": {"l2_norm_clip": 1.0, "noise_multiplier": 0.1, "seed": 0},
    "noisy_sgd": {"key": 0},
    "lbfgs": {"memory_size": 3},
    "galore": {"rank": 2},
    "schedule_free": {"base_optimizer": optax.sgd(0.1)},
}
"""The arguments without which a method cannot be called, or would not fit this small problem."""
NOT_DIFFERENTIABLE = ("adopt", "dadapt_adamw")
"""Methods of optax that take the root of what is zero at first."""
RATE = {"polyak_sgd": "max_learning_rate"}
AT_EACH_RUN = ("adamw", "lion", "muon", "schedule_free_adamw", "sgd")
"""A method of each kind: plain, sign, matrix, averaging, without state."""

each_method = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in AT_EACH_RUN else pytest.mark.slow) for n in METHODS]
)


def numbers_of(name, learning_rate=0.02):
    """The arguments of a method that are numbers, beside those of ``ARGUMENTS``."""
    given = ARGUMENTS.get(name, {}) | {RATE.get(name, "learning_rate"): learning_rate}
    parameters = inspect.signature(METHODS[name]).parameters.values()
    defaults = {p.name: p.default for p in parameters if isinstance(p.default, float)}
    return {k: v for k, v in (defaults | given).items() if isinstance(v, float)}


def structure_of(name):
    return {k: v for k, v in ARGUMENTS.get(name, {}).items() if not isinstance(v, float)}


def start():
    return {"w": jnp.array([[1.0, -2.0], [0.5, 3.0], [0.25, -1.0]]), "b": jnp.array([0.3, -0.7])}


def loss(params):
    weights = jnp.arange(1.0, 7.0).reshape(3, 2)
    return 0.5 * jnp.sum(weights * params["w"] ** 2) + jnp.sum(jnp.cosh(params["b"]))


def step_of(name):
    """``step(tx, params, state)``, one update of a method with all that it may want to know."""

    def step(tx, params, state):
        value, grads = jax.value_and_grad(loss)(params)
        known = {"value": value, "grad": grads, "value_fn": loss}
        if name == "sophia":
            known = {"obj_fn": loss}
        if name == "dpsgd":
            # One gradient for each of two examples.
            grads, known = jax.tree.map(lambda g: jnp.stack([g, 0.5 * g]), grads), {}
        updates, state = tx.update(grads, state, params, **known)
        return optax.apply_updates(params, updates), state

    return step


def path(name, make):
    """The parameters after each step with the optimizers ``make(0)``, ``make(1)``, …."""
    step = step_of(name)

    def after(carry, count):
        params, state = step(make(count), *carry)
        return (params, state), params

    return jax.lax.scan(after, (start(), make(0).init(start())), jnp.arange(STEPS))[1]


def theirs(name, **numbers):
    return optax.with_extra_args_support(METHODS[name](**numbers, **structure_of(name)))


def ours(name, **numbers):
    return lift(METHODS[name])(**numbers, **structure_of(name))


def assert_same(one, other, rtol=1e-9):
    same = lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)  # noqa: E731
    jax.tree.map(same, one, other)


@pytest.mark.sampled(2)
@each_method
def test_a_lifted_method_of_optax_is_the_method_and_its_derivative_is_finite(name):
    numbers = numbers_of(name)
    rate = RATE.get(name, "learning_rate")
    tx = ours(name, **numbers)
    assert {rate, *numbers} <= set(hyperparameters(tx))

    def run(learning_rate):
        return path(name, lambda _: tx.replace(**{rate: learning_rate}))

    found, slopes = jax.jit(lambda at: jax.jvp(run, (at,), (1.0,)))(numbers[rate])
    assert_same(found, jax.jit(lambda: path(name, lambda _: theirs(name, **numbers)))())
    if name not in NOT_DIFFERENTIABLE:
        assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(slopes))
    assert any(np.any(slope) for slope in jax.tree.leaves(slopes))


@pytest.mark.sampled(1)
@each_method
def test_a_schedule_in_each_number_is_the_factory_called_with_its_value_at_each_step(name):
    schedules = {
        key: linear_schedule(value, 0.5 * value, STEPS) for key, value in numbers_of(name).items()
    }
    at = lambda count: {key: value(count) for key, value in schedules.items()}  # noqa: E731
    scheduled = ours(name, **schedules)
    expected = jax.jit(lambda: path(name, lambda count: theirs(name, **at(count))))()
    assert_same(jax.jit(lambda: path(name, lambda _: scheduled))(), expected)


def test_a_schedule_that_the_factory_would_count_itself_is_counted_by_gdlab():
    falling = optax.linear_schedule(0.1, 0.02, STEPS)
    tx = lift(optax.adam)(falling)
    assert tx.init(start()).names == ("count", "adam")
    # optax computes the value in float32, since it counts in int32: a few times 1e-8, absolute.
    assert_same(path("", lambda _: tx), path("", lambda _: optax.adam(falling)), rtol=1e-5)
    # Where neither annotation nor default says that a number stands there, one is told.
    told = lift(decides, numbers="learning_rate", structure="momentum")(falling)
    expected = path("", lambda count: decides(falling(count)))
    assert_same(path("", lambda _: told), expected)


@pytest.mark.parametrize("name", ["adamw", pytest.param("muon", marks=pytest.mark.slow)])
def test_the_gradient_by_the_learning_rate_is_the_difference_quotient(name):
    def last(learning_rate):
        tx = ours(name, **numbers_of(name)).replace(learning_rate=learning_rate)
        return loss(jax.tree.map(lambda leaf: leaf[-1], path(name, lambda _: tx)))

    step = 1e-5
    quotient = (last(0.02 + step) - last(0.02 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(last)(0.02), quotient, rtol=1e-6)


def test_a_sweep_over_a_lifted_method_compiles_once_and_its_lanes_are_runs_of_optax():
    traces = []

    def counted(params):
        traces.append(1)
        return loss(params)

    def sweep(rates):
        tx = lift(optax.lion)(Axis("learning_rate", rates))
        return gdlab.sweep(counted, start(), tx, steps=STEPS)

    first = sweep([1e-3, 1e-2, 1e-1])
    before = len(traces)
    second = sweep([2e-3, 2e-2, 2e-1])
    assert len(traces) == before
    for result in (first, second):
        for lane, rate in enumerate(result.coords["learning_rate"]):
            alone = path("lion", lambda _, rate=float(rate): optax.lion(rate))
            last = jax.tree.map(lambda leaf: leaf[-1], alone)
            np.testing.assert_allclose(result.loss[lane, 0, -1], loss(last), rtol=1e-6)


def decides(learning_rate, momentum=0.9, decay=0.1, max_norm=None):
    """A factory that branches on a number, as one of somebody's repository may."""
    links = [optax.add_decayed_weights(decay)]
    if momentum > 0:
        links.append(optax.trace(momentum))
    if max_norm is not None:
        links.append(optax.clip_by_global_norm(max_norm))
    return optax.chain(*links, optax.scale(-learning_rate))


def test_a_number_by_which_a_factory_branches_is_named_and_can_be_structure():
    tx = lift(decides)(0.1)
    state = tx.init(start())
    advice = r"by the value of 'momentum'.*lift\(decides, structure=\('momentum',\)\)"
    with pytest.raises(TypeError, match=advice):
        tx.update(start(), state, start())
    settled = lift(decides, structure="momentum")
    assert list(hyperparameters(settled(0.1))) == ["learning_rate", "decay"]
    tx = settled(0.1, momentum=0.5)
    expected = path("", lambda _: decides(0.1, momentum=0.5))
    assert_same(path("", lambda _: tx), expected)
    with pytest.raises(TypeError, match=r"argument 'momentum': it is structure.*Axis"):
        settled(0.1, momentum=Axis("momentum", [0.0, 0.9]))


def test_all_numbers_by_which_an_update_branches_are_named():
    def bounded(learning_rate, low, high, scale):
        def update(updates, state, params=None):
            size = scale * min(max(learning_rate, low), high)
            return jax.tree.map(lambda u: -size * u, updates), state

        return lambda params: (), update

    tx = lift(bounded)(0.1, 0.01, 1.0, 2.0)
    with pytest.raises(TypeError, match="by the value of 'learning_rate' and 'low' and 'high'"):
        tx.update(start(), tx.init(start()), start())


def test_an_error_that_no_number_causes_is_left_as_it_is():
    def looks(learning_rate):
        def update(updates, state, params=None):
            return (updates, state) if updates["b"][0] > 0 else (params, state)

        return lambda params: (), update

    tx = lift(looks)(0.1)
    with pytest.raises(jax.errors.TracerBoolConversionError):
        tx.update(start(), tx.init(start()), start())


def test_what_is_no_number_is_structure():
    tx = lift(optax.adamw)(1, mask={"w": True, "b": False}, nesterov=True, mu_dtype=jnp.bfloat16)
    numbers = {"learning_rate", "b1", "b2", "eps", "eps_root", "weight_decay"}
    assert set(hyperparameters(tx)) == numbers
    assert (tx.learning_rate, tx.nesterov, tx.mu_dtype) == (1.0, True, jnp.bfloat16)
    assert tx.mask == {"w": True, "b": False}
    noisy = [lift(optax.noisy_sgd)(0.1, key=jax.random.key(seed)) for seed in (0, 0, 1)]
    assert noisy[0] == noisy[1] != noisy[2]
    assert lift(optax.sgd)(0.1).momentum is None
    assert hyperparameters(lift(optax.sgd)(0.1, 0.9)) == {"learning_rate": 0.1, "momentum": 0.9}
    assert "ns_steps" not in hyperparameters(lift(optax.contrib.muon)(0.1))
    betas = hyperparameters(lift(optax.contrib.prodigy)(1.0))
    assert (betas["betas.0"], betas["betas.1"]) == (0.9, 0.999)


def test_integers_are_numbers_where_they_are_swept_or_told_to_be():
    muon = lift(optax.contrib.muon)
    steps = Axis("ns_steps", [3, 5])
    swept = gdlab.sweep(loss, start(), muon(0.02, ns_steps=steps), steps=3)
    for lane, count in enumerate((3, 5)):
        alone = gdlab.minimize(loss, start(), optax.contrib.muon(0.02, ns_steps=count), steps=3)
        np.testing.assert_allclose(swept.loss[lane, 0], alone.values, rtol=1e-6)
    with pytest.raises(ValueError, match="argument 'ns_steps': expected integers"):
        muon(0.02, ns_steps=Axis("ns_steps", [3.5]))
    told = lift(optax.contrib.reduce_on_plateau, numbers="patience")(patience=5)
    assert hyperparameters(told)["patience"] == 5.0


def test_arguments_by_position_alone_and_by_any_keyword_are_numbers_too():
    def lying(learning_rate, /, *scales, **kwargs):
        size = learning_rate * sum(scales)
        return optax.chain(optax.adam(size, **kwargs))

    lifted = lift(lying)
    tx = lifted(0.01, 1.0, 2.0, b1=0.8, nesterov=True)
    assert repr(tx) == "lying(0.01, 1.0, 2.0, b1=0.8, nesterov=True)"
    assert len(jax.tree.leaves(tx)) == 4
    assert eval(repr(tx), {"lying": lifted}) == tx
    assert_same(path("", lambda _: tx), path("", lambda _: optax.adam(0.03, 0.8, nesterov=True)))


class Descent:
    """A class whose objects are pairs, and whose update knows of no parameters."""

    def __init__(self, learning_rate: float):
        self.learning_rate = learning_rate

    def init(self, params):
        return ()

    def update(self, updates, state):
        return jax.tree.map(lambda u: -self.learning_rate * u, updates), state


def test_classes_and_updates_without_parameters_or_with_them_by_name_are_taken():
    def shrinking(learning_rate):
        def update(updates, state, *, params):
            return jax.tree.map(lambda w: -learning_rate * w, params), state

        return lambda params: (), update

    descent = path("", lambda _: lift(Descent)(0.1))
    assert_same(descent, path("", lambda _: optax.sgd(0.1)))
    shrunk = path("", lambda _: lift(shrinking)(0.1))
    assert_same(shrunk["b"][-1], 0.9**STEPS * start()["b"])


def test_a_factory_with_some_arguments_filled_in_is_called_as_the_function_is():
    tx = lift(partial(optax.adam, b1=0.5))(0.1, eps=1e-3)
    assert repr(tx) == "adam(0.1, eps=0.001)"
    assert tx.b1 == 0.5
    assert_same(path("", lambda _: tx), path("", lambda _: optax.adam(0.1, b1=0.5, eps=1e-3)))


def test_a_state_of_the_other_library_goes_on_in_that_of_the_lifted_method():
    params, theirs = start(), optax.lion(0.1)
    _, kept = theirs.update(params, theirs.init(params), params)
    tx = lift(optax.lion)(0.1)
    state = tx.init(params).replace(lion=kept)
    updates, state = tx.update(params, state, params)
    assert_same((updates, state.lion), theirs.update(params, kept, params))


def test_it_has_the_name_signature_and_documentation_of_the_factory():
    lion = lift(optax.lion)
    assert lion.__name__ == "lion"
    assert lion.__doc__ == optax.lion.__doc__
    assert inspect.signature(lion) == inspect.signature(optax.lion)
    assert lion is lift(optax.lion)
    assert lift(gdlab.adam) is gdlab.adam


def test_its_repr_is_its_source_and_copies_are_equal():
    names = NAMES | {"lion": lift(optax.lion)}
    for arguments in (
        {"learning_rate": 0.1},
        {"learning_rate": Axis("learning_rate", [0.1, 0.2]), "b1": 0.5},
        {"learning_rate": linear_schedule(0.1, 0.0, 9), "mask": {"w": True, "b": False}},
        {"learning_rate": 0.1, "mu_dtype": jnp.bfloat16},
    ):
        tx = lift(optax.lion)(**arguments)
        for again in (eval(repr(tx), names), pickle.loads(pickle.dumps(tx)), copy.deepcopy(tx)):
            assert jax.tree.structure(again) == jax.tree.structure(tx)
            jax.tree.map(np.testing.assert_array_equal, again, tx)


def test_its_state_is_named_stored_and_sharded_like_that_of_gdlabs_own():
    tx = lift(optax.lion)(optax.linear_schedule(0.1, 0.0, 10))
    params = start()
    _, state = tx.update(params, tx.init(params), params)
    arrays = gdlab.flatten_state(state)
    assert sorted(arrays) == ["count", "lion.0.count", "lion.0.mu.b", "lion.0.mu.w"]
    assert gdlab.restore_state(tx.init(params), arrays)[0].lion[0].count == 1
    np.testing.assert_allclose(hyperparameters(tx, state)["learning_rate"], 0.09)
    sharding = gdlab.state_sharding(tx, jax.tree.map(lambda leaf: leaf.sharding, params))
    assert jax.tree.structure(sharding) == jax.tree.structure(state)
    set_hyperparameters(tx, {"b1": 0.5}).update(params, state, params)


def test_transformations_of_gdlab_among_the_arguments_keep_their_numbers():
    tx = lift(optax.chain)(gdlab.clip_by_global_norm(1.0), gdlab.adam(0.1))
    assert list(hyperparameters(tx))[:2] == ["chain.0.max_norm", "chain.1.learning_rate"]
    named = lift(optax.named_chain)(("clip", optax.clip(1.0)), ("descend", gdlab.sgd(0.1)))
    assert [float(x) for x in jax.tree.leaves(named)] == [0.1]
    searching = lift(optax.chain)(gdlab.sgd(1.0), gdlab.scale_by_backtracking_linesearch(15))
    run = gdlab.minimize(loss, start(), searching, steps=3)
    assert run.values[-1] < run.values[0]


def test_a_factory_that_composes_parts_of_gdlab_is_opened_like_one_of_them():
    def mine(learning_rate, decay=0.9):
        return gdlab.chain(gdlab.trace(decay), gdlab.scale_by_learning_rate(learning_rate))

    tx = lift(mine)(0.1)
    assert gdlab.expand(tx) == gdlab.expand(gdlab.sgd(0.1, 0.9))
    assert tx.init(start()).names == ("trace",)


def test_mistakes_are_named():
    with pytest.raises(TypeError, match="lift: factory must be a function"):
        lift(optax.adam(0.1))
    with pytest.raises(ValueError, match="lion has no parameter 'beta'; it has learning_rate, b1"):
        lift(optax.lion, numbers="beta")
    with pytest.raises(ValueError, match="'b1' is either among numbers or structure"):
        lift(optax.lion, numbers=("b1",), structure=("b1",))
    with pytest.raises(ValueError, match="is a factory of gdlab"):
        lift(gdlab.adam, structure="b1")
    with pytest.raises(TypeError, match=r"returned 0\.1, which is no pair"):
        lift(lambda rate: rate)(0.1)
    with pytest.raises(TypeError, match="missing a required argument: 'learning_rate'"):
        lift(optax.lion)()
