"""The kinds of leaves in an optimizer's state: signals, scales, clocks and counters.

An optimizer's step is odd: negated gradients, from negated parameters, give negated updates. State
leaves that are negated too are *signals* (momentum, averages of parameters); those that stay the
same are *scales* (second moments, maxima, the weights of a correction); integers that only grow are
*clocks*, and those that restart, such as the number of a micro-batch, are *counters*. Around zero
signals a step is linear in the signals and, by symmetry, does not change the scales to first order:
linearising there *is* freezing the preconditioner.
"""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.core.structure import dotted
from gdlab.core.transformation import GradientTransformation

Kind = Literal["signal", "scale", "clock", "counter", "constant"]

FAR = 2**30
"""The value of clocks that stands for the limit t → ∞."""
PROBED_STEPS = 256
"""The number of steps that are run to distinguish counters, which restart, from clocks."""


class Anatomy(NamedTuple):
    """The kind and the path of each leaf of a state, in the order of its tree."""

    kinds: tuple[Kind, ...]
    """The kind of each leaf."""
    paths: tuple[str, ...]
    """The path of each leaf."""
    adaptive: tuple[str, ...]
    """The paths of the scales that depend on gradients: denominators, not weights of a
    correction."""

    def positions(self, kind: Kind) -> tuple[int, ...]:
        """The positions of the leaves of a kind."""
        return tuple(position for position, own in enumerate(self.kinds) if own == kind)

    def clocks(self, state: Any) -> list[Any]:
        """The clocks of a state."""
        leaves = jax.tree.leaves(state)
        return [leaves[position] for position in self.positions("clock")]

    def denominators(self, state: Any) -> list[Any]:
        """The scales of a state that depend on gradients."""
        pairs = zip(self.paths, jax.tree.leaves(state), strict=True)
        return [leaf for path, leaf in pairs if path in self.adaptive]


def anatomy_of(name: str, tx: GradientTransformation, params: Any, gradient_rms: Any) -> Anatomy:
    """Classify the state of ``tx`` by comparing runs from (w, g) and from (−w, −g).

    Raises:
        ValueError: if the step is not odd, or a leaf of the state fits no kind; the message calls
            ``tx`` by ``name``.
    """
    _refuse_storage(name, tx)
    params, gradient_rms = on_few_weights(tx, params, gradient_rms)
    runs = [
        _watched(tx, params, factor * jnp.asarray(gradient_rms), seed)
        for factor, seed in ((1.0, 0), (-1.0, 0), (2.0, 0), (1.0, 1))
    ]
    _refuse_keys(name, runs[0].states)
    ahead, opposite, louder, with_another_key = jax.device_get(runs)
    if not np.all(np.isfinite(ahead.update)):
        raise ValueError(
            f"{name} cannot be analysed: with these hyperparameters its updates are not finite"
        )
    if not _agree(ahead.update, with_another_key.update):
        raise random_error(name)
    if not _agree(ahead.update, -opposite.update):
        raise ValueError(
            f"{name} cannot be linearised: the opposite gradients do not give the opposite update"
        )
    kinds: list[Kind] = []
    adaptive = []
    pairs, _ = jax.tree_util.tree_flatten_with_path(ahead.states)
    paths = tuple(dotted(path) for path, _ in pairs)
    for path, leaf, other, loud in zip(
        paths, *map(jax.tree.leaves, (ahead.states, opposite.states, louder.states)), strict=True
    ):
        kinds.append(_kind_of(name, path, leaf, other, loud))
        if kinds[-1] == "scale" and not _agree(leaf, loud):
            adaptive.append(path)
    return Anatomy(tuple(kinds), paths, tuple(adaptive))


def on_few_weights(tx: GradientTransformation, params: Any, gradient_rms: Any) -> tuple[Any, Any]:
    """The parameters and gradient sizes, cut down to the weights that :func:`reduced` keeps."""
    small = reduced(tx, params)
    return (params, gradient_rms) if small is params else (small, np.ravel(gradient_rms)[0])


def reduced(tx: GradientTransformation, params: Any) -> Any:
    """Zeros of smaller shapes on which ``tx`` still works, or ``params`` if it does not."""
    if any(np.ndim(leaf) for leaf in jax.tree.leaves(tx)):
        return params
    # The kinds of leaves do not depend on their sizes, and the states of many steps are stored.
    return jax.tree.map(lambda leaf: np.zeros(np.minimum(2, np.shape(leaf))), params)


def random_error(name: str) -> ValueError:
    """The error for a transformation whose updates depend on the key of the step."""
    return ValueError(
        f"{name} cannot be linearised: its updates are random, since they depend on the key of the "
        "step; linearise it without its random part"
    )


def _refuse_storage(name: str, tx: GradientTransformation) -> None:
    """Refuse state stored in few bits, which small arrays would not reveal."""
    is_stored = lambda node: (  # noqa: E731
        isinstance(node, GradientTransformation) and node.factory.name in ("stored", "stored_slots")
    )
    for node in jax.tree.leaves(tx, is_leaf=is_stored):
        if is_stored(node) and node.formats != "float32":
            raise ValueError(
                f"{name} stores its state in {node.formats!r}, too coarse to linearise: linearise "
                "the method within stored"
            )


def _refuse_keys(name: str, states: Any) -> None:
    """Refuse a state that holds a typed PRNG key."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(states):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            where = dotted(path) or "itself"
            raise ValueError(
                f"{name} cannot be linearised: it is random, since its state {where} is a PRNG "
                "key; linearise it without its random part"
            )


def _kind_of(
    name: str, path: str, states: np.ndarray, opposite: np.ndarray, louder: np.ndarray
) -> Kind:
    """The kind of a leaf, from its values after each step."""
    if not jnp.issubdtype(states.dtype, jnp.floating):
        changes = np.any(states[1:] != states[:-1])
        if not changes:
            return "constant"
        if states.dtype != bool and np.all(states[1:] >= states[:-1]):
            return "clock"
        if np.array_equal(states, opposite) and np.array_equal(states, louder):
            return "counter"
        raise ValueError(
            f"{name} cannot be linearised: its state {path} holds integers that depend on the "
            "gradients; linearise the transformation within it"
        )
    if states.dtype != np.float64:
        raise ValueError(
            f"{name} stores its state {path} in {states.dtype}, too coarse to linearise: leave the "
            "argument that chooses this dtype out"
        )
    if not np.any(states):
        return "constant"
    if _agree(states, -opposite):
        return "signal"
    if _agree(states, opposite):
        return "scale"
    raise ValueError(
        f"{name} cannot be linearised: its state {path} is neither odd in the gradients, as "
        "momentum is, nor even, as a mean square is"
    )


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    return np.allclose(one, other, rtol=1e-9, atol=1e-12 * np.max(np.abs(one), initial=0.0))


class _Watched(NamedTuple):
    states: Any
    update: Any


@jax.jit
def _watched(tx: Any, params: Any, gradient_rms: Any, seed: Any) -> _Watched:
    """The state after each of several steps from generic parameters with generic gradients."""
    flat, unravel = ravel_pytree(params)
    generic = jnp.cos(1.0 + jnp.arange(flat.size))
    start = unravel(jnp.sign(jnp.ravel(gradient_rms)[0]) * generic)

    def body(carry, step):
        params, state = carry
        gradient = gradient_rms * jnp.cos(2.0 * step + jnp.arange(flat.size)) + 0 * flat
        key = jax.random.key(seed * PROBED_STEPS + step)
        updates, state = one_step(tx, state, params, lambda _: gradient, unravel, key)
        return (params, state), (state, ravel_pytree(updates)[0])

    states, updates = jax.lax.scan(body, (start, tx.init(start)), jnp.arange(PROBED_STEPS))[1]
    return _Watched(states, updates)


def one_step(
    tx: Any, state: Any, params: Any, gradient_at: Any, unravel: Any, key: Any = None
) -> tuple[Any, Any]:
    """One update of ``tx`` on a gradient field, with all keyword arguments of a step.

    Without ``key`` a fixed key is used, since transformations that depend on it are refused.
    """

    def grad_fn(params):
        return unravel(gradient_at(ravel_pytree(params)[0]))

    def value_fn(params):
        flat = ravel_pytree(params)[0]
        return 0.5 * jnp.vdot(flat, gradient_at(flat))

    grad, value = grad_fn(params), value_fn(params)
    key = jax.random.key(0) if key is None else key
    return tx.update(
        grad, state, params, value=value, grad=grad, value_fn=value_fn, grad_fn=grad_fn, key=key
    )
