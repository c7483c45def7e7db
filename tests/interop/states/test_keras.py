"""Training that Keras has begun and gdlab goes on with, and the other way round."""

import contextlib
import os
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.interop import from_keras, to_keras
from tests.interop.states.runs import (
    STEPS,
    agree,
    as_jax,
    as_numpy,
    assert_same_bits,
    go_on,
    grads_of,
    moves,
    start_of,
)
from tests.oracles import METHODS
from tests.oracles.method import GRADS, LEARNING_RATE
from tests.paths import per_step


def imported():
    """Keras on JAX; it warns of NumPy."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings(action="ignore"):
        return pytest.importorskip("keras", reason="keras is not installed")


keras = imported()


@contextlib.contextmanager
def keras_in(dtype):
    """Let Keras make its variables of a dtype, and mix dtypes as it does."""
    default = keras.config.floatx()
    keras.config.set_floatx(np.dtype(dtype).name)
    try:
        with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        keras.config.set_floatx(default)


class Theirs:
    """A run of one of Keras's optimizers along given gradients and learning rates."""

    def __init__(self, make, params, dtype=np.float64):
        self.dtype, self.names = dtype, list(params)
        with keras_in(dtype):
            self.variables = [keras.Variable(w, name=name) for name, w in params.items()]
            self.optimizer = make(keras.optimizers)
            self.optimizer.build(self.variables)

    def go(self, start, steps):
        """The points of these steps, by name."""
        points = []
        with keras_in(self.dtype):
            for step in range(start, start + steps):
                self.optimizer.learning_rate = float(LEARNING_RATE[step])
                self.optimizer.apply(
                    [
                        keras.ops.convert_to_tensor(GRADS[name][step], dtype=self.dtype)
                        for name in self.names
                    ]
                )
                points.append(self.params())
        return {name: np.array([point[name] for point in points]) for name in self.names}

    def params(self):
        return {
            name: np.array(variable.value)
            for name, variable in zip(self.names, self.variables, strict=True)
        }

    def load(self, values):
        with keras_in(self.dtype):
            self.optimizer.load_own_variables(values)


def moves_there_and_back(name, k, rtol, dtype=np.float64):
    """Move after k steps of Keras, and back after some steps of gdlab; compare all points."""
    method = METHODS[name]
    tx = method.gdlab(per_step(LEARNING_RATE))
    params = start_of(method, dtype)
    theirs = Theirs(method.keras, params, dtype)
    theirs.go(0, k)
    here = as_jax(theirs.params())
    state = from_keras(theirs.optimizer, list(params), tx=tx, params=here)
    path, state = go_on(tx, here, state, grads_of(params, k, dtype))
    agree(path, theirs.go(k, STEPS), rtol)

    end = {name: path[name][-1] for name in params}
    where = {"tx": tx, "params": end}
    again = Theirs(method.keras, as_numpy(end), dtype)
    back = to_keras(state, list(params), like=again.optimizer, count=k + STEPS, **where)
    again.load(back)
    # gdlab keeps the variance, and Muon's average, where Keras has the square and the sum;
    # the average of iterates follows from these and the parameters.
    rounded = ("variance", "average", *(["mu"] if "muon" in name else []))
    moved = from_keras(again.optimizer, list(params), **where)
    assert_same_bits(*map(without_unread, (state, moved)), rounded)
    agree(again.go(k + STEPS, STEPS), theirs.go(k + STEPS, STEPS), rtol)


def without_unread(state):
    """A state without the largest learning rate, of which the zeroth power is taken here."""
    return {name: value for name, value in state.items() if name != "max_lr"}


WITH_KERAS = [name for name, method in METHODS.items() if method.keras]
PLAIN = {
    ("adam in three links", 37),
    ("sgd with the learning rate inside the momentum", 37),
}
"""The runs that are compared each time; the others are slow together."""


@pytest.mark.x64
@pytest.mark.parametrize(("name", "k"), list(moves(WITH_KERAS, PLAIN)))
def test_run_that_is_moved_goes_as_one_that_is_not(name, k):
    moves_there_and_back(name, k, METHODS[name].rtol)


@pytest.mark.parametrize("name", [pytest.param("adam in three links", marks=pytest.mark.slow)])
def test_run_in_float32_that_is_moved_goes_as_one_that_is_not(name):
    # Weights of gdlab's corrections multiply 0.999 rounded to float32 up; Keras takes its power.
    moves_there_and_back(name, 37, 1e-5, np.float32)


# --- Models, whose variables have paths


NAMES = {
    "model/first/kernel": "layers.0.kernel",
    "model/first/bias": "layers.0.bias",
    "model/second/kernel": "layers.1.kernel",
    "model/second/bias": "layers.1.bias",
}


def model_and(make, steps, params=None):
    """A model of two dense layers, and its optimizer after steps along given gradients."""
    with keras_in(np.float32):
        dense = [keras.layers.Dense(3, name="first"), keras.layers.Dense(2, name="second")]
        model = keras.Sequential([keras.Input((4,)), *dense], name="model")
        optimizer = make(keras.optimizers)
        optimizer.build(model.trainable_variables)
        go(optimizer, model, 0, steps)
    return model, optimizer


def go(optimizer, model, start, steps):
    with keras_in(np.float32):
        for step in range(start, start + steps):
            optimizer.apply([gradient(step, w.shape) for w in model.trainable_variables])


def gradient(step, shape):
    return jnp.sin(step + jnp.arange(np.prod(shape), dtype=jnp.float32)).reshape(shape)


def params_of(model):
    flat = [jnp.array(w.value) for w in model.trainable_variables]
    return {"layers": [{"kernel": flat[0], "bias": flat[1]}, {"kernel": flat[2], "bias": flat[3]}]}


def follow(tx, params, state, start, steps):
    """The parameters and the state of gdlab after steps along the same gradients."""
    for step in range(start, start + steps):
        grads = jax.tree.map(lambda w, step=step: gradient(step, w.shape), params)
        updates, state = tx.update(grads, state, params)
        params = gdlab.apply_updates(params, updates)
    return params, state


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps", [7, pytest.param(6, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)]
)
def test_gradients_that_are_accumulated_so_far_and_the_average_go_along(steps):
    settings = {"gradient_accumulation_steps": 3, "use_ema": True, "ema_momentum": 0.9}
    make = lambda o: o.SGD(0.1, momentum=0.9, **settings)  # noqa: E731
    model, optimizer = model_and(make, steps)
    momentum = gdlab.sgd(0.1, 0.9, learning_rate_in_momentum=True)
    tx = gdlab.chain(gdlab.accumulate(momentum, 3), gdlab.params_ema(0.9))
    params = params_of(model)
    state = from_keras(optimizer, NAMES, tx=tx, params=params)
    assert state.micro_step == steps % 3
    params, state = follow(tx, params, state, steps, 5)
    go(optimizer, model, steps, 5)
    assert_close(params, params_of(model))
    average = {v.path: v.value for v in optimizer.variables if v.path.endswith("average")}
    for ours, theirs in zip(
        leaves_in_order(state.params_ema.average), average.values(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)

    back = to_keras(state, NAMES, tx=tx, params=params, like=optimizer, count=(steps + 5) // 3)
    assert back["0"] == steps + 5
    for key, variable in enumerate(optimizer.variables):
        np.testing.assert_allclose(back[str(key)], variable.value, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_schedule_of_micro_batches_has_its_value_at_the_last_one_of_each_update():
    schedule = gdlab.cosine_decay_schedule(0.1, 30)
    make = lambda o: o.Adam(o.schedules.CosineDecay(0.1, 30), gradient_accumulation_steps=3)  # noqa: E731
    model, optimizer = model_and(make, 7)
    adam = gdlab.adam(lambda count: schedule(3 * count + 2), eps=1e-7)
    tx, params = gdlab.accumulate(adam, 3), params_of(model)
    state = from_keras(optimizer, NAMES, tx=tx, params=params)
    params, _ = follow(tx, params, state, 7, 8)
    go(optimizer, model, 7, 8)
    assert_close(params, params_of(model))


def leaves_in_order(params):
    return [layer[name] for layer in params["layers"] for name in ("kernel", "bias")]


def assert_close(params, other):
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # noqa: E731
    jax.tree.map(close, params, other)


def test_average_that_has_not_begun_is_refused():
    model, optimizer = model_and(lambda o: o.SGD(0.1, use_ema=True), 0)
    tx = gdlab.chain(gdlab.sgd(0.1), gdlab.params_ema(0.99))
    with pytest.raises(ValueError, match="begins with the first update in the other library"):
        from_keras(optimizer, NAMES, tx=tx, params=params_of(model))


@pytest.mark.parametrize(
    ("make", "tx"),
    [
        (
            lambda o: o.Nadam(0.1),
            gdlab.nadam(0.1, eps=1e-7, momentum_decay=1.0, scheduled_average=False),
        ),
        pytest.param(
            lambda o: o.RMSprop(0.1, centered=True, use_ema=True),
            gdlab.chain(gdlab.rmsprop(0.1, centered=True), gdlab.params_ema(0.9)),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda o: o.Adafactor(0.1),
            gdlab.adafactor(0.1, 1, axes="last"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda o: o.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9), amsgrad=True),
            gdlab.amsgrad(0.1),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_variables_by_path_by_number_and_of_the_optimizer_are_the_same_state(make, tx):
    model, optimizer = model_and(make, 3)
    params, paths = params_of(model), list(NAMES.values())
    stored = {}
    with keras_in(np.float32):
        optimizer.save_own_variables(stored)
    given = [optimizer, optimizer.variables, stored]
    by_path = {v.path: np.array(v.value) for v in optimizer.variables}
    if len(by_path) == len(stored):
        given.append(by_path)
    else:  # of Adafactor's paths some are alike
        with pytest.raises(ValueError, match="give its variables by number"):
            from_keras(by_path, paths, tx=tx, params=params)
    states = [
        from_keras(theirs, names, tx=tx, params=params)
        for theirs in given
        for names in (paths, NAMES)
    ]
    for state in states[1:]:
        jax.tree.map(np.testing.assert_array_equal, states[0], state)
    back = to_keras(states[0], paths, tx=tx, params=params, like=stored, count=3)
    for key, value in stored.items():
        np.testing.assert_allclose(back[key], value, 1e-6)


def test_names_of_the_variables_tell_which_is_which():
    model, optimizer = model_and(lambda o: o.SGD(0.1, momentum=0.9), 2)
    tx = gdlab.sgd(0.1, 0.9, learning_rate_in_momentum=True)
    shuffled = dict(reversed(NAMES.items()))
    one, other = (
        from_keras(optimizer, names, tx=tx, params=params_of(model)) for names in (NAMES, shuffled)
    )
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_count_of_plain_descent_is_that_of_its_schedule():
    model, optimizer = model_and(lambda o: o.SGD(0.1), 4)
    tx, params = gdlab.sgd(gdlab.linear_schedule(0.1, 0.0, 9)), params_of(model)
    state = from_keras(optimizer, NAMES, tx=tx, params=params)
    assert state == {"count": 4}
    assert to_keras(state, NAMES, tx=tx, params=params, like=optimizer)["0"] == 4


@pytest.mark.parametrize(
    ("make", "tx", "names", "message"),
    [
        (
            lambda o: o.LossScaleOptimizer(o.Adam()),
            gdlab.adam(0.1),
            NAMES,
            "gradients of a scaled loss cannot be carried over; give the inner optimizer",
        ),
        (
            lambda o: o.SGD(0.1, momentum=0.9),
            gdlab.sgd(0.1, 0.9),
            NAMES,
            "a momentum of gradients, .* one of steps; learning_rate_in_momentum=True makes",
        ),
        (lambda o: o.Adam(amsgrad=True), gdlab.adam(0.1), NAMES, "keeps velocity_hat for .*, for"),
        (
            lambda o: o.Adam(gradient_accumulation_steps=2),
            gdlab.adam(0.1),
            NAMES,
            "keeps gradient_accumulator for 'layers.0.kernel', for which there is no place",
        ),
        (lambda o: o.Adam(), gdlab.adam(0.1), ["layers.0.kernel"], "names has no path for"),
        (lambda o: o.ScheduleFreeAdamW(), gdlab.adam(0.1), NAMES, "mu, nu where Keras keeps"),
        (
            lambda o: o.ScheduleFreeAdamW(),
            gdlab.schedule_free_adamw(0.1),
            NAMES,
            "all alike: say weight_lr_power=0",
        ),
        (lambda o: o.SGD(0.1), gdlab.sgd(0.1), ["kernel"], "'kernel' is no path of params"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(make, tx, names, message):
    model, optimizer = model_and(make, 0)
    with pytest.raises(ValueError, match=message):
        from_keras(optimizer, names, tx=tx, params=params_of(model))


@pytest.mark.parametrize(
    ("make", "tx", "message"),
    [
        (lambda o: o.Adam(amsgrad=True), gdlab.adam(0.1), "keeps velocity_hat for 'layers.0.kern"),
        (lambda o: o.Adam(), gdlab.amsgrad(0.1), "belongs into velocity_hat, and Keras's"),
        (lambda o: o.RMSprop(), gdlab.rmsprop(0.1), "counts its updates, .* give it by count="),
        (lambda o: o.SGD(), gdlab.adam(0.1), "keeps mu, nu, for which Keras's .* has no place"),
    ],
)
def test_state_that_keras_has_no_place_for_is_refused_by_name(make, tx, message):
    model, optimizer = model_and(make, 0)
    params = params_of(model)
    with pytest.raises(ValueError, match=message):
        to_keras(tx.init(params), NAMES, tx=tx, params=params, like=optimizer)


def test_variables_by_number_that_fit_no_optimizer_are_refused():
    params = {"w": jnp.ones(3)}
    numbered = {"0": np.array(1), "1": np.ones(3), "2": np.ones(4)}
    with pytest.raises(ValueError, match="3 variables by number fit 0 optimizers of Keras; give"):
        from_keras(numbered, ["w"], tx=gdlab.adam(0.1), params=params)
