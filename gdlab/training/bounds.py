"""Bounds on the parameters, kept by projection."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.core.structure import leaves_with_paths, spread


class Box(NamedTuple):
    """The set in which every parameter lies between its bounds.

    A transformation is given the loss f∘P, with P the projection onto the box, and parameters at a
    bound whose gradient pushes them outwards are held there. This is the projected search of
    Bertsekas: a line search follows the projected path, which bends where it meets a bound.

    Source: D. P. Bertsekas, Projected Newton methods for optimization problems with simple
    constraints, 1982.
    """

    lower: Any
    """The smallest value of every element, a tree like the parameters."""
    upper: Any
    """The largest value of every element, a tree like the parameters."""

    @classmethod
    def of(cls, bounds: Any, params: Any) -> "Box":
        """Make the box of a pair ``(lower, upper)`` of bounds.

        Raises:
            TypeError: if a parameter is complex.
            ValueError: if the bounds do not fit the parameters.
        """
        for path, leaf in leaves_with_paths(params):
            if jnp.iscomplexobj(leaf):
                raise TypeError(f"bounds order real numbers, but {path or 'x0'!r} is complex")
        lower, upper = bounds
        box = cls(
            _like(params, "bounds: the lower bound", lower, -jnp.inf),
            _like(params, "bounds: the upper bound", upper, jnp.inf),
        )
        box.require_order()
        return box

    def require_order(self) -> None:
        """Refuse a lower bound above the upper one, if both are concrete values.

        Raises:
            ValueError: naming the first path at which this is so.
        """
        lows, highs = leaves_with_paths(self.lower), jax.tree.leaves(self.upper)
        for (path, low), high in zip(lows, highs, strict=True):
            are_known = not isinstance(low, Tracer) and not isinstance(high, Tracer)
            # Written so that NaN is refused too.
            if are_known and not np.all(np.asarray(low) <= np.asarray(high)):
                raise ValueError(
                    "bounds: the lower bound must be at most the upper one, but at "
                    f"{path or 'the root'!r} they are {low} and {high}"
                )

    def project(self, params: Any) -> Any:
        """The nearest parameters within the bounds."""
        return jax.tree.map(jnp.clip, params, self.lower, self.upper)

    def projected_gradient(self, params: Any, grad: Any) -> Any:
        """The projected gradient w − P(w − g), zero where no step in the box decreases the loss."""
        return jax.tree.map(
            lambda w, g, lower, upper: w - jnp.clip(w - g.astype(w.dtype), lower, upper),
            params,
            grad,
            self.lower,
            self.upper,
        )

    def face_at(self, params: Any, grad: Any) -> "Face":
        """The face that holds the parameters which the gradient pushes against a bound."""
        held = jax.tree.map(
            lambda w, g, lower, upper: ((w <= lower) & (g > 0)) | ((w >= upper) & (g < 0)),
            params,
            grad,
            self.lower,
            self.upper,
        )
        return Face(self, params, held)


class Face(NamedTuple):
    """The part of a box in which some parameters are held at their bounds."""

    box: Box
    params: Any
    held: Any
    """True for each element that is held at its value in ``params``, a tree like it."""

    def project(self, params: Any) -> Any:
        """The nearest parameters of the face."""
        return self.box.project(_where(self.held, self.params, params))

    def free(self, grad: Any) -> Any:
        """The gradient with zeros for the parameters that are held."""
        return _where(self.held, jax.tree.map(jnp.zeros_like, grad), grad)


def _where(held: Any, one: Any, other: Any) -> Any:
    return jax.tree.map(jnp.where, held, one, other)


def _like(params: Any, name: str, bound: Any, missing: float) -> Any:
    """A bound as a tree like the parameters, from a tree prefix; None means no bound."""
    leaves, treedef = jax.tree.flatten(params)
    pairs = zip(spread(name, bound, params), leaves_with_paths(params), strict=True)
    values = [value for value, (_, leaf) in pairs if leaf is not None]
    made = []
    for value, leaf in zip(values, leaves, strict=True):
        try:
            array = jnp.asarray(missing if value is None else value, leaf.dtype)
        except (TypeError, ValueError):
            raise TypeError(f"{name} must be numbers, not {value!r}") from None
        try:
            made.append(jnp.broadcast_to(array, leaf.shape))
        except ValueError:
            raise ValueError(
                f"{name} has the shape {array.shape}, where a parameter has {leaf.shape}"
            ) from None
    return treedef.unflatten(made)
