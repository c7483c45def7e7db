"""Expensive work that is done only at the steps at which it is due, under ``vmap`` too.

Under ``vmap``, a ``lax.cond`` with a batched predicate computes both branches at every step and
selects, so that work that is due every k steps would cost as much as work at each step.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.core import eval_jaxpr
from jax.custom_batching import custom_vmap

from gdlab.checks.values import is_truth_value
from gdlab.core.structure import Function, Leaf, Tree, TreeDef

T = TypeVar("T")


def rarely(
    due: jax.Array, work: Callable[..., T], otherwise: Callable[..., T], *operands: Tree
) -> T:
    """Call ``work(*operands)`` if it is due, else ``otherwise(*operands)``.

    It is like ``jax.lax.cond``, except under ``jax.vmap``: ``work`` runs only if it is due in at
    least one lane, and the lanes in which it is not due get the result of ``otherwise``. It can be
    differentiated.

    Args:
        due: a boolean scalar.
        work: the expensive function.
        otherwise: the cheap function, with results of the same structure, shapes and dtypes.
        *operands: pytrees of arrays, the arguments of both functions. The functions may also close
            over arrays.

    Returns:
        The result of the function that was called.

    Raises:
        TypeError: if the two functions return different structures, shapes or dtypes.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import rarely
    >>> step = lambda count: rarely(count % 10 == 0, jnp.cos, jnp.sin, 1.0 * count)
    >>> jax.vmap(step)(jnp.array([0, 3])).round(2)
    Array([1.  , 0.14], dtype=float32)
    """
    # Arrays that the functions close over may be batched, so they are passed like the operands.
    for name, function in (("work", work), ("otherwise", otherwise)):
        if not callable(function):
            raise TypeError(f"rarely: {name} must be a function, not {function!r}")
    if not is_truth_value(due):
        raise TypeError(f"rarely: due must be one True or False, not {due!r}")
    work_, from_work, structure = _closed(work, operands)
    otherwise_, from_otherwise, other_structure = _closed(otherwise, operands)
    if structure != other_structure:
        raise TypeError(
            "rarely: work and otherwise must return the same structure, not "
            f"{structure} and {other_structure}"
        )
    flat = _cond(work_, otherwise_)(due, from_work, from_otherwise, operands)
    return jax.tree.unflatten(structure, flat)


def _closed(function: Function, operands: Tree) -> tuple[Function, list[Leaf], TreeDef]:
    """Convert closed-over arrays into a first argument.

    Returns:
        The function of these arrays and the operands, the arrays, and the structure of its result.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*operands)
    program = closed.jaxpr  # without the arrays closed over, which a rule would keep from the trace

    def flat(constants, operands):
        return tuple(eval_jaxpr(program, constants, *jax.tree.leaves(operands)))

    return flat, closed.consts, jax.tree.structure(shape)


def _has_lanes(flag: jax.Array) -> bool:
    """Tell whether a value is batched by ``vmap``."""
    found = []

    @custom_vmap
    def look(flag):
        return flag

    @look.def_vmap
    def in_lanes(_, batched, flag):
        found.append(True)
        return flag, batched[0]

    look(flag)
    return bool(found)


def _derivative_of_lanes(
    work: Function, otherwise: Function, primals: Tree, tangents: Tree
) -> tuple[Tree, Tree]:
    """Compute the derivatives of both branches, and select one of them in each lane.

    It is what ``vmap`` turns the derivative of a ``cond`` into; it cannot be differentiated again.
    """
    due, of_work, of_otherwise, operands = primals
    _, *others = tangents

    def where(flag, tangents):
        # Selected before and after differentiation, so that a NaN in the branch that is not taken
        # does not reach the result.
        zeros = lambda t: t if t.dtype == jax.dtypes.float0 else jnp.where(flag, t, 0)  # noqa: E731
        return jax.tree.map(zeros, tangents)

    done, d_done = jax.jvp(work, (of_work, operands), tuple(where(due, (others[0], others[2]))))
    kept, d_kept = jax.jvp(
        otherwise, (of_otherwise, operands), tuple(where(~due, (others[1], others[2])))
    )
    choose = lambda one, other: jnp.where(due, one, other)  # noqa: E731
    integer = lambda t: t.dtype == jax.dtypes.float0  # noqa: E731
    return tuple(map(choose, done, kept)), tuple(
        one if integer(one) else choose(one, other)
        for one, other in zip(d_done, d_kept, strict=True)
    )


def _cond(work: Function, otherwise: Function) -> Function:
    def plain(due, of_work, of_otherwise, operands):
        return jax.lax.cond(
            due,
            lambda: work(of_work, operands),
            lambda: otherwise(of_otherwise, operands),
        )

    @custom_vmap
    def cond(*arguments):
        return plain(*arguments)

    @cond.def_vmap
    def of_lanes(size, batched, due, of_work, of_otherwise, operands):
        due_varies, *varies = batched
        axes = jax.tree.map(lambda varies: 0 if varies else None, varies)
        work_lanes = jax.vmap(work, (axes[0], axes[2]), axis_size=size)
        otherwise_lanes = jax.vmap(otherwise, (axes[1], axes[2]), axis_size=size)

        def where_due(constants, operands):
            due, of_work = constants
            done, kept = work_lanes(of_work, operands[1]), otherwise_lanes(*operands)
            if not due_varies:
                return done
            return tuple(map(jax.vmap(jnp.where, (0, 0, 0)), [due] * len(done), done, kept))

        # There may be another vmap around this one, so the same kind of cond is used.
        somewhere = jnp.any(due) if due_varies else due
        lanes = _cond(where_due, lambda _, operands: otherwise_lanes(*operands))
        out = lanes(somewhere, (due, of_work), (), (of_otherwise, operands))
        return out, (True,) * len(out)

    @jax.custom_jvp
    def differentiable(*arguments):
        return cond(*arguments)

    @differentiable.defjvp
    def derivative(primals, tangents):
        if not _has_lanes(primals[0]):
            return jax.jvp(plain, primals, tangents)
        return _derivative_of_lanes(work, otherwise, primals, tangents)

    return differentiable
