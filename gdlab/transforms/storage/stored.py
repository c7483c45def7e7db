"""Any method with its state stored in less memory."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, cast

import jax

from gdlab.core.dispatch import as_tree_rule
from gdlab.core.forms import MarkedSlot, is_stored_form, marking
from gdlab.core.numerics import is_inexact
from gdlab.core.rules import Part, TreeRule
from gdlab.core.stacks import has_stacks
from gdlab.core.state import State
from gdlab.core.structure import Leaf, Path, Tree, dotted, require_matches
from gdlab.core.transformation import GradientTransformation, transformation, wiring
from gdlab.transforms.storage.formats import FORMATS, FormatName, SlotFormat, in_format
from gdlab.transforms.storage.kahan_params import kahan_params
from gdlab.transforms.storage.master_params import master_params
from gdlab.transforms.storage.split_params import split_params
from gdlab.transforms.storage.stochastic_params import stochastic_params

AnyFormat: TypeAlias = FormatName | SlotFormat
SlotFormats: TypeAlias = AnyFormat | Sequence[tuple[str, AnyFormat]] | Mapping[str, AnyFormat]
"""One format for all slots, or formats by pattern of path or by name of entry."""
ParamStorage: TypeAlias = Literal["stochastic", "kahan", "master", "split"]

WAYS: dict[str, Callable[[GradientTransformation], GradientTransformation]] = {
    "stochastic": stochastic_params,
    "kahan": kahan_params,
    "master": master_params,
    "split": split_params,
}


@transformation
def stored(
    inner: GradientTransformation, formats: SlotFormats, *, params: ParamStorage | None = None
) -> GradientTransformation:
    """Store the slots of any method in less memory: in bfloat16 or in eight bits.

    Each slot, such as a moment, is read into float32, changed by the method, and written back in
    its format; the arithmetic does not change. Slots inside wrappers, groups and chains are stored
    too.

    When to use:
        If memory is short, or a step is bound by memory traffic. ``"bfloat16"`` is nearly free of
        risk: averages of gradients are rounded to nearest, and second moments at random, since with
        rounding to nearest they would stop changing. ``"int8"`` halves the memory again.

    Args:
        inner: the method.
        formats: one format for the slots of leafwise rules that have the shape of their signal,
            such as moments: "float32", "bfloat16", "bfloat16_stochastic", "int8",
            :class:`BFloat16Format` or :class:`Int8Format`. Or a list of pairs of a regular
            expression and a format, where the first expression found in the dotted path of an array
            of the state decides, or a dictionary from names of entries to formats. A list or
            dictionary can name any floating-point array but scalars, and arrays that it does not
            name stay unchanged.
        params: the way of training bfloat16 or float16 parameters: "stochastic"
            (:func:`stochastic_params`), "kahan", "master" or "split".

    Raises:
        ValueError: if there is no such format or way, or if a pattern matches nothing.

    >>> import jax.numpy as jnp
    >>> from gdlab import adam, stored
    >>> tx = stored(adam(1e-3), {"mu": "bfloat16", "nu": "int8"})
    >>> state = tx.init(jnp.zeros(4096))
    >>> state.mu.dtype, state.nu.codes.dtype
    (dtype(bfloat16), dtype('uint8'))
    """
    slots = stored_slots(inner, formats)
    return slots if params is None else WAYS[params](slots)


@wiring
def stored_slots(inner: GradientTransformation, formats: SlotFormats) -> TreeRule:
    """Store the slots of any method in less memory, without changing how parameters are stored.

    Args:
        inner: the method.
        formats: as in :func:`stored`.

    Raises:
        ValueError: if there is no such format, or if a pattern matches nothing.

    >>> from gdlab import adam, expand, stored
    >>> expand(stored(adam(1e-3), "int8"))
    stored_slots(adam(0.001), 'int8')
    """
    choose = _choice(formats)
    rule = as_tree_rule(cast(Part, inner))

    def init(params):
        with marking():
            values = rule.init(params)
        state = State.of(rule.names, values)
        return tuple(_in_formats(state, choose).values())

    return rule._replace(init=init)


Choice: TypeAlias = Callable[[list["_Place"]], list[SlotFormat | None]]


class _Place:
    """An array of a state that can be stored in a format."""

    def __init__(self, path: str, entries: tuple[str, ...], slot: Leaf):
        self.path, self.entries = path, entries
        mark = slot if isinstance(slot, MarkedSlot) else None
        self.array: Leaf = mark.array if mark else slot
        self.has_signals_shape: bool = mark is not None and not mark.is_shared
        self.is_nonnegative: bool = mark is not None and mark.is_nonnegative
        is_shared = mark is not None and mark.is_shared
        self.is_open: bool = not is_shared and is_inexact(self.array) and self.array.ndim > 0


def _choice(formats: SlotFormats) -> Choice:
    """A function from the places of a state to the format of each, or None."""
    if isinstance(formats, Mapping | list | tuple) and not formats:
        raise ValueError("stored: formats must name one format at least, not none")
    if isinstance(formats, Mapping):
        named = {name: _format(one) for name, one in formats.items()}

        def by_entry(places):
            for name in named if places else ():
                if not any(name in place.entries for place in places):
                    entries = sorted({name for place in places for name in place.entries})
                    raise ValueError(
                        f"stored: formats names the entry {name!r}, which the state does not have; "
                        f"it has {', '.join(entries)}"
                    )
            return [
                next((named[name] for name in reversed(place.entries) if name in named), None)
                for place in places
            ]

        return by_entry
    if isinstance(formats, list | tuple):
        pairs = [(pattern, _format(one)) for pattern, one in formats]

        def by_pattern(places):
            paths = [place.path for place in places]
            if paths:
                require_matches("stored: formats", (pattern for pattern, _ in pairs), paths)
            return [next((one for p, one in pairs if re.search(p, path)), None) for path in paths]

        return by_pattern
    one = _format(formats)
    return lambda places: [one if place.has_signals_shape else None for place in places]


def _format(one: object) -> SlotFormat:
    if isinstance(one, str) and one in FORMATS:
        return FORMATS[one]
    if not isinstance(one, str) and callable(getattr(one, "stored", None)):
        return cast(SlotFormat, one)
    raise ValueError(f"there is no format {one!r}; there are {', '.join(FORMATS)}")


def _in_formats(state: State, choose: Choice) -> State:
    if has_stacks(state):
        raise TypeError(
            "stored: the format of a slot is chosen before it is put into a stack; write "
            "stacked(stored(tx, …)) for stored(stacked(tx), …)"
        )
    places = list(_places(state, (), ()))
    treedef = jax.tree.structure(state, is_leaf=is_stored_form)
    chosen = iter(choose([place for place in places if place.is_open]))
    slots = []
    for place in places:
        form = next(chosen) if place.is_open else None
        array = place.array
        slots.append(array if form is None else in_format(array, form, place.is_nonnegative))
    return treedef.unflatten(slots)


def _places(node: Tree, path: Path, entries: tuple[str, ...]) -> Iterator[_Place]:
    """The leaves of a state, with their paths and the names of the entries that contain them."""
    if isinstance(node, State):
        for name, value in node.items():
            key = jax.tree_util.GetAttrKey(name)
            yield from _places(value, (*path, key), (*entries, name))
        return
    is_leaf = lambda inner: isinstance(inner, State) or is_stored_form(inner)  # noqa: E731
    for below, leaf in jax.tree_util.tree_flatten_with_path(node, is_leaf=is_leaf)[0]:
        if isinstance(leaf, State):
            yield from _places(leaf, (*path, *below), entries)
        else:
            yield _Place(dotted((*path, *below)), entries, leaf)
