"""The loss on a plane through the parameters, and the path of training projected onto it."""

import math
import operator
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.analysis.curvature.eigenpairs import Eigenpairs, hessian_eigenpairs
from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.one_pass import in_memory
from gdlab.analysis.curvature.parameter_space import as_vector
from gdlab.analysis.landscapes.directions import (
    Directions,
    Kind,
    filter_directions,
    principal_directions,
    random_directions,
    require_a_plane,
)
from gdlab.analysis.landscapes.losses_at import Points, losses_at
from gdlab.analysis.landscapes.plane import Plane
from gdlab.checks.checked import checked
from gdlab.checks.kinds import LARGEST_LENGTH, Between, Count, Key
from gdlab.training.loader import is_loader
from gdlab.training.models import open_model

MARGIN = 0.2
"""The margin on each side of a path, as a fraction of its width and height."""

GridLength: TypeAlias = Annotated[int, Between(2, 10_000)]
"""A number of points along one side of a grid."""
Extent = float | tuple[tuple[float, float], tuple[float, float]]


class Landscape(NamedTuple):
    """A loss on the points w + x d₁ + y d₂ of a plane."""

    x: np.ndarray
    """The values along the first direction."""
    y: np.ndarray
    """The values along the second direction."""
    losses: np.ndarray
    """The loss at each point, of shape ``(len(y), len(x))``."""
    loss: float
    """The loss at the parameters w, which have the coordinates (0, 0)."""
    directions: Any
    """d₁ and d₂, a tree like the parameters with a leading axis of 2."""
    names: tuple[str, str]
    """The names of the directions, which label the axes of a picture."""
    path: np.ndarray | None = None
    """The coordinates of the path projected onto the plane, of shape ``(steps + 1, 2)``."""
    plane_losses: np.ndarray | None = None
    """The loss at the projected points, of shape ``(steps + 1,)``."""
    path_losses: np.ndarray | None = None
    """The loss at the points of the path itself, of shape ``(steps + 1,)``."""
    explained_variance: float | None = None
    """The share of the variance of the path's points that lies in the plane, from 0 to 1."""

    @property
    def gap(self) -> np.ndarray | None:
        """The true loss along the path minus the loss of its projection onto the plane.

        A picture cannot show this difference, since the path does not lie in the plane.
        """
        if self.path_losses is None or self.plane_losses is None:
            return None
        return self.path_losses - self.plane_losses

    def plot(self, ax: Any = None) -> Any:
        """Draw the contours of the loss, and the path; needs the extra ``lab``."""
        from gdlab import plots

        return plots.landscape(
            self.x, self.y, self.losses, path=self.path,
            plane_losses=self.plane_losses, path_losses=self.path_losses,
            explained_variance=self.explained_variance, names=self.names, ax=ax,
        )  # fmt: skip

    def plot_surface(self, ax: Any = None) -> Any:
        """Draw the loss as a surface, with both losses along the path; needs the extra ``lab``."""
        from gdlab import plots

        return plots.landscape_surface(
            self.x, self.y, self.losses, path=self.path, plane_losses=self.plane_losses,
            path_losses=self.path_losses, names=self.names, ax=ax,
        )  # fmt: skip


@checked
def landscape(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    directions: Kind | Any = "filter",
    path: Any = None,
    extent: Extent | None = None,
    points: GridLength | tuple[GridLength, GridLength] = 41,
    batch_size: Count | None = None,
    key: Key | None = None,
    progress: bool = True,
) -> Landscape:
    """The loss on a grid in a plane through the parameters: L(w + x d₁ + y d₂).

    ``directions`` chooses the two directions that span the plane:

    - ``"filter"``: random directions, each filter scaled to its norm in the parameters. The last
      axis of an array counts its filters: the columns of a dense kernel, the output channels of a
      convolution. Biases and other arrays with fewer than two axes do not move, as in the authors'
      code. In a ReLU network without biases, scaling a layer up and the next one down changes
      neither the function nor this picture, so that pictures of two networks can be compared.
    - ``"pca"``: the first two principal components of the path.
    - ``"hessian"``: the eigenvectors of the two largest eigenvalues of the Hessian.
    - ``"random"``: two random directions.
    - a tree like ``params`` with a leading axis of 2, such as the ``directions`` of another
      landscape, so that the held-out loss is seen on the same plane.

    The directions of PCA, the Hessian and ``"random"`` are orthonormal, so that lengths in the
    picture are lengths in parameter space. Random directions, filter-normalised or not, show almost
    nothing of a path: see ``explained_variance``.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data; a real scalar.
        params: w, a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`;
            computations use the widest of their dtypes, and at least float32.
        data: a tree of arrays with a leading axis of examples; or a loader, an iterable of batches
            that ends, of which one pass is read a few batches at a time (but held in memory for
            ``"hessian"``). The loss is the mean over all examples.
        directions: the kind of directions, or a tree of two.
        path: a tree or model like ``params`` with a leading axis of steps, such as the path of
            :func:`gdlab.minimize`. It is projected onto the plane by least squares.
        extent: the region of the plane: e for [−e, e]², or ((left, right), (bottom, top)). By
            default it contains the path, and at least [−1, 1]² for ``"filter"`` and without a path.
        points: the number of grid points along x and y, at most a million in total.
        batch_size: the number of examples in memory at a time; ``None`` for all. A loader has its
            own batch sizes.
        key: the PRNG key of random directions; ``None`` for a fixed key.
        progress: whether to show a progress bar, in a terminal or a notebook.

    Raises:
        TypeError: if a parameter is not real, the loss no real scalar, or takes a key.
        ValueError: if the path or directions are not like ``params``, or span no plane; if
            ``"pca"`` has no path; if parameters or path are not finite, or the model draws random
            numbers.
        ImportError: if matfree, which ``"hessian"`` needs, is not installed.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, sgd
    >>> from gdlab.analysis import landscape
    >>> loss = lambda w: jnp.array([4.0, 1.0, 0.0]) @ w**2 / 2
    >>> run = minimize(loss, jnp.array([1.0, 1.0, 1.0]), sgd(0.2), steps=50)
    >>> found = landscape(loss, run.params, path=run.path, directions="pca", points=5)
    >>> found.losses.shape, round(found.explained_variance, 4)
    ((5, 5), 1.0)
    >>> bool(abs(found.gap).max() < 1e-5)
    True

    Source: H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, Visualizing the Loss Landscape of
    Neural Nets, 2018.
    """
    model = open_model(params)
    mean_loss, params = MeanLoss.of(loss, model, data, batch_size)
    require_a_plane(params)
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
        raise ValueError("params are not finite; give those of a run that did not diverge")
    if not is_loader(data):
        data = jax.tree.map(jnp.asarray, data)
    elif isinstance(directions, str) and directions == "hessian":
        data = in_memory(data)
    if path is not None:
        path = _stacked("path", path, params)
        _require_finite(path)
    key = jax.random.key(0) if key is None else key

    def eigenpairs() -> Eigenpairs:
        return hessian_eigenpairs(loss, model, data, k=2, batch_size=batch_size, key=key)

    vectors, names = _directions(directions, params, path, key, eigenpairs)
    plane = Plane.spanned_by(vectors, params)
    track = None if path is None else plane.project(path)
    is_filter = isinstance(directions, str) and directions == "filter"
    x, y = _axes(extent, points, track, at_least=1.0 if is_filter or track is None else 0.0)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    seen = np.concatenate([grid, np.zeros((1, 2)), np.zeros((0, 2)) if track is None else track])

    groups = [Points(len(seen), lambda members: plane.at(seen[members]))]
    if track is not None:
        of_path = lambda members: jax.tree.map(lambda leaf: leaf[members], path)  # noqa: E731
        groups.append(Points(len(track), of_path))
    on_plane, *path_losses = losses_at(mean_loss, groups, params, data, progress)
    found = Landscape(
        x, y, on_plane[: len(grid)].reshape(len(y), len(x)), float(on_plane[len(grid)]),
        vectors, names,
    )  # fmt: skip
    if track is None:
        return found
    return found._replace(
        path=track,
        plane_losses=on_plane[len(grid) + 1 :],
        path_losses=path_losses[0],
        explained_variance=plane.explained_variance(path),
    )


def _stacked(name: str, tree: Any, params: Any, size: int | None = None) -> Any:
    """A tree like the parameters with a leading axis, in their dtype.

    Raises:
        ValueError: if the tree does not have the structure and shapes of the parameters.
    """
    leaves = jax.tree.leaves(open_model(tree).params)
    if size is None:
        size = leaves[0].shape[0] if leaves and np.ndim(leaves[0]) else 0
    if not size:
        raise ValueError(f"{name} must be a tree like params with a leading axis of steps")
    rows = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (size, *leaf.shape)), params)
    return as_vector(name, tree, rows)


def _require_finite(path: Any) -> None:
    """Refuse the path of a run that diverged.

    Raises:
        ValueError: naming its first point that is not finite.
    """
    leaves = jax.tree.leaves(path)
    finite = np.all(
        [np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1) for leaf in leaves], axis=0
    )
    if not finite.all():
        step = int(np.argmin(finite))
        raise ValueError(
            f"path is not finite from step {step} on; give what comes before, as in "
            f"jax.tree.map(lambda leaf: leaf[:{step}], path)"
        )


def _directions(
    directions: Any,
    params: Any,
    path: Any,
    key: jax.Array,
    eigenpairs: Callable[[], Eigenpairs],
) -> Directions:
    if not isinstance(directions, str):
        vectors = _stacked("directions", directions, params, 2)
        return Directions(vectors, ("direction 1", "direction 2"))
    if directions == "filter":
        return filter_directions(params, key)
    if directions == "random":
        return random_directions(params, key)
    if directions == "pca":
        if path is None:
            raise ValueError("directions='pca' are those of a path: give path=run.path")
        return principal_directions(params, path)
    if directions == "hessian":
        pairs = eigenpairs()
        first, second = (f"eigenvector of λ = {float(value):.3g}" for value in pairs.values)
        return Directions(pairs.vectors, (first, second))
    raise ValueError(
        f"directions must be one of {list(get_args(Kind))} or a tree like params with a leading "
        f"axis of 2, but is {directions!r}"
    )


def _axes(
    extent: Extent | None,
    points: GridLength | tuple[GridLength, GridLength],
    track: np.ndarray | None,
    at_least: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The values along the axes.

    Raises:
        ValueError: if sizes do not fit.
    """
    if extent is None:
        ends = np.array([[-at_least, at_least]] * 2)
        if track is not None:
            low, high = np.minimum(track.min(axis=0), 0), np.maximum(track.max(axis=0), 0)
            # Leave some width even if the path runs along one axis.
            width = np.maximum(high - low, 0.1 * np.max(high - low))
            low, high = (low + high - width) / 2, (low + high + width) / 2
            ends[:, 0] = np.minimum(ends[:, 0], low - MARGIN * width)
            ends[:, 1] = np.maximum(ends[:, 1], high + MARGIN * width)
    else:
        ends = np.asarray(extent, float)
        if ends.ndim == 0:
            ends = np.array([[-ends, ends]] * 2)
    if ends.shape != (2, 2) or not np.isfinite(ends).all() or not np.all(ends[:, 0] < ends[:, 1]):
        raise ValueError(
            f"extent must be a positive number or ((left, right), (bottom, top)), not {extent}"
        )
    counts = [operator.index(count) for count in np.broadcast_to(points, 2)]
    if math.prod(counts) > LARGEST_LENGTH:
        raise ValueError(
            f"points must be at most {LARGEST_LENGTH} together, not {counts[0]} × {counts[1]}"
        )
    x, y = (np.linspace(low, high, n) for (low, high), n in zip(ends, counts, strict=True))
    return x, y
