"""Adam-mini: blocks that share a second moment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, differ, gdlab_path

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(15)
STEPS = 10
RATES = np.linspace(0.3, 0.1, STEPS)
CUBE = RANDOM.normal(size=(4, 3, 2))
GRADS = RANDOM.normal(size=(STEPS, 4, 3, 2))


def path(grads=GRADS, params=CUBE, **settings):
    return gdlab_path(lambda lr: gdlab.adam_mini(lr, **settings), RATES, grads, params)


def test_with_blocks_of_one_element_it_is_adamw():
    adamw = gdlab_path(lambda lr: gdlab.adamw(lr, weight_decay=0.1), RATES, GRADS, CUBE)
    agree(path(block="element"), adamw)
    assert differ(path(), adamw)


def test_turning_a_block_turns_its_path():
    turn = np.linalg.qr(RANDOM.normal(size=(4, 4)))[0]
    turned = path(np.einsum("ab,tbcd->tacd", turn, GRADS), np.einsum("ab,bcd->acd", turn, CUBE))
    agree(turned, np.einsum("ab,tbcd->tacd", turn, path()), rtol=1e-10, atol=1e-11)


def test_a_block_moves_as_it_would_alone():
    heads = path(block=[("", (0, 2))])
    for head in range(3):
        agree(heads[:, :, head], path(GRADS[:, :, head], CUBE[:, head], block="array"))


def test_blocks_are_chosen_by_leaf_and_one_number_is_kept_for_each():
    tx = gdlab.adam_mini(0.1, block=[("query", (0, 2)), ("embed", 1), ("", "unit")])
    shapes = {"query": (4, 3, 2), "embed": (5, 4), "kernel": (4, 6), "bias": (6,), "scale": ()}
    state = tx.init({name: jnp.zeros(shape) for name, shape in shapes.items()})
    assert jax.tree.map(jnp.shape, state.nu) == {
        "query": (1, 3, 1),
        "embed": (5, 1),
        "kernel": (1, 6),
        "bias": (1,),
        "scale": (),
    }


def test_a_block_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match='a block is "unit", "array", "element", or a tuple'):
        gdlab.mean_over_block("head")
    tx = gdlab.mean_over_block(lambda params: "head")
    with pytest.raises(ValueError, match='a block is "unit", "array", "element", or a tuple'):
        tx.update(jnp.asarray(CUBE), tx.init(jnp.asarray(CUBE)))


def test_an_axis_that_an_array_does_not_have_is_passed_over():
    tx = gdlab.fork(jnp.subtract, gdlab.identity(), gdlab.mean_over_block([("", (0, 2))]))
    tree = {"matrix": jnp.asarray(CUBE[0]), "scalar": jnp.array(3.0)}
    found = tx.update(tree, tx.init(tree))[0]
    np.testing.assert_allclose(found["matrix"], CUBE[0] - np.mean(CUBE[0], 0), atol=1e-15)
    assert found["scalar"] == 0
