"""AdamW with caution, whose libraries normalise its mask in different ways, or mask nothing."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import add_decayed_weights, cautious, chain, scale_by_adam, scale_by_learning_rate
from tests.oracles.adaptive_averages import adamw_with_caution
from tests.paths import GRADS, PARAMS, agree, differ, gdlab_path

pytestmark = pytest.mark.x64


def steps(tx):
    """The directions of Adam and what becomes of them."""
    state, every = tx.init(jnp.asarray(PARAMS)), []
    for g in GRADS:
        u, state = tx.update(jnp.asarray(g), state, jnp.asarray(PARAMS))
        every.append(np.asarray(u))
    return np.stack(every)


def test_mask_is_normalised_as_in_the_paper_and_not_by_its_mean():
    """d/(Σφ + 1) (paper, c_lion), not 1/max(mean φ, 1e-3) (c_adamw) or 1/(mean φ + ε) (others)."""
    plain, careful = steps(scale_by_adam()), steps(cautious(scale_by_adam(), descends=False))
    phi = plain * GRADS > 0
    count = phi.sum(axis=1, keepdims=True)
    agree(careful, plain * phi * (phi.shape[1] / (count + 1)))
    assert differ(careful, plain * phi / np.maximum(phi.mean(axis=1, keepdims=True), 1e-3))


def test_mask_compares_with_the_gradient_and_not_with_the_momentum_itself():
    """Masked by m·m, as one path of c_adamw has it, nothing would ever be dropped."""
    plain, careful = steps(scale_by_adam()), steps(cautious(scale_by_adam(), descends=False))
    dropped = (plain != 0) & (careful == 0)
    assert dropped.any()
    np.testing.assert_array_equal(dropped, (plain != 0) & (plain * GRADS <= 0))


def test_decay_is_spared_the_mask():
    whole = lambda lr: cautious(  # noqa: E731
        chain(scale_by_adam(eps=1e-3), add_decayed_weights(0.1), scale_by_learning_rate(lr))
    )
    assert differ(gdlab_path(whole), gdlab_path(lambda lr: adamw_with_caution(lr, 1e-3, 0.1)))
