"""The epoch sampler: what partitions an epoch, inside a scan and in a loop written by hand."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gdlab.training.batches import EpochSampler, minibatches

KEY = jax.random.key(7)
SIZES = [(12, 4), (13, 4), (7, 1), (5, 3), (9, 8)]


def primitives(jaxpr, inside_branch=False):
    """Every primitive's name in a jaxpr, with whether it stands in a branch of a `cond`."""
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        yield name, inside_branch
        for inner in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")
        ):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from primitives(inner, inside_branch or name == "cond")


@partial(jax.jit, static_argnums=(0, 2))
def indices_drawn(sampler, key, steps, start=0):
    """The indices of each step's batch, drawn in one scan; a short batch is filled up with -1."""
    data = jnp.arange(sampler.size)

    def body(order, step):
        order = sampler.reshuffle(order, key, step)

        def padded(batch):
            return jnp.full(sampler.batch_size, -1).at[: len(batch)].set(batch)

        return order, sampler.on_batch(padded, data, order, step)

    _, rows = lax.scan(body, sampler.order(key, start), start + jnp.arange(steps))
    return rows


# ---- one epoch


def test_sixty_thousand_examples_in_batches_of_128_are_469_updates():
    sampler = EpochSampler(60_000, 128)
    assert (sampler.batches_per_epoch, sampler.last_batch_size) == (469, 96)
    assert 468 * 128 + 96 == 60_000


def test_dropping_the_short_batch_leaves_468_full_ones():
    sampler = EpochSampler(60_000, 128, drop_last=True)
    assert (sampler.batches_per_epoch, sampler.last_batch_size) == (468, 128)


def test_a_batch_size_that_divides_the_data_has_no_short_batch():
    for drop_last in (False, True):
        sampler = EpochSampler(12, 4, drop_last)
        assert (sampler.batches_per_epoch, sampler.last_batch_size) == (3, 4)


@pytest.mark.parametrize(("size", "batch_size"), SIZES)
def test_every_index_is_drawn_exactly_once_an_epoch(size, batch_size):
    sampler = EpochSampler(size, batch_size)
    rows = np.asarray(indices_drawn(sampler, KEY, 4 * sampler.batches_per_epoch))
    for epoch in np.split(rows, 4):
        assert sorted(epoch[epoch >= 0]) == list(range(size))


@pytest.mark.parametrize(("size", "batch_size"), SIZES)
def test_without_the_short_batch_every_index_is_drawn_at_most_once_an_epoch(size, batch_size):
    sampler = EpochSampler(size, batch_size, drop_last=True)
    rows = np.asarray(indices_drawn(sampler, KEY, 4 * sampler.batches_per_epoch))
    for epoch in np.split(rows, 4):
        assert (epoch >= 0).all()
        assert np.unique(epoch).size == epoch.size == size // batch_size * batch_size


def test_what_the_dropped_batch_leaves_out_changes_from_epoch_to_epoch():
    sampler = EpochSampler(9, 8, drop_last=True)
    rows = np.asarray(indices_drawn(sampler, KEY, 40))
    left_out = {sum(range(9)) - int(row.sum()) for row in rows}
    assert len(left_out) > 1


def test_epochs_and_keys_have_orders_of_their_own():
    sampler = EpochSampler(100, 10)
    orders = [sampler.order(key, step) for key in jax.random.split(KEY) for step in (0, 10, 20)]
    for first, second in itertools.combinations(orders, 2):
        assert not np.array_equal(first, second)


def test_all_steps_of_an_epoch_share_its_order():
    sampler = EpochSampler(13, 4)
    for step in range(4):
        np.testing.assert_array_equal(sampler.order(KEY, step), sampler.order(KEY, 0))


def test_every_example_comes_first_equally_often():
    sampler, epochs = EpochSampler(6, 2), 3000
    first = jax.vmap(lambda epoch: sampler.order(KEY, 3 * epoch)[0])(jnp.arange(epochs))
    counts = np.bincount(first, minlength=6)
    # Five standard deviations of a binomial count.
    assert np.abs(counts - epochs / 6).max() < 5 * np.sqrt(epochs * (1 / 6) * (5 / 6))


# ---- inside a scan


@pytest.mark.parametrize("start", [1, 3, 4, 6])
def test_a_run_resumed_at_any_step_draws_the_batches_it_would_have_drawn(start):
    sampler = EpochSampler(13, 4)
    whole = indices_drawn(sampler, KEY, 11)
    np.testing.assert_array_equal(indices_drawn(sampler, KEY, 11 - start, start), whole[start:])


def test_the_carried_order_is_the_one_computed_from_the_step_alone():
    sampler = EpochSampler(13, 4)
    reshuffle, order = jax.jit(sampler.reshuffle), sampler.order(KEY, 0)
    for step in range(12):
        order = reshuffle(order, KEY, step)
        np.testing.assert_array_equal(order, sampler.order(KEY, step))


def test_chunks_of_jitted_steps_compile_once_for_all_chunks():
    sampler = EpochSampler(13, 4)
    chunk = jax.jit(lambda start: indices_drawn(sampler, KEY, 5, start))
    chunks = jnp.concatenate([chunk(start) for start in (0, 5, 10)])
    np.testing.assert_array_equal(chunks, indices_drawn(sampler, KEY, 15))
    assert chunk._cache_size() == 1


def test_seeds_under_vmap_draw_what_each_would_draw_alone():
    sampler, keys = EpochSampler(13, 4), jax.random.split(KEY, 3)
    together = jax.vmap(lambda key: indices_drawn(sampler, key, 9))(keys)
    for key, rows in zip(keys, together, strict=True):
        np.testing.assert_array_equal(rows, indices_drawn(sampler, key, 9))


def test_seeds_under_vmap_sort_only_where_an_epoch_starts():
    sampler = EpochSampler(13, 4)

    def run(key):
        def body(order, t):
            order = sampler.reshuffle(order, key, t)
            return order, sampler.on_batch(lambda x: jnp.sin(x).sum(), jnp.ones(13), order, t)

        return lax.scan(body, jnp.arange(13, dtype=jnp.int32), jnp.arange(9))

    jaxpr = jax.make_jaxpr(jax.vmap(run))(jax.random.split(KEY, 3))
    found = set(primitives(jaxpr.jaxpr))
    assert ("sort", True) in found
    assert ("sort", False) not in found
    # Training on the batch stays in its branch too: a short batch is not computed in every step.
    assert ("sin", True) in found
    assert ("sin", False) not in found


def test_a_step_that_differs_between_lanes_would_sort_every_time():
    sampler = EpochSampler(13, 4)
    order = sampler.order(KEY, 0)
    jaxpr = jax.make_jaxpr(jax.vmap(lambda t: sampler.reshuffle(order, KEY, t)))(jnp.arange(3))
    assert ("sort", False) in set(primitives(jaxpr.jaxpr))


def test_a_short_batch_comes_with_its_true_shape():
    sampler = EpochSampler(13, 4)
    lengths = []
    data = jnp.arange(13.0)

    def length(batch):
        lengths.append(batch.shape)
        return jnp.asarray(len(batch))

    run = jax.jit(lambda step: sampler.on_batch(length, data, sampler.order(KEY, step), step))
    assert [int(run(step)) for step in range(8)] == [4, 4, 4, 1, 4, 4, 4, 1]
    assert sorted(lengths) == [(1,), (4,)]


def test_without_a_short_batch_the_step_is_traced_once():
    for sampler in (EpochSampler(13, 4, drop_last=True), EpochSampler(12, 4), EpochSampler(12, 12)):
        traces = []
        data = jnp.zeros(sampler.size)

        @jax.jit
        def run(step, sampler=sampler, data=data, traces=traces):
            order = sampler.order(KEY, step)
            return sampler.on_batch(
                lambda batch: traces.append(1) or batch.sum(), data, order, step
            )

        run(0), run(1)
        assert len(traces) == 1
        assert ("cond", False) not in set(primitives(jax.make_jaxpr(run)(0).jaxpr))


@pytest.mark.x64
def test_gradient_descent_in_a_scan_is_the_loop_a_textbook_writes():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(13, 3)), rng.normal(size=13)
    sampler, steps, rate = EpochSampler(13, 4), 20, 0.1

    def loss(params, batch):
        inputs, targets = batch
        return jnp.mean((inputs @ params - targets) ** 2)

    @jax.jit
    def train(params):
        def body(carry, step):
            params, order = carry
            order = sampler.reshuffle(order, KEY, step)
            gradient = sampler.on_batch(
                lambda batch: jax.grad(loss)(params, batch),
                (jnp.asarray(x), jnp.asarray(y)),
                order,
                step,
            )
            return (params - rate * gradient, order), None

        (params, _), _ = lax.scan(body, (params, sampler.order(KEY, 0)), jnp.arange(steps))
        return params

    expected = np.zeros(3)
    for step in range(steps):
        epoch, position = divmod(step, 4)
        order = np.asarray(jax.random.permutation(jax.random.fold_in(KEY, epoch), 13))
        rows = order[4 * position : 4 * position + 4]
        residual = x[rows] @ expected - y[rows]
        expected = expected - rate * 2 * x[rows].T @ residual / len(rows)

    trained = train(jnp.zeros(3))
    # Twenty contracting steps gather a few roundings of the working precision.
    tolerance = 100 * float(jnp.finfo(trained.dtype).eps)
    np.testing.assert_allclose(trained, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.x64
def test_batch_losses_weighted_by_their_sizes_average_to_the_loss_over_the_data():
    data = jnp.asarray(np.random.default_rng(1).normal(size=13))
    sampler = EpochSampler(13, 4)
    order = sampler.order(KEY, 0)
    means = [sampler.on_batch(jnp.mean, data, order, step) for step in range(4)]
    np.testing.assert_allclose(
        sum(m * n for m, n in zip(means, [4, 4, 4, 1], strict=True)) / 13,
        data.mean(),
        rtol=20 * float(jnp.finfo(data.dtype).eps),  # thirteen additions in another order
        atol=20 * float(jnp.finfo(data.dtype).eps),
    )


# ---- the whole data at once


def test_one_batch_of_everything_is_the_data_in_their_own_order():
    data = {"x": jnp.arange(13.0), "nothing": None}
    sampler = EpochSampler.for_data(data)
    assert sampler == EpochSampler(13, 13)
    assert sampler.batches_per_epoch == 1
    assert sampler.on_batch(lambda batch: batch, data, sampler.order(KEY, 5), 5) is data
    np.testing.assert_array_equal(sampler.order(KEY, 5), jnp.arange(13))
    np.testing.assert_array_equal(sampler.reshuffle(sampler.order(KEY, 5), KEY, 6), jnp.arange(13))


def test_a_batch_of_everything_costs_neither_a_sort_nor_a_copy():
    sampler = EpochSampler(13, 13)
    jaxpr = jax.make_jaxpr(lambda key: indices_drawn(sampler, key, 3))(KEY)
    assert not {"sort", "gather", "cond"} & {name for name, _ in primitives(jaxpr.jaxpr)}


# ---- data


def test_a_batch_has_the_tree_and_dtypes_of_the_data():
    data = {
        "image": jnp.zeros((6, 2, 2), jnp.bfloat16),
        "label": np.arange(6, dtype=np.int8),
        "key": jax.random.split(KEY, 6),
        "none": None,
        "empty": jnp.zeros((6, 0)),
    }
    sampler = EpochSampler.for_data(data, 4, drop_last=True)
    assert sampler == EpochSampler(6, 4, drop_last=True)
    batch = sampler.on_batch(lambda batch: batch, data, sampler.order(KEY, 0), 0)
    by_hand = next(minibatches(data, 4, KEY))
    assert isinstance(by_hand["label"], np.ndarray)
    for drawn in (batch, by_hand):
        assert jax.tree.structure(drawn) == jax.tree.structure(data)
        for name, leaf in drawn.items():
            if leaf is not None:
                assert leaf.dtype == data[name].dtype
                assert leaf.shape == (4, *data[name].shape[1:])


def test_leaves_of_a_batch_belong_together():
    data = (jnp.arange(13), 10 * np.arange(13), {"deep": jnp.arange(13)[:, None] + 100})
    for first, second, rest in minibatches(data, 4, KEY):
        np.testing.assert_array_equal(10 * first, second)
        np.testing.assert_array_equal(first + 100, rest["deep"][:, 0])


# ---- a loop written by hand


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [4, 13, None])
@pytest.mark.parametrize("kind", [np.arange, jnp.arange])
def test_a_loop_by_hand_draws_what_the_scan_draws(kind, batch_size, drop_last):
    sampler = EpochSampler.for_data(jnp.arange(13), batch_size, drop_last)
    by_hand = list(minibatches(kind(13), batch_size, KEY, epochs=3, drop_last=drop_last))
    in_scan = np.asarray(indices_drawn(sampler, KEY, 3 * sampler.batches_per_epoch))
    assert len(by_hand) == len(in_scan)
    for batch, row in zip(by_hand, in_scan, strict=True):
        np.testing.assert_array_equal(batch, row[row >= 0])


def test_minibatches_go_through_the_data_once_unless_told_otherwise():
    assert len(list(minibatches(np.arange(13), 4, KEY))) == 4
    assert len(list(minibatches(np.arange(13), 4, KEY, epochs=0))) == 0


def test_epochs_none_has_no_end():
    batches = list(itertools.islice(minibatches(np.arange(13), 4, KEY, epochs=None), 40))
    assert sorted(np.concatenate(batches[36:])) == list(range(13))


def test_without_a_key_the_data_keep_their_order():
    np.testing.assert_array_equal(
        np.concatenate(list(minibatches(np.arange(13), 4, None, epochs=2))),
        np.tile(np.arange(13), 2),
    )
    sampler = EpochSampler(13, 4)
    np.testing.assert_array_equal(indices_drawn(sampler, None, 4).ravel()[:13], np.arange(13))


# ---- mistakes


@pytest.mark.parametrize(
    ("size", "batch_size", "message"),
    [
        (0, 1, "size must be a whole number between 1 .*, not 0"),
        (10, 0, "batch_size must be a whole number between 1 .*, not 0"),
        (10, -4, "batch_size must be a whole number between 1 .*, not -4"),
        (10, 11, "batch_size is 11, but there are only 10 examples"),
    ],
)
def test_impossible_sizes_are_named(size, batch_size, message):
    with pytest.raises(ValueError, match=message):
        EpochSampler(size, batch_size)


def test_a_size_that_is_no_integer_is_named():
    with pytest.raises(TypeError, match=r"batch_size must be a whole number .* 2\.5"):
        EpochSampler(10, 2.5)
    with pytest.raises(
        TypeError, match=r"batch_size must be a whole number .*known before tracing"
    ):
        jax.jit(lambda size: EpochSampler(10, size))(3)


def test_leading_axes_that_disagree_are_named_with_both_sizes():
    data = {"x": np.zeros((10, 3)), "y": [np.zeros(10), np.zeros(9)]}
    for build in (EpochSampler.for_data, lambda data, size: minibatches(data, size, KEY)):
        with pytest.raises(ValueError, match=r"data\['x'\] has 10 and data\['y'\]\[1\] has 9"):
            build(data, 4)


def test_data_without_a_leading_axis_or_without_arrays_are_refused():
    with pytest.raises(ValueError, match=r"data\['y'\] is a scalar"):
        EpochSampler.for_data({"x": np.zeros(3), "y": 1.0})
    with pytest.raises(ValueError, match="data has no arrays"):
        EpochSampler.for_data({"x": None})
    with pytest.raises(ValueError, match="data has no examples"):
        EpochSampler.for_data(np.zeros((0, 3)))


def test_data_of_another_size_than_the_samplers_are_refused():
    sampler = EpochSampler(10, 4)
    for size in (9, 11):
        with pytest.raises(ValueError, match=f"sampler is for 10 examples, but data has {size}"):
            sampler.on_batch(jnp.mean, jnp.zeros(size), sampler.order(KEY, 0), 0)


def test_a_result_whose_shape_depends_on_the_batch_is_named_with_both_shapes():
    sampler = EpochSampler(10, 4)
    order = sampler.order(KEY, 0)
    with pytest.raises(ValueError, match=r"result\['each'\] has .*drop_last=True") as caught:
        sampler.on_batch(lambda batch: {"each": batch}, jnp.zeros(10), order, 0)
    assert "(4,)" in str(caught.value)
    assert "(2,)" in str(caught.value)
    whole = EpochSampler(10, 4, drop_last=True)
    assert whole.on_batch(lambda batch: batch, jnp.zeros(10), order, 0).shape == (4,)


def test_a_table_is_refused_by_name_and_told_how_it_becomes_an_array():
    pandas = pytest.importorskip("pandas", reason="the tables are of pandas")
    table = pandas.DataFrame(np.ones((5, 2)))
    for data, name in ((table, "data"), ({"x": table}, r"data\['x'\]")):
        with pytest.raises(TypeError, match=rf"{name} is a DataFrame, .*{name}\.to_numpy\(\) is"):
            EpochSampler.for_data(data)
