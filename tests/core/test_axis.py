"""An axis takes a list of numbers or two bounds, and says what is wrong with anything else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, adam, sgd


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (0.1, r"'rate': values must be a one-dimensional.*shape \(\)"),
        ([], r"'rate': values must be a one-dimensional.*shape \(0,\)"),
        ([[0.1, 0.2]], r"'rate': values must be a one-dimensional.*shape \(1, 2\)"),
        ([0.1, np.nan, 0.3, np.nan], r"'rate': the values at the positions \[1, 3\] are NaN"),
    ],
)
@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_values_that_are_no_list_of_numbers_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Axis("rate", values)


@pytest.mark.parametrize("name", ["", None, 3, [0.1, 0.2]])
def test_an_axis_needs_a_name(name):
    with pytest.raises(TypeError, match="needs a name"):
        Axis(name, [0.1])


@pytest.mark.parametrize("made", [Axis.uniform, Axis.log_uniform])
@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 1.0), (2.0, 1.0), (np.nan, 1.0), (1.0, np.inf), (-np.inf, 1.0)]
)
def test_bounds_must_be_finite_and_rise(made, low, high):
    with pytest.raises(ValueError, match="'rate': the bounds must be finite and rise"):
        made("rate", low, high)


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_bounds_of_logarithms_must_be_positive(low):
    with pytest.raises(ValueError, match="'rate': the bounds of logarithms must be positive"):
        Axis.log_uniform("rate", low, 1.0)


def test_an_infinite_value_is_a_number():
    np.testing.assert_array_equal(Axis("cap", [1.0, np.inf]).values, [1.0, np.inf])


@pytest.mark.parametrize("argument", ["nesterov", "averaging", "accumulator_dtype"])
def test_an_axis_in_the_place_of_structure_names_the_argument(argument):
    axis = Axis("rate", [0.0, 1.0])
    with pytest.raises((TypeError, ValueError), match=f"sgd: argument '{argument}' is structure"):
        sgd(0.1, 0.9, **{argument: axis})


def test_an_axis_hidden_within_structure_names_the_argument():
    with pytest.raises((TypeError, ValueError), match="sgd: argument 'nesterov' is structure"):
        sgd(0.1, 0.9, nesterov=[Axis("rate", [0.0, 1.0])])


@pytest.mark.parametrize(
    "axis",
    [
        Axis("b1", [0.5, 0.9]),
        Axis("b1", [0.5, 0.9], along="pair"),
        Axis.uniform("b1", 0.5, 0.9),
        Axis.log_uniform("b1", 1e-7, 0.9),
    ],
)
def test_source_code_and_the_tree_of_an_axis_give_it_back(axis):
    leaves, structure = jax.tree.flatten(axis)
    from numpy import array

    again = eval(repr(axis), {"Axis": Axis, "array": array})
    for other in (jax.tree.unflatten(structure, leaves), again):
        assert type(other) is type(axis)
        assert (other.name, other.along, len(other)) == (axis.name, axis.along, len(axis))
        np.testing.assert_array_equal(other.values, axis.values)
        assert repr(other) == repr(axis)


@pytest.mark.parametrize("values", [[0.5, 0.9], [1, 2], [True, False]])
def test_the_source_code_of_an_axis_does_without_its_values_while_they_are_traced(values):
    seen = []
    jax.jit(lambda axis: seen.append(repr(axis)))(Axis("b1", values, along="pair"))
    (written,) = seen
    assert written.startswith("Axis('b1', <traced float")
    assert written.endswith("[2]>, along='pair')")


@pytest.mark.usually(enable_x64="it shows what is float32")
def test_an_axis_follows_jax_on_precision():
    assert Axis("rate", [0.1]).values.dtype == jnp.float32
    with jax.enable_x64(True):
        assert Axis("rate", [0.1]).values.dtype == jnp.float64
        assert float(Axis("rate", [0.1]).values[0]) == 0.1


def test_an_axis_is_a_leaf_where_a_number_would_be():
    tx = adam(Axis("rate", [0.1, 0.2]))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(tx)]
    assert paths[0] == ".learning_rate.values"


def test_values_that_are_no_numbers_are_refused_by_the_name_of_the_axis():
    with pytest.raises(TypeError, match=r"Axis 'activation': values must be numbers.*'relu'"):
        Axis("activation", ["relu", "tanh"])


@pytest.mark.parametrize(
    "compute", [lambda x: -x, lambda x: 2 * x, lambda x: 1 - x, lambda x: x > 0, float, abs]
)
def test_computing_with_an_axis_says_which_it_is_and_what_to_do(compute):
    with pytest.raises(TypeError, match="the axis 'rate' stands for many numbers"):
        compute(Axis("rate", [0.1, 0.2]))
