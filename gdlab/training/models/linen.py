"""Bound linen modules: the module, and its variables by collection."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from gdlab.core.numerics import cast_like
from gdlab.core.structure import TreeDef
from gdlab.training.models.form import Form, Held, OpenedModel, key_of_model, without_key

TRAINED = "params"
"""The trained collection; also flax's default random stream, for names without their own."""


def open_linen(model: Any, wrt: Any) -> OpenedModel | None:
    """Split a bound linen module into arrays and structure; None for anything else.

    Raises:
        TypeError: if the module has no variables, or a filter is given.
        ValueError: if the module has no parameters.
    """
    from flax import core, linen

    if not isinstance(model, linen.Module):
        _require_none_within(model)
        return None
    if model.scope is None:
        raise TypeError(
            f"the linen module {type(model).__name__} has no variables: give "
            "module.bind(variables), with variables = module.init(key, inputs)"
        )
    if wrt is not None:
        raise TypeError(
            f"of a linen module the collection {TRAINED!r} is trained, and trainable takes no "
            "other; gdlab.freeze and gdlab.masked leave out parameters by their paths"
        )
    module, variables = model.unbind()
    held = dict(core.unfreeze(core.freeze(dict(variables))))
    boxed = held.pop(TRAINED, None)
    if not boxed:
        raise ValueError(
            f"the linen module {type(module).__name__} has no collection {TRAINED!r}, so nothing "
            f"of it is trained; its collections are {', '.join(held) or 'none'}"
        )
    form = LinenForm(module, tuple(held), jax.tree.structure(boxed))
    return OpenedModel(_unboxed(boxed), Held(carried=held), form)


def _require_none_within(tree: Any) -> None:
    """Refuse the class of a module, and modules in a container.

    Raises:
        TypeError: if the tree contains either.
    """
    from flax import linen

    for leaf in jax.tree.leaves(tree):
        if isinstance(leaf, type) and issubclass(leaf, linen.Module):
            raise TypeError(
                f"the model is the linen class {leaf.__name__}: give module.bind(variables), with "
                f"module = {leaf.__name__}(...) and variables = module.init(key, inputs)"
            )
        if isinstance(leaf, linen.Module):
            raise TypeError(
                f"the linen module {type(leaf).__name__} stands in a {type(tree).__name__}: give "
                "one bound module that has the others as its submodules, or their variables alone "
                "and call the modules in the loss"
            )


def _unboxed(boxed: Any) -> Any:
    """The parameters without flax's metadata boxes, so that paths name parameters alone."""
    from flax.core import meta

    is_box = lambda node: isinstance(node, meta.AxisMetadata)  # noqa: E731

    def content(node: Any) -> Any:
        leaves = jax.tree.leaves(node)
        return leaves[0] if is_box(node) and len(leaves) == 1 else node

    return jax.tree.map(content, boxed, is_leaf=is_box)


@dataclasses.dataclass(frozen=True)
class LinenForm(Form):
    """A linen module, and the names of its collections beside the parameters."""

    module: Any
    collections: tuple[str, ...]
    boxed: TreeDef
    """The tree structure of the parameters with their metadata boxes."""

    @property
    def carries_state(self) -> bool:
        """True if there is a collection beside the parameters."""
        return bool(self.collections)

    @property
    def may_draw(self) -> bool:
        """Always True, since whether a module draws is not known before the call."""
        return True

    def close(self, params: Any, held: Held) -> Any:
        """Bind the module to these arrays."""
        return self.module.bind(self._variables(params, held))

    def _variables(self, params: Any, held: Held) -> dict[str, Any]:
        return {TRAINED: self.boxed.unflatten(jax.tree.leaves(params)), **held.carried}

    def call(
        self, function: Callable[[Any], Any], params: Any, held: Held, key: jax.Array | None
    ) -> tuple[Any, Held]:
        """Return ``function(model)``, with mutable collections, and the arrays after the call."""
        from flax import errors

        rngs = None if key is None else {TRAINED: key_of_model(key)}
        bound = self.module.bind(
            self._variables(params, held), rngs=rngs, mutable=list(self.collections)
        )
        try:
            result = function(bound)
        except errors.InvalidRngError as error:
            if key is not None:
                raise
            raise without_key(str(error).split(" (")[0]) from None
        after = {name: dict(bound.variables)[name] for name in self.collections}
        self._require_alike(after, held.carried)
        return result, Held(carried=cast_like(after, held.carried))

    def _require_alike(self, after: Any, before: Any) -> None:
        for name in self.collections:
            if jax.tree.structure(after[name]) != jax.tree.structure(before[name]):
                raise ValueError(
                    f"a call of the model changes what variables its collection {name!r} has: "
                    "make them all by module.init, or leave the collection out of the variables"
                )
