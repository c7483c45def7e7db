"""The variables of Keras's optimizers, with the parameter and the slot of each."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gdlab.core.structure import Value
from gdlab.interop.states.by_parameter.records import Names, paths_of
from gdlab.interop.states.by_parameter.tensors import as_array

SLOTS = (
    "gradient_accumulator",
    "accumulated_delta_var",
    "average_gradient",
    "accumulated_grad",
    "velocity_hat",
    "accumulator",
    "momentum",
    "velocity",
    "average",
    "linear",
    "norm",
)
"""The endings of names of variables; the first that matches is the slot."""
OF_ALL = ("iteration", "learning_rate")
"""The variables that belong to no parameter."""
ORDERS: Mapping[str, tuple[str, ...]] = {
    "SGD": ("", "momentum"),
    "Lion": ("momentum",),
    "Adam": ("momentum velocity", "momentum velocity, velocity_hat"),
    "Nadam": ("momentum velocity, u_product",),
    "Adamax": ("momentum norm",),
    "RMSprop": (
        "velocity",
        "velocity, momentum",
        "velocity, average_gradient",
        "velocity, momentum, average_gradient",
    ),
    "Adagrad": ("accumulator",),
    "Adadelta": ("accumulated_grad accumulated_delta_var",),
    "Ftrl": ("accumulator linear",),
    "Adafactor": ("r c velocity",),
    "ScheduleFreeAdamW": ("momentum velocity",),
}
"""The order of the variables: between commas those of one parameter after the other."""


class Variable(NamedTuple):
    """A variable of an optimizer."""

    key: str
    """The key under which it is loaded."""
    slot: str
    path: str | None
    """The path of gdlab's parameter to which it belongs, None if it belongs to all."""
    array: np.ndarray


def variables_of(optimizer: Value) -> list[tuple[str, str, np.ndarray]]:
    """The key, the path and the value of each variable of an optimizer, in order."""
    if isinstance(optimizer, Mapping):
        return [(key, key, as_array(value)) for key, value in optimizer.items()]
    variables = getattr(optimizer, "variables", optimizer)
    if not isinstance(variables, Sequence) or not all(hasattr(one, "path") for one in variables):
        raise TypeError(
            "an optimizer of Keras, its variables or a dictionary of them is needed for optimizer "
            f"or like, not {optimizer!r}"
        )
    return [(str(i), one.path, as_array(one.value)) for i, one in enumerate(variables)]


def by_path(variables: Sequence[tuple[str, str, np.ndarray]], names: Names) -> list[Variable]:
    """The variables, identified by the endings of their paths.

    Raises:
        ValueError: if a path is not understood, or there are not as many parameters as names.
    """
    found: list[Variable] = []
    waiting: list[tuple[str, np.ndarray]] = []
    for key, path, array in variables:
        slot, owner = _slot_and_owner(path)
        if slot is None:
            waiting.append((key, array))
            continue
        # Adafactor's means have no names, and come before the average of the same parameter.
        if len(waiting) not in (0, 2):
            raise ValueError(
                f"{waiting[0][0]!r} is no variable that is known by its path; of the paths of "
                "Adafactor some are alike, so give its variables by number, as "
                "save_own_variables has them"
            )
        for mean, (own, value) in zip(("r", "c"), waiting, strict=False):
            found.append(Variable(own, mean, owner, value))
        waiting = []
        found.append(Variable(key, slot, owner, array))
    found += [Variable(key, "u_product", None, array) for key, array in waiting]
    return _named(found, names)


def _slot_and_owner(path: str) -> tuple[str | None, str | None]:
    """The slot of a variable, and the name of the parameter to which it belongs."""
    name = path.rpartition("/")[2]
    if name in OF_ALL:
        return name, None
    if name in ("dynamic_scale", "step_counter"):
        raise ValueError(
            f"{path!r}: gradients of a scaled loss cannot be carried over; give the inner optimizer"
        )
    for slot in SLOTS:
        if name.endswith(f"_{slot}"):
            return slot, name.removesuffix(f"_{slot}")
    return None, None


def _named(found: list[Variable], names: Names) -> list[Variable]:
    """The variables with gdlab's paths in the place of Keras's names of the parameters."""
    seen: dict[tuple[str, str], int] = {}
    owners: dict[tuple[str, int], str] = {}
    paths, own_names = paths_of(names), dict(names) if isinstance(names, Mapping) else {}
    of_name = {name.replace("/", "_"): path for name, path in own_names.items()}
    named = []
    for one in found:
        if one.path is not None:
            # Parameters of one name follow each other in the same order everywhere.
            count = seen[one.slot, one.path] = seen.get((one.slot, one.path), -1) + 1
            if (one.path, count) not in owners:
                position = len(owners)
                follows = paths[position] if position < len(paths) else None
                owners[one.path, count] = of_name.get(one.path, "") if of_name else follows or ""
            one = one._replace(path=owners[one.path, count])
            if not one.path:
                raise ValueError(f"names has no path for the variable {one.key!r} of Keras")
        named.append(one)
    if owners and len(owners) != len(paths):
        raise ValueError(f"names has {len(paths)} parameters, but Keras's optimizer {len(owners)}")
    return named


def by_order(
    variables: Sequence[tuple[str, str, np.ndarray]],
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    methods: Mapping[str, set[str]],
    beside: Sequence[str],
) -> list[Variable]:
    """The variables, identified by their order and shapes.

    Args:
        variables: the variables by number.
        shapes: the path and Keras's shape of each parameter, in order.
        methods: the name of each method that it may be → the slots that it then has.
        beside: the slots that there may be beside those of the method.

    Raises:
        ValueError: if no order fits, or several do.
    """
    arrays = [array for _, array in sorted((int(key), array) for key, _, array in variables)]
    found = {
        tuple(slots)
        for slots in _orders([path for path, _ in shapes], methods, beside)
        if _fits(slots, [array.shape for array in arrays], dict(shapes))
    }
    if len(found) != 1:
        raise ValueError(
            f"{len(arrays)} variables by number fit {len(found)} optimizers of Keras; give them by "
            "path, as {v.path: v.numpy() for v in optimizer.variables}"
        )
    slots = found.pop()
    return [Variable(str(i), slots[i][0], slots[i][1], array) for i, array in enumerate(arrays)]


Slots = Sequence[tuple[str, str | None]]


def _orders(
    paths: list[str], methods: Mapping[str, set[str]], beside: Sequence[str]
) -> Iterator[Slots]:
    """The orders in which the variables of Keras may be stored."""
    several = itertools.chain.from_iterable(
        itertools.combinations(beside, count) for count in range(len(beside) + 1)
    )
    for there, method in itertools.product(list(several), methods):
        for order, rate in itertools.product(ORDERS.get(method, ()), (0, 1)):
            if set(order.replace(",", " ").split()) != methods[method]:
                continue
            first = [("iteration", None), *[("learning_rate", None)] * rate]
            blocks = [*([slot] for slot in there), *(part.split() for part in order.split(","))]
            yield [*first, *itertools.chain(*(_block(block, paths) for block in blocks))]


def _block(slots: list[str], paths: list[str]) -> Slots:
    if slots == ["u_product"]:
        return [("u_product", None)]
    return [(slot, path) for path in paths for slot in slots]


def _fits(
    slots: Slots, found: list[tuple[int, ...]], shapes: Mapping[str, tuple[int, ...]]
) -> bool:
    expected = [() if path is None else _shape(slot, shapes[path]) for slot, path in slots]
    return expected == found


def _shape(slot: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if slot in ("r", "c"):
        of_means = {"r": shape[:-1], "c": (*shape[:-2], *shape[-1:])}
        return of_means[slot] if len(shape) > 1 else ()
    return shape
