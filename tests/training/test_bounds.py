"""The faces of a box, as the projected search of Bertsekas asks for them."""

import jax.numpy as jnp
import numpy as np

from gdlab.training.bounds import Box


def test_a_parameter_is_held_at_a_bound_against_which_the_gradient_pushes_it():
    # Bertsekas 1982, with α → 0: {i | xᵢ = 0, ∂f/∂xᵢ > 0}, and its mirror image at an upper bound.
    expected = {
        (-1.0, 1.0): True,
        (-1.0, 0.0): False,
        (-1.0, -1.0): False,
        (0.5, 1.0): False,
        (0.5, -1.0): False,
        (2.0, 1.0): False,
        (2.0, 0.0): False,
        (2.0, -1.0): True,
    }
    params, grad = jnp.array([*expected]).T
    held = np.array([*expected.values()])
    box = Box.of((-1.0, 2.0), params)
    face = box.face_at(params, grad)
    np.testing.assert_array_equal(face.held, held)
    np.testing.assert_array_equal(face.free(grad), np.where(held, 0, grad))
    # A step of 9 in any direction leaves those that are held in their place.
    for step in (-9.0, 9.0):
        moved = np.where(held, params, np.clip(params + step, -1, 2))
        np.testing.assert_array_equal(face.project(params + step), moved)
