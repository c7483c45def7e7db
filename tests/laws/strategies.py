"""Random links, gradients and trees: what the laws of the algebra are asked about."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import gdlab

SHAPES = {"weight": (2, 3), "bias": (3,), "scale": ()}
"""Leaves of ranks 2, 1 and 0. One set of shapes, so that examples share their programs."""

STEPS = 3

fractions = st.floats(0.125, 0.9375, width=32)
rates = st.floats(2**-10, 2.0, width=32)


@st.composite
def links(draw):
    """A link with random hyperparameters: linear, nonlinear, counting, or about the whole tree."""
    make = draw(
        st.sampled_from(
            [
                lambda: gdlab.scale(draw(rates)),
                lambda: gdlab.ema(draw(fractions)),
                lambda: gdlab.debias(gdlab.ema(draw(fractions))),
                lambda: gdlab.trace(draw(fractions), nesterov=True),
                lambda: gdlab.clip_by_global_norm(draw(rates)),
                lambda: gdlab.add_decayed_weights(draw(rates)),
                lambda: gdlab.scale_by_adam(draw(fractions), draw(fractions)),
            ]
        )
    )
    return make()


def leaves(shape):
    return arrays.arrays(
        np.float32, shape, elements=st.floats(-3, 3, width=16, allow_subnormal=False)
    )


trees = st.fixed_dictionaries({name: leaves(shape) for name, shape in SHAPES.items()})
gradient_sequences = st.lists(trees, min_size=STEPS, max_size=STEPS)


def run(tx, gradients, params):
    """The updates that a transformation makes of a sequence of gradients, at fixed parameters."""
    state = tx.init(params)
    updates = []
    for gradient in gradients:
        update, state = tx.update(gradient, state, params)
        updates.append(update)
    return updates, state
