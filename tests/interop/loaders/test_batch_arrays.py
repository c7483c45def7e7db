"""Batches of other libraries as NumPy arrays."""

from collections import UserDict

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.training.batch_arrays import batch_arrays


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


NUMBERS = [[0.0, -1.5], [0.25, 448.0]]


@pytest.mark.parametrize(
    "name",
    [
        *("bool", "uint8", "int32", "float16", "float32", "complex64"),
        *("bfloat16", "float8_e4m3fn", "float8_e5m2"),
    ],
)
def test_tensors_become_arrays_of_the_same_dtype_and_numbers(torch, name):
    tensor = torch.tensor(NUMBERS).abs().to(getattr(torch, name))
    (array,) = batch_arrays([tensor.T], "batch 0")
    assert array.dtype == np.dtype(getattr(jnp, name if name != "bool" else "bool_"))
    np.testing.assert_array_equal(array.astype(complex), tensor.T.to(torch.complex64).tolist())


def test_a_scalar_in_bfloat16_stays_a_scalar(torch):
    array = batch_arrays(torch.tensor(1.5, dtype=torch.bfloat16), "batch 0")
    assert array.shape == ()
    assert array == 1.5


def test_what_pytorch_does_lazily_is_done(torch):
    z = torch.tensor([1 + 2j, 3 - 1j])
    grown = torch.ones(2, requires_grad=True)
    conjugate, imaginary, of_graph = batch_arrays((z.conj(), z.conj().imag, grown), "batch 0")
    np.testing.assert_array_equal(conjugate, [1 - 2j, 3 + 1j])
    np.testing.assert_array_equal(imaginary, [-2, 1])
    np.testing.assert_array_equal(of_graph, [1, 1])


def test_numbers_have_the_dtypes_that_a_device_holds():
    batch = {"x": np.ones(2), "label": np.array([1, 2]), "weight": 0.5, "nothing": None}
    arrays = batch_arrays(batch, "batch 0")
    assert arrays["x"].dtype == arrays["weight"].dtype == np.float32
    assert arrays["label"].dtype == np.int32
    assert arrays["nothing"] is None


def test_a_mapping_that_is_no_dictionary_becomes_one():
    batch = batch_arrays(UserDict(x=np.ones(2), inner=UserDict(y=np.zeros(3))), "batch 0")
    assert {name: type(value) for name, value in batch.items()} == {"x": np.ndarray, "inner": dict}


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        ("seven", r"batch 3\['x'\]\[1\] is a str of dtype <U5, which is no array of numbers"),
        (object(), r"batch 3\['x'\]\[1\] is a object, which is no array of numbers"),
        ([0.0, 1.0], r"batch 3\['x'\]\[1\] is a list of 2 numbers: let the loader make an array"),
        (np.array(["1970"], "datetime64[Y]"), "dtype datetime64.*no array of numbers"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_by_its_path(leaf, message):
    with pytest.raises(TypeError, match=message):
        batch_arrays({"x": [np.ones(2), leaf]}, "batch 3")


def test_a_sparse_tensor_is_refused_by_its_path(torch):
    sparse = torch.sparse_coo_tensor(
        torch.tensor([[0]]), torch.ones(1), (3,), check_invariants=True
    )
    with pytest.raises(TypeError, match=r"batch 3\['x'\] is a Tensor of which no array"):
        batch_arrays({"x": sparse}, "batch 3")
