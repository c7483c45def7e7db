"""Sizes of activations over width, on networks whose sizes are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import adam, sgd
from gdlab.scaling import coordinate_check, mup, standard
from gdlab.scaling.coordinates.coordinate_check import CoordinateCheck

WIDTHS = (64, 512)
X = jax.random.normal(jax.random.key(7), (8, 5))


def init(width):
    def draw(key):
        sizes = {"input": (5, width), "hidden": (width, width), "output": (width, 3)}
        keys = jax.random.split(key, len(sizes))
        return {
            name: jax.random.normal(key, size) / np.sqrt(size[0])
            for key, (name, size) in zip(keys, sizes.items(), strict=True)
        }

    return draw


def activations(params, x):
    first = jnp.tanh(x @ params["input"])
    second = jnp.tanh(first @ params["hidden"])
    return {"input": first, "hidden": second, "output": second @ params["output"]}


def loss(params, x):
    return jnp.mean((activations(params, x)["output"] - 1.0) ** 2)


def checked(parametrization, tx, steps=3):
    inits = {width: parametrization.init(init(width)) for width in WIDTHS}
    return coordinate_check(activations, loss, inits, parametrization.optimizer(tx), X, steps=steps)


def test_under_the_maximal_update_parametrisation_sizes_agree_and_under_the_standard_they_grow():
    flat = checked(mup(init(WIDTHS[0])), adam(0.002), steps=1)
    assert flat.failures() == ()
    assert flat.verdict().startswith("Sizes agree over width: from width 64 to 512 after 1 step")
    grows = checked(standard(), adam(0.002), steps=1)
    # A step of Adam moves every weight by the rate, and so a sum over the width by width times it.
    assert grows.slope("hidden").value == pytest.approx(1.0, abs=0.15)
    assert grows.verdict().startswith("Sizes depend on the width")
    assert "the change of output grows like width^+" in grows.verdict()
    assert abs(grows.slope("input").value) < 0.1


@pytest.mark.slow
def test_for_gradient_descent_the_rule_of_adam_is_the_wrong_one():
    right = checked(mup(init(WIDTHS[0]), method="sgd"), sgd(0.1))
    wrong = checked(mup(init(WIDTHS[0]), method="adam"), sgd(0.1))
    assert right.failures() == ()
    assert "vanishes" in wrong.verdict()


def hidden(params):
    """The second activation, in NumPy."""
    return np.tanh(np.tanh(X @ params["input"]) @ params["hidden"])


def test_sizes_are_those_of_a_loop_over_widths_steps_and_seeds():
    inits = {width: init(width) for width in (4, 8)}
    found = coordinate_check(activations, loss, inits, sgd(0.1), X, steps=2, seeds=2)
    gradient = jax.jit(jax.grad(loss))
    for i, width in enumerate(inits):
        for seed, key in enumerate(jax.random.split(jax.random.key(0), 2)):
            params = jax.device_get(jax.jit(init(width))(key))
            start = hidden(params)
            for step in range(3):
                now, at = hidden(params), (i, step, seed)
                size, change = np.mean(np.abs(now)), np.mean(np.abs(now - start))
                np.testing.assert_allclose(found.activations["hidden"][at], size, rtol=1e-5)
                np.testing.assert_allclose(found.changes["hidden"][at], change, atol=1e-6)
                slopes = gradient(params, X)
                params = {name: params[name] - 0.1 * np.asarray(slopes[name]) for name in params}


def made(**exponents):
    """A check whose sizes after one step are powers of the width, and change as they are."""
    widths, factor = np.array([32.0, 64.0, 128.0]), np.array([1.0, 1.1])
    sizes = {
        name: np.stack([widths[:, None] ** power * factor] * 2, axis=1)
        for name, power in exponents.items()
    }
    return CoordinateCheck(widths=widths, activations=sizes, changes=sizes)


def test_slopes_are_the_powers_and_both_growth_and_decay_are_named():
    check = made(first=0.0, grown=0.5, lost=-1.0)
    assert check.slope("grown").value == pytest.approx(0.5)
    low, high = check.slope("lost", "activation").interval
    assert low < -1.0 < high
    assert check.failures() == (
        "the activation of grown grows like width^+0.50",
        "the change of grown grows like width^+0.50",
        "the change of lost vanishes like width^−1.00",
    )
    assert check.failures(tolerance=2.0) == ()
    assert [line.split()[0] for line in check.table().splitlines()] == [
        "name",
        "first",
        "grown",
        "lost",
    ]


def test_it_is_labelled():
    labelled = made(first=0.0, second=1.0).to_xarray()
    assert dict(labelled.sizes) == {"name": 2, "width": 3, "step": 2, "seed": 2}
    assert float(labelled.change.sel(name="second", width=64.0, step=1, seed=0)) == 64.0


def test_a_size_of_zero_or_a_single_width_is_refused():
    check = made(first=0.0)
    check.changes["first"] = np.zeros((3, 2, 2))
    with pytest.raises(ValueError, match="the change of 'first' after 1 step is"):
        check.slope("first")
    with pytest.raises(ValueError, match=r"inits must hold two widths at least, not \[4\]"):
        coordinate_check(activations, loss, {4: init(4)}, sgd(0.1), X)
    with pytest.raises(ValueError, match=r"seeds must be .* between 2 and 1000000, not 1"):
        coordinate_check(activations, loss, {4: init(4), 8: init(8)}, sgd(0.1), X, seeds=1)
    with pytest.raises(ValueError, match="activations gave no array"):
        coordinate_check(lambda *_: {}, loss, {4: init(4), 8: init(8)}, sgd(0.1), X)
