"""Transformations whose scheduled numbers come from a method around them.

The inner transformation of a wrapper has a separate state, but a method that composes both may pass
its scheduled numbers to it: ``muon`` does so with the decays of its AdamW.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gdlab.core.parametrized import at_step
from gdlab.core.structure import Leaf
from gdlab.core.transformation import GradientTransformation, composition_of

Turn: TypeAlias = Callable[[GradientTransformation, Leaf], GradientTransformation]
"""A function from a transformation and a step to a transformation within it. It is hashable."""


class Following(NamedTuple):
    """A transformation within another one, whose schedules set its numbers."""

    outer: "Followed"
    turn: Turn


Followed: TypeAlias = GradientTransformation | Following
"""A transformation, or one that follows schedules around it."""


def in_force(tx: Followed, step: Leaf) -> GradientTransformation:
    """The transformation with the numbers that a method around it passes at a step.

    The schedules of the transformation itself, which follow its own count, are not evaluated.
    """
    return tx.turn(in_force(tx.outer, step), step) if isinstance(tx, Following) else tx


def settled(tx: Followed) -> Followed:
    """The transformation alone, if it gets the same numbers at every step."""
    now, follows = in_force(tx, 0), []

    def follow(step: jax.Array) -> None:
        leaves = jax.tree.leaves(in_force(tx, step))
        follows.extend(leaf for leaf in leaves if isinstance(leaf, Tracer))

    if isinstance(tx, Following):
        jax.eval_shape(follow, jnp.zeros((), jnp.int32))
    return tx if follows else now


def as_composition(tx: GradientTransformation, step: Leaf) -> GradientTransformation:
    """The composition that a named method is at a step."""
    made = composition_of(at_step(tx, step))
    assert made is not None
    return made
