"""Proximal policy optimization with a learning rate that falls to zero, as CleanRL runs it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen
from flax.training.train_state import TrainState

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.runs import Run, assert_alike

pytestmark = [
    pytest.mark.slow,
    pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard"),
]

ENVIRONMENTS, HORIZON, UPDATES, EPOCHS, MINIBATCHES = 8, 32, 12, 4, 4
# A float, since optax evaluates a schedule of whole numbers in float32.
STEPS = float(UPDATES * EPOCHS * MINIBATCHES)
LEARNING_RATE, DISCOUNT, GAE, CLIP = 5e-3, 0.98, 0.95, 0.2


def reset(key):
    return jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)


def cart_pole(state, action, key):
    """A step of the pole on a cart (Barto, Sutton, Anderson 1983); it starts anew where it fell."""
    _, v, angle, rate = state
    force = jnp.where(action == 1, 10.0, -10.0)
    pull = (force + 0.05 * rate**2 * jnp.sin(angle)) / 1.1
    turn = (9.8 * jnp.sin(angle) - jnp.cos(angle) * pull) / (
        0.5 * (4 / 3 - 0.1 * jnp.cos(angle) ** 2 / 1.1)
    )
    push = pull - 0.05 * turn * jnp.cos(angle) / 1.1
    state = state + 0.02 * jnp.stack([v, push, rate, turn])
    fell = (jnp.abs(state[0]) > 2.4) | (jnp.abs(state[2]) > 12 * jnp.pi / 180)
    return jnp.where(fell, reset(key), state), fell


class ActorCritic(linen.Module):
    @linen.compact
    def __call__(self, state):
        def layers(outputs, scale):
            hidden = linen.Dense(32, param_dtype=float)(state)
            init = linen.initializers.orthogonal(scale)
            out = linen.Dense(outputs, param_dtype=float, kernel_init=init)
            return out(linen.tanh(hidden))

        return jax.nn.log_softmax(layers(2, 0.01)), layers(1, 1.0)[..., 0]


class Step(NamedTuple):
    """What is kept of a step of all environments."""

    state: jax.Array
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    fell: jax.Array


def of_action(log_probs, action):
    return jnp.take_along_axis(log_probs, action[..., None], -1)[..., 0]


def roll_out(agent, states, key):
    """The steps of a policy from the states of all environments."""

    def step(states, key):
        choice, world = jax.random.split(key)
        log_probs, value = agent.apply_fn(agent.params, states)
        action = jax.random.categorical(choice, log_probs)
        keys = jax.random.split(world, ENVIRONMENTS)
        after, fell = jax.vmap(cart_pole)(states, action, keys)
        return after, Step(states, action, of_action(log_probs, action), value, fell)

    return jax.lax.scan(step, states, jax.random.split(key, HORIZON))


def advantages(steps, last_value):
    """Generalised advantage estimates, with a reward of 1 for each step that ends upright."""

    def back(carry, step):
        advantage, next_value = carry
        error = (1 + DISCOUNT * next_value) * (1 - step.fell) - step.value
        advantage = error + DISCOUNT * GAE * (1 - step.fell) * advantage
        return (advantage, step.value), advantage

    start = (jnp.zeros_like(last_value), last_value)
    return jax.lax.scan(back, start, steps, reverse=True)[1]


def ppo_loss(params, apply_fn, steps, advantage, returns):
    log_probs, value = apply_fn(params, steps.state)
    ratio = jnp.exp(of_action(log_probs, steps.action) - steps.log_prob)
    scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    gain = jnp.minimum(ratio * scaled, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * scaled)
    entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
    return 0.5 * jnp.mean((value - returns) ** 2) - jnp.mean(gain) - 0.01 * jnp.mean(entropy)


def ppo(tx, log):
    """Train an agent, and log the falls in each roll-out, and ``log(opt_state)`` after it."""
    network = ActorCritic()
    params = network.init(jax.random.key(0), jnp.zeros(4))
    agent = TrainState.create(apply_fn=network.apply, params=params, tx=tx)
    flat = lambda x: x.reshape(ENVIRONMENTS * HORIZON, *x.shape[2:])  # noqa: E731

    def on_minibatch(agent, batch):
        loss, grads = jax.value_and_grad(ppo_loss)(agent.params, agent.apply_fn, *batch)
        return agent.apply_gradients(grads=grads), loss

    def update(carry, key):
        agent, states = carry
        roll_key, *epoch_keys = jax.random.split(key, 1 + EPOCHS)
        states, steps = roll_out(agent, states, roll_key)
        advantage = advantages(steps, agent.apply_fn(agent.params, states)[1])
        rows = jax.tree.map(flat, (steps, advantage, advantage + steps.value))

        def epoch(agent, key):
            order = jax.random.permutation(key, ENVIRONMENTS * HORIZON).reshape(MINIBATCHES, -1)
            return jax.lax.scan(on_minibatch, agent, jax.tree.map(lambda x: x[order], rows))

        agent, losses = jax.lax.scan(epoch, agent, jnp.stack(epoch_keys))
        return (agent, states), (losses, {"falls": steps.fell.sum()} | log(agent.opt_state))

    states = jax.vmap(reset)(jax.random.split(jax.random.key(1), ENVIRONMENTS))
    keys = jax.random.split(jax.random.key(2), UPDATES)
    (agent, _), (losses, logged) = jax.jit(jax.lax.scan, static_argnums=0)(
        update, (agent, states), keys
    )
    return Run(losses.ravel(), agent.params, logged)


def train(optax):
    schedule = optax.linear_schedule(LEARNING_RATE, 0.0, transition_steps=STEPS)
    tx = optax.chain(
        optax.clip_by_global_norm(0.5),
        optax.inject_hyperparams(optax.adam)(learning_rate=schedule, eps=1e-5),
    )
    return ppo(tx, lambda opt_state: {"rate": opt_state[1].hyperparams["learning_rate"]})


def optimizer():
    rate = gdlab.linear_schedule(LEARNING_RATE, 0.0, STEPS)
    return gdlab.chain(gdlab.clip_by_global_norm(0.5), gdlab.adam(rate, eps=1e-5))


def in_own_words(tx):
    def log(opt_state):
        return {"next_rate": gdlab.hyperparameters(tx, opt_state)["chain.1.learning_rate"]}

    return ppo(tx, log)


def agents_side_by_side():
    clip = gdlab.Axis("max_norm", [0.5, 5.0])
    rate = gdlab.Axis("learning_rate", [5e-4, 5e-3])
    tx = gdlab.set_hyperparameters(optimizer(), {"max_norm": clip, "init_value": rate})
    return gdlab.map_axes(in_own_words)(tx)


def test_an_agent_learns_alike_under_either_import_and_in_own_words():
    theirs = train(optax)
    assert_alike(theirs, train(moved))
    own = in_own_words(optimizer())
    next_rate = own.logged.pop("next_rate")
    assert_alike(theirs, own)
    np.testing.assert_allclose(theirs.logged["rate"] - next_rate, LEARNING_RATE / STEPS)
    falls = theirs.logged["falls"]
    assert falls[-5:].mean() < 0.4 * falls[:5].mean()


def test_agents_of_several_learning_rates_learn_in_one_program():
    agents = agents_side_by_side()
    assert agents.dims == ("max_norm", "learning_rate")
    falls = agents.values.logged["falls"][..., -5:].sum(axis=-1)
    assert np.all(falls[:, 1] < 0.5 * falls[:, 0])
    alone = in_own_words(optimizer()).losses
    # The order of sums depends on how many are computed together, and rounding errors grow fast
    # here: each step is taken where the steps before it have led.
    np.testing.assert_allclose(agents.values.losses[0, 1], alone, rtol=1e-9)
