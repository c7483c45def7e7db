"""The maps and the captions of each layer in a picture of a network."""

import dataclasses
from typing import Any

import numpy as np

from gdlab.plots.networks.maps import Maps, maps_of
from gdlab.problems.layers import Layer
from gdlab.problems.problem import Problem


@dataclasses.dataclass(frozen=True, eq=False)
class Column:
    """A layer in the picture: its feature maps, with captions above and below."""

    name: str
    maps: Maps
    size: str
    """The caption of the output's shape, such as ``"28×28"``."""
    kernel: tuple[int, ...] = ()
    """The shape of the kernel; empty if the layer has no weights."""
    layer: Layer = Layer()  # noqa: RUF009
    """The way in which the kernel is applied: its stride and skip connection."""
    use: str = ""
    """The caption that tells how the weights are used."""
    weights: str = ""
    """The caption with the number of weights."""
    instead: str = ""
    """The caption with the number of weights that a dense layer between the same maps would
    have."""


def columns_of(
    problem: Problem, params: Any, image: np.ndarray, answer: np.ndarray, most: int
) -> list[Column]:
    """The columns for the image, layers and classes, with at most ``most`` channels each."""
    counted = sum(leaf.size for layer in params.values() for leaf in layer.values())
    height, width, _ = image.shape
    first = maps_of(image, most)
    columns = [Column("image", first, f"{height}×{width}", weights=f"in all\n{counted:,} weights")]
    activations: Any = problem.activations
    before = image
    for name, array in activations(params, image[None]).items():
        now = np.asarray(array)[0]
        maps = maps_of(now, most)
        if name in params:
            layer, how = params[name], problem.layers[name]
            columns.append(_weighted(name, maps, layer, how, before.size, now.size))
        else:
            columns.append(Column(name, maps, f"{now.size} means", use="over all places"))
        before = now
    out = maps_of(answer, len(answer))
    last = _weighted("out", out, params["out"], Layer(), before.size, out.total)
    return [*columns, dataclasses.replace(last, size=f"{out.total} classes")]


def _weighted(name: str, maps: Maps, params: Any, layer: Layer, before: int, after: int) -> Column:
    """The column of a layer with weights, from ``before`` inputs to ``after`` outputs."""
    kernel = params["kernel"].shape
    bias = params["bias"].size if "bias" in params else 0
    product = "·".join(map(str, (9, *kernel[2:]) if len(kernel) == 4 else kernel))
    weights = f"{product}{f' + {bias}' if bias else ''}\n= {int(np.prod(kernel)) + bias:,} weights"
    if len(kernel) == 2:
        use = "a weight for each pair of values"
        return Column(name, maps, _shown(maps, "units"), kernel, layer, use, weights)
    *sides, inputs, _ = kernel
    use = f"the same {'×'.join(map(str, (*sides, inputs)))} weights at every place"
    size = f"{_shown(maps, 'channels')} {maps.side}×{maps.side}\nstride {layer.stride}"
    dense = f"a dense layer:\n{before * after + (after if bias else 0):,}"
    return Column(name, maps, size, kernel, layer, use, weights, dense)


def _shown(maps: Maps, what: str) -> str:
    drawn = f"{maps.channels} of " if maps.channels < maps.total else ""
    return f"{drawn}{maps.total} {what}"
