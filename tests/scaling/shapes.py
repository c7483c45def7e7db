"""Networks of some width, as trees of shapes."""

import jax
import jax.numpy as jnp


def shapes(width, inputs=3, outputs=2):
    """An input layer, two hidden layers, the first four times as wide, and an output layer."""
    sizes = {
        "input.kernel": (inputs, width),
        "input.bias": (width,),
        "up.kernel": (width, 4 * width),
        "up.bias": (4 * width,),
        "down.kernel": (4 * width, width),
        "down.bias": (width,),
        "output.kernel": (width, outputs),
        "output.bias": (outputs,),
    }
    return {name: jax.ShapeDtypeStruct(size, jnp.float32) for name, size in sizes.items()}
