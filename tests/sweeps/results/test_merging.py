"""Merged results against arrays that are put together by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, Resources, adam, sgd, sweep
from gdlab.sweeps.results.combining.merging import stacked
from gdlab.sweeps.results.combining.steps import with_steps_of_all
from tests.sweeps.made import assert_same, made, on_rates, sampled

NAN = np.nan


def test_two_halves_of_a_grid_are_the_sweep_of_all():
    def run(rates, seeds):
        tx = adam(Axis("learning_rate", rates))
        # Only lanes that are computed one at a time are promised to have the same bits elsewhere.
        return sweep(
            lambda w: (w - 3) ** 2,
            0.0,
            tx,
            steps=5,
            seeds=seeds,
            keep_params="all",
            resources=Resources(exact=True),
        )

    whole = run([0.1, 0.2, 0.4], [0, 1])
    merged = run([0.1, 0.4], [0, 1]).merge(run([0.2], [1]), run([0.2], [0]))
    assert_same(
        dataclasses.replace(merged, optimizers=(), provenance={}),
        dataclasses.replace(whole, optimizers=(), provenance={}),
    )
    np.testing.assert_array_equal(merged.params, whole.params)


def test_what_neither_ran_is_a_hole():
    merged = on_rates([[1.0]], [0.1], seeds=[0]).merge(on_rates([[2.0]], [0.2], seeds=[1]))
    np.testing.assert_array_equal(merged.status, [["ok", "not run"], ["not run", "ok"]])
    np.testing.assert_array_equal(merged.final_loss, [[1.0, NAN], [NAN, 2.0]])
    np.testing.assert_array_equal(merged.evaluations, [[21, 0], [0, 21]])
    np.testing.assert_array_equal(merged.stopped_at, [[-1, -1], [-1, -1]])


def test_a_third_result_fills_the_holes_of_two():
    corners = on_rates([[1.0]], [0.1], seeds=[0]).merge(on_rates([[2.0]], [0.2], seeds=[1]))
    rest = on_rates([[NAN, 3.0], [4.0, NAN]], [0.1, 0.2],
                    status=[["not run", "ok"], ["ok", "not run"]])  # fmt: skip
    for merged in (corners.merge(rest), rest.merge(corners)):
        np.testing.assert_array_equal(merged.final_loss, [[1.0, 3.0], [4.0, 2.0]])
        assert (merged.status == "ok").all()


def test_values_that_were_in_order_stay_so_and_others_are_appended():
    first, second = on_rates([[1], [3]], [0.1, 0.3]), on_rates([[2]], [0.2])
    np.testing.assert_array_equal(second.merge(first).final_loss[:, 0], [1, 2, 3])
    falling = on_rates([[3], [1]], [0.3, 0.1])
    np.testing.assert_array_equal(falling.merge(second).final_loss[:, 0], [3, 1, 2])


def test_rates_that_differ_by_rounding_are_the_same():
    one = made([[1.0]], {"learning_rate": np.array([0.1])}, seeds=[0])
    merged = one.merge(on_rates([[2.0]], [0.1], seeds=[1]))
    assert merged.final_loss.tolist() == [[1.0, 2.0]]


def test_rates_that_are_next_to_each_other_in_both_results_stay_apart():
    rates = np.float32(1) + np.arange(3, dtype=np.float32) * np.finfo(np.float32).eps
    one = on_rates([[1], [2], [3]], rates)
    merged = one.merge(on_rates([[4], [5], [6]], rates, seeds=[1]))
    assert merged.final_loss.tolist() == [[1, 4], [2, 5], [3, 6]]


@pytest.mark.parametrize("status", ["pruned", "unfinished", "not run"])
def test_a_finished_run_replaces_one_that_is_not(status):
    pruned = on_rates([[NAN]], [0.1], status=[[status]])
    finished = on_rates([[1.0]], [0.1])
    assert pruned.merge(finished).final_loss == 1.0
    assert finished.merge(pruned).status == "ok"


def test_the_same_lane_with_another_end_is_refused_by_name():
    one, other = on_rates([[1.0], [2.0]], [0.25, 0.5]), on_rates([[2.01]], [0.5])
    with pytest.raises(
        ValueError, match=r"lane \{'learning_rate': 0\.5, 'seed': 0\} .* 2 and 2\.01"
    ):
        one.merge(other)
    assert one.merge(on_rates([[2.001]], [0.5])).final_loss.tolist() == [[1.0], [2.0]]
    with pytest.raises(ValueError, match=r"1 and nan"):
        one.merge(on_rates([[NAN]], [0.25]))


def test_samples_are_appended_and_the_same_sample_is_one():
    one = sampled([[1], [2]], [0.1, 0.2], [0.9, 0.8])
    more = sampled([[3], [4]], [0.2, 0.1], [0.8, 0.8], seeds=[1])
    merged = one.merge(more)
    np.testing.assert_array_equal(merged.coords["sample"], [0, 1, 2])
    np.testing.assert_array_equal(merged.coords["learning_rate"], [0.1, 0.2, 0.1])
    np.testing.assert_array_equal(merged.coords["b1"], [0.9, 0.8, 0.8])
    np.testing.assert_array_equal(merged.final_loss, [[1, NAN], [2, 3], [NAN, 4]])


def test_axes_along_another_one_keep_to_it():
    def paired(final, rates, decays):
        coords = {"learning_rate": np.array(rates), "b1": np.array(decays)}
        return made(final, coords, dict.fromkeys(coords, "learning_rate"), seeds=[0])

    one = paired([[1], [3]], [0.1, 0.3], [0.9, 0.7])
    merged = one.merge(paired([[2], [3]], [0.2, 0.3], [0.8, 0.7]))
    np.testing.assert_array_equal(merged.coords["learning_rate"], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(merged.coords["b1"], [0.9, 0.8, 0.7])
    np.testing.assert_array_equal(merged.final_loss, [[1], [2], [3]])


def test_what_is_put_together_of_several_has_no_recipe():
    one, other = on_rates([[1.0]], [0.1], recipe="one"), on_rates([[2.0]], [0.2], recipe="other")
    assert one.merge(other).recipe is None
    assert stacked("optimizer", {"a": one, "b": one}).recipe is None


def test_optimizers_are_matched_by_name():
    def of(names, loss):
        coords = {"optimizer": names, "learning_rate": [0.1]}
        optimizers = {"sgd": sgd(Axis("learning_rate", [0.1])), "adam": adam(0.1)}
        return made(
            np.full((len(names), 1, 1), loss), coords, seeds=[0],
            optimizers=tuple(optimizers[name] for name in names),
        )  # fmt: skip

    merged = of(["sgd"], 1.0).merge(of(["adam"], 2.0))
    assert merged.coords["optimizer"].tolist() == ["sgd", "adam"]
    assert [repr(tx).split("(")[0] for tx in merged.optimizers] == ["sgd", "adam"]
    np.testing.assert_array_equal(merged.final_loss.ravel(), [1, 2])
    renamed = dataclasses.replace(of(["sgd"], 1.0), optimizers=(adam(0.1),))
    with pytest.raises(ValueError, match="optimizer 'sgd': sgd"):
        of(["sgd"], 1.0).merge(renamed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"steps": 30, "batch_size": 0}}, "setting 'steps': 20 and 30"),
        ({"settings": {"steps": 20}}, "setting 'batch_size': 0 and None"),
        ({"optimizers": (adam(Axis("learning_rate", [0.2]), b1=0.5),)}, r"optimizer: adam"),
        ({"metrics": {"accuracy": np.ones((1, 1))}}, r"metrics: \[\] and \['accuracy'\]"),
        ({"aux": {"size": np.ones((1, 1, 3))}}, r"auxiliary values: \[\] and \['size'\]"),
        ({"coords": {"learning_rate": np.array([0.2]), "seed": np.array([0]),
                     "step": np.array([0, 5, 20])}}, r"values of 'step'"),
        ({"dims": ("rate", "seed"), "axes": {"rate": "rate"}}, "dimensions"),
    ],
)  # fmt: skip
def test_results_of_different_sweeps_are_refused_with_the_difference(change, message):
    one, other = on_rates([[1.0]], [0.1]), on_rates([[1.0]], [0.2])
    one.merge(other)
    with pytest.raises(ValueError, match=message):
        one.merge(dataclasses.replace(other, **change))


def test_provenance_that_differs_stands_side_by_side():
    one = on_rates([[1.0]], [0.1], provenance={"gdlab": "1", "time": "noon"})
    other = on_rates([[1.0]], [0.2], provenance={"gdlab": "1", "time": "night", "jax": "2"})
    assert one.merge(other).provenance == {"gdlab": "1", "time": "noon; night", "jax": "2"}


def test_parameters_of_the_best_points_are_not_those_of_the_union():
    one, other = (
        on_rates([[1.0]], [rate], kept=np.ones(1), params_dims=("seed",)) for rate in (0.1, 0.2)
    )
    assert one.merge(other).params is None


def population(rates, parents, seeds=(0,)):
    history = {"learning_rate": np.array([rates]) * 2, "parent": np.array([parents])}
    result = sampled(np.ones((len(rates), len(seeds))), rates, [0.9] * len(rates),
                     history=history, seeds=seeds)  # fmt: skip
    return dataclasses.replace(result, coords=result.coords | {"rung": np.array([10])})


def test_populations_stand_beside_each_other_with_their_own_parents():
    merged = population([0.1, 0.2], [1, 1]).merge(population([0.3, 0.4], [0, 0]))
    np.testing.assert_array_equal(merged.history["parent"], [[1, 1, 2, 2]])
    np.testing.assert_allclose(merged.history["learning_rate"], [[0.2, 0.4, 0.6, 0.8]])


def test_a_population_has_one_history():
    with pytest.raises(ValueError, match="history of the same population"):
        population([0.1, 0.2], [1, 1]).merge(population([0.1, 0.2], [0, 0], seeds=[1]))


def test_stacked_results_have_a_first_dimension_of_names():
    one, other = population([0.1, 0.2], [1, 1]), population([0.1, 0.2], [0, 0])
    both = stacked("optimizer", {"a": one, "b": other})
    assert both.dims == ("optimizer", "sample", "seed")
    assert both.coords["optimizer"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(both.history["parent"], [[[1, 1], [2, 2]]])
    np.testing.assert_array_equal(both.select(optimizer="b").history["parent"], [[0, 0]])
    assert len(both.optimizers) == 2
    assert stacked("optimizer", {"a": one, "b": population([0.1, 0.3], [0, 0])}) is None


def test_stacked_results_keep_parameters_that_are_alike():
    def of(size):
        return on_rates([[1.0]], [0.1], kept=np.ones((1, size)), params_dims=("seed",))

    alike = stacked("problem", {"a": of(2), "b": of(2)})
    assert alike.params_dims == ("problem", "seed")
    assert alike.params.shape == (2, 1, 2)
    assert len(alike.optimizers) == 1
    assert stacked("problem", {"a": of(2), "b": of(3)}).params is None


def test_a_merged_result_keeps_the_types_that_hold_its_numbers():
    def run(rates, seeds=(0,)):
        return sweep(
            lambda w: jnp.sum(w.astype(jnp.float32) ** 2), jnp.ones(2, jnp.bfloat16),
            sgd(Axis("rate", rates)), steps=3, seeds=seeds, keep_params="all",
            evaluate=lambda w: {"solved": w[0] > 0, "count": jnp.array(2), "half": w[0]},
        )  # fmt: skip

    one, other = run([0.1]), run([0.3])
    both = one.merge(other)
    kinds = {name: values.dtype for name, values in both.metrics.items()}
    assert kinds == {"solved": bool, "count": np.int32, "half": jnp.bfloat16}
    assert both.params.dtype == jnp.bfloat16
    np.testing.assert_array_equal(both.params, np.concatenate([one.params, other.params]))
    holes = one.merge(run([0.3], seeds=[1]))
    kinds = {name: values.dtype for name, values in holes.metrics.items()}
    assert kinds == {"solved": np.float32, "count": np.float64, "half": jnp.bfloat16}
    np.testing.assert_array_equal(holes.metrics["solved"], [[1, NAN], [NAN, 1]])


def test_over_the_steps_of_a_longer_run_the_last_losses_stay_and_others_are_nan():
    short, long = on_rates([[1.0]], [0.1]), on_rates([[2.0]], [0.1])
    steps = np.arange(0, 30, 5)
    long = dataclasses.replace(
        long, coords=long.coords | {"step": steps}, loss=np.zeros((1, 1, steps.size))
    )
    changed, same = with_steps_of_all([short, long])
    np.testing.assert_array_equal(changed.coords["step"], steps)
    np.testing.assert_array_equal(changed.loss, [[[9.0, NAN, 5.0, NAN, 1.0, 1.0]]])
    np.testing.assert_array_equal(same.loss, long.loss)


def test_seeds_of_another_key_do_not_merge():
    def run(seed, key):
        return sweep(lambda w: w**2, 0.5, sgd(Axis("rate", [0.1])), steps=2, seeds=[seed], key=key)

    one = run(0, None)
    assert one.merge(run(1, jax.random.key(0))).status.shape == (1, 2)
    for key in (jax.random.key(1), jax.random.key(0, impl="rbg")):
        with pytest.raises(ValueError, match="setting 'key'"):
            one.merge(run(1, key))
