"""Axes: where a number would stand, all the values that a sweep is to try."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.checks.kinds import LARGEST_LENGTH
from gdlab.checks.values import is_array_of_reals, is_whole_number
from gdlab.core.ranges import require_all_fit, widest_float
from gdlab.core.representation import as_written, represent
from gdlab.core.structure import Argument, Value

PLAIN = (bool, int, float, str)
"""The types of choices that are their own labels."""

KINDS: dict[str, Literal["int", "bool"]] = {"i": "int", "u": "int", "b": "bool"}
"""The kinds of values that are no floats, by NumPy's letters for their dtypes."""
SAMPLE = "sample"
"""The dimension that all sampled axes share."""


class Axis(Argument):
    """A named list of values, placed where a number would stand, for :func:`gdlab.sweep` to try.

    Axes of one name move together. Axes of different names multiply, unless they lie along the same
    dimension.

    Args:
        name: the name of the hyperparameter in the sweep's result.
        values: the values it takes, an array of shape ``(n,)`` or a sequence of numbers.
        along: the dimension of the result along which they lie; one of its own, of the axis's name,
            unless given. Axes along one dimension move together: their values are paired.

    Raises:
        ValueError: unless ``values`` is one-dimensional, not empty, without NaN, and of numbers
            that float32 holds (float64 where JAX computes in 64 bits); or if two of them are equal
            there, and they have a dimension of their own.

    >>> from gdlab import Axis, adam
    >>> adam(Axis("learning_rate", [1e-3, 1e-2]))
    adam(Axis('learning_rate', array([0.001, 0.01], 'float32')))
    """

    __slots__ = ("along", "kind", "name", "values")
    along: str
    kind: Literal["float", "int", "bool"]
    """The kind of the values as they were written and are labelled; they become floats."""
    name: str
    values: jax.Array

    def __init__(
        self, name: str, values: Sequence[float] | jax.Array | np.ndarray, along: str | None = None
    ):
        if not isinstance(name, str) or not name:
            raise TypeError(f"an Axis needs a name, a non-empty string, not {name!r}")
        if along is not None and not isinstance(along, str):
            raise TypeError(f"Axis {name!r}: along must be the name of a dimension, not {along!r}")
        number = len(values) if isinstance(values, Sequence) else np.size(values)
        if number > LARGEST_LENGTH:
            raise ValueError(
                f"Axis {name!r}: an axis has at most {LARGEST_LENGTH} values, not {number}"
            )
        self.name = name
        self.along = name if along is None else along
        try:
            with np.errstate(over="ignore"):  # refused below, by name
                # NumPy converts numbers without compiling a program for each length.
                plain = isinstance(values, np.ndarray) and values.dtype.kind in "iuf"
                converted = np.asarray(values, widest_float()) if plain else values
                self.values = jnp.asarray(converted, dtype=float)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"Axis {name!r}: values must be numbers, not {values!r}; of other things make a "
                "sweep each, or a dictionary of problems or optimizers"
            ) from error
        given = values.dtype if isinstance(values, jax.Array) else np.asarray(values).dtype
        self.kind = KINDS.get(given.kind, "float")
        if self.values.ndim != 1 or self.values.size == 0:
            raise ValueError(
                f"Axis {name!r}: values must be a one-dimensional, non-empty list of numbers, "
                f"not of shape {self.values.shape}"
            )
        try:
            require_all_fit(values, widest_float())
        except ValueError as error:
            raise ValueError(f"Axis {name!r}: {error}") from None
        if not isinstance(self.values, Tracer):
            self._require_told_apart(np.asarray(self.values))

    def _require_told_apart(self, values: np.ndarray) -> None:
        """Refuse values that are NaN, and equal ones where they are the labels of a dimension."""
        if np.isnan(values).any():
            positions = np.flatnonzero(np.isnan(values)).tolist()
            raise ValueError(f"Axis {self.name!r}: the values at the positions {positions} are NaN")
        if self.along != self.name:
            return
        ordered = np.argsort(values, kind="stable")
        equal = np.flatnonzero(np.diff(values[ordered]) == 0)
        if equal.size:
            first, second = ordered[equal[0] : equal[0] + 2].tolist()
            raise ValueError(
                f"Axis {self.name!r}: the values at the positions {first} and {second} are equal, "
                f"{values[first]:.9g} in {values.dtype}, and would be one label of two points; "
                "seeds repeat a point, and along=… pairs the values with those of another axis"
            )

    @classmethod
    def uniform(cls, name: str, low: float, high: float) -> "SampledAxis":
        """An axis whose values a sweep draws evenly between ``low`` and ``high``.

        All sampled axes of a sweep share the dimension ``sample``, of the length ``samples``.

        >>> from gdlab import Axis
        >>> Axis.uniform("momentum", 0.0, 0.99)
        Axis.uniform('momentum', 0.0, 0.99)
        """
        return SampledAxis(name, low, high, "uniform")

    @classmethod
    def log_uniform(cls, name: str, low: float, high: float) -> "SampledAxis":
        """An axis whose values a sweep draws with logarithms even between those of the bounds.

        >>> from gdlab import Axis, adam
        >>> adam(Axis.log_uniform("learning_rate", 1e-4, 1.0))
        adam(Axis.log_uniform('learning_rate', 0.0001, 1.0))
        """
        return SampledAxis(name, low, high, "log_uniform")

    @classmethod
    def choices(
        cls, name: str, choices: "Mapping[str, Value] | Sequence[Value]", along: str | None = None
    ) -> "ChoiceAxis":
        """An axis over things that are no numbers, or that change the shapes of arrays.

        A sweep compiles a program for each of them: for a width, a depth, a function, a schedule,
        a model or an optimizer. It may stand wherever an axis may, in the place of ``params``, of
        ``steps`` or of ``batch_size``, and among the ``hyperparameters``.

        Args:
            name: the name in the sweep's result.
            choices: label → choice; or the choices, which numbers, texts and truth values label
                themselves, and functions by their names.
            along: the dimension of the result along which they lie, as for any axis.

        Raises:
            ValueError: if there are no choices, or two of them have one label.

        >>> from gdlab import Axis
        >>> Axis.choices("depth", [1, 2, 4])
        Axis.choices('depth', [1, 2, 4])
        """
        return ChoiceAxis(name, choices, along)

    @property
    def first(self) -> Value:
        """The first of the values, for those who need only one to see the structure."""
        return self.values[0]

    def value_of(self, position: int) -> Value:
        """The value at a position, as a Python number."""
        return self.labels[self._at(position)].item()

    def _at(self, position: int) -> int:
        if not is_whole_number(position):
            raise TypeError(
                f"Axis {self.name!r}: position must be a whole number, not {position!r}"
            )
        if not -len(self) <= position < len(self):
            raise ValueError(
                f"Axis {self.name!r}: position must be one of its {len(self)} values, counted from "
                f"0, not {position}"
            )
        return operator.index(position)

    def only(self, labels: Sequence[Value]) -> "Axis":
        """The axis with these values in place of its own."""
        return Axis(self.name, labels, self.along)

    @property
    def labels(self) -> np.ndarray:
        """The values as they were written, of shape ``(n,)``: 0.1, 10 and True."""
        written = as_written(self.values)
        if self.kind == "bool" and np.isin(written, (0, 1)).all():
            return written.astype(bool)
        whole = self.kind == "int" and np.array_equal(written, np.rint(written))
        return written.astype(np.int64) if whole else written

    def __len__(self) -> int:
        return len(self.values)

    def _refuse_arithmetic(self, *_: object) -> NoReturn:
        raise TypeError(
            f"the axis {self.name!r} stands for many numbers and cannot be computed with before a "
            "sweep puts one of them in its place: give it to one of gdlab's own optimizers or "
            "schedules, or lift a foreign factory by gdlab.interop.lift"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse_arithmetic
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __neg__ = __abs__ = _refuse_arithmetic
    __lt__ = __le__ = __gt__ = __ge__ = __float__ = _refuse_arithmetic

    def __repr__(self) -> str:
        along = "" if self.along == self.name else f", along={self.along!r}"
        written = self.kind != "float" and not isinstance(self.values, Tracer)
        values = represent(self.labels if written else self.values)
        return f"Axis({self.name!r}, {values}{along})"


class SampledAxis(Axis):
    """An axis between two bounds, whose values a sweep draws; its ``values`` are the bounds.

    :meth:`Axis.uniform` and :meth:`Axis.log_uniform` make it.

    Raises:
        ValueError: unless the bounds are finite and rise, and are positive for ``log_uniform``.
    """

    __slots__ = ("distribution",)

    def __init__(
        self, name: str, low: float, high: float, distribution: Literal["uniform", "log_uniform"]
    ):
        for bound, number in (("low", low), ("high", high)):
            if not is_array_of_reals(number) or np.ndim(number):
                raise TypeError(f"Axis {name!r}: {bound} must be a number, not {number!r}")
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(
                f"Axis {name!r}: the bounds must be finite and rise, not {low}, {high}"
            )
        if distribution == "log_uniform" and low <= 0:
            raise ValueError(f"Axis {name!r}: the bounds of logarithms must be positive, not {low}")
        super().__init__(name, [low, high], SAMPLE)
        self.distribution = distribution

    def at_quantiles(self, quantiles: np.ndarray) -> Axis:
        """The axis of the values at these quantiles, of shape ``(n,)``, in [0, 1]."""
        low, high = np.asarray(self.values, np.float64)
        if self.distribution == "log_uniform":
            values = np.exp(np.log(low) + quantiles * (np.log(high) - np.log(low)))
        else:
            values = low + quantiles * (high - low)
        return Axis(self.name, values, SAMPLE)

    def __repr__(self) -> str:
        low, high = as_written(self.values).tolist()
        return f"Axis.{self.distribution}({self.name!r}, {low}, {high})"


class ChoiceAxis(Axis):
    """An axis over things for each of which a sweep compiles a program.

    :meth:`Axis.choices` makes it. Its ``values`` are the positions of the choices.
    """

    __slots__ = ("options",)
    options: "Options"

    def __init__(
        self,
        name: str,
        choices: Mapping[str, Value] | Sequence[Value],
        along: str | None = None,
    ):
        self.options = Options.of(name, choices)
        super().__init__(name, np.arange(len(self.options.labels)), along)

    @property
    def labels(self) -> np.ndarray:
        """The labels of the choices, of shape ``(n,)``."""
        return np.asarray(self.options.labels)

    @property
    def first(self) -> Value:
        """The first choice."""
        return self.options.choices[0]

    def value_of(self, position: int) -> Value:
        """The choice at a position."""
        return self.options.choices[self._at(position)]

    def only(self, labels: Sequence[Value]) -> "ChoiceAxis":
        """The axis with the choices of these labels alone.

        Raises:
            ValueError: if there is no choice of a label.
        """
        known = dict(zip(self.options.labels, self.options.choices, strict=True))
        labels = [label.item() if isinstance(label, np.generic) else label for label in labels]
        if missing := [label for label in labels if label not in known]:
            raise ValueError(
                f"Axis {self.name!r} has no choice {missing[0]!r}; it has {list(known)}"
            )
        return ChoiceAxis(self.name, {label: known[label] for label in labels}, self.along)

    def __repr__(self) -> str:
        along = "" if self.along == self.name else f", along={self.along!r}"
        return f"Axis.choices({self.name!r}, {self.options!r}{along})"


class Options:
    """The choices of an axis and their labels, which are equal if they are the same objects."""

    __slots__ = ("choices", "labels")

    def __init__(self, labels: tuple[Value, ...], choices: tuple[Value, ...]):
        self.labels: tuple[Value, ...] = labels
        self.choices: tuple[Value, ...] = choices

    @classmethod
    def of(cls, name: str, choices: Mapping[str, Value] | Sequence[Value]) -> "Options":
        """The choices of an axis of this name.

        Raises:
            ValueError: if there are none, or two of them have one label.
        """
        if isinstance(choices, str) or not isinstance(choices, Mapping | Sequence):
            raise TypeError(
                f"Axis {name!r}: choices must be a list or a dictionary, not {choices!r}"
            )
        if isinstance(choices, Mapping):
            labels, values = tuple(choices), tuple(choices.values())
        else:
            values = tuple(choices)
            labels = tuple(map(_label_of, values))
        if not labels:
            raise ValueError(f"Axis {name!r}: choices is empty: there is nothing to choose from")
        if len(set(labels)) < len(labels):
            raise ValueError(
                f"Axis {name!r}: choices must have different labels, not {list(labels)}: give a "
                "dictionary, label → choice"
            )
        return cls(labels, values)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Options)
            and self.labels == other.labels
            and all(a is b or a == b for a, b in zip(self._plain, other._plain, strict=True))
        )

    @property
    def _plain(self) -> list[Value]:
        """The keys for comparison: plain choices by value, others by identity."""
        return [value if isinstance(value, PLAIN) else id(value) for value in self.choices]

    def __hash__(self) -> int:
        return hash(self.labels)

    def __repr__(self) -> str:
        if all(label is choice for label, choice in zip(self.labels, self.choices, strict=True)):
            return represent(list(self.choices))
        return represent(dict(zip(self.labels, self.choices, strict=True)))


def _label_of(choice: Value) -> Value:
    if isinstance(choice, PLAIN):
        return choice
    return getattr(choice, "__name__", None) or repr(choice)


def _register(cls: type[Axis]) -> None:
    names = [name for kind in cls.__mro__ for name in getattr(kind, "__slots__", ())]
    static = [name for name in names if name != "values"]

    def flatten(axis: Axis) -> tuple[tuple[Value, ...], Any]:
        return (axis.values,), tuple(getattr(axis, name) for name in static)

    def unflatten(aux: Value, children: Iterable[Any]) -> Axis:
        axis = object.__new__(cls)
        (axis.values,) = children
        for name, value in zip(static, aux, strict=True):
            setattr(axis, name, value)
        return axis

    def flatten_with_keys(axis: Axis) -> tuple[Value, Value]:
        (values,), aux = flatten(axis)
        return ((jax.tree_util.GetAttrKey("values"), values),), aux

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)


_register(Axis)
_register(SampledAxis)
_register(ChoiceAxis)


def is_axis(value: object) -> bool:
    """Tell whether a node of a tree is an axis."""
    return isinstance(value, Axis)
