"""The split of single lanes over some axes of a mesh."""

import math
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gdlab.core.placement import names_in
from gdlab.core.sharding import state_sharding
from gdlab.core.structure import leaves_with_paths, spread
from gdlab.core.transformation import GradientTransformation


class LaneSplit(NamedTuple):
    """The axes of a mesh over which each array of one lane is split."""

    params: tuple[PartitionSpec, ...]
    """The specification of each array of the parameters."""
    state: tuple[PartitionSpec, ...]
    """The specification of each array of the optimizer's state, which follows its parameter."""

    @classmethod
    def of(
        cls, specs: Any, mesh: Mesh | None, params: Any, tx: GradientTransformation
    ) -> "LaneSplit | None":
        """Make the split that a user specifies; None if lanes are not split.

        Args:
            specs: a tree of specifications like the parameters, or a prefix of one.
            mesh: the devices; None for a single device, on which lanes cannot be split.
            params: shapes and dtypes of the parameters of one lane.
            tx: the optimizer of one lane.

        Raises:
            ValueError: if a specification does not fit its parameter.
            TypeError: if the optimizer's ``init`` does not show which state axes belong to which
                parameter axes.
        """
        if specs is None:
            return None
        given = spread("params_spec", specs, params)
        if mesh is None:
            return None
        pairs = zip(leaves_with_paths(params), given, strict=True)
        wanted = tuple(
            _fitting(path, leaf.shape, PartitionSpec() if spec is None else spec, mesh)
            for (path, leaf), spec in pairs
            if leaf is not None
        )
        shardings = iter(NamedSharding(mesh, spec) for spec in wanted)
        placed = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=next(shardings)),
            params,
        )
        state = jax.tree.leaves(state_sharding(tx, placed))
        return cls(wanted, tuple(sharding.spec for sharding in state))

    def of_params(self, params: Any, leading: tuple[Any, ...]) -> Any:
        """The specifications of parameters with ``leading`` axes in front."""
        return _with_leading(self.params, params, leading)

    def of_state(self, state: Any, leading: tuple[Any, ...]) -> Any:
        """The specifications of optimizer states with ``leading`` axes in front."""
        return _with_leading(self.state, state, leading)


def axes_of(specs: Any) -> set[str]:
    """The names of all mesh axes in specifications.

    Raises:
        TypeError: if a leaf is not a specification.
    """
    names = []
    for path, spec in leaves_with_paths(specs):
        if spec is None:
            continue
        if not isinstance(spec, PartitionSpec) or PartitionSpec.UNCONSTRAINED in spec:
            raise TypeError(
                f"{_where(path)} is {spec!r}, and not a jax.sharding.PartitionSpec that says for "
                "each axis of a parameter over which axis of the mesh it is split, or None"
            )
        names += [name for part in spec for name in names_in(part)]
    return set(names)


def _where(path: str) -> str:
    return f"params_spec at {path!r}" if path else "params_spec"


def _fitting(path: str, shape: tuple[int, ...], spec: PartitionSpec, mesh: Mesh) -> PartitionSpec:
    """Check that an array of this shape can be split as specified, and return the specification."""
    where = f"{_where(path)} is {spec}"
    names = [name for part in spec for name in names_in(part)]
    if len(set(names)) < len(names):
        raise ValueError(f"{where}, but one axis of the mesh can split one axis of a parameter")
    if len(spec) > len(shape):
        raise ValueError(f"{where}, but the parameter has the shape {shape}: give fewer entries")
    for axis, part in enumerate(spec):
        pieces = math.prod(mesh.shape[name] for name in names_in(part))
        if shape[axis] % pieces:
            raise ValueError(
                f"{where}, which cuts axis {axis} of the shape {shape} into {pieces}, but "
                f"{shape[axis]} is no multiple of {pieces}: split another axis, or over fewer "
                "devices"
            )
    return spec


def _with_leading(specs: tuple[PartitionSpec, ...], tree: Any, leading: tuple[Any, ...]) -> Any:
    structure = jax.tree.structure(tree)
    return structure.unflatten([PartitionSpec(*leading, *spec) for spec in specs])
