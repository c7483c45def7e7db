"""Transformations by name, as the links of a named chain."""

from collections.abc import Iterable
from typing import Annotated, Any

import jax

from gdlab.core.annotations import Data
from gdlab.core.transformation import GradientTransformation


class NamedLinks:
    """Transformations by name, in the order in which they are applied."""

    __slots__ = ("links",)

    def __init__(self, links: dict[str, GradientTransformation]):
        self.links = links

    @classmethod
    def convert(cls, pairs: Any) -> "NamedLinks":
        """Pairs ``(name, transformation)``, checked."""
        links: dict[str, GradientTransformation] = {}
        for pair in pairs:
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise TypeError(f"expected pairs (name, transformation), not {pair!r}")
            name, tx = pair
            if name in links:
                raise ValueError(f"the name {name!r} stands twice")
            links[name] = GradientTransformation.convert(tx)
        return cls(links)

    @classmethod
    def in_order(cls, names: tuple[str, ...], children: Iterable[Any]) -> "NamedLinks":
        """Children in the order of their sorted names, brought back into that of ``names``."""
        by_name = dict(zip(sorted(names), children, strict=True))
        return cls({name: by_name[name] for name in names})

    def __iter__(self) -> Any:
        return iter(self.links.items())


def _links_with_keys(value: NamedLinks) -> tuple[Any, Any]:
    # Sorted, as the state is: a dictionary's leaves come in the order of its keys.
    names = sorted(value.links)
    children = [(jax.tree_util.DictKey(name), value.links[name]) for name in names]
    return children, tuple(value.links)


jax.tree_util.register_pytree_with_keys(
    NamedLinks,
    _links_with_keys,
    NamedLinks.in_order,
)

NamedLink = Annotated[tuple[str, GradientTransformation], Data(NamedLinks.convert, together=True)]
