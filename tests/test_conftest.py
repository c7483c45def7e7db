"""The precision, the devices and the samples of cases that ``conftest`` promises."""

import pathlib
import re
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent
RANDOM = np.random.default_rng(0)


@pytest.fixture
def one() -> jax.Array:
    return jnp.ones(())


@pytest.mark.parametrize("draws", [2, 1])
def test_a_generator_of_a_file_begins_anew_for_each_test(draws):
    expected = np.random.default_rng(0).normal(size=draws)
    np.testing.assert_array_equal(RANDOM.normal(size=draws), expected)


@pytest.mark.x64
def test_a_marked_test_and_its_fixtures_are_in_float64(one):
    assert one.dtype == jnp.float64
    assert jnp.ones(()).dtype == jnp.float64


def test_an_unmarked_test_is_in_float32_even_after_a_marked_one(one):
    assert one.dtype == jnp.float32


@pytest.mark.x64
def test_a_marked_test_refuses_to_mix_dtypes():
    with pytest.raises(ValueError, match="promotion=strict"):
        jnp.ones(2, jnp.float32) + jnp.ones(2, jnp.float64)


def test_an_unmarked_test_promotes_dtypes_as_jax_does():
    assert (jnp.ones(2, jnp.bfloat16) + jnp.ones(2, jnp.float32)).dtype == jnp.float32


@pytest.mark.x64(dtype_promotion="standard")
def test_a_marked_test_mixes_dtypes_where_it_says_so():
    assert (jnp.ones(2, jnp.float32) + jnp.ones(2, jnp.float64)).dtype == jnp.float64


@pytest.mark.x64
def test_a_marked_test_refuses_to_mix_ranks():
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)


@pytest.mark.x64(rank_promotion="allow")
def test_a_marked_test_may_allow_ranks_to_mix_and_stays_in_float64():
    assert (jnp.ones((2, 3)) + jnp.ones(3)).dtype == jnp.float64


def test_a_warning_is_an_error():
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


@pytest.mark.parametrize("before", ["another", "this"])
def test_figures_of_the_test_before_are_closed(before):
    assert not plt.get_fignums()
    plt.figure()


def test_eight_devices_share_an_array():
    mesh = jax.make_mesh((8,), ("shard",))
    sharding = jax.NamedSharding(mesh, jax.P("shard"))
    assert len(jax.device_put(jnp.arange(8.0), sharding).addressable_shards) == 8


def test_a_sampled_test_leaves_most_of_its_cases_to_the_slow_run(tmp_path):
    path = tmp_path / "test_cases.py"
    path.write_text(
        "import pytest\n\n"
        "@pytest.mark.sampled(3)\n"
        "@pytest.mark.parametrize('case', range(10))\n"
        "def test_case(case): ...\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--collect-only", str(path)]
    here = ["-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest"]
    chosen = {
        kind: set(re.findall(r"test_case\[(\d)\]", run([*command, *here, "-m", kind])))
        for kind in ("slow", "not slow")
    }
    assert chosen["not slow"] == {"0", "3", "6"}
    assert chosen["slow"] == set("0123456789") - chosen["not slow"]


def run(command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
