"""Functions to minimise, with their known properties."""

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked_class
from gdlab.problems.layers import Layer

Tag = Literal[
    "convex",
    "quadratic",
    "ravine",
    "plateau",
    "saddle",
    "degenerate",
    "multimodal",
    "nonsmooth",
    "unbounded",
    "constrained",
    "noise",
    "data",
    "network",
    "trap",
]
"""A property that makes a problem hard, or easy.

===========  =======================================================================
convex       everywhere
quadratic    its Hessian is the same everywhere
ravine       of the positive curvatures at the first minimiser, the largest is at least
             ten times the smallest
plateau      far from the minimiser the gradient all but vanishes
saddle       it has a saddle point that is known
degenerate   a Hessian at a known critical point has a zero eigenvalue
multimodal   it has several minima
nonsmooth    a derivative jumps
unbounded    it has no minimum
constrained  its minimum is that within a box
noise        it takes a key, and its gradient is random
data         it is a mean over examples
network      of the weights of a network
trap         made to show how some method fails
===========  =======================================================================
"""


@checked_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """A function to minimise that knows its minimisers, its curvature and its start.

    It is called like its ``function`` and can be used as a loss in
    ``gdlab.minimize(problem, problem.start, tx, steps)``, ``gdlab.sweep`` and
    ``jax.grad(problem)``. With data, pass ``data=problem.data``. A random problem takes a ``key``;
    without a key it is the expectation, or the network in evaluation mode. Problems are compared by
    identity, and programs are compiled for each.

    All known properties are NumPy arrays in float64, so that they do not determine the dtype of
    computations.

    >>> import jax
    >>> from gdlab import minimize, problems, sgd
    >>> problem = problems.booth()
    >>> problem.minimisers
    (array([1., 3.]),)
    >>> minimize(problem, problem.start, sgd(0.1), steps=100).params.tolist()
    [1.000, 3.000]
    >>> jax.grad(problem)(problem.minimisers[0])
    Array([0., 0.], dtype=float32)
    """

    function: Callable[..., Any]
    """``function(params[, batch][, key=None])``, a real scalar."""
    name: str
    """The name of the problem in titles and legends."""
    start: Any
    """The usual starting point of runs: a tree of arrays."""
    source: str
    """The source of the problem: author, title, year."""
    tags: Collection[Tag] = frozenset()
    """The properties that make the problem hard, or easy."""
    minimum: float | None = None
    """The minimum of the function; −∞ if it is unbounded below, None if it is not known."""
    minimisers: tuple[Any, ...] = ()
    """The points at which the minimum is attained. If there are infinitely many, the one that the
    docstring names."""
    local_minimisers: tuple[Any, ...] = ()
    """The known local minimisers above the minimum."""
    saddles: tuple[Any, ...] = ()
    """The known critical points that are not extrema."""
    maximisers: tuple[Any, ...] = ()
    """The known local maximisers."""
    spectrum: np.ndarray | None = None
    """The eigenvalues of the Hessian, in ascending order, at the first minimiser, or at the first
    saddle if there is no minimiser; on all the data."""
    curvature_bounds: tuple[float, float] | None = None
    """The lower and the upper bound of all eigenvalues of the Hessian, everywhere."""
    gradient_noise: np.ndarray | None = None
    """The covariance of the gradient noise that a key adds."""
    bounds: tuple[tuple[float, float], tuple[float, float]] | None = None
    """The region ((left, right), (bottom, top)) of a picture, for a function of two variables."""
    box: tuple[float, float] | None = None
    """The lower and the upper bound of each parameter, if the problem is constrained; see
    :func:`gdlab.project_onto_box`."""
    data: Any = None
    """A tree of arrays whose leading axis counts the examples."""
    held_out: Any = None
    """Held-out examples, in the form of ``data``, that must not be used in training."""
    model: Callable[..., Any] | None = None
    """A function ``model(params, inputs)`` whose values the loss compares with targets."""
    layers: Mapping[str, Layer] = dataclasses.field(default_factory=dict)
    """The hidden layers of a network, in order: name in the parameters → settings of the layer."""
    activations: Callable[..., Any] | None = None
    """A function ``activations(params, inputs)`` that returns layer → its output. The flattened
    output of the last one is the input of the layer whose values ``model`` returns."""
    init: Callable[[jax.Array], Any] | None = None
    """A function ``init(key)`` that draws a starting point."""

    def __post_init__(self) -> None:
        if unknown := set(self.tags) - set(get_args(Tag)):
            raise ValueError(f"tags: {sorted(unknown)} are none of {', '.join(get_args(Tag))}")
        object.__setattr__(self, "tags", frozenset(self.tags))
        # The signature shows whether the loss takes a key.
        object.__setattr__(self, "__signature__", inspect.signature(self.function))

    def __call__(self, params: Any, *args: Any, **kwargs: Any) -> Any:
        """The value at ``params``.

        Raises:
            ValueError: if the parameters do not have the structure and shapes of the start.
        """
        require_like(self.name, self.start, params)
        return self.function(jax.tree.map(jnp.asarray, params), *args, **kwargs)

    def __repr__(self) -> str:
        """The name and the tags of the problem."""
        return f"<Problem {self.name}: {', '.join(sorted(self.tags))}>"

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(np.size(leaf) for leaf in jax.tree.leaves(self.start))


def require_like(name: str, start: Any, params: Any) -> None:
    """Refuse parameters of another shape, which the function might silently accept.

    Raises:
        ValueError: naming both shapes.
    """
    expected, given = (jax.tree.map(np.shape, tree) for tree in (start, params))
    if given != expected:
        raise ValueError(f"{name} has parameters of shape {expected}, not {given}")


def tags(*always: Tag, **on_condition: bool) -> frozenset[Tag]:
    """The set of the given tags and of those keywords that are true."""
    chosen = cast(list[Tag], [tag for tag, holds in on_condition.items() if holds])
    return frozenset([*always, *chosen])


def point(*coordinates: float) -> np.ndarray:
    """A point as an array of float64."""
    return np.array(coordinates, np.float64)


def constant(value: Any, like: jax.Array) -> jax.Array:
    """A constant in the dtype of an array, so that it does not change the dtype of results."""
    return jnp.asarray(value, like.dtype)
