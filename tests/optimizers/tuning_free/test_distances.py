"""D-Adaptation and Prodigy: estimates of the distance that grow to it, in its units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import apply_updates, chain, find_slot, scale
from tests.oracles import METHODS
from tests.paths import agree, gdlab_path, optax_path, torch_path

STEPS = 20
RATES = np.linspace(1.0, 0.5, STEPS)
# One direction with a little noise: the way to a minimum far away. The distance to it grows by a
# factor at each step, so there are few of them.
DOWNHILL = np.array([1.0, -3.0, 0.5]) + 0.3 * np.random.default_rng(1).normal(size=(STEPS, 3))
START = np.array([1.0, -2.0, 0.5])
FAMILY = [name for name in METHODS if name.startswith(("prodigy", "dadapt"))]
MAKERS = {
    "prodigy": gdlab.prodigy,
    "dadapt_sgd": gdlab.dadapt_sgd,
    "dadapt_adagrad": gdlab.dadapt_adagrad,
    "dadapt_adamw": gdlab.dadapt_adamw,
    "dadapt_adam": gdlab.dadapt_adam,
    "dadapt_adan": gdlab.dadapt_adan,
    "dadapt_lion": gdlab.dadapt_lion,
}


@jax.jit
def run(tx, grads, params):
    """The parameters and the estimates after each step."""

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        params = apply_updates(params, updates)
        return (params, state), (params, find_slot(state, "estim_lr"))

    return jax.lax.scan(step, (params, tx.init(params)), grads)[1]


@pytest.mark.sampled(3)
@pytest.mark.x64
@pytest.mark.parametrize("name", FAMILY)
def test_on_the_way_downhill_the_distance_grows_as_in_the_paper_and_in_libraries(name):
    method = METHODS[name]
    where = {"learning_rate": RATES, "grads": DOWNHILL, "params": START}
    path = gdlab_path(method.gdlab, **where)
    agree(path, method.paper(DOWNHILL, START, learning_rate=RATES))
    if method.optax:
        agree(path, optax_path(method.optax, **where))
    for module, make in method.others.items():
        agree(path, torch_path(make, module=module, **where))
    _, distances = run(method.gdlab(1.0), jnp.asarray(DOWNHILL), jnp.asarray(START))
    assert distances[-1] > 2 * distances[0]
    assert np.all(np.diff(distances) >= 0)


@pytest.mark.x64
@pytest.mark.parametrize("name", [name for name in MAKERS if name != "dadapt_adan"])
def test_the_scale_of_the_loss_changes_nothing(name):
    options = {} if name in ("dadapt_sgd", "dadapt_lion") else {"eps": 0.0}
    if name == "dadapt_adagrad":
        options["initial_accumulator_value"] = 0.0
    if name == "dadapt_lion":
        # Its average and the gradient beside it are of different scales.
        options["betas"] = (0.0, 0.99)
    tx = MAKERS[name](estim_lr0=0.01, **options)
    alone = run(tx, jnp.asarray(DOWNHILL), jnp.asarray(START))
    scaled = run(tx, 1e3 * jnp.asarray(DOWNHILL), jnp.asarray(START))
    # Twenty estimates, each a quotient of sums.
    np.testing.assert_allclose(scaled[0], alone[0], rtol=1e-10)
    np.testing.assert_allclose(scaled[1], alone[1], rtol=1e-10)


# Lion's average adds lengths to gradients, and the proximal decay of Adan has a length in it.
OF_ONE_UNIT = [name for name in MAKERS if name not in ("dadapt_lion", "dadapt_adan")]


@pytest.mark.x64
@pytest.mark.parametrize("name", OF_ONE_UNIT)
def test_the_distance_is_in_the_units_of_the_parameters(name):
    def moved(unit):
        tx = MAKERS[name](estim_lr0=0.01 * unit)
        path, distances = run(tx, jnp.asarray(DOWNHILL), unit * jnp.asarray(START))
        return path / unit, distances / unit

    for one, other in zip(moved(1.0), moved(1e3), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


@pytest.mark.x64
def test_prodigy_does_not_correct_biases_unless_told():
    grads, start = jnp.ones((1, 1)), jnp.zeros(1)
    b1, b2, d0 = 0.9, 0.999, 1e-3
    (plain,), _ = run(gdlab.prodigy(estim_lr0=d0, eps=0.0), grads, start)
    (corrected,), _ = run(gdlab.prodigy(estim_lr0=d0, eps=0.0, bias_correction=True), grads, start)
    agree(plain, [-d0 * (1 - b1) / np.sqrt(1 - b2)])
    agree(corrected, [-d0])


@pytest.mark.x64
def test_prodigy_at_a_fixed_distance_is_adam_without_correction():
    # An estimate with coefficient 0 never grows.
    tx = gdlab.prodigy(estim_lr0=0.1, estim_lr_coef=0.0, eps=1e-3)
    adam = chain(
        gdlab.fork(gdlab.ratio(1e-3), gdlab.ema(0.9), chain(gdlab.square(), gdlab.ema(0.999))),
        scale(-0.1),
    )
    agree(gdlab_path(lambda _: tx), gdlab_path(lambda _: adam))


@pytest.mark.x64
def test_dual_averaging_at_a_fixed_distance_is_gradient_descent():
    tx = gdlab.dadapt_sgd(estim_lr0=0.1, growth_rate=1.0)
    path, _ = run(tx, jnp.asarray(DOWNHILL), jnp.asarray(START))
    agree(path, START - 0.1 / np.linalg.norm(DOWNHILL[0]) * np.cumsum(DOWNHILL, 0))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", MAKERS)
def test_zero_gradients_at_first_hold_up_nothing(name):
    grads = jnp.concatenate([jnp.zeros((2, 3)), jnp.asarray(DOWNHILL, jnp.float32)])
    options = {"weight_decay": 0.0} if name == "dadapt_adan" else {}
    path, distances = run(MAKERS[name](estim_lr0=0.01, **options), grads, jnp.ones(3))
    assert np.all(path[:2] == 1)
    assert np.all(np.isfinite(path))
    assert distances[-1] > 0.01


def test_parameters_without_a_gradient_stay_and_are_not_counted():
    params = {"w": jnp.ones(2), "frozen": jnp.ones(3), "steps": jnp.array(3), "absent": None}
    grads = {"w": jnp.ones(2), "frozen": None, "steps": None, "absent": None}
    for name in ("prodigy", "dadapt_sgd"):
        tx = MAKERS[name](estim_lr0=0.1)
        updates, _ = tx.update(grads, tx.init(params), params)
        alone = {"w": jnp.ones(2)}
        expected, _ = tx.update(alone, tx.init(alone), alone)
        assert updates["frozen"] is updates["steps"] is None
        np.testing.assert_allclose(updates["w"], expected["w"], rtol=1e-6)


def test_the_first_distance_can_be_swept():
    tx = gdlab.prodigy(estim_lr0=gdlab.Axis("d0", [1e-6, 1e-3]))
    result = gdlab.sweep(lambda w: jnp.sum((w - 3) ** 2), jnp.zeros(2), tx, steps=150)
    assert np.all(np.asarray(result.final_loss) < 1e-2)
