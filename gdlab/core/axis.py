"""Axes: named lists of the values that a sweep tries for a hyperparameter."""

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
"""The kinds of values other than floats, by NumPy's ``dtype.kind``."""
SAMPLE = "sample"
"""The name of the dimension that all sampled axes of a sweep share."""


class Axis(Argument):
    """A named list of values, given in place of a number, for :func:`gdlab.sweep` to try.

    Axes with the same name take the same value in each run. Axes with different names form a grid
    of all combinations, unless they lie along the same dimension.

    Args:
        name: the name of the hyperparameter in the sweep's result.
        values: the values to try, an array of shape ``(n,)`` or a sequence of n numbers.
        along: the dimension of the result along which the values lie; by default a dimension with
            the name of the axis. Axes along the same dimension are paired: each run takes the
            values at the same position of all of them.

    Raises:
        ValueError: if ``values`` is not one-dimensional, is empty, or has a NaN or a number that
            float32 (float64 where JAX computes in 64 bits) cannot hold; or if two values are equal
            in that dtype and label a dimension of the result.

    >>> from gdlab import Axis, adam
    >>> adam(Axis("learning_rate", [1e-3, 1e-2]))
    adam(Axis('learning_rate', array([0.001, 0.01], 'float32')))
    """

    __slots__ = ("along", "kind", "name", "values")
    along: str
    kind: Literal["float", "int", "bool"]
    """The kind of the values as the user wrote them, and of their labels; ``values`` are floats."""
    name: str
    values: jax.Array

    def __init__(
        self, name: str, values: Sequence[float] | jax.Array | np.ndarray, along: str | None = None
    ):
        if not isinstance(name, str) or not name:
            raise TypeError(f"an Axis needs a name, a non-empty string, not {name!r}")
        if along is not None and not isinstance(along, str):
            raise TypeError(f"Axis {name!r}: along must be the name of a dimension, not {along!r}")
        self.name = name
        if isinstance(values, list | tuple) and any(isinstance(value, str) for value in values):
            raise self._not_numbers(values)  # NumPy would convert texts of digits
        number = len(values) if isinstance(values, Sequence) else np.size(values)
        if number > LARGEST_LENGTH:
            raise ValueError(
                f"Axis {name!r}: an axis has at most {LARGEST_LENGTH} values, not {number}"
            )
        self.along = name if along is None else along
        try:
            with np.errstate(over="ignore"):  # an overflow is refused below, with the axis's name
                # NumPy converts numbers without compiling a program for each length.
                plain = isinstance(values, np.ndarray) and values.dtype.kind in "iuf"
                converted = np.asarray(values, widest_float()) if plain else values
                self.values = jnp.asarray(converted, dtype=float)
        except (TypeError, ValueError):
            raise self._not_numbers(values) from None
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
            self._require_distinct(np.asarray(self.values))

    def _not_numbers(self, values: object) -> TypeError:
        return TypeError(
            f"Axis {self.name!r}: values must be numbers, not {values!r}; of other things make a "
            "sweep each, or a dictionary of problems or optimizers"
        )

    def _require_distinct(self, values: np.ndarray) -> None:
        """Refuse NaN, and equal values if they label a dimension of the result."""
        if np.isnan(values).any():
            positions = np.flatnonzero(np.isnan(values)).tolist()
            raise ValueError(f"Axis {self.name!r}: the values at the positions {positions} are NaN")
        if self.along != self.name:
            return
        ordered = np.argsort(values, kind="stable")
        equal = np.flatnonzero(values[ordered[1:]] == values[ordered[:-1]])
        if equal.size:
            first, second = ordered[equal[0] : equal[0] + 2].tolist()
            raise ValueError(
                f"Axis {self.name!r}: the values at the positions {first} and {second} are equal, "
                f"{values[first]:.9g} in {values.dtype}, and would be one label of two points; "
                "seeds repeat a point, and along=… pairs the values with those of another axis"
            )

    @classmethod
    def uniform(cls, name: str, low: float, high: float) -> "SampledAxis":
        """An axis whose values a sweep draws uniformly between ``low`` and ``high``.

        All sampled axes of a sweep share the dimension ``sample``, whose length is the sweep's
        argument ``samples``.

        >>> from gdlab import Axis
        >>> Axis.uniform("momentum", 0.0, 0.99)
        Axis.uniform('momentum', 0.0, 0.99)
        """
        return SampledAxis(name, low, high, "uniform")

    @classmethod
    def log_uniform(cls, name: str, low: float, high: float) -> "SampledAxis":
        """An axis whose values a sweep draws log-uniformly between ``low`` and ``high``.

        >>> from gdlab import Axis, adam
        >>> adam(Axis.log_uniform("learning_rate", 1e-4, 1.0))
        adam(Axis.log_uniform('learning_rate', 0.0001, 1.0))
        """
        return SampledAxis(name, low, high, "log_uniform")

    @classmethod
    def choices(
        cls, name: str, choices: "Mapping[str, Value] | Sequence[Value]", along: str | None = None
    ) -> "ChoiceAxis":
        """An axis over choices that are not numbers, or that change the shapes of arrays.

        The choices may be widths, depths, functions, schedules, models or optimizers; a sweep
        compiles one program for each. The axis may be given wherever other axes may, for
        ``params``, ``steps`` or ``batch_size``, and among the ``hyperparameters``.

        Args:
            name: the name of the axis in the sweep's result.
            choices: a dictionary label → choice; or a list of choices. In a list, numbers, strings
                and booleans are their own labels, and the label of a function is its name.
            along: the dimension of the result along which the choices lie, as for any axis.

        Raises:
            ValueError: if there are no choices, or two of them have the same label.

        >>> from gdlab import Axis
        >>> Axis.choices("depth", [1, 2, 4])
        Axis.choices('depth', [1, 2, 4])
        """
        return ChoiceAxis(name, choices, along)

    @property
    def first(self) -> Value:
        """The first value, for code that needs any one value to find the structure."""
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
        """The axis restricted to some of its labels."""
        return Axis(self.name, labels, self.along)

    @property
    def labels(self) -> np.ndarray:
        """The values as the user wrote them, such as 0.1, 10 or True; of shape ``(n,)``."""
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

    :meth:`Axis.uniform` and :meth:`Axis.log_uniform` return instances.

    Raises:
        ValueError: unless both bounds are finite and ``low < high``; for ``log_uniform``, unless
            both are positive as well.
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
        """An axis of the values at some quantiles, an array of shape ``(n,)`` in [0, 1]."""
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
    """An axis over choices, for each of which a sweep compiles a program.

    :meth:`Axis.choices` returns instances. The ``values`` are the positions of the choices.
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
        """The axis restricted to the choices with these labels.

        Raises:
            ValueError: if no choice has one of the labels.
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
    """The choices of an axis and their labels.

    Two instances are equal if their labels are equal and their choices are the same objects, or
    equal numbers, strings or booleans.
    """

    __slots__ = ("choices", "labels")

    def __init__(self, labels: tuple[Value, ...], choices: tuple[Value, ...]):
        self.labels: tuple[Value, ...] = labels
        self.choices: tuple[Value, ...] = choices

    @classmethod
    def of(cls, name: str, choices: Mapping[str, Value] | Sequence[Value]) -> "Options":
        """Make the options of the axis ``name`` from what the user gave.

        Raises:
            TypeError: if ``choices`` is neither a list nor a dictionary.
            ValueError: if there are no choices, or two of them have the same label.
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
        """The keys by which choices are compared: plain choices by value, others by identity."""
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
