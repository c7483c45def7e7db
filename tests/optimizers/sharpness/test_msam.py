"""Momentum-SAM beside torch's momentum, and what it evaluates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, STEPS, agree, gdlab_path

pytestmark = pytest.mark.x64


def test_weights_are_those_of_torchs_momentum_on_gradients_at_a_distance():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tx = gdlab.msam(gdlab.sgd(0.05, 0.9), 0.3)
    curvatures = np.array([0.1, 1.0, 3.0, 0.5, 2.0])
    x = torch.tensor(PARAMS, requires_grad=True)
    momentum = torch.optim.SGD([x], lr=0.05, momentum=0.9)
    ours, state = jnp.asarray(PARAMS), tx.init(jnp.asarray(PARAMS))
    there = PARAMS
    for _ in range(STEPS):
        updates, state = tx.update(curvatures * ours, state, ours)
        ours = gdlab.apply_updates(ours, updates)
        x.grad = torch.tensor(curvatures * there)
        momentum.step()
        v = momentum.state[x]["momentum_buffer"].numpy()
        weights = x.detach().numpy()
        there = weights - 0.3 * v / np.linalg.norm(v)
        agree(gdlab.evaluation_params(state, ours), weights)
        agree(ours, there)
        assert np.linalg.norm(ours - weights) == pytest.approx(0.3)


def test_without_a_distance_it_is_the_inner_method():
    inner = gdlab.adam(0.1)
    agree(gdlab_path(lambda lr: gdlab.msam(inner, 0.0)), gdlab_path(lambda lr: inner))


def test_probe_in_proportion_to_the_step_makes_nesterovs_method_of_momentum():
    # The last step of momentum is −ηv, and the look-ahead point is w − ηβv.
    ahead = gdlab.train_ahead(gdlab.sgd(0.1, 0.8), gdlab.scale(0.8))
    rewritten = gdlab.sgd(0.1, 0.8, nesterov=True)
    agree(gdlab_path(lambda lr: ahead), gdlab_path(lambda lr: rewritten))


def test_parameters_without_a_gradient_stay():
    tx = gdlab.msam(gdlab.sgd(0.1, 0.9))
    params = {"w": jnp.asarray(GRADS[0]), "frozen": jnp.ones(2)}
    state = tx.init(params)
    updates, after = tx.update({"w": params["w"], "frozen": None}, state, params)
    assert updates["frozen"] is None
    assert jax.tree.structure(after) == jax.tree.structure(state)
