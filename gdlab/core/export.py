"""Serialization of exported programs that have an optimizer as an argument, by ``jax.export``.

The structure of the optimizer is stored as text. Its numbers are arguments of the program, so one
artefact serves every learning rate. A factory is stored as its import path; nothing is pickled.
"""

import dataclasses
import importlib
import json
from collections.abc import Callable
from typing import TypeVar

import jax.export

from gdlab.core.by_leaf import ByLeaf, MaskByLeaf
from gdlab.core.joins import Join
from gdlab.core.parametrized import Factory
from gdlab.core.schedule import Schedule
from gdlab.core.stacks import Layout, Stacks, layout_like
from gdlab.core.state import State
from gdlab.core.static import Static
from gdlab.core.structure import Named, Value
from gdlab.core.transformation import GradientTransformation

Part = TypeVar("Part", bound=type)


def _written(value: Value) -> Value:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return {type(value).__name__: list(map(_written, value))}
    if isinstance(value, dict):
        return {"dict": [[_written(key), _written(item)] for key, item in value.items()]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return {"dataclass": [_written(type(value)), list(map(_written, fields))]}
    if callable(value) and hasattr(value, "__qualname__"):
        if "<" in value.__qualname__:
            raise ValueError(f"{value!r} has no name under which it can be imported")
        return {"function": [value.__module__, value.__qualname__]}
    raise ValueError(f"{value!r} is structure that cannot be serialized")


def _read(written: Value) -> Value:
    if not isinstance(written, dict):
        return written
    ((kind, content),) = written.items()
    if kind == "function":
        return _imported(*content)
    if kind == "dataclass":
        cls, fields = content
        return _read(cls)(*map(_read, fields))
    if kind == "dict":
        return {_read(key): _read(item) for key, item in content}
    return (tuple if kind == "tuple" else list)(map(_read, content))


def _imported(module: str, name: str) -> Value:
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _write_call(aux: tuple[Factory, Static]) -> bytes:
    factory, structure = aux
    return json.dumps([_written(factory.public), _written(structure.values)]).encode()


def _read_call(text: bytes | bytearray) -> tuple[Factory, Static]:
    public, values = map(_read, json.loads(text))
    return public.factory, Static(values)


def _write_static(structure: Static) -> bytes:
    return json.dumps(_written(structure.values)).encode()


def _read_static(text: bytes | bytearray) -> Static:
    return Static(_read(json.loads(text)))


def _write_layout(layout: Layout) -> bytes:
    written = json.dumps(list(map(_written, (layout.positions(), layout.members)))).encode()
    if _read_layout(written) != layout:
        raise ValueError(
            "a state with stacks can be a part of an exported program where the parameters are "
            f"dictionaries, lists and tuples, not {layout.treedef}"
        )
    return written


def _read_layout(text: bytes | bytearray) -> Layout:
    positions, members = map(_read, json.loads(text))
    return layout_like(positions, members)


def _register(cls: type, write: Callable[[Value], bytes], read: Callable[[bytes], Value]) -> None:
    jax.export.register_pytree_node_serialization(
        cls,
        serialized_name=f"gdlab.{cls.__name__}",
        serialize_auxdata=write,
        deserialize_auxdata=read,
    )


def is_exported(cls: Part) -> Part:
    """Make a named tuple that occurs in states serializable by ``jax.export``."""
    jax.export.register_namedtuple_serialization(cls, serialized_name=f"gdlab.{cls.__name__}")
    return cls


def is_exported_call(cls: Part) -> Part:
    """Make the instances of a :class:`Parametrized` class serializable by ``jax.export``."""
    _register(cls, _write_call, _read_call)
    return cls


for _cls in (GradientTransformation, Schedule, Join):
    is_exported_call(_cls)
_register(Named, lambda names: json.dumps(names).encode(), lambda text: tuple(json.loads(text)))
for _by_leaf in (ByLeaf, MaskByLeaf):
    _register(_by_leaf, _write_static, _read_static)
_register(State, lambda names: json.dumps(names).encode(), lambda text: tuple(json.loads(text)))
_register(Stacks, _write_layout, _read_layout)
