"""Parametrisations, beside the tables of the papers and the package ``mup``."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    Axis,
    adamw,
    chain,
    clip_by_global_norm,
    hyperparameters,
    linear_schedule,
    sgd,
)
from gdlab.scaling import completed_p, mup, standard
from tests.scaling.shapes import shapes

BASE, WIDE = 8, 32
M = WIDE / BASE
KINDS = {
    "input": ["input.kernel", "input.bias", "up.bias", "down.bias"],
    "hidden": ["up.kernel", "down.kernel"],
    "output": ["output.kernel"],
}
FAN_IN = {"input.kernel": 3, "up.kernel": WIDE, "down.kernel": 4 * WIDE, "output.kernel": WIDE}

# Tensor Programs V as printed, for input weights and biases, output weights, hidden weights:
# variance of the start, multiplier, learning rates of SGD and Adam, as powers of fan-in or fan-out.
TABLES = {
    "table 3": {
        "input": {"variance": 0, "forward": 0, "sgd": 1, "adam": 0},
        "output": {"variance": -2, "forward": 0, "sgd": -1, "adam": -1},
        "hidden": {"variance": -1, "forward": 0, "sgd": 0, "adam": -1},
    },
    "table 8": {
        "input": {"variance": 0, "forward": 0, "sgd": 1, "adam": 0},
        "output": {"variance": 0, "forward": -1, "sgd": 1, "adam": 0},
        "hidden": {"variance": -1, "forward": 0, "sgd": 0, "adam": -1},
    },
    "table 9": {
        "input": {"variance": -1, "forward": 0.5, "sgd": 0, "adam": -0.5},
        "output": {"variance": -1, "forward": -0.5, "sgd": 0, "adam": -0.5},
        "hidden": {"variance": -1, "forward": 0, "sgd": 0, "adam": -1},
    },
}


@pytest.mark.parametrize("method", ["adam", "sgd"])
@pytest.mark.parametrize("table", TABLES)
def test_factors_are_the_powers_of_the_width_that_the_tables_print(table, method):
    found = mup(shapes(BASE), method=method, table=table).multipliers(shapes(WIDE))
    for kind, paths in KINDS.items():
        powers = TABLES[table][kind]
        # The model's init draws matrices of variance 1/fan-in, and vectors of one that is fixed.
        usual = 0 if kind == "input" else -1
        for path in paths:
            assert found[path].initial_scale ** 2 == pytest.approx(
                M ** (powers["variance"] - usual)
            )
            assert found[path].forward == pytest.approx(M ** powers["forward"])
            assert found[path].learning_rate == pytest.approx(M ** powers[method])
    assert set(found["output.bias"]) == {1.0}


def test_an_init_of_constant_variance_is_brought_to_that_of_the_tables():
    for table, kinds in TABLES.items():
        parametrization = mup(shapes(BASE), table=table, start_variance="constant")
        found = parametrization.multipliers(shapes(WIDE))
        for kind, paths in KINDS.items():
            for path in paths:
                expected = M ** kinds[kind]["variance"]
                assert found[path].initial_scale ** 2 == pytest.approx(expected)


def test_at_the_base_width_and_in_the_standard_parametrisation_every_factor_is_one():
    for parametrization in (mup(shapes(BASE)), mup(shapes(BASE), table="table 9"), standard()):
        found = parametrization.multipliers(shapes(BASE)).values()
        assert {value for row in found for value in row} == {1.0}
    assert {v for row in standard().multipliers(shapes(WIDE)).values() for v in row} == {1.0}


def test_weight_decay_undoes_the_factor_of_the_learning_rate_unless_told_not_to():
    for method in ("adam", "sgd"):
        for row in mup(shapes(BASE), method=method).multipliers(shapes(WIDE)).values():
            assert row.learning_rate * row.weight_decay == pytest.approx(1.0)
    left = mup(shapes(BASE), table="table 8", scale_weight_decay=False)
    assert {row.weight_decay for row in left.multipliers(shapes(WIDE)).values()} == {1.0}


# Dey et al. 2025, table 1, at m_N = 4 and m_L = 8: learning rate, decay and ε.
@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_completed_p_is_the_table_of_dey_et_al(alpha):
    def model(width, depth):
        norm, square = jnp.ones(width), jnp.ones((width, width))
        block = {"norm": norm, "kernel": square, "bias": norm}
        embedding, out = jnp.ones((11, width)), jnp.ones((width, 11))
        return {"embedding": embedding, "blocks": [block] * depth, "norm": norm, "out": out}

    m, depth = 4.0, 8.0
    parametrization = completed_p(
        model(2, 1), depth=depth, blocks="^blocks", alpha=alpha, table="table 8"
    )
    found = parametrization.multipliers(model(8, 8))
    inside, edge = m**-1 * depth**-alpha, m**-1
    expected = {
        "embedding": (1.0, 1.0, edge, 1.0),
        "norm": (1.0, 1.0, edge, 1.0),
        "out": (1.0, 1.0, edge, 1 / m),
        "blocks.7.norm": (depth ** (alpha - 1), 1.0, inside, 1.0),
        "blocks.7.bias": (depth ** (alpha - 1), 1.0, inside, 1.0),
        "blocks.7.kernel": (depth ** (alpha - 1) / m, m, inside, 1.0),
    }
    for path, numbers in expected.items():
        row = found[path]
        seen = (row.learning_rate, row.weight_decay, row.eps, row.forward)
        assert seen == pytest.approx(numbers), path
    # Hidden variance σ²/m_N is what an init of variance 1/fan-in draws, and the unembedding keeps
    # its variance, so that it is m_N times that of such an init.
    assert found["blocks.7.kernel"].initial_scale == 1.0
    assert found["out"].initial_scale ** 2 == pytest.approx(m)
    assert parametrization.residual_multiplier(model(8, 8)) == pytest.approx(depth**-alpha)


def test_depth_may_be_counted_from_the_parameters():
    model = lambda depth: {"blocks": [jnp.ones((2, 2))] * depth}  # noqa: E731
    parametrization = completed_p(
        model(2), depth=lambda params: len(params["blocks"]) / 2, blocks="blocks"
    )
    assert parametrization.residual_multiplier(model(6)) == pytest.approx(1 / 3)
    assert parametrization.multipliers(model(6))["blocks.5"].eps == pytest.approx(1 / 3)


@pytest.mark.parametrize("method", ["adam", "sgd"])
def test_rates_decays_and_starts_are_those_of_the_package_mup(method):
    torch = pytest.importorskip("torch", reason="mup is written for torch")
    package = pytest.importorskip("mup", reason="the package mup is not installed")

    def network(width):
        return torch.nn.ModuleDict(
            {
                "input": torch.nn.Linear(3, width),
                "up": torch.nn.Linear(width, 4 * width),
                "down": torch.nn.Linear(4 * width, width),
                "output": package.MuReadout(width, 2),
            }
        )

    model = network(WIDE)
    before = float(model["output"].weight.detach().abs().max())
    package.set_base_shapes(model, network(BASE), delta=network(2 * BASE))
    make = {"adam": package.MuAdam, "sgd": package.MuSGD}[method]
    groups = make(model.parameters(), lr=1.0, weight_decay=1.0).param_groups
    theirs = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }
    ours = mup(shapes(BASE), method=method, table="table 8").multipliers(shapes(WIDE))
    for name, parameter in model.named_parameters():
        row = ours[name.replace("weight", "kernel")]
        assert theirs[id(parameter)] == pytest.approx((row.learning_rate, row.weight_decay)), name
    output = ours["output.kernel"]
    after = float(model["output"].weight.detach().abs().max())
    assert after / before == pytest.approx(output.initial_scale)
    # Its readout divides what it is given by the ratio of the widths.
    assert model["output"].width_mult() == pytest.approx(1 / output.forward)


# --- Use


def network(params, x):
    for name in ("input", "up", "down"):
        x = jax.nn.relu(x @ params[f"{name}.kernel"] + params[f"{name}.bias"])
    return x @ params["output.kernel"] + params["output.bias"]


def usual_init(width):
    def init(key):
        keys = jax.random.split(key, len(shapes(width)))
        return {
            name: jax.random.normal(key, leaf.shape) / np.sqrt(leaf.shape[0])
            if len(leaf.shape) == 2
            else jnp.zeros(leaf.shape)
            for key, (name, leaf) in zip(keys, shapes(width).items(), strict=True)
        }

    return init


def trained(parametrization, tx, steps=3):
    """The output of a wide network after some steps."""
    x = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)
    params = parametrization.init(usual_init(WIDE))(jax.random.key(0))
    effective = parametrization.forward
    loss = lambda params: jnp.mean((network(effective(params), x) - 1.0) ** 2)  # noqa: E731
    tx = parametrization.optimizer(tx)
    state = tx.init(params)

    @jax.jit
    def step(params, state):
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return jax.tree.map(jnp.add, params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
    return network(effective(params), x)


@pytest.mark.parametrize("method", ["adam", "sgd"])
def test_the_three_tables_are_the_same_training(method):
    # Adam without ε, so that only ratios of gradients count.
    tx = adamw(0.01, eps=0.0, weight_decay=0.1) if method == "adam" else sgd(0.01, momentum=0.9)
    outputs = [trained(mup(shapes(BASE), method=method, table=table), tx) for table in TABLES]
    scale = float(jnp.max(jnp.abs(outputs[0])))
    for other in outputs[1:]:
        np.testing.assert_allclose(other, outputs[0], atol=2e-5 * scale)
    changed = trained(mup(shapes(BASE), method=method), tx, steps=0)
    assert float(jnp.max(jnp.abs(changed - outputs[0]))) > 0.01 * scale


def test_axes_and_schedules_stay_what_they_are():
    axis, schedule = Axis("learning_rate", [0.001, 0.01]), linear_schedule(0.1, 0.0, 10)
    tx = mup(shapes(BASE)).optimizer(chain(clip_by_global_norm(1.0), adamw(axis)))
    assert hyperparameters(tx)["chain.1.learning_rate.value"] is axis
    assert hyperparameters(tx)["chain.0.max_norm"] == 1.0
    tx = mup(shapes(BASE)).optimizer(adamw(schedule))
    assert hyperparameters(tx)["learning_rate.value.init_value"] == 0.1


def test_a_model_of_flax_has_its_start_and_its_rates_scaled():
    nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")

    def init(width):
        def make(key):
            rngs = nnx.Rngs(key)
            return nnx.Sequential(nnx.Linear(3, width, rngs=rngs), nnx.Linear(width, 2, rngs=rngs))

        return make

    parametrization = mup(init(4))
    usual, scaled = init(16)(jax.random.key(0)), parametrization.init(init(16))(jax.random.key(0))
    ratio = scaled.layers[1].kernel[...] / usual.layers[1].kernel[...]
    np.testing.assert_allclose(ratio, 0.5, rtol=1e-6)
    np.testing.assert_array_equal(scaled.layers[0].kernel[...], usual.layers[0].kernel[...])
    found = parametrization.multipliers(usual)
    assert found["layers.1.kernel"].learning_rate == 0.25


def test_ratios_may_be_given_by_pattern():
    parametrization = mup([("hidden", (4.0, 4.0)), ("out", (4.0, 1.0)), ("", (1.0, 4.0))])
    params = {name: jnp.ones(2) for name in ("hidden", "out", "in")}
    found = parametrization.multipliers(params)
    assert [found[name].initial_scale for name in params] == [1.0, 0.5, 1.0]
    assert [found[name].learning_rate for name in params] == [0.25, 0.25, 1.0]


def test_layouts_say_which_axes_are_fan_in_and_fan_out():
    heads = lambda n: {"query": jnp.ones((8 * n, n, 8)), "weight": jnp.ones((5, 8 * n))}  # noqa: E731
    layouts = {"query": ((0,), (1, 2)), "weight": ((1,), (0,))}
    found = mup(heads(1), layouts=layouts).multipliers(heads(4))
    assert found["query"].learning_rate == 0.25
    assert found["query"].initial_scale == 1.0
    assert found["weight"].initial_scale == 0.5
    with pytest.raises(ValueError, match="axis 0 of 'query' is 32 long and 8 in base"):
        mup(heads(1)).multipliers(heads(4))


# --- Mistakes


def test_a_parameter_that_the_base_has_not_is_named():
    with pytest.raises(ValueError, match="base has no parameter 'other' of 1 axes"):
        mup({"w": jnp.ones(2)}).multipliers({"other": jnp.ones(2)})
    with pytest.raises(ValueError, match="no pattern matches the parameter 'other'"):
        mup([("w", (1, 2))]).multipliers({"other": jnp.ones(2)})


def test_an_optimizer_without_a_learning_rate_or_with_one_by_leaf_is_refused():
    with pytest.raises(ValueError, match="no hyperparameter called learning_rate"):
        mup(shapes(BASE)).optimizer(clip_by_global_norm(1.0))
    with pytest.raises(ValueError, match="learning_rate has a value by leaf already"):
        mup(shapes(BASE)).optimizer(sgd([("", 0.1)]))


def test_what_is_none_of_the_choices_is_refused():
    with pytest.raises(ValueError, match="method must be 'adam' or 'sgd', not 'adamw'"):
        mup(shapes(BASE), method="adamw")
    with pytest.raises(TypeError, match="table must be 'table 3', 'table 8' or 'table 9', not 8"):
        mup(shapes(BASE), table=8)
    with pytest.raises(ValueError, match=r"alpha must be a number between 0\.5 and 1, not 0"):
        completed_p(shapes(BASE), depth=2.0, blocks="", alpha=0.0)
    with pytest.raises(ValueError, match="ratios of 'w' must be positive"):
        mup([("w", (0.0, 1.0))])
