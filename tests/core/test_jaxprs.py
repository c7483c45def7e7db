"""Equations of a program, those within loops and branches, and the arrays that they compute."""

import jax
import jax.numpy as jnp
import pytest

from gdlab.core.jaxprs import equations, size_of_products, size_of_results

a, b = jnp.ones((3, 5), "float32"), jnp.ones((5, 7), "float32")


def product(a, b):
    return jnp.tanh(a @ b)


def in_a_loop(a, b):
    return jax.lax.fori_loop(0, 9, lambda _, x: x + a @ b, jnp.zeros((3, 7), a.dtype))


def in_branches(a, b):
    return jax.lax.cond(
        a[0, 0] > 0, lambda: a @ b, lambda: (a[:1] @ b[:, :1]) * jnp.ones((3, 7), a.dtype)
    )


def convolved(a, b):
    return jnp.convolve(a[0], b[0, :3], mode="full")


@pytest.mark.parametrize(
    ("function", "bytes_of_products"),
    [
        (product, 4 * 3 * 7),
        (jax.jit(product), 4 * 3 * 7),
        (jax.grad(lambda a, b: product(a, b).sum()), 4 * 3 * 7 + 4 * 3 * 5),
        (in_a_loop, 4 * 3 * 7),
        (in_branches, 4 * 3 * 7),
        (convolved, 4 * 7),
        (lambda a, b: a.sum() + b, 0),
    ],
)
def test_products_of_matrices_are_counted_once_each(function, bytes_of_products):
    assert size_of_products(jax.make_jaxpr(function)(a, b).jaxpr) == bytes_of_products


def test_equations_within_others_are_found():
    names = [equation.primitive.name for equation in equations(jax.jit(in_branches), a, b)]
    assert "cond" in names
    assert names.count("dot_general") == 2


def test_results_are_measured_in_bytes_also_of_keys_and_without_any():
    sizes = {
        equation.primitive.name: size_of_results(equation)
        for equation in equations(lambda n: (jax.random.key(n), jnp.zeros((2, 3), "int8")), 0)
    }
    assert sizes["broadcast_in_dim"] == 6
    assert sizes["random_seed"] == 8
