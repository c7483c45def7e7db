"""DiLoCo at special numbers, beside torch, and on two workers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, STEPS, agree, gdlab_path, path_along

pytestmark = pytest.mark.x64

inner = gdlab.sgd(0.05, 0.9)


def path(tx):
    return gdlab_path(lambda lr: tx)


def test_with_a_whole_outer_step_it_is_the_inner_method():
    agree(path(gdlab.diloco(inner, 1.0, 0.0, every=4)), path(inner))


def test_without_outer_momentum_it_is_lookahead():
    agree(path(gdlab.diloco(inner, 0.5, 0.0, every=4)), path(gdlab.lookahead(inner, 4, 0.5)))


def test_outer_step_is_nesterovs_of_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    every, slow = 5, torch.tensor(PARAMS, requires_grad=True)
    outer = torch.optim.SGD([slow], lr=0.7, momentum=0.9, nesterov=True)
    fast = PARAMS.copy()
    for step in range(STEPS):
        fast = fast - 0.05 * GRADS[step]
        if step % every == every - 1:
            slow.grad = torch.tensor(slow.detach().numpy() - fast)
            outer.step()
            fast = slow.detach().numpy().copy()
    agree(path(gdlab.diloco(gdlab.sgd(0.05), every=every))[-1], fast)


@gdlab.leafwise
def mean_over_workers():
    """The mean of what all workers have."""
    return lambda u: jax.lax.pmean(u, "workers")


def test_two_workers_step_along_the_mean_of_their_distances():
    every, nesterov = 5, gdlab.sgd(0.7, 0.9, nesterov=True)
    tx = gdlab.slow_weights(
        gdlab.sgd(0.05), gdlab.chain(mean_over_workers(), nesterov), every=every
    )
    grads = np.stack([GRADS, -0.5 * GRADS[::-1]])
    workers = jax.sharding.Mesh(jax.devices()[:2], ("workers",))

    def run(grads):
        return path_along(tx, grads[0], jnp.asarray(PARAMS))[None]

    spread = jax.P("workers")
    run = jax.shard_map(run, mesh=workers, in_specs=spread, out_specs=spread, check_vma=False)
    paths = jax.jit(run)(jnp.asarray(grads))
    slow, velocity = PARAMS, 0.0
    fast = np.stack([slow, slow])
    for step in range(STEPS):
        fast = fast - 0.05 * grads[:, step]
        if step % every == every - 1:
            delta = slow - fast.mean(0)
            velocity = 0.9 * velocity + delta
            slow = slow - 0.7 * (delta + 0.9 * velocity)
            fast = np.stack([slow, slow])
    agree(paths[:, -1], fast)
