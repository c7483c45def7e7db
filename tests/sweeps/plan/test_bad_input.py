"""What cannot be swept is refused before anything is compiled, by a message that names it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, GaussianProcess, Patience, Resources, Stopping, adam, sgd, sweep
from gdlab.sweeps import Hyperband, PopulationBasedTraining, SuccessiveHalving
from tests.sweeps.counting import count_compilations

RATES = Axis("rate", [0.1, 0.2])
DATA = {"x": np.zeros((6, 2), np.float32), "y": np.zeros(6, np.float32)}


def bowl(w):
    return jnp.sum(w**2)


def fit(w, batch):
    return jnp.mean((batch["x"] @ w - batch["y"]) ** 2)


def refused(error, message, call):
    """The call raises, and compiles nothing before."""

    def caught():
        with pytest.raises(error, match=message):
            call()

    assert count_compilations(caught) == 0


def run(loss=bowl, params=None, tx=None, data=None, **arguments):
    params = np.ones(2, np.float32) if params is None else params
    tx = sgd(RATES) if tx is None else tx
    return sweep(loss, params, tx, data, **{"steps": 3} | arguments)


@pytest.fixture(scope="module", autouse=True)
def what_every_sweep_needs():
    """What is compiled once for good, whatever is swept; the programs of a loss are its own."""
    run(lambda w: jnp.sum(w**2))
    run(lambda w: jnp.sum(w**2), tx=adam(RATES, b1=Axis("decay", [0.9])))


def test_what_can_be_swept_is_compiled():
    """So that to count nothing below says something."""
    assert count_compilations(lambda: run(lambda w: jnp.sum(w**2))) > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (0.1, r"Axis 'rate': .*shape \(\)"),
        (np.ones((2, 2)), r"Axis 'rate': .*shape \(2, 2\)"),
        ([], r"Axis 'rate': .*shape \(0,\)"),
        ([0.1, np.nan], r"Axis 'rate': .*positions \[1\] are NaN"),
    ],
)
def test_values_that_are_no_axis(values, message):
    with pytest.raises(ValueError, match=message):
        Axis("rate", values)


def test_an_axis_in_the_place_of_structure():
    with pytest.raises((ValueError, TypeError), match="sgd: argument 'nesterov' is structure"):
        sgd(0.1, 0.9, nesterov=Axis("nesterov", [0.0, 1.0]))


@pytest.mark.parametrize(
    ("tx", "message"),
    [
        (
            adam(RATES, b1=Axis("rate", [0.9])),
            "tx.b1: another axis is named 'rate' .*2 of them against 1",
        ),
        (
            adam(RATES, b1=Axis("decay", [0.9, 0.8, 0.7], along="rate")),
            "tx.b1: axis 'decay' has 3 values, but the dimension 'rate' .* lies has 2",
        ),
        (sgd(Axis("step", [0.1])), "tx.learning_rate: .* a dimension 'step'"),
        (sgd(Axis.uniform("rate", 0.1, 1.0)), "axis 'rate' is sampled"),
    ],
)
def test_axes_that_clash(tx, message):
    refused(ValueError, message, lambda: run(tx=tx))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda w: w**2, r"the loss must be a real scalar, but it has the shape \(2,\)"),
        (lambda w: jnp.sum(w)[None], r"real scalar, but it has the shape \(1,\)"),
        (lambda w: jnp.sum(w + 0j), "real scalar, .* the dtype complex64"),
        (lambda w: jnp.sum(w).astype(int), "real scalar, .* the dtype int32"),
        (lambda w: (jnp.sum(w), {}), "real scalar, but it is a tuple; with has_aux=True"),
        (lambda w: None, "real scalar, but it is a NoneType"),
    ],
)
def test_a_loss_that_is_no_scalar(loss, message):
    refused(TypeError, message, lambda: run(loss))


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (DATA | {"y": np.zeros(5, np.float32)}, {}, r"data\['x'\] has 6 and data\['y'\] has 5"),
        (DATA | {"y": np.float32(0)}, {}, r"data\['y'\] is a scalar"),
        ({}, {}, "data has no arrays"),
        (DATA, {"batch_size": 7}, "batch_size is 7, but there are only 6 examples"),
        (
            DATA,
            {"batch_size": 0},
            "batch_size must be a whole number between 1 and 2147483647, not 0",
        ),
    ],
)
def test_data_that_do_not_fit_together(data, arguments, message):
    refused(ValueError, message, lambda: run(fit, data=data, **arguments))


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    refused((ValueError, OSError), "file", lambda: run(checkpoint=tmp_path / "file" / "checkpoint"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be positive and an integer, not 0"),
        ({"steps": 2.5}, "steps must be a whole number, .* not 2.5"),
        (
            {"record_every": 0},
            "record_every must be a whole number between 1 and 2147483647, not 0",
        ),
        (
            {"seeds": 0},
            "seeds must be a whole number between 1 and 1000000 or a list of whole .*, not 0",
        ),
        (
            {"seeds": 10**10},
            "seeds must be a whole number between 1 and 1000000 or .*, not 10000000000",
        ),
        ({"seeds": []}, "seeds must be a positive number"),
        ({"seeds": np.array(3)}, "seeds must be a positive number or a list of integers, not 3"),
        ({"seeds": np.array([[0, 1]])}, r"seeds must be .* or a list of integers, not \[\[0 1\]\]"),
        (
            {"seeds": [0.5]},
            "seeds must be a whole number between 1 and 1000000 or a list of whole numbers",
        ),
        ({"seeds": [1, 2, 1]}, "seeds must differ from each other"),
        ({"batch_size": 4}, "batch_size is given, but no data"),
        ({"samples": 0}, "samples must be a whole number between 1 and 1000000 or None, not 0"),
        ({"keep_params": "some"}, "keep_params must be 'best' or 'all' or None, not 'some'"),
        ({"samples": 4}, "samples=4 is given, but no axis is sampled"),
        ({"hyperparameters": {"smoothing": 0.1}}, "has a parameter 'smoothing'"),
        ({"tx": {}}, "tx is an empty dictionary"),
        ({"loss": {}, "params": {}}, "loss is an empty dictionary"),
        ({"loss": {"a": bowl}}, r"loss is a dictionary of the problems \['a'\], so params must"),
        (
            {"loss": {"a": bowl}, "params": {"b": np.ones(2)}},
            r"params must be one of the same names, not \['b'\]",
        ),
        (
            {"loss": {"a": bowl, "b": bowl}, "params": {"a": np.ones(2)}},
            r"params must be one of the same names, not \['a'\]",
        ),
        (
            {"loss": {"a": fit}, "params": {"a": np.ones(2)}, "data": DATA},
            r"data must be one of the same names, not \['x', 'y'\].*dict.fromkeys\(loss, data\)",
        ),
    ],
)
def test_other_impossible_arguments(arguments, message):
    refused((TypeError, ValueError), message, lambda: run(**arguments))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, "lane_chunk must be a whole number between 1 and 2147483647 or 'auto', not 0"),
        (1.5, "lane_chunk must be a whole number between 1 and 2147483647 or 'auto', not 1.5"),
        ("all", "lane_chunk must be a whole number between 1 and 2147483647 or 'auto', not 'all'"),
    ],
)
def test_lanes_in_impossible_numbers(number, message):
    refused((TypeError, ValueError), message, lambda: Resources(lane_chunk=number))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Patience("error", 0), "Patience: evaluations must be a whole number between 1"),
        (lambda: Patience("error", least=-1.0), "Patience: least must be a number of at least 0"),
        (lambda: Patience("error", least=np.nan), "Patience: least must be .* not nan"),
        (lambda: GaussianProcess(batch=0), "GaussianProcess: batch must be a whole number between"),
        (
            lambda: GaussianProcess(policy="halving"),
            "policy must be a Policy, which has .*rungs_of",
        ),
    ],
)
def test_settings_out_of_their_range(make, message):
    refused((TypeError, ValueError), message, make)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"accuracy": 0.5}, "targets: .*'accuracy'.* 'loss', 'gradient_norm', 'error'"),
        ({"loss": np.nan}, r"targets must be a dictionary of texts and numbers, not \{'loss': nan"),
        ({"loss": None}, "targets must be a dictionary of texts and numbers"),
    ],
)
def test_targets_that_are_none(targets, message):
    def loss(w):
        return bowl(w), {"error": w[0]}

    refused(
        (TypeError, ValueError),
        message,
        lambda: run(loss, has_aux=True, stopping=Stopping(targets=targets)),
    )


def test_a_target_that_nothing_tells_of():
    refused(
        ValueError, "targets: .*'error'", lambda: run(stopping=Stopping(targets={"error": 1.0}))
    )


@pytest.mark.parametrize(
    "policy",
    [
        SuccessiveHalving(factor=2, rungs=[1], metric="accuracy"),
        Hyperband(metric="accuracy"),
        PopulationBasedTraining(every=1, metric="accuracy"),
    ],
)
def test_a_policy_that_ranks_by_what_is_not_evaluated(policy):
    message = "policy: there is no 'accuracy'; there are 'loss'"
    refused(ValueError, f"{message}, 'size'", lambda: run(policy=policy, evaluate=size))
    refused(ValueError, message, lambda: run(policy=policy))


def size(w):
    return jnp.sum(w**2)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (lambda w: {"parts": w}, r"'parts' is of shape \(2,\)"),
        (lambda w: w, r"is of shape \(2,\)"),
        (lambda w: {"a": {"b": w[0]}}, "'a' is of the type dict"),
        (lambda _: {"draw": jax.random.key(0)}, "'draw' is of the dtype key<fry>"),
        (lambda w: {1: w[0]}, "must be texts, but there is 1"),
    ],
)
def test_what_a_result_cannot_hold(values, kind):
    refused(TypeError, f"evaluate returns.*{kind}", lambda: run(evaluate=values))
    loss = lambda w: (bowl(w), values(w))  # noqa: E731
    refused(TypeError, f"auxiliary value.*{kind}", lambda: run(loss, has_aux=True))


@pytest.mark.parametrize("name", ["rate", "seed", "status", "final_loss", "step"])
def test_names_of_metrics_and_auxiliary_values_that_mean_something_else(name):
    message = f"named '{name}', which is the name of an axis"
    evaluate = lambda w: {name: w[0]}  # noqa: E731
    refused(ValueError, f"evaluate.*{message}", lambda: run(evaluate=evaluate))
    loss = lambda w: (bowl(w), {name: w[0]})  # noqa: E731
    refused(ValueError, f"auxiliary.*{message}", lambda: run(loss, has_aux=True))


def test_an_auxiliary_value_that_a_target_could_not_mean():
    loss = lambda w: (bowl(w), {"gradient_norm": w[0]})  # noqa: E731
    refused(ValueError, "named 'gradient_norm'", lambda: run(loss, has_aux=True))


@pytest.mark.parametrize("name", ["loss", "final_loss", "status", "stopped_at", "evaluations"])
def test_an_axis_named_as_a_field_of_the_result(name):
    refused(ValueError, f"a field '{name}'", lambda: run(tx=sgd(Axis(name, [0.1]))))
    refused(ValueError, f"a field '{name}'", lambda: run(tx=sgd(Axis("rate", [0.1], along=name))))


class Wrong(SuccessiveHalving):
    def rungs_of(self, _bracket, steps):
        return [2, 1]


def test_a_policy_whose_rungs_do_not_rise():
    refused(ValueError, r"rungs of a policy must rise .*\[2, 1\]", lambda: run(policy=Wrong()))


@pytest.mark.parametrize(
    ("count", "shown"),
    [(8, r"\[8, 7, 6, 5, 4, 3, 2, 1\]$"), (9, r"\[9, 8, 7, 6, 5, 4, 3, 2\] …$")],
)
def test_of_many_rungs_the_first_are_shown(count, shown):
    class Falling(SuccessiveHalving):
        def rungs_of(self, _bracket, _steps):
            return range(count, 0, -1)

    refused(ValueError, shown, lambda: run(policy=Falling(), steps=20))


class Endless(SuccessiveHalving):
    def rungs_of(self, _bracket, steps):
        return itertools.count(1)


def test_a_policy_whose_rungs_do_not_end():
    refused(ValueError, r"rungs of a policy must rise .*\[1, 2", lambda: run(policy=Endless()))


@pytest.mark.parametrize("policy", [SuccessiveHalving, Hyperband])
def test_a_policy_whose_factor_is_next_to_one(policy):
    message = r"factor=1.000000001 is so close to 1 that several rungs fall on step"
    refused(ValueError, message, lambda: run(policy=policy(factor=1 + 1e-9), steps=300))


@pytest.mark.parametrize("seeds", [[5, 2**32 + 5], [-1], [2**32]])
def test_seeds_that_would_be_others_modulo_two_to_the_thirty_two(seeds):
    message = f"seeds must be at least 0 and below 2.*, not {seeds[-1]}"
    refused(ValueError, message, lambda: run(seeds=seeds))


def test_a_truth_value_for_a_number_of_seeds():
    refused(TypeError, "seeds must be a whole number", lambda: run(seeds=True))


def test_an_optimizer_of_a_dictionary_that_is_wrong_is_found_before_the_first_is_run():
    tx = {"good": sgd(RATES), "bad": adam(Axis("seed", [0.1]))}
    refused(ValueError, "has a dimension 'seed'", lambda: run(tx=tx))


def test_a_function_among_the_hyperparameters():
    loss = lambda w, activation: bowl(activation(w))  # noqa: E731
    message = "hyperparameters: 'activation' is .* not a number, an array or an axis"
    refused(TypeError, message, lambda: run(loss, hyperparameters={"activation": jnp.tanh}))


def test_a_table_in_place_of_arrays():
    pandas = pytest.importorskip("pandas", reason="the table is of pandas")
    table = pandas.DataFrame(np.ones((5, 2)))
    refused(TypeError, r"data is a DataFrame, .*to_numpy", lambda: run(fit, data=table))
