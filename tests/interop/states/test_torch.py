"""Training that torch has begun and gdlab goes on with, and the other way round."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.interop import from_torch, to_torch
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
from tests.oracles.method import GRADS, LEARNING_RATE, PARAMS
from tests.paths import per_step

torch = pytest.importorskip("torch", reason="torch is not installed")


@contextlib.contextmanager
def in_float64():
    """Let torch keep scalars, such as Nadam's product, in the precision of the parameters."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


class Theirs:
    """A run of one of torch's optimizers along given gradients and learning rates."""

    def __init__(self, make, params, dtype=torch.float64):
        self.names = list(params)
        self.tensors = [torch.tensor(w, dtype=dtype, requires_grad=True) for w in params.values()]
        self.stepper = make(torch.optim, self.tensors)
        self.optimizer = getattr(self.stepper, "optimizer", self.stepper)

    def go(self, start, steps):
        """The points of these steps, by name."""
        points = []
        for step in range(start, start + steps):
            for group in self.optimizer.param_groups:
                group["lr"] = float(LEARNING_RATE[step])
            self.stepper.param_groups = self.optimizer.param_groups
            for name, tensor in zip(self.names, self.tensors, strict=True):
                tensor.grad = torch.tensor(GRADS[name][step], dtype=tensor.dtype)
            self.stepper.step()
            points.append(self.params())
        return {name: np.array([point[name] for point in points]) for name in self.names}

    def params(self):
        pairs = zip(self.names, self.tensors, strict=True)
        return {name: tensor.detach().numpy().copy() for name, tensor in pairs}

    def state_dict(self):
        return self.optimizer.state_dict()


def counted(state_dict, count):
    """The count, where torch keeps none."""
    states = list(state_dict["state"].values())
    return count if not states or "step" not in states[0] else None


def moves_there_and_back(name, k, rtol, dtype=np.float64):
    """Move after k steps of torch, and back after some steps of gdlab; compare all points."""
    method = METHODS[name]
    tx = method.gdlab(per_step(LEARNING_RATE))
    params = start_of(method, dtype)
    theirs = Theirs(method.torch, params, getattr(torch, np.dtype(dtype).name))
    theirs.go(0, k)
    here, moved = theirs.params(), theirs.state_dict()
    state = from_torch(moved, list(params), tx=tx, params=as_jax(here), count=counted(moved, k))
    path, state = go_on(tx, as_jax(here), state, grads_of(params, k, dtype))
    agree(path, theirs.go(k, STEPS), rtol)

    end = {name: path[name][-1] for name in params}
    like = theirs.state_dict()
    back = to_torch(state, list(params), tx=tx, params=end, like=like)
    again = from_torch(back, list(params), tx=tx, params=end, count=counted(back, k + STEPS))
    # gdlab keeps the variance where torch has the mean square.
    assert_same_bits(state, again, rounded=("variance",))
    theirs_again = Theirs(method.torch, as_numpy(end), theirs.tensors[0].dtype)
    theirs_again.optimizer.load_state_dict(back)
    agree(theirs_again.go(k + STEPS, STEPS), theirs.go(k + STEPS, STEPS), rtol)


WITH_TORCH = [name for name, method in METHODS.items() if method.torch]
PLAIN = {
    ("adam", 0),
    ("adam", 1),
    ("adam", 37),
    ("rmsprop, centered, with eps outside the root", 37),
}
"""The runs that are compared each time; the others are slow together."""


@pytest.mark.sampled(2)
@pytest.mark.x64
@pytest.mark.parametrize(("name", "k"), list(moves(WITH_TORCH, PLAIN)))
def test_run_that_is_moved_goes_as_one_that_is_not(name, k):
    with in_float64():
        moves_there_and_back(name, k, METHODS[name].rtol)


@pytest.mark.parametrize(
    "name",
    [
        "adam with its defaults",
        pytest.param("sgd with Nesterov momentum", marks=pytest.mark.slow),
        pytest.param("amsgrad on the average", marks=pytest.mark.slow),
        pytest.param("adagrad with eps outside the root", marks=pytest.mark.slow),
    ],
)
def test_run_in_float32_that_is_moved_goes_as_one_that_is_not(name):
    # In float32 1 − 0.999 is off by 1.3e-5, and so are weights that gdlab computes by it; torch has
    # it in double precision. Steps differ by half of that where such a weight has made the state.
    moves_there_and_back(name, 37, 1e-5 if "defaults" in name else 1e-6, np.float32)


# --- Momenta that are averages there and sums here, or the other way round


DAMPED = {"momentum": 0.9, "dampening": 0.9}


@pytest.mark.x64
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        # An average of gradients: their sum times one minus the momentum.
        (DAMPED, lambda lr: gdlab.sgd(lr, 0.9, averaging=True)),
        (DAMPED | {"dampening": 0.3}, lambda lr: damped(lr, gdlab.scale(0.7))),
        ({"momentum": 0.9}, lambda lr: damped(lr, gdlab.ema(0.9), gdlab.scale(10.0))),
    ],
)
def test_momentum_is_rescaled_where_the_other_weighs_gradients_differently(theirs, ours):
    tx = ours(per_step(LEARNING_RATE))
    run = Theirs(lambda o, p: o.SGD(p, **theirs), {"vector": PARAMS["vector"]})
    run.go(0, 5)
    params, moved = as_jax(run.params()), run.state_dict()
    state = from_torch(moved, ["vector"], tx=tx, params=params, count=5)
    back = to_torch(state, ["vector"], tx=tx, params=params, like=moved)["state"][0]
    agree(back, moved["state"][0], 1e-14)
    path, _ = go_on(tx, params, state, grads_of(["vector"], 5, float))
    agree(path, run.go(5, STEPS), 1e-12)


def damped(learning_rate, *links):
    """Momentum with a link before or after it."""
    average = [link for link in links if link.factory.name == "ema"]
    momentum = [] if average else [gdlab.trace(0.9)]
    return gdlab.chain(*links, *momentum, gdlab.scale_by_learning_rate(learning_rate))


@pytest.mark.x64
def test_momentum_without_a_first_step_is_refused_where_that_is_not_dampened():
    run = Theirs(lambda o, p: o.SGD(p, **DAMPED), {"vector": PARAMS["vector"]})
    tx = gdlab.sgd(0.1, 0.9, averaging=True)
    with pytest.raises(ValueError, match="does not dampen the first step: take it in torch"):
        from_torch(run.state_dict(), ["vector"], tx=tx, params=as_jax(run.params()))


# --- Averaged descent


@pytest.mark.x64
@pytest.mark.parametrize("k", [12, *(pytest.param(k, marks=pytest.mark.slow) for k in (0, 1, 5))])
def test_averaged_descent_that_is_moved_has_the_mean_of_one_that_is_not(k):
    settings = {"lambd": 0.1, "alpha": 0.6}
    tx = gdlab.asgd(0.2, t0=6, **settings)
    w = torch.tensor(PARAMS["vector"], requires_grad=True)
    with in_float64():
        optimizer = torch.optim.ASGD([w], lr=0.2, t0=5, **settings)
        average = along(optimizer, w, 0, k)
        params = {"w": jnp.asarray(w.detach().numpy().copy())}
        state = from_torch(optimizer.state_dict(), ["w"], tx=tx, params=params)
        for step in range(k, 20):
            g = {"w": jnp.asarray(GRADS["vector"][step])}
            updates, state = tx.update(g, state, params)
            params = gdlab.apply_updates(params, updates)
        average = along(optimizer, w, k, 20)
        mean = gdlab.evaluation_params(state, params)["w"]
        np.testing.assert_allclose(mean, average, rtol=1e-12)
        theirs = optimizer.state_dict()
        back = to_torch(state, ["w"], tx=tx, params=params, like=theirs)["state"][0]
    for name, tensor in theirs["state"][0].items():
        np.testing.assert_allclose(back[name], tensor, rtol=1e-12, err_msg=name)


def along(optimizer, w, start, stop):
    """The mean that torch has after these steps."""
    for step in range(start, stop):
        w.grad = torch.tensor(GRADS["vector"][step])
        optimizer.step()
    return optimizer.state[w]["ax"].numpy().copy() if stop else None


def test_averaged_descent_is_refused_where_torch_lags_behind_a_schedule():
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.ASGD([w], lr=0.2)
    w.grad = torch.ones(3)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.1
    params, moved = {"w": jnp.ones(3)}, optimizer.state_dict()
    with pytest.raises(ValueError, match=r"with the learning rate 0.19999.* present one, 0.09999"):
        from_torch(moved, ["w"], tx=gdlab.asgd(0.1), params=params)


# --- Groups, frozen parameters, several optimizers


SHAPES = {"a": (2, 3), "b": (3,), "c": (3,)}


def arrays(shapes=SHAPES):
    return {name: jnp.ones(shape) for name, shape in shapes.items()}


def stepped(groups, steps, make=torch.optim.Adam, **settings):
    """An optimizer of torch after steps of its groups of parameters, of which some have none."""
    tensors = {name: torch.ones(shape, requires_grad=True) for name, shape in SHAPES.items()}
    optimizer = make(
        [{"params": [tensors[name] for name in names]} for names in groups], **settings
    )
    for step in range(max(steps.values())):
        for name, tensor in tensors.items():
            tensor.grad = torch.full(tensor.shape, 1.0 + step) if step < steps[name] else None
        optimizer.step()
    return optimizer


def test_parameters_are_found_in_the_order_of_the_groups():
    optimizer = stepped([["c", "a"], ["b"]], {"a": 1, "b": 1, "c": 1})
    tx = gdlab.adam([("a", 0.1), ("", 0.2)])
    state = from_torch(optimizer.state_dict(), ["c", "a", "b"], tx=tx, params=arrays())
    assert jax.tree.map(jnp.shape, state.mu) == SHAPES


def test_names_of_parameters_are_used_where_the_optimizer_knows_them():
    tensors = [("x.weight", torch.ones(2, requires_grad=True)), ("x.bias", torch.ones(1))]
    optimizer = torch.optim.SGD([(n, w.requires_grad_()) for n, w in tensors], momentum=0.9)
    for index, (_, w) in enumerate(tensors):
        w.grad = torch.full(w.shape, float(index))
    optimizer.step()
    params = {"bias": jnp.ones(1), "kernel": jnp.ones(2)}
    names = {"x.bias": "bias", "x.weight": "kernel"}
    tx = gdlab.sgd(0.1, 0.9)
    state = from_torch(optimizer.state_dict(), names, tx=tx, params=params)
    assert state.trace["bias"] == 1
    back = to_torch(state, names, tx=tx, params=params, like=optimizer.state_dict())
    torch.testing.assert_close(back["state"], dict(optimizer.state_dict()["state"]))


def test_groups_that_have_made_different_numbers_of_updates_go_into_a_partition():
    optimizer = stepped([["a", "b"], ["c"]], {"a": 5, "b": 5, "c": 2})
    groups = {"old": gdlab.adam(0.1), "new": gdlab.adam(0.1)}
    tx = gdlab.partition(groups, [("c", "new"), ("", "old")])
    params = arrays()
    state = from_torch(optimizer.state_dict(), list("abc"), tx=tx, params=params)
    remaining = [float(state.groups[name].mu_weight[1]) for name in groups]
    np.testing.assert_allclose(remaining, [0.9**5, 0.9**2], rtol=1e-6)
    back = to_torch(state, list("abc"), tx=tx, params=params, like=optimizer.state_dict())
    torch.testing.assert_close(back["state"], dict(optimizer.state_dict()["state"]))
    with pytest.raises(ValueError, match="'c' has made 2 updates in torch and 'a' 5"):
        from_torch(optimizer.state_dict(), list("abc"), tx=gdlab.adam(0.1), params=params)


def test_frozen_parameters_have_a_state_on_neither_side():
    optimizer = stepped([["a", "b", "c"]], {"a": 3, "b": 0, "c": 3})
    tx = gdlab.selective_transform(gdlab.adam(0.1), freeze_mask="b")
    state = from_torch(optimizer.state_dict(), list("abc"), tx=tx, params=arrays())
    assert state.inner.mu["b"] is None
    back = to_torch(state, list("abc"), tx=tx, params=arrays(), like=optimizer.state_dict())
    assert list(back["state"]) == [0, 2]


def test_momentum_of_a_parameter_without_a_gradient_so_far_is_zero():
    optimizer = stepped([["a", "b", "c"]], {"a": 3, "b": 0, "c": 3}, torch.optim.SGD, momentum=0.5)
    tx = gdlab.sgd(gdlab.linear_schedule(0.1, 0.0, 10), 0.5)
    state = from_torch(optimizer.state_dict(), list("abc"), tx=tx, params=arrays(), count=3)
    assert state.count == 3
    assert not state.trace["b"].any()


def test_two_optimizers_of_torch_are_one_partition():
    tensors = {name: torch.ones(shape, requires_grad=True) for name, shape in SHAPES.items()}
    muon = torch.optim.Muon([tensors["a"]])
    adamw = torch.optim.AdamW([tensors["b"], tensors["c"]])
    for optimizer in (muon, adamw) * 4:
        for tensor in tensors.values():
            tensor.grad = torch.ones_like(tensor)
        optimizer.step()
    theirs = [muon.state_dict(), adamw.state_dict()]
    names = [["a"], ["b", "c"]]
    tx, params = gdlab.muon(gdlab.linear_schedule(0.1, 0.0, 10), eps=0.0), arrays()
    state = from_torch(theirs, names, tx=tx, params=params, count=4)
    assert state.count == 4
    np.testing.assert_allclose(state.groups["muon"].mu["a"], 1 - 0.95**4, rtol=1e-6)
    back = to_torch(state, names, tx=tx, params=params, like=theirs)
    for one, other in zip(back, theirs, strict=True):
        torch.testing.assert_close(one["state"], dict(other["state"]))


def test_accumulation_starts_empty_and_its_schedule_counts_updates():
    optimizer = stepped([["a", "b", "c"]], {"a": 6, "b": 6, "c": 6})
    outside, inside = (gdlab.linear_schedule(1.0, 0.0, steps) for steps in (400, 100))
    tx = gdlab.chain(gdlab.scale(outside), gdlab.accumulate(gdlab.adam(inside), 4))
    params = arrays()
    state = from_torch(optimizer.state_dict(), list("abc"), tx=tx, params=params)
    assert (state.count, state.micro_step, state.inner.count) == (24, 0, 6)
    assert not any(leaf.any() for leaf in jax.tree.leaves(state.mean))
    back = to_torch(state, list("abc"), tx=tx, params=params, like=optimizer.state_dict())
    torch.testing.assert_close(back["state"], dict(optimizer.state_dict()["state"]))


def test_moments_in_bfloat16_are_widened_and_come_back_as_they_were():
    w = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    optimizer = torch.optim.AdamW([w])
    for step in range(3):
        w.grad = torch.tensor([0.1, -2.0, 3.0 + step], dtype=torch.bfloat16)
        optimizer.step()
    tx, params = gdlab.adamw(0.1), {"w": jnp.asarray(w.detach().float().numpy(), jnp.bfloat16)}
    theirs = optimizer.state_dict()
    state = from_torch(theirs, ["w"], tx=tx, params=params)
    assert state.mu["w"].dtype == jnp.float32
    again = torch.optim.AdamW([w])
    again.load_state_dict(to_torch(state, ["w"], tx=tx, params=params, like=again.state_dict()))
    torch.testing.assert_close(
        dict(again.state_dict()["state"]), dict(theirs["state"]), rtol=0, atol=0
    )


def test_guards_and_averages_of_the_parameters_begin_anew():
    optimizer = stepped([["a", "b", "c"]], {"a": 2, "b": 2, "c": 2})
    tx = gdlab.chain(gdlab.apply_if_finite(gdlab.adam(0.1)), gdlab.params_ema(0.9))
    params = arrays()
    state = from_torch(optimizer.state_dict(), list("abc"), tx=tx, params=params)
    assert state.total_notfinite == 0
    jax.tree.map(np.testing.assert_array_equal, state.params_ema.average, params)
    np.testing.assert_allclose(state.inner_state.mu["b"], 0.9 * 0.1 * 1 + 0.1 * 2, rtol=1e-6)


def test_weights_of_adamw_beside_muon_follow_their_scheduled_decays():
    tx = gdlab.muon(0.1, adam_b1=gdlab.linear_schedule(0.5, 0.9, 20))
    params = {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}
    state = tx.init(params)
    for _ in range(12):
        _, state = tx.update(params, state, params)
    names = [["w"], ["b"]]
    like = ["Muon", "AdamW"]
    kept = to_torch(state, names, tx=tx, params=params, like=like)
    assert kept[1]["state.0.step"] == 12
    carried = from_torch(kept, names, tx=tx, params=params, count=12)
    remaining = np.prod([0.5 + 0.02 * step for step in range(12)])
    np.testing.assert_allclose(carried.groups["adam"].mu_weight[1], remaining, rtol=1e-6)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), carried, state)


# --- What cannot be carried


ADAM = {0: {"step": 3.0, "exp_avg": np.ones((3, 2)), "exp_avg_sq": np.ones((3, 2))}}
KERNEL = {"kernel": jnp.ones((2, 3))}


@pytest.mark.parametrize(
    ("state", "tx", "named", "options", "message"),
    [
        (ADAM, gdlab.adam(0.1), ["weight"], {}, "'weight' is no path of params, .*'kernel'"),
        (ADAM, gdlab.adam(0.1), ["kernel", "kernel"], {}, "'kernel' is there 2 times"),
        (ADAM, gdlab.adam(0.1), [], {}, "names has 0 parameters, and none for 0"),
        (ADAM, gdlab.adam(0.1), None, {"layout": None}, r"the shape \(3, 2\) .* has \(2, 3\)"),
        (ADAM, gdlab.adam(0.1), None, {"layout": {"dense": "linear"}}, "'dense' matches none"),
        (ADAM, gdlab.adam(0.1), None, {"layout": {"kernel": "conv2d"}}, "is no permutation of"),
        (ADAM, gdlab.adam(0.1), None, {"layout": {"kernel": "dense"}}, "'dense' names no kind of"),
        (ADAM, gdlab.adam(0.1), None, {"count": 4}, "count=4, but .* has made 3 updates"),
        (ADAM, gdlab.amsgrad(0.1), None, {}, "keeps mu, nu, nu_max where torch keeps exp_avg"),
        (ADAM, gdlab.sgd(0.1, 0.9), None, {}, "keeps trace where .*; what torch keeps is of Adam"),
        (ADAM, gdlab.hold(gdlab.adam(0.1), 2), None, {}, "keeps phase, held, and no optimizer of"),
        (
            {0: {"momentum_buffer": np.ones((3, 2))}},
            gdlab.signum(0.1, gdlab.linear_schedule(0.5, 0.9, 9)),
            None,
            {"count": 3},
            "'ema' of signum.* is another multiple .* since a number of it follows a schedule",
        ),
        (
            {0: {"momentum_buffer": np.ones((3, 2))}},
            gdlab.sgd(0.1, 0.9, averaging=True),
            None,
            {},
            "keeps an average of gradients, .* depends on its dampening: hand over the whole",
        ),
        (
            ADAM,
            gdlab.accumulate(gdlab.adam(0.1), gdlab.linear_schedule(1, 4, 3)),
            None,
            {},
            "steps=linear_schedule.* of accumulate follows a schedule, and its updates cannot",
        ),
        (ADAM, gdlab.sgd(0.1), None, {}, "keeps exp_avg, exp_avg_sq for 'kernel', .* no place"),
        (
            {0: {"momentum_buffer": np.ones((3, 2))}},
            gdlab.sgd(gdlab.linear_schedule(0.1, 0.0, 9), 0.9),
            None,
            {},
            "depends on the number of updates, which torch does not keep here: give it by count=",
        ),
        (
            {0: {"momentum_buffer": np.ones((3, 2))}},
            gdlab.sgd(0.1, 0.9, learning_rate_in_momentum=True),
            None,
            {},
            "a momentum of steps, .* one of gradients; learning_rate_in_momentum=False makes",
        ),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(state, tx, named, options, message):
    options = {"layout": {"kernel": "linear"}} | options
    names = ["kernel"] if named is None else named
    with pytest.raises(ValueError, match=message):
        from_torch({"state": state}, names, tx=tx, params=KERNEL, **options)


@pytest.mark.parametrize(
    ("tx", "like", "message"),
    [
        (gdlab.adam(0.1), "Adagrad", "keeps mu, nu, for which torch's .*Adagrad.* has no place"),
        (gdlab.lion(0.1), "Adam", "keeps mu, for which torch's"),
        (gdlab.rmsprop(0.1), "RMSprop", "counts its updates, .* give it by count="),
        (gdlab.sgd(0.1, 0.9, averaging=True), "SGD", "depends on its dampening: hand over the"),
        (gdlab.adam(0.1), "Lion", "'Lion' is not one of .*SGD"),
        (gdlab.adam(0.1), {"state": {}}, "give optimizer.state_dict"),
    ],
)
def test_state_that_torch_has_no_place_for_is_refused_by_name(tx, like, message):
    with pytest.raises(ValueError, match=message):
        to_torch(tx.init(KERNEL), ["kernel"], tx=tx, params=KERNEL, like=like)


# --- L-BFGS, which has all parameters in one vector


CURVATURES = {"kernel": np.linspace(1.0, 20.0, 6).reshape(2, 3), "bias": np.array([0.5, 3.0])}
KERNEL_LAYOUT = {"kernel": "linear"}


def bowl(params):
    """A loss that is nearly quadratic, with different curvatures."""
    terms = [
        jnp.sum(c * (w - 1) ** 2 + 0.1 * w**4)
        for w, c in ((params[n], c) for n, c in CURVATURES.items())
    ]
    return sum(terms[1:], terms[0])


def lbfgs_of_torch(steps, **settings):
    """One optimizer of torch after steps down the same loss, whose kernel is transposed."""
    curvatures = [torch.tensor(c.T.copy()) for c in CURVATURES.values()]
    tensors = [torch.zeros_like(c, requires_grad=True) for c in curvatures]
    exact = {"tolerance_grad": 0, "tolerance_change": 0}
    optimizer = torch.optim.LBFGS(tensors, max_iter=1, history_size=4, **exact, **settings)

    def closure():
        optimizer.zero_grad()
        loss = sum(
            (c * (w - 1) ** 2 + 0.1 * w**4).sum() for w, c in zip(tensors, curvatures, strict=True)
        )
        loss.backward()
        return loss

    values = [optimizer.step(closure).item() for _ in range(steps)]
    params = {
        n: jnp.asarray(w.detach().numpy().T.copy())
        for n, w in zip(CURVATURES, tensors, strict=True)
    }
    return optimizer, params, values


@pytest.mark.x64
@pytest.mark.parametrize(
    "k", [3, pytest.param(1, marks=pytest.mark.slow), pytest.param(7, marks=pytest.mark.slow)]
)
def test_lbfgs_that_is_moved_goes_as_one_that_is_not(k):
    optimizer, params, _ = lbfgs_of_torch(k, lr=0.5)
    tx = gdlab.lbfgs(0.5, 4, linesearch=None)
    names = list(CURVATURES)
    state = from_torch(optimizer.state_dict(), names, KERNEL_LAYOUT, tx=tx, params=params)
    values = []
    for _ in range(6):
        value, grads = jax.value_and_grad(bowl)(params)
        values.append(value)
        updates, state = tx.update(grads, state, params)
        params = gdlab.apply_updates(params, updates)
    there, stay, losses = lbfgs_of_torch(k + 6, lr=0.5)
    np.testing.assert_allclose(values, losses[k:], rtol=1e-10)
    agree(params, stay, 1e-9)  # steps are differences of parameters here

    like = there.state_dict()
    back = to_torch(state, names, KERNEL_LAYOUT, tx=tx, params=params, like=like)
    there.load_state_dict(back)
    again = from_torch(there.state_dict(), names, KERNEL_LAYOUT, tx=tx, params=params)
    assert_same_bits(state, again)
    theirs = like["state"][0]
    step = back["state"][0]["d"] * back["state"][0]["t"]
    torch.testing.assert_close(step, theirs["d"] * theirs["t"], rtol=1e-6, atol=1e-10)


@pytest.mark.x64
def test_memory_of_lbfgs_that_is_too_small_is_refused():
    optimizer, params, _ = lbfgs_of_torch(6)
    tx = gdlab.lbfgs(memory_size=3)
    with pytest.raises(ValueError, match="keeps 4 steps, and gdlab's memory_size is 3"):
        from_torch(optimizer.state_dict(), list(CURVATURES), KERNEL_LAYOUT, tx=tx, params=params)
