"""The sharding of an optimizer's state over devices, given the sharding of the parameters."""

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec, Sharding

from gdlab.checks.checked import checked
from gdlab.core.representation import described
from gdlab.core.stacks import has_stacks
from gdlab.core.state import State
from gdlab.core.structure import Leaf, Tree, TreeDef
from gdlab.core.transformation import GradientTransformation


@checked
def state_sharding(tx: GradientTransformation, params_sharding: Tree) -> State:
    """The sharding of each array of a state, like that of its parameter.

    ``jax.jit(tx.init)`` does not know it, since zeros have none:
    ``jax.jit(tx.init, out_shardings=state_sharding(tx, params_sharding))`` does.

    A slot of the shape of its parameter has the sharding of the parameter. A reduced slot, such as
    a mean over rows, is split along its remaining axes as the parameter is, and the rows of a
    factor of an axis are split as that axis is. Shared scalars are replicated. Axes are not matched
    by their lengths: ``init`` is evaluated as if the axes of the mesh were explicit, so JAX follows
    each axis of a parameter through it. Arrays that ``init`` makes from a length only, such as
    ``jnp.zeros(n)``, are replicated.

    Args:
        tx: an optimizer.
        params_sharding: a tree of shardings like the parameters, or of arrays or
            ``jax.ShapeDtypeStruct`` that have one. Their shapes are needed where the structure of
            the state depends on them.

    Raises:
        TypeError: if a leaf neither is nor has a sharding, if JAX cannot follow the axes through
            ``init``, as through some reshapes, or if the structure of the state depends on shapes
            or dtypes that are not given, as for 8-bit slots.
        ValueError: if the parameters are on several meshes.

    >>> import jax, jax.numpy as jnp
    >>> from jax.sharding import NamedSharding, PartitionSpec
    >>> from gdlab import adam, state_sharding
    >>> by_rows = NamedSharding(jax.make_mesh((1,), ("rows",)), PartitionSpec("rows"))
    >>> sharding = state_sharding(adam(0.1), {"w": by_rows})
    >>> sharding.mu["w"].spec, sharding.mu_weight.spec
    (P('rows',), P())
    """
    is_leaf = lambda node: isinstance(node, Sharding)  # noqa: E731
    leaves, treedef = jax.tree.flatten(params_sharding, is_leaf=is_leaf)
    state = _state_sharding(tx, treedef, list(map(_shape, leaves)))
    if any(map(is_leaf, leaves)):
        # Placeholder shapes and dtypes are used, so the structure must not depend on them.
        others = [_shape(leaf, other=True) for leaf in leaves]
        other = _state_sharding(tx, treedef, others)
        same = jax.tree.structure(state) == jax.tree.structure(other)
        if not same or has_stacks(state):
            raise TypeError(
                f"what {described(tx)} keeps depends on the shapes and dtypes of the parameters: "
                "hand over the parameters, or jax.ShapeDtypeStruct(shape, dtype, sharding=…)"
            )
    return state


def _state_sharding(
    tx: GradientTransformation, treedef: TreeDef, shapes: list[jax.ShapeDtypeStruct]
) -> State:
    named = [one.sharding for one in shapes if isinstance(one.sharding, NamedSharding)]
    others = {one.sharding for one in shapes} - set(named)
    places = {sharding.mesh for sharding in named} | others
    if len(places) > 1:
        raise ValueError(f"the parameters must lie on one mesh, not on {len(places)}: {places}")
    params = treedef.unflatten(shapes)
    if named:
        return _followed(tx, params, named)
    plain = jax.tree.map(lambda one: jax.ShapeDtypeStruct(one.shape, one.dtype), params)
    return jax.tree.map(lambda _: next(iter(others), None), tx.init(plain))


def _shape(leaf: Leaf, other: bool = False) -> jax.ShapeDtypeStruct:
    sharding = getattr(leaf, "sharding", leaf)
    if not isinstance(sharding, Sharding):
        raise TypeError(f"expected a sharding, or an array or a shape that has one, not {leaf!r}")
    if leaf is not sharding:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
    # Any shape works whose axes can be split.
    axes = range(len(sharding.spec)) if isinstance(sharding, NamedSharding) else ()
    least = 2**14 if other else 2
    shape = tuple(len(sharding.device_set) * (axis + least) for axis in axes)
    if other:
        # A specification without axes also fits a replicated vector.
        return jax.ShapeDtypeStruct(shape or (least,), jnp.bfloat16, sharding=sharding)
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=sharding)


def _followed(tx: GradientTransformation, params: Tree, shardings: list[NamedSharding]) -> State:
    """The sharding of each array of a state, read from its type under an explicit mesh."""
    mesh = shardings[0].mesh
    explicit = mesh.abstract_mesh.update(axis_types=(AxisType.Explicit,) * len(mesh.axis_names))

    def typed(one: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        sharding = NamedSharding(explicit, one.sharding.spec)
        return jax.ShapeDtypeStruct(one.shape, one.dtype, sharding=sharding)

    try:
        with jax.sharding.use_abstract_mesh(explicit):
            state = tx.init(jax.tree.map(typed, params))
    except Exception as error:
        if type(error).__name__ != "ShardingTypeError":  # JAX does not export this class
            raise
        raise TypeError(
            f"{described(tx)}: the axes of the parameters cannot be followed through its init, so "
            f"the sharding of its state has to be written by hand: {error}"
        ) from error
    kinds = {sharding.memory_kind for sharding in shardings}
    kind = kinds.pop() if len(kinds) == 1 else None

    def placed(array: jax.ShapeDtypeStruct) -> NamedSharding:
        spec = PartitionSpec() if array.sharding is None else array.sharding.spec
        return NamedSharding(mesh, spec, memory_kind=kind)

    return jax.tree.map(placed, state)
