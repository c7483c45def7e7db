"""What holds for the models of every library, whatever takes them as its parameters."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    Axis,
    Resources,
    SuccessiveHalving,
    SweepResult,
    adam,
    chain,
    freeze,
    minibatches,
    minimize,
    params_ema,
    sgd,
    sweep,
)
from gdlab.analysis import find_learning_rate, landscape, sharpness, track
from gdlab.interop import trainable
from gdlab.sweeps.compiled import programs
from gdlab.training.seed_keys import seed_keys
from tests.interop.models.networks import DATA, LIBRARIES, squared_error

KEY = jax.random.key(3)
RATES = Axis("learning_rate", [1e-3, 1e-2])
ONE = {"learning_rate": 1e-2, "seed": 1}

slow = pytest.mark.slow
every = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


def only_slow_unless(plain):
    """Every library, but in the plain run this one alone."""
    return pytest.mark.parametrize(
        "library",
        [
            pytest.param(library, id=name, marks=() if name == plain else slow)
            for name, library in LIBRARIES.items()
        ],
    )


def trained(library, steps=6, **settings):
    settings = {"data": DATA, "key": KEY} | settings
    return minimize(library.loss, library.make(KEY), adam(0.01), steps, **settings)


def assert_alike(model, other, rtol=2e-5):
    np.testing.assert_allclose(first(model), first(other), rtol=rtol, atol=1e-6)
    np.testing.assert_allclose(rest(model), rest(other), rtol=rtol, atol=1e-6)


def first(model):
    return next(lib for lib in LIBRARIES.values() if made_by(lib, model)).first_kernel(model)


def rest(model):
    """The loss in evaluation mode, into which batch statistics enter."""
    library = next(lib for lib in LIBRARIES.values() if made_by(lib, model))
    return library.resting_loss(model, DATA)


def made_by(library, model):
    return type(library.make(KEY)) is type(model)


@only_slow_unless("linen")
def test_a_run_returns_a_trained_model_of_the_same_class_and_leaves_the_given_one(library):
    model = library.make(KEY)
    before = np.array(library.first_kernel(model))
    loss_before = float(library.resting_loss(library.make(KEY), DATA))
    run = minimize(library.loss, model, adam(0.05), 60, data=DATA, key=KEY)
    assert type(run.params) is type(model)
    np.testing.assert_array_equal(library.first_kernel(model), before)
    assert float(library.resting_loss(run.params, DATA)) < loss_before
    assert library.first_kernel(run.path).shape == (61, *before.shape)
    np.testing.assert_array_equal(library.first_kernel(run.path)[-1], first(run.params))


@every
def test_a_model_that_draws_random_numbers_asks_for_a_key(library):
    with pytest.raises(ValueError, match=r"key=jax.random.key\(0\)"):
        minimize(library.loss, library.make(KEY), adam(0.01), 3, data=DATA)


@only_slow_unless("equinox")
def test_a_model_is_compiled_once_whatever_its_numbers(library):
    traced = []

    def loss(model, *args, key):
        traced.append(model)
        arguments = (key,) if "key" in library.loss.__code__.co_varnames else ()
        return library.loss(model, *args, *arguments)

    for seed, rate in enumerate((0.01, 0.1, 1.0)):
        model = library.make(jax.random.key(seed))
        minimize(loss, model, adam(rate), 3, data=DATA, key=KEY)
        if seed == 0:
            times = len(traced)
    assert len(traced) == times


@only_slow_unless("equinox")
def test_a_frozen_kernel_is_told_by_its_path_and_stays(library):
    model = library.make(KEY)
    tx = chain(adam(0.1), freeze(library.pattern))
    run = minimize(library.loss, model, tx, 3, data=DATA, key=KEY)
    np.testing.assert_array_equal(first(run.params), first(model))
    with pytest.raises(ValueError, match=library.pattern.strip("^$")):
        minimize(library.loss, model, freeze("no such layer"), 3, data=DATA, key=KEY)


@slow
@every
def test_a_run_goes_on_where_an_earlier_one_stopped(library):
    whole, begun = trained(library), trained(library, steps=2)
    resumed = minimize(
        library.loss, begun.params, adam(0.01), 4, data=DATA, key=KEY,
        state=begun.state, first_step=begun.steps,
    )  # fmt: skip
    np.testing.assert_allclose(resumed.values, whole.values[2:], rtol=2e-5)
    assert_alike(resumed.params, whole.params)


@only_slow_unless("nnx")
def test_a_lane_of_a_sweep_is_the_run_alone_and_seeds_draw_differently(library):
    model = library.make(KEY)
    result = sweep(
        library.loss, model, adam(RATES), DATA, steps=6, seeds=2, key=KEY, keep_params="all",
        progress=False,
    )  # fmt: skip
    alone = minimize(
        library.loss, model, adam(1e-2), 6, data=DATA, key=seed_keys(KEY, jnp.arange(2)).step[1]
    )
    np.testing.assert_allclose(result.loss[1, 1], alone.values, rtol=2e-5)
    assert_alike(result.model(learning_rate=1e-2, seed=1), alone.params)
    # The first loss is at the same parameters: only the key differs from seed to seed.
    assert result.loss[0, 0, 0] != result.loss[0, 1, 0]
    np.testing.assert_allclose(result.loss[0, :, 0], result.loss[1, :, 0], rtol=1e-6)
    with pytest.raises(ValueError, match=r"2 learning_rate, 2 seed.*model\(seed=0\)"):
        result.model()


@only_slow_unless("linen")
def test_init_makes_another_model_for_each_seed_and_evaluate_is_given_the_trained_one(
    library, tmp_path
):
    def evaluate(model):
        return {"at_rest": library.resting_loss(model, DATA)}

    def run():
        return sweep(
            library.loss, library.make, adam(RATES), DATA, steps=4, batch_size=5, seeds=2,
            evaluate=evaluate, keep_params="best", checkpoint=tmp_path / "folder", progress=False,
        )  # fmt: skip

    result, again = run(), run()
    np.testing.assert_array_equal(again.loss, result.loss)
    best = result.select(learning_rate=result.best()["learning_rate"])
    result.save(tmp_path / "result.nc")
    loaded = SweepResult.load(tmp_path / "result.nc", like=library.make(KEY))
    for seed in range(2):
        model = result.model(seed=seed)
        assert_alike(loaded.model(seed=seed), model, rtol=0)
        np.testing.assert_allclose(rest(model), best.metrics["at_rest"][seed], rtol=1e-5)
        assert_alike(again.model(seed=seed), model, rtol=0)
    assert not np.allclose(first(result.model(seed=0)), first(result.model(seed=1)))


@slow
@every
def test_a_saved_result_has_its_models_again_where_it_is_given_one(library, tmp_path):
    def run(*rates):
        rates = Axis("learning_rate", rates)
        return sweep(
            library.loss, library.make, adam(rates), DATA, steps=2, seeds=2, key=KEY,
            keep_params="all", progress=False,
        )  # fmt: skip

    result, path = run(1e-3, 1e-2), tmp_path / "result.nc"
    result.save(path)
    loaded = SweepResult.load(path, like=library.make(jax.random.key(9)))
    assert type(loaded.params) is type(library.make(KEY))
    np.testing.assert_array_equal(first(loaded.params), first(result.params))
    assert_alike(loaded.model(**ONE), result.model(**ONE), rtol=0)
    merged = loaded.merge(run(1e-1, 1.0))
    assert_alike(merged.model(**ONE), result.model(**ONE), rtol=0)
    assert first(merged.params).shape == (4, 2, *first(library.make(KEY)).shape)


@slow
@every
def test_models_go_through_halving_and_over_several_devices(library):
    settings = {
        "data": DATA, "steps": 8, "seeds": 2, "keep_params": "all", "progress": False,
    }  # fmt: skip
    rates = Axis("learning_rate", np.geomspace(1e-4, 1e-1, 8))
    alone = sweep(library.loss, library.make, adam(rates), **settings)
    mesh = jax.make_mesh((4,), ("lanes",))
    spread = sweep(
        library.loss, library.make, adam(rates), resources=Resources(mesh=mesh), **settings
    )
    np.testing.assert_allclose(spread.loss, alone.loss, rtol=1e-4)
    one = {"learning_rate": rates.values[3], "seed": 1}
    assert_alike(spread.model(**one), alone.model(**one), rtol=1e-4)
    halving = SuccessiveHalving(2, [2, 4])
    halved = sweep(library.loss, library.make, adam(rates), policy=halving, **settings)
    survived = halved.status == "ok"
    assert survived.sum() == 4
    np.testing.assert_allclose(halved.loss[survived], alone.loss[survived], rtol=1e-4)
    one["learning_rate"] = halved.best()["learning_rate"]
    assert_alike(halved.model(**one), alone.model(**one), rtol=1e-4)


@slow
@every
def test_the_average_that_is_evaluated_is_a_model_too(library):
    tx = chain(adam(0.05), params_ema(0.5))
    run = minimize(library.loss, library.make(KEY), tx, 4, data=DATA, key=KEY)
    assert type(run.evaluation_params) is type(run.params)
    assert not np.allclose(first(run.evaluation_params), first(run.params))


@pytest.mark.slow
@only_slow_unless("linen")
def test_landscapes_and_curvature_are_those_of_the_model_as_the_loss_calls_it(library):
    run = trained(library)
    found = landscape(
        library.resting_loss, run.params, DATA, path=run.path, directions="pca", points=3,
        progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(found.loss, rest(run.params), rtol=1e-5)
    np.testing.assert_allclose(found.path_losses[-1], found.loss, rtol=1e-5)
    with pytest.raises((ValueError, TypeError), match=r"evaluation mode|takes a key"):
        sharpness(library.loss, library.make(KEY), DATA)


@pytest.mark.slow
@only_slow_unless("equinox")
def test_tracking_trains_the_model_and_measures_its_sharpness(library):
    model, tx = library.make(KEY), sgd(0.05)
    tracked = track(library.resting_loss, model, tx, 4, DATA, every=2, progress=False)
    run = minimize(library.resting_loss, model, tx, 4, data=DATA)
    np.testing.assert_allclose(tracked.loss, run.values[::2], rtol=1e-5)
    expected = sharpness(library.resting_loss, run.params, DATA)
    np.testing.assert_allclose(tracked.sharpness[-1], expected, rtol=1e-3)
    assert_alike(tracked.params, run.params)


@slow
@every
def test_a_loader_gives_the_batches_of_a_model(library):
    class Loader:
        def __iter__(self):
            return minibatches(DATA, 4, None)

    run = minimize(library.loss, library.make(KEY), adam(0.01), 4, data=Loader(), key=KEY)
    key = seed_keys(KEY, jnp.arange(1)).step[0]
    alone = minimize(library.loss, library.make(KEY), adam(0.01), 4, data=Loader(), key=key)
    swept = sweep(
        library.loss, library.make(KEY), adam(0.01), Loader(), steps=4, key=KEY,
        keep_params="all", progress=False,
    )  # fmt: skip
    assert type(run.params) is type(library.make(KEY))
    np.testing.assert_allclose(swept.loss[0], alone.values, rtol=2e-5)
    assert_alike(swept.model(), alone.params)


@slow
@every
def test_runs_of_a_model_can_be_mapped_and_differentiated(library):
    def values(rate):
        return minimize(
            library.loss, library.make(KEY), sgd(rate), 3, data=DATA, key=KEY, keep_path=False
        ).values

    rates = jnp.array([0.01, 0.1])
    mapped = jax.vmap(values)(rates)
    np.testing.assert_allclose(mapped[1], values(0.1), rtol=2e-5)
    last = lambda rate: values(rate)[-1]  # noqa: E731
    slope = (last(0.0102) - last(0.0098)) / 4e-4
    np.testing.assert_allclose(jax.grad(last)(0.01), slope, rtol=2e-2)


@slow
@every
def test_a_learning_rate_is_found_for_a_model(library):
    found = find_learning_rate(
        library.loss, library.make, sgd(0.1), DATA, steps=60, number=24, low=1e-4, progress=False
    )
    assert 1e-3 < found.suggestion < 1
    assert found.result.dims == ("learning_rate", "seed")


def test_the_lanes_of_a_sweep_share_what_a_filter_leaves_out(monkeypatch, tmp_path):
    carries = []
    advance = programs.advance

    def noted(structure, state, *inputs):
        carries.append(sum(leaf.nbytes for leaf in jax.tree.leaves(state.lanes)))
        return advance(structure, state, *inputs)

    noted.lower, noted.trace = advance.lower, advance.trace
    monkeypatch.setattr(programs, "advance", noted)
    keys = jax.random.split(KEY)
    base = {"base": eqx.nn.Linear(3, 300, key=keys[0]), "head": eqx.nn.Linear(300, 1, key=keys[1])}
    wrt = {"base": False, "head": jax.tree.map(eqx.is_array, base["head"])}
    model = trainable(base, wrt)

    def loss(model, batch):
        hidden = jnp.tanh(jax.vmap(model["base"])(batch["x"]))
        return squared_error(jax.vmap(model["head"])(hidden), batch)

    def run(**settings):
        return sweep(
            loss, model, sgd(RATES), DATA, steps=3, seeds=2, keep_params="all", progress=False,
            evaluate=lambda model: {"at_end": loss(model, DATA)}, **settings,
        )  # fmt: skip

    result = run(checkpoint=tmp_path)
    # Each of the four lanes has the head twice, as it goes and as it last was good, and no base.
    head = sum(leaf.nbytes for leaf in jax.tree.leaves(base["head"]))
    assert carries[0] < 4 * (2 * head + 200)
    alone = minimize(loss, model, sgd(1e-2), 3, data=DATA)
    np.testing.assert_allclose(result.loss[1, 1], alone.values, rtol=2e-5)
    np.testing.assert_allclose(result.metrics["at_end"], result.final_loss, rtol=2e-5)
    trained = result.model(**ONE)
    np.testing.assert_array_equal(trained["base"].weight, base["base"].weight)
    heads = trained["head"].weight, alone.params["head"].weight
    np.testing.assert_allclose(*heads, rtol=2e-5, atol=1e-7)
    spread = run(resources=Resources(mesh=jax.make_mesh((2,), ("lanes",))))
    np.testing.assert_allclose(spread.loss, result.loss, rtol=1e-5)
    # Another base is another sweep.
    base["base"] = eqx.nn.Linear(3, 300, key=keys[1])
    model = trainable(base, wrt)
    with pytest.raises(ValueError, match="params"):
        run(checkpoint=tmp_path)
