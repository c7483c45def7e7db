"""Calls of a foreign factory with traced numbers."""

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.core.numerics import widen
from gdlab.core.representation import represent
from gdlab.core.structure import Function, Value, is_argument
from gdlab.core.transformation import GradientTransformation, with_known_keywords
from gdlab.interop.lifting.arguments import is_pair

if TYPE_CHECKING:
    from gdlab.interop.lifting.factory import Lifted

NEEDS_A_VALUE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""The errors of Python code that needs the concrete value of a tracer."""


class Call:
    """A call of a foreign factory, with the present values of its numbers."""

    def __init__(self, lifted: "Lifted", args: tuple[Value, ...], kwargs: dict[str, Value]):
        self.lifted = lifted
        self.keywords: tuple[str, ...] = tuple(kwargs)
        positional = []
        for name, parameter in lifted.roles.signature.parameters.items():
            is_variadic = parameter.kind is parameter.VAR_POSITIONAL
            positional += [name] * (len(args) if is_variadic else 1)
        self.names: list[str] = [*positional[: len(args)], *kwargs]
        values = (*args, *kwargs.values())
        self.values: list[Value] = [
            self._handed_over(n, v) for n, v in zip(self.names, values, strict=True)
        ]
        self.made: Value = self._attempt(lambda made: made)

    def functions(self) -> Value:
        """The ``(init, update)`` of the call in gdlab's convention, or a transformation."""
        if isinstance(self.made, GradientTransformation):
            return self.made

        def init(params):
            return self._attempt(lambda pair: pair[0](widen(params)), self.made)

        def update(updates, state, *, params, **extra):
            def updated(pair):
                return with_known_keywords(pair[1])(updates, state, params=params, **extra)

            return self._attempt(updated, self.made)

        return init, update

    def _attempt(self, use: Function, made: Value = None) -> Value:
        """Return ``use(made)``; an error names the arguments whose values Python code needs."""
        try:
            return use(self._pair() if made is None else made)
        except NEEDS_A_VALUE as error:
            names = self._decisive(use)
            if not names:
                raise
            raise TypeError(self._advice(names)) from error

    def _pair(self, constants: Collection[str] = ()) -> Value:
        """The return value of the factory, with concrete numbers for tracers in ``constants``."""
        values = [
            jax.tree.map(_some_value, value, is_leaf=is_argument) if name in constants else value
            for name, value in zip(self.names, self.values, strict=True)
        ]
        first = len(values) - len(self.keywords)
        keywords = dict(zip(self.keywords, values[first:], strict=True))
        made = self.lifted.foreign(*values[:first], **keywords)
        if isinstance(made, GradientTransformation):
            return made
        if is_pair(made):
            return made.init, made.update
        if isinstance(made, tuple) and len(made) == 2 and all(map(callable, made)):
            return made
        raise TypeError(f"{self.lifted.name} returned {made!r}, which is no pair (init, update)")

    def _decisive(self, use: Function) -> list[str]:
        """The names of the arguments whose values Python code needs, found by trying each alone."""
        traced = [
            name
            for name, value in zip(self.names, self.values, strict=True)
            if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value))
        ]

        def fails(constants: Collection[str]) -> bool:
            try:
                use(self._pair(constants))
            except NEEDS_A_VALUE:
                return True
            except Exception:  # an error about a substituted number
                return False
            return False

        if fails(traced):
            return []
        return [name for name in traced if fails(set(traced) - {name})] or traced

    def _advice(self, names: list[str]) -> str:
        told = (*self.lifted.structure, *names)
        listed = " and ".join(map(repr, names))
        return (
            f"{self.lifted.name} decides in Python by the value of {listed}, which is not known "
            "while the step is traced, such as a branch or a conversion to a Python number. "
            f"lift({self.lifted.name}, structure={represent(told)}) compiles the value in; then it "
            "is not swept, scheduled or differentiated"
        )

    def _handed_over(self, name: str, value: Value) -> Value:
        """An argument in the form that the factory expects."""
        is_integer = self.lifted.roles.of(name).is_integer
        optax = sys.modules.get("optax") if _is_of("optax", self.lifted.foreign) else None

        def handed_over(node: Value) -> Value:
            if isinstance(node, GradientTransformation) and optax is not None:
                # optax's wrappers drop keywords for any other class.
                return optax.GradientTransformationExtraArgs(node.init, node.update)
            if is_integer and isinstance(node, float | jax.Array):
                return jnp.round(node).astype(int) if isinstance(node, jax.Array) else int(node)
            return node

        return jax.tree.map(handed_over, value, is_leaf=is_argument)


def _is_of(library: str, function: Function) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == library


def _some_value(leaf: Value) -> Value:
    """A concrete number to substitute for a tracer."""
    if not isinstance(leaf, Tracer):
        return leaf
    value = np.full(leaf.shape, 0.5 if jnp.issubdtype(leaf.dtype, jnp.inexact) else 1, leaf.dtype)
    return value if leaf.shape else value.item()
