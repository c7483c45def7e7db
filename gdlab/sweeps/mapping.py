"""Axes in the arguments of any pure function."""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from gdlab.axes.grid import Points, grid_of
from gdlab.axes.naming import named
from gdlab.axes.sampling import Sampling, drawn, require_sampled
from gdlab.axes.slots import at_point, with_slots
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, Length, Seed
from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_array_of_numbers
from gdlab.devices.memory import points_that_fit
from gdlab.devices.mesh import LANES, padded, row_of_devices
from gdlab.sweeps.plan.task import POINT_NUMBER
from gdlab.training.objective import ByIdentity


class Mapped(NamedTuple):
    """The values of a function at all points of a grid."""

    values: Any
    """The returned values, each array with leading axes of ``dims``."""
    dims: tuple[str, ...]
    """The names of the dimensions."""
    coords: dict[str, np.ndarray]
    """The values along each dimension and of each axis."""
    axes: dict[str, str]
    """Name of an axis → the dimension along which its values lie."""

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` with labelled dimensions; needs the extra ``lab``."""
        import xarray

        coords = {name: (self.axes.get(name, name), values) for name, values in self.coords.items()}
        variables = {}
        for path, leaf in jax.tree_util.tree_leaves_with_path(named(self.values, "value")):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            own = [f"{name}_{axis}" for axis in range(leaf.ndim - len(self.dims))]
            variables[name] = ((*self.dims, *own), leaf)
        return xarray.Dataset(variables, coords)


@checked
def map_axes(
    function: Callable[..., Any],
    *,
    samples: Length | None = None,
    sampling: Sampling = "sobol",
    seed: Seed = 0,
    lane_chunk: Count | Literal["auto"] = "auto",
    mesh: Mesh | None = None,
) -> Callable[..., Mapped]:
    """Make a function take axes as arguments, and compute it at all points of their grid at once.

    Args:
        function: any pure function of trees of arrays and numbers.
        samples: how many values are drawn for sampled axes.
        sampling: "sobol" for points that fill the space evenly, "random" for independent ones.
        seed: the seed with which sampled values are drawn, a whole number.
        lane_chunk: how many points are computed together at most; "auto" for as many as fit.
        mesh: devices over which the points are spread.

    Returns:
        A function that is called like ``function``, with an :class:`gdlab.Axis` wherever a number
        would stand in its arguments, and returns a :class:`Mapped`.

    Raises:
        ValueError: if axes clash.

    >>> from gdlab import Axis, map_axes
    >>> mapped = map_axes(lambda x, y: x + y)(Axis("x", [1.0, 2.0]), Axis("y", [10.0, 20.0, 30.0]))
    >>> mapped.dims
    ('x', 'y')
    >>> mapped.values
    array([[11., 21., 31.],
           [12., 22., 32.]], dtype=float32)
    """
    row = row_of_devices(mesh)

    @functools.wraps(function)
    def at_all_points(*args: Any, **kwargs: Any) -> Mapped:
        require_sampled((args, kwargs), samples)
        tree = drawn((args, kwargs), samples, sampling, [seed])
        grid = grid_of(tree)
        points = grid.points | {POINT_NUMBER: np.arange(grid.size)}
        program = functools.partial(_at_points, ByIdentity(function), row, with_slots(tree))
        values = _in_chunks(program, points, grid.size, lane_chunk, row)
        shape = tuple(grid.sizes.values())
        return Mapped(
            jax.tree.map(lambda leaf: leaf.reshape(shape + leaf.shape[1:]), values),
            tuple(grid.sizes),
            grid.coords,
            {name: axis.along for name, axis in grid.axes.items()},
        )

    return at_all_points


@functools.partial(jax.jit, static_argnums=(0, 1))
def _at_points(function: ByIdentity, mesh: Mesh | None, template: Any, points: Any) -> Any:
    def at_all(template: Any, points: Any) -> Any:
        def at(point: Any) -> Any:
            args, kwargs = at_point(template, point)
            made = called_as("function(…)", function.function, *args, **function.keywords, **kwargs)
            leaves = jax.tree.leaves(made)
            if not leaves or not all(map(is_array_of_numbers, leaves)):
                raise TypeError(f"function must return a tree of arrays, not {made!r}")
            return made

        return jax.vmap(at)(points)

    if mesh is not None:
        lanes = PartitionSpec(LANES)
        at_all = jax.shard_map(
            at_all, mesh=mesh, in_specs=(PartitionSpec(), lanes), out_specs=lanes, check_vma=False
        )
    return at_all(template, points)


def _in_chunks(
    program: Any, points: Points, size: int, chunk: int | Literal["auto"], mesh: Mesh | None
) -> Any:
    def some(members: np.ndarray) -> Points:
        return {name: values[padded(members, mesh)] for name, values in points.items()}

    if chunk == "auto":
        function, _, template = program.args
        arguments = template, some(np.arange(size))
        chunk = points_that_fit(_at_points, (function, mesh), arguments, size, template, mesh)
    parts = []
    for first in range(0, size, chunk):
        # Copies of the last point, so that the last chunk has the same shape and program.
        members = np.minimum(np.arange(first, first + min(chunk, size)), size - 1)
        parts.append(jax.device_get(program(some(members))))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:size], *parts)
