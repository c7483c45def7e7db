"""Small networks that read digits: dense ones and convolutional ones."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between
from gdlab.losses.classification import softmax_cross_entropy_with_integer_labels
from gdlab.problems.bundled_data import digits
from gdlab.problems.layers import (
    Layer,
    activations,
    affine,
    dropped_out,
    shifted_at_random,
    started,
)
from gdlab.problems.problem import Problem, tags

SOURCE = "E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits, 1998"
CLASSES, SIDE = 10, 8
MAX_WIDTH = 10_000
"""The largest number of features of a layer; a larger number counts as a mistake."""
MAX_LAYERS = 1000
"""The largest number of layers in a network, and of blocks in a stage; larger ones are refused."""


@checked
def dense_network(
    widths: Sequence[int] = (32,),
    *,
    skip: bool = False,
    bias: bool = True,
    dropout: float = 0.0,
    shift: int = 0,
) -> Problem:
    """A network of dense layers that reads digits.

    hᵢ₊₁ = relu(hᵢ Wᵢ + bᵢ), with skip connections hᵢ₊₁ = hᵢ + relu(hᵢ Wᵢ + bᵢ) between layers of
    equal width; the loss is the mean cross-entropy of hₙWₙ + bₙ

    The parameters are {"dense0": {"kernel", "bias"}, …, "out": …}, and the start is
    ``problem.init(jax.random.key(0))``. ``problem.model(params, images)`` returns the logits. With
    a key, images are shifted and features dropped at random, as in training; without a key, neither
    is done.

    Initial kernels have the variance 2/fan-in, which preserves the size of features from layer to
    layer. With skip connections each layer *adds* to the features, so the kernels of n such layers
    are scaled by 1/n, which bounds the growth at any depth.

    It needs scikit-learn.

    Args:
        widths: the widths of the hidden layers.
        skip: whether there are skip connections.
        bias: whether layers have a bias. Without it, scaling a layer up and the next one down by
            the same factor changes nothing.
        dropout: the probability with which each input of the last layer is dropped, from 0 to below
            1.
        shift: the largest random shift of images in either direction, in pixels.

    Raises:
        ValueError: if sizes do not fit, or ``dropout`` is not a probability below 1.

    >>> import jax
    >>> from gdlab import adam, minimize, problems
    >>> problem = problems.dense_network([16])
    >>> setting = dict(data=problem.data, batch_size=64, key=jax.random.key(0), keep_path=False)
    >>> run = minimize(problem, problem.start, adam(0.01), 200, **setting)
    >>> measures = problems.measure_network(problem, run.params)
    >>> measures.weights, measures.accuracy > 0.9
    (1210, True)

    Source: K. He et al., Deep residual learning for image recognition, 2016, for the skip
    connections; B. Hanin, D. Rolnick, How to start training: the effect of initialization and
    architecture, 2018, for their start; the digits are E. Alpaydin's and C. Kaynak's, 1998.
    """
    _require_positive("widths", widths)
    sizes = (SIDE * SIDE, *widths)
    is_branch = [skip and i > 0 and sizes[i] == width for i, width in enumerate(widths)]

    layers = {f"dense{i}": Layer(skip=each) for i, each in enumerate(is_branch)}
    shapes = {f"dense{i}": (sizes[i], width) for i, width in enumerate(widths)}
    shapes["out"] = (sizes[-1], CLASSES)
    name = f"dense network, {'-'.join(map(str, widths))}"
    return _problem(name, layers, shapes, bias, dropout, shift, skip)


@checked
def convolutional_network(
    channels: Sequence[int] = (8, 16, 32),
    strides: Sequence[int] | None = None,
    *,
    blocks: Annotated[int, Between(0, MAX_LAYERS)] = 0,
    skip: bool = True,
    pool: bool = False,
    bias: bool = True,
    dropout: float = 0.0,
    shift: int = 0,
) -> Problem:
    """A convolutional network that reads digits.

    Each stage is a 3×3 convolution with a stride and a relu, followed by ``blocks`` more without a
    stride, x ← x + relu(x ∗ K + b) with skip connections and x ← relu(x ∗ K + b) without. The last
    feature maps, flattened or averaged over all positions, go into a dense layer; the loss is the
    mean cross-entropy.

    The parameters are {"conv0": {"kernel", "bias"}, "conv0block0": …, …, "out": …}, kernels of
    shape (3, 3, in, out); they start as those of :func:`dense_network`. Convolutions are products
    with patches: inside ``jax.lax.scan`` on a CPU, the gradient of ``jax.lax.conv`` is several
    times slower.

    It needs scikit-learn.

    Args:
        channels: the number of channels of each stage.
        strides: the stride of each stage; by default 1 for the first and 2 for the others.
        blocks: the number of further convolutions in each stage.
        skip: whether the further convolutions have skip connections.
        pool: whether the last feature maps are averaged over all positions, which makes the network
            less sensitive to shifts.
        bias: as for :func:`dense_network`.
        dropout: as for :func:`dense_network`.
        shift: as for :func:`dense_network`.

    Raises:
        ValueError: as for :func:`dense_network`, or if there is not one stride for each stage.

    >>> from gdlab import problems
    >>> problem = problems.convolutional_network((4, 8))
    >>> problem.start["conv1"]["kernel"].shape, problem.start["out"]["kernel"].shape
    ((3, 3, 4, 8), (128, 10))

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998; K. He
    et al., Deep residual learning for image recognition, 2016, for the skip connections; B. Hanin,
    D. Rolnick, How to start training: the effect of initialization and architecture, 2018, for
    their start.
    """
    _require_positive("channels", channels)
    if strides is None:
        strides = (1, *[2] * (len(channels) - 1))
    _require_positive("strides", strides)
    if len(strides) != len(channels):
        raise ValueError(f"strides: there are {len(channels)} channels, but {len(strides)} strides")
    side = SIDE
    for stride in strides:
        side = (side - 1) // stride + 1
    before = (1, *channels)

    layers: dict[str, Layer] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (count, stride) in enumerate(zip(channels, strides, strict=True)):
        layers[f"conv{i}"] = Layer(stride)
        shapes[f"conv{i}"] = (3, 3, before[i], count)
        for j in range(blocks):
            layers[f"conv{i}block{j}"] = Layer(skip=skip)
            shapes[f"conv{i}block{j}"] = (3, 3, count, count)
    shapes["out"] = ((1 if pool else side * side) * channels[-1], CLASSES)
    name = f"convolutional network, {'-'.join(map(str, channels))}"
    return _problem(name, layers, shapes, bias, dropout, shift, skip and blocks > 0, pool)


def _problem(
    name: str,
    layers: Mapping[str, Layer],
    shapes: Mapping[str, tuple[int, ...]],
    bias: bool,
    dropout: float,
    shift: int,
    skip: bool,
    pool: bool = False,
) -> Problem:
    """The problem of training a network with these hidden layers."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and less than 1, not {dropout}")
    if not 0 <= shift < SIDE:
        raise ValueError(f"shift must be from 0 to {SIDE - 1}, not {shift}")
    is_random = dropout > 0 or shift > 0

    @jax.jit
    def init(key: jax.Array) -> Any:
        return started(key, layers, shapes, bias)

    def by_layer(params: Any, images: Any) -> dict[str, jax.Array]:
        params = jax.tree.map(jnp.asarray, params)
        found = activations(layers, params, jnp.asarray(images, params["out"]["kernel"].dtype))
        if pool:
            found["pool"] = jnp.mean([*found.values()][-1], axis=(1, 2))
        return found

    def features(params: Any, images: Any) -> jax.Array:
        return [*by_layer(params, images).values()][-1].reshape(len(images), -1)

    def model(params: Any, images: Any, key: jax.Array | None = None) -> jax.Array:
        out = jax.tree.map(jnp.asarray, params["out"])
        if key is None or not is_random:
            return affine(out, features(params, images))
        images = jnp.asarray(images, out["kernel"].dtype)
        shift_key, dropout_key = jax.random.split(key)
        x = features(params, shifted_at_random(shift_key, images, shift))
        return affine(out, dropped_out(dropout_key, x, dropout))

    def loss(params: Any, batch: Any) -> jax.Array:
        images, labels = batch
        return jnp.mean(softmax_cross_entropy_with_integer_labels(model(params, images), labels))

    def random_loss(params: Any, batch: Any, key: jax.Array | None = None) -> jax.Array:
        images, labels = batch
        logits = model(params, images, key)
        return jnp.mean(softmax_cross_entropy_with_integer_labels(logits, labels))

    train, held_out = digits()
    return Problem(
        function=random_loss if is_random else loss,
        name=name + (" with skip connections" if skip else ""),
        start=jax.tree.map(np.asarray, init(jax.random.key(0))),
        source=SOURCE,
        tags=tags("network", "data", "multimodal", noise=is_random),
        data=train,
        held_out=held_out,
        model=model,
        layers=layers,
        activations=by_layer,
        init=init,
    )


def _require_positive(name: str, sizes: Sequence[int]) -> None:
    if not sizes or min(sizes) < 1:
        raise ValueError(f"{name} must be a list of positive integers, not {sizes!r}")
    if len(sizes) > MAX_LAYERS:
        raise ValueError(f"{name} must be at most {MAX_LAYERS} layers, not {len(sizes)}")
    if max(sizes) > MAX_WIDTH:
        raise ValueError(f"{name} must be at most {MAX_WIDTH} each, not {max(sizes)}")
