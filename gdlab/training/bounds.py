"""Bounds on the parameters, kept by projection."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.structure import leaves_with_paths, spread


class Box(NamedTuple):
    """The set in which every parameter lies between its bounds.

    A transformation sees the loss f∘P of the projection P onto the box, in which the parameters
    that rest at a bound and are pushed against it are held. That is the projected search of
    Bertsekas: a line search goes along the path that bends where it meets a bound.

    Source: D. P. Bertsekas, Projected Newton methods for optimization problems with simple
    constraints, 1982.
    """

    lower: Any
    """The smallest value of every element, a tree like the parameters."""
    upper: Any
    """The largest value of every element, a tree like the parameters."""

    @classmethod
    def of(cls, bounds: Any, params: Any) -> "Box":
        """The box of a user's pair ``(lower, upper)``.

        Raises:
            TypeError: if a parameter is complex.
            ValueError: if they do not fit the parameters.
        """
        for path, leaf in leaves_with_paths(params):
            if jnp.iscomplexobj(leaf):
                raise TypeError(f"bounds order real numbers, but {path or 'x0'!r} is complex")
        lower, upper = bounds
        return cls(
            _like(params, "the lower bound", lower, -jnp.inf),
            _like(params, "the upper bound", upper, jnp.inf),
        )

    def project(self, params: Any) -> Any:
        """The nearest parameters within the bounds."""
        return jax.tree.map(jnp.clip, params, self.lower, self.upper)

    def projected_gradient(self, params: Any, grad: Any) -> Any:
        """w − P(w − g), which vanishes where no step within the box leads down."""
        return jax.tree.map(
            lambda w, g, lower, upper: w - jnp.clip(w - g.astype(w.dtype), lower, upper),
            params,
            grad,
            self.lower,
            self.upper,
        )

    def face_at(self, params: Any, grad: Any) -> "Face":
        """The face of the box along which the gradient leads down from ``params``."""
        held = jax.tree.map(
            lambda w, g, lower, upper: ((w <= lower) & (g > 0)) | ((w >= upper) & (g < 0)),
            params,
            grad,
            self.lower,
            self.upper,
        )
        return Face(self, params, held)


class Face(NamedTuple):
    """The part of a box in which the parameters that are pushed against a bound stay there."""

    box: Box
    params: Any
    held: Any
    """True if each element stays as it is in ``params``."""

    def project(self, params: Any) -> Any:
        """The nearest parameters of the face."""
        return self.box.project(_where(self.held, self.params, params))

    def free(self, grad: Any) -> Any:
        """The gradient of the parameters that are not held."""
        return _where(self.held, jax.tree.map(jnp.zeros_like, grad), grad)


def _where(held: Any, one: Any, other: Any) -> Any:
    return jax.tree.map(jnp.where, held, one, other)


def _like(params: Any, name: str, bound: Any, missing: float) -> Any:
    """A bound as a tree like the parameters, from a prefix of one; None stands for no bound."""
    leaves, treedef = jax.tree.flatten(params)
    pairs = zip(spread(name, bound, params), leaves_with_paths(params), strict=True)
    values = [value for value, (_, leaf) in pairs if leaf is not None]
    made = []
    for value, leaf in zip(values, leaves, strict=True):
        array = jnp.asarray(missing if value is None else value, leaf.dtype)
        try:
            made.append(jnp.broadcast_to(array, leaf.shape))
        except ValueError:
            raise ValueError(
                f"{name} has the shape {array.shape}, where a parameter has {leaf.shape}"
            ) from None
    return treedef.unflatten(made)
