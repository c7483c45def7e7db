"""Flax NNX modules: their variables by path, and their graph."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.numerics import cast_like
from gdlab.core.structure import Path
from gdlab.training.models.form import Form, Held, OpenedModel, key_of_model, without_key


def open_nnx(model: Any, wrt: Any) -> OpenedModel | None:
    """Split an NNX module, or a tree with such modules, into arrays and structure; else None.

    Raises:
        TypeError: if ``model`` is the class of a module.
        ValueError: if the filter chooses no variable.
    """
    from flax import nnx

    if isinstance(model, type) and issubclass(model, nnx.Module):
        name = model.__name__
        raise TypeError(
            f"the model is the NNX class {name}: give a module, such as {name}(nnx.Rngs(0)), or to "
            f"a sweep init, such as lambda key: {name}(nnx.Rngs(key))"
        )
    is_module = lambda node: isinstance(node, nnx.Module)  # noqa: E731
    if not any(map(is_module, jax.tree.leaves(model, is_leaf=is_module))):
        return None
    graph, trained, rest = nnx.split(model, nnx.Param if wrt is None else wrt, ...)
    trained, rest = _variables(trained), _variables(rest)
    if not trained:
        kinds = sorted({type(variable).__name__ for variable in rest.values()})
        raise ValueError(
            f"the model has no variable of {'nnx.Param' if wrt is None else wrt}, so nothing of it "
            f"is trained; its variables are {', '.join(kinds) or 'none'}"
        )
    of_kind = lambda *kinds: tuple(p for p, v in rest.items() if isinstance(v, kinds))  # noqa: E731
    fixed = of_kind(nnx.Param, nnx.RngState)
    keys = of_kind(nnx.RngKey)
    carried = tuple(path for path in rest if path not in fixed)
    arrays = _values(rest)
    arrays |= {path: jax.random.key_data(arrays[path]) for path in keys}
    form = NnxForm(
        graph,
        trained=tuple(trained),
        carried=carried,
        fixed=fixed,
        keys=tuple((path, str(jax.random.key_impl(rest[path].get_raw_value()))) for path in keys),
        counts=of_kind(nnx.RngCount),
    )
    held = Held(*(_nested({path: arrays[path] for path in paths}) for paths in (carried, fixed)))
    return OpenedModel(_nested(_values(trained)), held, form)


@dataclasses.dataclass(frozen=True)
class NnxForm(Form):
    """The graph of an NNX module, and the paths of its variables."""

    graph: Any
    """The ``nnx.GraphDef``, which lists a shared module or variable once."""
    trained: tuple[Path, ...]
    carried: tuple[Path, ...]
    """The paths of the variables that the loss may change: batch statistics, caches, counters."""
    fixed: tuple[Path, ...]
    """The paths of parameters that are not trained, and of the state of random streams."""
    keys: tuple[tuple[Path, str], ...]
    """The paths of the random streams' keys, which are held as key data, and their
    implementations."""
    counts: tuple[Path, ...]
    """The paths of the numbers of draws from each random stream."""

    @property
    def carries_state(self) -> bool:
        """True if there is a variable that is neither a parameter nor part of a random stream."""
        return bool(self.carried)

    @property
    def may_draw(self) -> bool:
        """True if there is a random stream."""
        return bool(self.keys)

    def close(self, params: Any, held: Held) -> Any:
        """Build the module with these arrays; its random streams are the original ones."""
        return self._merged(self._arrays(params, held))

    def call(
        self, function: Callable[[Any], Any], params: Any, held: Held, key: jax.Array | None
    ) -> tuple[Any, Held]:
        """Return ``function(model)``, with streams from the key, and the arrays after it."""
        from flax import nnx

        arrays = self._arrays(params, held)
        if key is not None:
            arrays |= self._streams(arrays, key)
        model = self._merged(arrays)
        result = function(model)
        after = _values(_variables(nnx.state(model)))
        drawn = [path for path in self.counts if after.get(path) is not arrays[path]]
        if drawn and key is None:
            raise without_key(" and ".join(_dotted(path[:-1]) for path in drawn))
        if gone := [path for path in self.carried if path not in after]:
            raise ValueError(f"the loss removed the variable {_dotted(gone[0])!r} from the model")
        before = _at(held.carried, self.carried)
        changed = {path: cast_like(after[path], before[path]) for path in self.carried}
        return result, held._replace(carried=_nested(changed))

    def _arrays(self, params: Any, held: Held) -> dict[Path, Any]:
        arrays = _at(params, self.trained) | _at(held.carried, self.carried)
        arrays |= _at(held.fixed, self.fixed)
        for path, generator in self.keys:
            arrays[path] = jax.random.wrap_key_data(arrays[path], impl=generator)
        return arrays

    def _merged(self, arrays: Mapping[Path, Any]) -> Any:
        from flax import nnx

        return nnx.merge(self.graph, nnx.from_flat_state(list(arrays.items())))

    def _streams(self, arrays: Mapping[Path, Any], key: jax.Array) -> dict[Path, Any]:
        """The state of the random streams; the i-th stream starts from fold_in(key, i)."""
        key = key_of_model(key)
        if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
            key = jax.random.wrap_key_data(key)
        streams = {path: jnp.zeros_like(arrays[path]) for path in self.counts}
        for number, (path, _) in enumerate(self.keys):
            own = jax.random.fold_in(key, number)
            shape = arrays[path].shape
            streams[path] = jax.random.split(own, shape) if shape else own
        return streams


def _variables(state: Any) -> dict[Path, Any]:
    from flax import nnx

    return dict(nnx.to_flat_state(state))


def _values(variables: Mapping[Path, Any]) -> dict[Path, Any]:
    """The arrays in variables, and plain arrays unchanged."""
    from flax import nnx

    return {
        path: variable.get_raw_value() if isinstance(variable, nnx.Variable) else variable
        for path, variable in variables.items()
    }


def _nested(arrays: Mapping[Path, Any]) -> dict[str, Any]:
    """Nested dictionaries with the paths of the variables."""
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        node = tree
        for part in path[:-1]:
            node = node.setdefault(str(part), {})
        node[str(path[-1])] = array
    return tree


def _at(tree: Any, paths: Iterable[Path]) -> dict[Path, Any]:
    found = {}
    for path in paths:
        node = tree
        for part in path:
            node = node[str(part)]
        found[path] = node
    return found


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
