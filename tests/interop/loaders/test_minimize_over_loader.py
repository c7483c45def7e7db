"""``minimize`` over loaders against optax in a loop, and against itself over arrays."""

import signal
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import adam, chain, minimize, nesterov, params_ema, sgd
from gdlab.training import loader as loaders
from gdlab.training import minibatches
from tests.interop.loaders import digits
from tests.interop.loaders.digits import (
    BATCHES_PER_PASS,
    IMAGES,
    LABELS,
    LOADERS,
    Again,
    cross_entropy,
    endless,
    one_pass,
    start,
)
from tests.sweeps.counting import count_compilations

STEPS = 9


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """However busy the machine is, blocks are as large as they can be."""
    monkeypatch.setattr(loaders, "MOST_SECONDS", np.inf)


@pytest.fixture(scope="module")
def loop():
    """The losses of optax's Adam on one batch after the other, and the last parameters."""
    tx, params = optax.adam(0.05), start()
    state, values = tx.init(params), []
    for step, batch in zip(range(STEPS + 1), endless(), strict=False):
        value, gradient = jax.value_and_grad(cross_entropy)(params, batch)
        values.append(value)
        if step < STEPS:
            updates, state = tx.update(gradient, state)
            params = optax.apply_updates(params, updates)
    return np.array(values), params


@pytest.mark.sampled(4)
@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)
def test_a_run_over_a_loader_is_the_loop_over_its_batches(loop, loader):
    run = minimize(cross_entropy, start(), adam(0.05), STEPS, data=loader())
    values, params = loop
    np.testing.assert_allclose(run.values, values, rtol=2e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), run.params, params)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[-1], b), run.path, run.params)
    assert run.path["bias"].shape == (STEPS + 1, 10)
    assert int(run.steps) == STEPS


def test_the_batches_of_a_slow_loader_are_trained_on_as_they_come(monkeypatch, loop):
    monkeypatch.setattr(loaders, "MOST_SECONDS", 0.0)
    assert [block.end for block in loaders.Stream(Again()).blocks(0, 5)] == [1, 2, 3, 4, 5]
    run = minimize(cross_entropy, start(), adam(0.05), STEPS, data=Again())
    np.testing.assert_allclose(run.values, loop[0], rtol=2e-5)
    loss = lambda params, batch: cross_entropy(params, batch)  # noqa: E731
    again = lambda: minimize(loss, start(), adam(0.05), STEPS, data=Again())  # noqa: E731
    # One for each shape, however few batches come at a time.
    assert count_compilations(again) == 2


def noisy(params, batch, key, model_state):
    """A loss with all that a loss may have: it shakes its images and counts."""
    images, labels = batch
    images = images + 0.1 * jax.random.normal(key, images.shape)
    loss = cross_entropy(params, (images, labels))
    return loss, (model_state + loss, {"largest": jnp.max(images), "first": labels[0]})


KEY = jax.random.key(3)


def drawn():
    """The batches that the sampler of ``minimize`` draws from the arrays."""
    return minibatches((IMAGES, LABELS), digits.BATCH_SIZE, KEY, epochs=None)


@pytest.mark.parametrize(
    "tx",
    [
        pytest.param(nesterov(0.1, 0.9), id="look-ahead", marks=pytest.mark.slow),
        pytest.param(chain(sgd(0.1), params_ema(0.8)), id="average"),
    ],
)
def test_a_run_over_a_loader_is_the_run_over_the_same_batches_of_arrays(tx):
    settings = {"key": KEY, "has_aux": True, "model_state": 0.0}
    batched = {"data": (IMAGES, LABELS), "batch_size": digits.BATCH_SIZE}
    of_arrays = minimize(noisy, start(), tx, STEPS, **batched, **settings)
    of_loader = minimize(noisy, start(), tx, STEPS, data=drawn(), **settings)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # noqa: E731
    jax.tree.map(close, of_loader, of_arrays)
    same = lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype)  # noqa: E731
    assert jax.tree.all(jax.tree.map(same, of_loader, of_arrays))


def test_without_a_path_none_is_kept():
    assert (
        minimize(cross_entropy, start(), sgd(0.1), 2, data=one_pass(), keep_path=False).path is None
    )


def test_no_steps_judge_the_start():
    run = minimize(cross_entropy, start(), sgd(0.1), 0, data=one_pass())
    np.testing.assert_allclose(run.values, [np.log(10)], rtol=1e-6)


def test_bounds_hold_over_a_loader():
    run = minimize(
        cross_entropy, start(), sgd(1.0), STEPS, data=Again(), bounds=(-0.01, None), keep_path=False
    )
    lowest = min(float(jnp.min(leaf)) for leaf in jax.tree.leaves(run.params))
    assert lowest == pytest.approx(-0.01)


def later(steps):
    batches = endless()
    for _ in range(steps):
        next(batches)
    return batches


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(Again, id="passed over"),
        pytest.param(lambda: later(5), id="an iterator that goes on", marks=pytest.mark.slow),
    ],
)
def test_two_halves_of_a_run_over_a_loader_are_the_run(rest):
    def loss(params, batch, key):
        return cross_entropy(params, batch) * jax.random.uniform(key)

    whole = minimize(loss, start(), adam(0.05), STEPS, data=Again(), key=KEY)
    half = minimize(loss, start(), adam(0.05), 5, data=Again(), key=KEY)
    run = minimize(
        loss, half.params, adam(0.05), STEPS - 5, data=rest(), key=KEY, state=half.state,
        first_step=half.steps,
    )  # fmt: skip
    np.testing.assert_allclose(run.values, whole.values[5:], rtol=1e-6)
    assert int(run.steps) == STEPS


def test_a_state_without_first_step_does_not_go_on():
    half = minimize(cross_entropy, start(), adam(0.05), 2, data=Again())
    with pytest.raises(ValueError, match="needs first_step"):
        minimize(cross_entropy, half.params, adam(0.05), 2, data=Again(), state=half.state)


def test_each_shape_of_batches_is_one_program_whatever_the_steps_and_hyperparameters():
    def run(batches, steps, rate):
        loss = lambda params, batch: cross_entropy(params, batch)  # noqa: E731
        return lambda: minimize(loss, start(), sgd(rate), steps, data=Again(lambda: iter(batches)))

    run(list(one_pass()), STEPS, 0.1)()  # what is compiled once for good, whatever is trained
    full = run(list(one_pass())[:-1], STEPS, 0.1)
    with_short = run(list(one_pass()), STEPS, 0.1)
    assert count_compilations(full) == 1
    assert count_compilations(with_short) == 2
    assert count_compilations(with_short) == 0  # the same loss again


def test_another_rate_and_more_steps_compile_nothing():
    minimize(cross_entropy, start(), sgd(0.1), STEPS, data=Again())
    more = lambda: minimize(cross_entropy, start(), sgd(0.2), 3 * STEPS, data=Again())  # noqa: E731
    assert count_compilations(more) == 0


def test_a_loader_is_iterated_over_again_when_it_ends():
    loader = Again()
    minimize(cross_entropy, start(), sgd(0.1), 3 * BATCHES_PER_PASS - 1, data=loader)
    assert loader.passes == 3


def kept(run, taken):
    """Whether a trajectory is that of so many steps, and of the losses before each."""
    whole = minimize(cross_entropy, start(), adam(0.05), taken, data=endless())
    assert int(run.steps) == taken
    np.testing.assert_allclose(run.values, whole.values[:taken], rtol=1e-6)
    np.testing.assert_allclose(run.path["kernel"], whole.path["kernel"], atol=1e-7)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), run.state, whole.state)


def test_an_iterator_that_ends_early_leaves_what_was_computed():
    with pytest.raises(
        ValueError, match="data ended after 4 batches; there has to be one"
    ) as caught:
        minimize(cross_entropy, start(), adam(0.05), STEPS, data=one_pass())
    kept(caught.value.result, 4)


def test_an_exception_of_the_loader_leaves_what_was_computed():
    def broken():
        yield from one_pass()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone") as caught:
        minimize(cross_entropy, start(), adam(0.05), STEPS, data=broken())
    kept(caught.value.result, 4)


def test_ctrl_c_within_the_loader_is_heard_when_nothing_is_lost():
    def interrupted():
        for number, batch in enumerate(endless()):
            if number == 2:
                signal.raise_signal(signal.SIGINT)
            yield batch

    with pytest.raises(KeyboardInterrupt) as caught:
        minimize(cross_entropy, start(), adam(0.05), 500, data=interrupted())
    kept(caught.value.result, 3)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"images": IMAGES[:4]}, "batch 1 .*'labels' where the arrays of batch 1 have none"),
        (
            {"images": IMAGES[:4], "labels": LABELS[:4], "weights": LABELS[:4]},
            "batch 1 have a leaf at 'weights' where those of the first batch have none",
        ),
    ],
)
def test_a_batch_of_another_structure_is_refused_by_its_path(second, message):
    first = {"images": IMAGES[:4], "labels": LABELS[:4]}
    with pytest.raises(ValueError, match=message) as caught:
        minimize(cross_entropy, start(), sgd(0.1), 5, data=iter([first, second, first]))
    assert int(caught.value.result.steps) == 1


def test_a_batch_of_text_is_refused_by_its_path():
    with pytest.raises(TypeError, match=r"batch 0\['name'\] is a str"):
        minimize(cross_entropy, start(), sgd(0.1), 5, data=iter([{"name": "seven"}]))


def traced(transform):
    of_rate = lambda rate: minimize(  # noqa: E731
        cross_entropy, start(), sgd(rate), 2, data=Again()
    ).values[-1]
    return lambda: transform(of_rate)(jnp.array([0.1, 0.2]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (traced(jax.vmap), TypeError, "within jit, vmap or grad.*sweep trains many"),
        (traced(lambda f: jax.jit(lambda x: f(x[0]))), TypeError, "within jit, vmap or grad"),
        (traced(lambda f: jax.grad(lambda x: f(x[0]))), TypeError, "within jit, vmap or grad"),
        (traced(lambda f: jax.jit(lambda _: f(0.1))), TypeError, "within jit, vmap or grad"),
        (
            lambda: minimize(cross_entropy, start(), sgd(0.1), 2, data=Again(), batch_size=8),
            ValueError,
            "batch_size is given, but the batches of a loader",
        ),
        (
            lambda: minimize(cross_entropy, start(), sgd(0.1), 2, data=Again(), tol=0.1),
            ValueError,
            "the loss changes from step to step.*arrays instead of a loader",
        ),
        (
            lambda: minimize(cross_entropy, start(), sgd(0.1), 2, data=Again(lambda: iter([]))),
            ValueError,
            "data ended after 0 batches",
        ),
    ],
)
def test_what_a_loader_cannot_serve_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_dataset_of_single_examples_is_no_loader():
    class Examples:
        def __getitem__(self, index):
            return IMAGES[index], LABELS[index]

        def __len__(self):
            return len(IMAGES)

    with pytest.raises(TypeError, match="data is a Examples, but"):
        minimize(cross_entropy, start(), sgd(0.1), 2, data=Examples())


def test_batches_in_bfloat16_train_as_their_rounded_numbers_do():
    torch = pytest.importorskip("torch")
    images, labels = torch.from_numpy(IMAGES).bfloat16(), torch.from_numpy(LABELS)
    data = torch.utils.data.TensorDataset(images / 3, labels)
    loader = torch.utils.data.DataLoader(data, batch_size=100)
    wide = lambda params, batch: cross_entropy(  # noqa: E731
        params, (batch[0].astype(jnp.float32), batch[1])
    )
    run = minimize(wide, start(), sgd(0.5), 6, data=loader)
    rounded = (images / 3).float().numpy()
    batches = [(rounded[:100], LABELS[:100]), (rounded[100:], LABELS[100:])]
    expected = minimize(wide, start(), sgd(0.5), 6, data=Again(lambda: iter(batches)))
    np.testing.assert_array_equal(run.values, expected.values)


@pytest.mark.slow
def test_a_model_with_batch_statistics_and_dropout_trains_over_a_loader_as_over_arrays():
    nnx = pytest.importorskip("flax.nnx")

    def network():
        rngs = nnx.Rngs(0)
        return nnx.Sequential(
            nnx.Linear(64, 10, rngs=rngs), nnx.BatchNorm(10, rngs=rngs), nnx.Dropout(0.3, rngs=rngs)
        )

    def loss(model, batch):
        images, labels = batch
        cross_entropies = optax.softmax_cross_entropy_with_integer_labels(model(images), labels)
        return jnp.mean(cross_entropies)

    batched = {"data": (IMAGES, LABELS), "batch_size": digits.BATCH_SIZE}
    of_arrays = minimize(loss, network(), adam(0.01), STEPS, key=KEY, **batched)
    of_loader = minimize(loss, network(), adam(0.01), STEPS, key=KEY, data=drawn())
    np.testing.assert_allclose(of_loader.values, of_arrays.values, rtol=1e-5)
    means = [run.params.layers[1].mean[...] for run in (of_loader, of_arrays)]
    np.testing.assert_allclose(*means, rtol=1e-5, atol=1e-6)


def test_of_data_larger_than_memory_a_few_batches_are_held_at_a_time(monkeypatch):
    of_a_batch, batches = 2**18, 64
    monkeypatch.setattr(loaders, "MOST_BYTES", 4 * of_a_batch)
    data = (np.full(of_a_batch, step, np.uint8) for step in range(batches))
    loss = lambda w, batch: (w - jnp.mean(batch.astype(jnp.float32))) ** 2  # noqa: E731
    tracemalloc.start()
    try:
        run = minimize(loss, 0.0, sgd(0.0), batches - 1, data=data, keep_path=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(run.values, np.arange(batches) ** 2.0)
    # Two blocks and two batches, and what JAX allocates while it traces.
    assert peak < 16 * of_a_batch
