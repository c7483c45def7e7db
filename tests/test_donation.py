"""What a step that is given its parameters and its state writes over, and what it stores besides.

The sizes are those of the compiled program, in arrays of the size of the parameters.
"""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

import gdlab
from gdlab.core.kernels import FLAG
from tests.contract import EXAMPLES
from tests.test_contract import PUBLIC

SHAPE = (250, 400)
NEARLY_NOTHING = 0.05

REPLACED = {
    "accsgd": 1,
    "acprop": 1,
    "adan": 2,
    "adopt": 2,
    "bcos": 1,
    "cocob": 3,
    "coin_betting": 3,
    "from_first": 1,
    "ftrl": 2,
    "optimistic_adam": 2,
    "optimistic_adam_v2": 2,
    "pull_towards_long_steps": 1,
    "rprop": 1,
    "scale_by_acprop": 1,
    "scale_by_adan": 2,
    "scale_by_adopt": 2,
    "scale_by_cocob": 3,
    "scale_by_lion": 1,
    "scale_by_rprop": 1,
    "scale_by_stddev": 1,
    "variance": 1,
    "wait": 1,
}
"""The update reads arrays of the state that the step replaces. XLA decides what to copy before it
orders kernels, and copies them. Where it joins kernels nothing is stored."""

STORED_ANYWAY = {
    "delay": 1,
    "difference": 1,
    "optimistic_gradient_descent": 1,
    "scale_by_optimistic_gradient": 1,
    "reduce_variance": 1,
    "pnm": 2,
    "scale_by_pnm": 2,
    "moving_average": 5,
}
"""The same, but what replaces an array is itself no result of the kernel: the gradient, or another
array of the state."""

NARROW = {"lion": 0.5, "sgd": 0.5}
"""The same for averages that are stored in half the bytes."""

REDUCED = {
    "adafactor": 1,
    "adaptive_ascent": 1,
    "adaptive_grad_clip": 1,
    "apply_if_finite": 1.5,
    "came": 1,
    "cautious": 1,
    "conjugate_direction": 1,
    "descend_on_sphere": 1,
    "dog": 1,
    "dowg": 1,
    "hyperball": 1,
    "lamb": 1,
    "ldog": 1,
    "mars": 2,
    "mechanize": 2,
    "momo_adam": 1,
    "radial_brake": 1,
    "scale_by_distance_over_gradients": 1,
    "scale_by_dog": 1,
    "scale_by_dowg": 1,
    "scale_by_factored_rms": 1,
    "scale_by_sm3": 1,
    "skip_outliers": 1.5,
    "sm3": 1,
    "sparse_adam": 1,
    "stable_adamw": 2,
    "sum_by_covers": 1,
    "trac": 2,
    "where_touched": 1,
    "dadapt_adagrad": 3,
    "dadapt_adam": 3,
    "dadapt_adamw": 2,
    "dadapt_adan": 3,
    "dadapt_lion": 3,
    "dadapt_sgd": 1,
    "scale_by_dadapt_adagrad": 3,
    "scale_by_dadapt_sgd": 1,
}
"""A number that all elements decide is needed before the arrays from which it is taken are used."""

BOUNDED = {
    "adam_mini": 1,
    "amos": 1,
    "descend_by_amos": 1,
    "mean_over": 1,
    "mean_over_inputs": 1,
    "momo": 1,
    "novograd": 1,
    "prodigy": 1,
    "scale_by_novograd": 1,
}
"""XLA stores the gradient whose elements have been brought down to what can be squared, where a sum
reads it beside other kernels. It does so in some of the methods above as well."""

BRANCHING = {
    "accumulate": 2,
    "apply_every": 2,
    "asgd": 2,
    "conditionally_mask": 1,
    "conditionally_transform": 1,
    "diloco": 2,
    "lookahead": 1,
    "looksam": 3,
    "params_mean": 1,
    "params_window_mean": 1,
    "reuse_vertical": 4,
    "slow_weights": 1,
}
"""What a branch of a conditional is given and hands on are arrays."""

ELSEWHERE = {
    "asam": 1,
    "close_surrogate_gap": 2,
    "friendly_sam": 1,
    "gsam": 2,
    "msam": 2,
    "previous_gradient": 1,
    "train_ahead": 1,
}
"""Other parameters than those that are trained are made and used within the step."""

MARKED = {"zero_nans": 0.25}
"""Whether an element was NaN is told for each, in a byte."""

RANDOM = {"add_noise": 4, "hutchinson": 4, "noisy_sgd": 4}
"""Random numbers are made in arrays of their own."""

OF_EXAMPLES = {"differentially_private_aggregate": 4, "dpsgd": 4}
"""There is a gradient for each example."""

EXCEPTIONS = (
    REPLACED
    | STORED_ANYWAY
    | NARROW
    | REDUCED
    | BOUNDED
    | BRANCHING
    | ELSEWHERE
    | MARKED
    | RANDOM
    | OF_EXAMPLES
)
FAMILIES_OF_MATRICES = ("matrix", "kronecker", "curvature", "matrices", "line_search")
"""Methods that multiply or decompose matrices, solve systems, or take several gradients a step."""
OF_MATRICES = (
    "apollo",
    "full_matrix_adagrad",
    "galore",
    "hutchinson",
    "scale_by_full_rss",
    "steepest",
)
NOT_READ = (
    "gauss_newton",
    "lbfgs",
    "levenberg_marquardt",
    "newton_cg",
    "nonlinear_cg",
    "scale_by_backtracking_linesearch",
    "scale_by_zoom_linesearch",
    "trust_region",
)
"""Methods that keep what they know of the next step, and are given it anew by this one."""


def arrays_of(name):
    """The bytes of parameters and state, those that are written over, and those stored besides.

    In arrays of the size of the parameters.
    """
    tx = EXAMPLES[name][0].tx
    params = {"matrix": jax.ShapeDtypeStruct(SHAPE, jnp.float32)}
    state = jax.eval_shape(tx.init, params)
    loss = lambda tree: 0.5 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree))  # noqa: E731

    def step(params, state, grads, value, seed):
        known = {"value": value, "grad": grads, "key": jax.random.key(seed)}
        known |= {"value_fn": loss, "grad_fn": jax.grad(loss)}
        return gdlab.apply_gradients(tx, grads, state, params, **known)

    number, seed = jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct((), jnp.uint32)
    program = jax.jit(step, donate_argnums=(0, 1)).lower(params, state, params, number, seed)
    memory = program.compile().memory_analysis()
    if memory is None:
        pytest.skip(f"the backend {jax.default_backend()} tells no memory of a program")
    given = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves((params, state)))
    sizes = given, memory.alias_size_in_bytes, memory.temp_size_in_bytes
    return [size / (4 * SHAPE[0] * SHAPE[1]) for size in sizes]


def has_matrices(name):
    folders = getattr(gdlab, name).__module__.split(".")
    return name in OF_MATRICES or any(folder in folders for folder in FAMILIES_OF_MATRICES)


@pytest.mark.usually(dtype_promotion="a method of another library is among them")
@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", [name for name in PUBLIC if EXAMPLES.get(name)])
def test_a_donated_step_writes_over_all_that_it_is_given_and_stores_no_array(name):
    given, replaced, stored = arrays_of(name)
    if name not in NOT_READ:
        assert abs(replaced - given) < NEARLY_NOTHING
    if not has_matrices(name):
        allowed = EXCEPTIONS.get(name, 0)
        assert stored < allowed + NEARLY_NOTHING
        # What has been mended is no exception any longer.
        assert stored > allowed - 0.5


def print_what_is_stored(*names):
    """The work of the other process."""
    print(*(name for name in names if arrays_of(name)[-1] > NEARLY_NOTHING))


@pytest.mark.slow
def test_where_kernels_are_joined_nothing_is_stored_for_what_is_replaced():
    command = "import sys; from tests.test_donation import print_what_is_stored as look"
    found = subprocess.run(
        [sys.executable, "-c", f"{command}; look(*sys.argv[1:])", *REPLACED],
        env=os.environ
        | {"XLA_FLAGS": f"--xla_backend_extra_options={FLAG}", "JAX_PLATFORMS": "cpu"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert not found.stdout.split()
