"""Batches from loaders against loops over the same batches in NumPy and optax."""

import signal
import tracemalloc

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import Axis, Hyperband, Resources, SuccessiveHalving, adam, sgd, sweep
from gdlab.training import loader as loaders
from gdlab.training.loader import Stream, is_loader
from tests.sweeps.counting import count_compilations, executed

RATES = [0.02, 0.1, 0.3]
STEPS = 11
RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 3)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5], np.float32)
SLICES = (slice(0, 4), slice(4, 8), slice(8, 10))


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """However busy the machine is, blocks are as large as they can be."""
    monkeypatch.setattr(loaders, "MOST_SECONDS", np.inf)


def squared_error(w, batch):
    x, y = batch
    return jnp.mean((x @ w - y) ** 2)


def one_pass():
    """Batches of 4, 4 and 2 examples."""
    return ((X[part], Y[part]) for part in SLICES)


def many(passes=100):
    return (batch for _ in range(passes) for batch in one_pass())


class Again:
    """A loader that can be iterated over again."""

    def __init__(self, batches=one_pass):
        self.batches, self.passes = batches, 0

    def __iter__(self):
        self.passes += 1
        return self.batches()


def in_numpy(batches, rate, steps=STEPS):
    """Gradient descent from zero on one batch after the other, and the loss before each step."""
    w, losses = np.zeros(3), []
    for _, (x, y) in zip(range(steps + 1), batches, strict=False):
        residual = x.astype(np.float64) @ w - y
        losses.append(np.mean(residual**2))
        w = w - rate * 2 * x.T @ residual / len(y)
    return losses


def swept(data, **arguments):
    tx = arguments.pop("tx", sgd(Axis("learning_rate", RATES)))
    loss = arguments.pop("loss", squared_error)
    return sweep(loss, jnp.zeros(3), tx, data, **{"steps": STEPS} | arguments)


def of_torch():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=4)


def of_grain():
    grain = pytest.importorskip("grain.python")
    return grain.DataLoader(
        data_source=list(zip(X, Y, strict=True)),
        sampler=grain.SequentialSampler(num_records=10, shard_options=grain.NoSharding()),
        operations=[grain.Batch(batch_size=4)],
    )


def dataset_of_grain():
    grain = pytest.importorskip("grain.python")
    return grain.MapDataset.source(list(zip(X, Y, strict=True))).batch(4).to_iter_dataset()


@pytest.mark.parametrize(
    "loader",
    [many, Again, lambda: iter(list(many(5))), of_torch, of_grain, dataset_of_grain],
    ids=["generator", "iterable", "iterator of a list", "torch", "grain", "grain dataset"],
)
def test_a_sweep_over_a_loader_is_the_loop_over_its_batches(loader):
    result = swept(loader(), seeds=2)
    for lane, rate in enumerate(RATES):
        for seed in (0, 1):
            np.testing.assert_allclose(
                result.loss[lane, seed], in_numpy(many(), rate), rtol=1e-3, atol=1e-7
            )


def test_batches_may_be_dictionaries():
    def loss(w, batch):
        return squared_error(w, (batch["x"], batch["y"]))

    result = swept(({"x": x, "y": y} for x, y in many()), loss=loss)
    np.testing.assert_allclose(result.loss, swept(many()).loss)


def test_an_adaptive_method_over_a_loader_is_that_of_optax():
    tx = optax.adam(0.1)
    w, state, losses = jnp.zeros(3), None, []
    for _, batch in zip(range(STEPS + 1), many(), strict=False):
        state = tx.init(w) if state is None else state
        x, y = batch
        losses.append(float(squared_error(w, batch)))
        gradient = 2 * x.T @ (x @ np.asarray(w) - y) / len(y)
        updates, state = tx.update(gradient, state)
        w = optax.apply_updates(w, updates)
    result = swept(many(), tx=adam(Axis("learning_rate", [0.1, 0.2])))
    np.testing.assert_allclose(result.loss[0, 0], losses, rtol=1e-4)


def test_groups_of_lanes_see_the_same_batches(monkeypatch):
    with executed(monkeypatch) as done:
        result = swept(many(), resources=Resources(lane_chunk=1), seeds=2)
    assert done.shapes == [(1, 1)]
    np.testing.assert_allclose(result.loss, swept(many(), seeds=2).loss, rtol=1e-5)


def test_rungs_fall_between_blocks(monkeypatch):
    monkeypatch.setattr(loaders, "MOST_BATCHES", 4)
    same = lambda: ((X, Y) for _ in range(20))  # noqa: E731
    policy = SuccessiveHalving(factor=2, rungs=[3, 6])
    result = swept(same(), policy=policy)
    losses = np.array([in_numpy(same(), rate) for rate in RATES])
    alive, stopped_at = [0, 1, 2], np.full(3, -1)
    for rung in (3, 6):
        # Points are ranked by the loss that was seen last, that before the last step.
        worst = max(alive, key=lambda lane: losses[lane, rung - 1])
        alive.remove(worst)
        stopped_at[worst] = rung
    np.testing.assert_array_equal(result.stopped_at[:, 0], stopped_at)
    np.testing.assert_allclose(result.loss[alive[0], 0], losses[alive[0]], rtol=1e-3, atol=1e-7)


def test_each_bracket_sees_the_batches_from_the_first():
    policy = Hyperband(factor=3, least_steps=1)
    loader = Again()
    result = swept(loader, policy=policy)
    assert loader.passes > 1
    for lane, rate in enumerate(RATES):
        recorded = ~np.isnan(result.loss[lane, 0])
        expected = np.array(in_numpy(many(), rate))[recorded]
        np.testing.assert_allclose(result.loss[lane, 0][recorded], expected, rtol=1e-3, atol=1e-7)


def test_each_optimizer_sees_the_batches_from_the_first():
    rates = Axis("learning_rate", RATES)
    both = swept(Again(), tx={"one": sgd(rates), "other": sgd(rates)})
    np.testing.assert_array_equal(both.loss[0], both.loss[1])


def test_short_last_batches_are_one_more_program_and_no_more():
    def run(part):
        loss = lambda w, batch: squared_error(w, batch)  # noqa: E731
        # Full batches alone first, then with a short one at the end of each pass.
        return lambda: swept(Again(lambda: ((X[s], Y[s]) for s in part)), loss=loss)

    run(SLICES)()  # what is compiled once for good, whatever is swept
    full, short = count_compilations(run(SLICES[:2])), count_compilations(run(SLICES))
    assert short == full + 1


def test_an_iterator_that_ends_early_raises_and_keeps_what_came_before(monkeypatch):
    monkeypatch.setattr(loaders, "MOST_BATCHES", 4)
    with pytest.raises(
        ValueError, match="data ended after 6 batches; there has to be one"
    ) as caught:
        swept(many(2))
    result = caught.value.result
    assert set(result.status[:, 0]) == {"unfinished"}
    for lane, rate in enumerate(RATES):
        np.testing.assert_allclose(
            result.loss[lane, 0, :6], in_numpy(many(2), rate)[:6], rtol=1e-3, atol=1e-7
        )
    assert np.isnan(result.loss[:, 0, 6:]).all()


def test_an_iterator_needs_one_batch_more_than_there_are_steps():
    assert set(swept(many(4)).status[:, 0]) == {"ok"}
    with pytest.raises(ValueError, match="data ended after 12 batches"):
        swept(many(4), steps=STEPS + 1)


def test_an_exception_of_the_loader_comes_after_the_steps_before_it():
    def broken():
        yield from many(1)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone") as caught:
        swept(broken())
    assert np.isfinite(caught.value.result.loss[:, 0, :3]).all()
    assert np.isnan(caught.value.result.loss[:, 0, 3:]).all()


def test_ctrl_c_within_the_loader_is_heard_when_nothing_is_lost():
    def interrupted():
        for number, batch in enumerate(many()):
            if number == 4:
                signal.raise_signal(signal.SIGINT)
            yield batch

    with pytest.raises(KeyboardInterrupt) as caught:
        swept(interrupted(), steps=200)
    taken = np.isfinite(caught.value.result.loss[0, 0]).sum()
    assert 3 <= taken < 200
    np.testing.assert_allclose(
        caught.value.result.loss[0, 0, :taken],
        in_numpy(many(), RATES[0], 200)[:taken],
        rtol=1e-3,
        atol=1e-7,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tx": {"a": sgd(0.1), "b": adam(0.1)}}, "generator.*read once.* 2 runs .*__iter__"),
        ({"policy": Hyperband(factor=3, least_steps=1)}, "read once.* 2 brackets"),
        ({"batch_size": 4}, "batch_size is given, but the batches of a loader"),
    ],
)
def test_what_a_loader_cannot_serve_is_refused_up_front(arguments, message):
    calls = []

    def counted():
        calls.append(None)
        yield from many()

    with pytest.raises(ValueError, match=message):
        swept(counted(), **arguments)


def test_one_iterator_for_two_problems_is_refused():
    data = many()
    with pytest.raises(ValueError, match="2 runs"):
        sweep(
            {"a": squared_error, "b": squared_error},
            {"a": jnp.zeros(3), "b": jnp.zeros(3)},
            sgd(0.1),
            {"a": data, "b": data},
            steps=2,
        )


def test_trees_of_arrays_are_data_and_iterables_are_loaders():
    for data in (X, jnp.asarray(X), {"x": X}, [X, Y], (X, Y), None):
        assert not is_loader(data)
    for loader in (many(), Again(), iter([X]), of_torch(), of_grain(), dataset_of_grain()):
        assert is_loader(loader)


def test_a_list_is_a_tree_of_examples_and_an_iterator_of_it_is_batches():
    batches = [X[:4], X[4:8], X[:4]]
    loss = lambda w, batch: jnp.mean((batch @ w - 1) ** 2)  # noqa: E731
    result = swept(iter(batches), loss=loss, steps=2)
    expected = in_numpy([(x, np.ones(4)) for x in batches], RATES[0], 2)
    np.testing.assert_allclose(result.loss[0, 0], expected, rtol=1e-4)
    of_trees = lambda w, batch: sum(loss(w, x) for x in batch) / 3  # noqa: E731
    assert swept(batches, loss=of_trees, steps=2).loss[0, 0, 0] == pytest.approx(1.0)


def test_at_most_two_blocks_are_in_the_memory_of_the_host(monkeypatch):
    of_a_batch = 2**18
    of_a_block = 8 * of_a_batch
    monkeypatch.setattr(loaders, "MOST_BYTES", of_a_block)
    loader = (np.zeros(of_a_batch, np.uint8) for _ in range(64))
    tracemalloc.start()
    try:
        widths = []
        for block in Stream(loader).blocks(0, 64):
            widths.append(block.end - block.begin)
            assert block.data.nbytes == of_a_block
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert widths == [8] * 8
    # And the batch that is just read, with the one before it.
    assert peak < 2 * of_a_block + 2.5 * of_a_batch
