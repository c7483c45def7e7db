"""One step of an optimizer as matrices, by differences without cancellation.

A step from rest returns zero, so f(δe)/δ is its derivative along e, and the square of δ = 10⁻¹³⁰
vanishes beside any scale. This works even where automatic differentiation gives NaN, at norms and
roots of zero. A second δ and a mixed direction test whether the step is linear.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.linear.anatomy import Anatomy, one_step

SMALL = 1e-130
SMALLER = 3.7e-137


class LinearSystem(NamedTuple):
    """The system x ← Ax + Bg, y = Cx + Dg, with measures of nonlinearity and randomness."""

    A: Any
    """The map from state to next state, of shape (d, d)."""
    B: Any
    """The map from input to next state, of shape (d, n)."""
    C: Any
    """The map from state to output, of shape (n, d)."""
    D: Any
    """The map from input to output, of shape (n, n)."""
    start: Any
    """The map from initial parameters to initial state, of shape (d, n)."""
    nonlinearity: Any
    """The largest deviation from homogeneity and additivity, relative to the largest entry."""
    randomness: Any
    """The largest change of the step under other PRNG keys, relative to the largest entry."""


def closed_loop(
    anatomy: Anatomy, tx: Any, params: Any, state: Any, hessian: Any, keys: int = 0
) -> LinearSystem:
    """The map (signals, w) → (signals, w) with gradient Hw + ξ, input ξ and the next w as output.

    Args:
        anatomy: of ``tx``.
        tx: the transformation.
        params: a tree of zeros.
        state: the state at which to linearise.
        hessian: the Hessian H, of shape (n, n).
        keys: the number of other PRNG keys with which the step is compared.
    """
    signals = _signals(anatomy, params, state)
    n = ravel_pytree(params)[0].size

    def step(vector, noise, key):
        flat, w = vector[:-n], vector[-n:]
        updates, new = signals.step(tx, flat, w, lambda at: hessian @ at + noise, key)
        w = w + updates
        return jnp.concatenate([new, w]), w

    def start(w):
        return jnp.concatenate([signals.flat(tx.init(signals.unravel(w))), w])

    return _differentiated(step, start, signals.size + n, n, keys)


def open_loop(anatomy: Anatomy, tx: Any, params: Any, state: Any) -> LinearSystem:
    """The map signals → signals at zero parameters, from gradient (input) to update (output)."""
    signals = _signals(anatomy, params, state)
    n = ravel_pytree(params)[0].size

    def step(flat, gradient, key):
        updates, new = signals.step(tx, flat, jnp.zeros(n), lambda _: gradient, key)
        return new, updates

    return _differentiated(step, lambda _: jnp.zeros(signals.size), signals.size, n, 0)


def in_succession(steps: LinearSystem) -> LinearSystem:
    """The composition of the steps along the leading axis, for a constant input."""
    whole = jax.tree.map(lambda x: x[0], steps)
    for index in range(1, len(steps.A)):
        step = jax.tree.map(lambda x: x[index], steps)  # noqa: B023
        whole = whole._replace(
            A=step.A @ whole.A,
            B=step.A @ whole.B + step.B,
            C=step.C @ whole.A,
            D=step.C @ whole.B + step.D,
        )
    return whole


def reachable(leads: np.ndarray) -> np.ndarray:
    """The transitive closure of ``leads``: the coordinates that influence each coordinate.

    Args:
        leads: a boolean matrix of shape (d, d); ``leads[i, j]`` is true if coordinate j influences
            coordinate i in one step.

    Returns:
        The same relation for any positive number of steps, of shape (d, d).
    """
    reached = leads.copy()
    for middle in range(len(reached)):
        reached |= np.outer(reached[:, middle], reached[middle])
    return reached


class _Signals(NamedTuple):
    """The signals of a state as one flat vector."""

    size: int
    flat: Any
    step: Any
    unravel: Any


def _signals(anatomy: Anatomy, params: Any, state: Any) -> _Signals:
    chosen = anatomy.positions("signal")
    leaves, treedef = jax.tree.flatten(state)
    zeros, unravel_signals = ravel_pytree([leaves[i] for i in chosen])
    unravel = ravel_pytree(params)[1]

    def flat(state):
        own = jax.tree.leaves(state)
        return ravel_pytree([own[i] for i in chosen])[0] + 0 * zeros

    def step(tx, vector, w, gradient_at, key):
        own = list(leaves)
        for i, signal in zip(chosen, unravel_signals(vector), strict=True):
            own[i] = signal
        updates, new = one_step(tx, treedef.unflatten(own), unravel(w), gradient_at, unravel, key)
        return ravel_pytree(updates)[0], flat(new)

    return _Signals(zeros.size, flat, step, unravel)


def _differentiated(step: Any, start: Any, d: int, n: int, other_keys: int) -> LinearSystem:
    def along(direction, size, key):
        new, output = step(size * direction[:d], size * direction[d:], key)
        return jnp.concatenate([new, output]) / size

    basis, mixed = jnp.eye(d + n), jnp.cos(1.0 + jnp.arange(d + n))
    directions = jnp.concatenate([basis, basis, jnp.tile(mixed, (1 + other_keys, 1))])
    sizes = jnp.array([SMALL] * (d + n) + [-SMALLER] * (d + n) + [SMALL] * (1 + other_keys))
    seeds = jnp.array([0] * (2 * (d + n) + 1) + list(range(1, 1 + other_keys)))
    found = jax.vmap(along, 0, 1)(directions, sizes, jax.vmap(jax.random.key)(seeds))
    matrix, again, combined = jnp.split(found, [d + n, 2 * (d + n)], axis=1)
    largest = jnp.maximum(jnp.max(jnp.abs(matrix), initial=0), 1e-300)

    def relative(*differences):
        return jnp.max(jnp.stack([jnp.max(jnp.abs(x), initial=0) for x in differences])) / largest

    return LinearSystem(
        matrix[:d, :d],
        matrix[:d, d:],
        matrix[d:, :d],
        matrix[d:, d:],
        jax.vmap(lambda w: start(SMALL * w) / SMALL, 0, 1)(jnp.eye(n)),
        relative(matrix - again, combined[:, 0] - matrix @ mixed),
        relative(combined - combined[:, :1]),
    )
