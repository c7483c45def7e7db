"""What a translated program takes, returns and refuses."""

import json
import platform
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.page.translator.program import translate, translate_function
from tests.page import node
from tests.page.functions import CASES, rosenbrock

START = np.array([-1.2, 1.0])


def path_in_node(program, start, steps, hyperparameters=None):
    given = "p.hyperparameters.map(one=>one.value)"
    given = given if hyperparameters is None else node.array(hyperparameters)
    script = f"const p={program.javascript};return p.run({given},{node.array(start)},{steps});"
    made = node.evaluate(script)
    return np.array(made["path"], float).reshape(-1, 2), np.array(made["values"], float)


@node.needs_node
def test_every_hyperparameter_is_an_input():
    program = translate(rosenbrock, gdlab.adam(0.5))
    assert program.hyperparameters == {"learning_rate": 0.5, "b1": 0.9, "b2": 0.999, "eps": 1e-8}
    path, values = path_in_node(program, START, 100, [0.02, 0.7, 0.95, 1e-3])
    with jax.enable_x64(True):
        run = gdlab.minimize(rosenbrock, START, gdlab.adam(0.02, 0.7, 0.95, 1e-3), 100)
        np.testing.assert_allclose(path, run.path, rtol=1e-12)
        np.testing.assert_allclose(values, run.values, rtol=1e-11)


@node.needs_node
def test_step_returns_the_value_before_and_changes_point_and_state_in_place():
    program = translate(rosenbrock, gdlab.sgd(1e-3, momentum=0.9))
    made = node.evaluate(f"""
const p={program.javascript},h=[1e-3,.9],w=Float64Array.of(-1.2,1),s=new Float64Array(2);
const g=new Float64Array(2);p.gradient(w,g);p.init(h,w,s);const first=p.step(h,w,s);
return {{first,w,s,g,names:p.state,paths:p.hyperparameters.map(one=>one.path),at:p.value(w)}};""")
    slope = np.array([-215.6, -88.0])
    assert made["first"] == pytest.approx(24.2)
    np.testing.assert_allclose(made["g"], slope)
    np.testing.assert_allclose(made["s"], slope)
    np.testing.assert_allclose(made["w"], START - 1e-3 * slope)
    assert made["at"] == pytest.approx(float(rosenbrock(START - 1e-3 * slope)))
    assert made["names"] == list(program.optimizer.state) == ["trace.0", "trace.1"]
    assert made["paths"] == ["learning_rate", "momentum"]


@node.needs_node
def test_float32_hyperparameters_stay_rounded():
    program = translate(rosenbrock, gdlab.sgd(jnp.array([0.1, 0.001], jnp.float32)))
    assert list(program.hyperparameters) == ["learning_rate.0", "learning_rate.1"]
    path, _ = path_in_node(program, START, 1, [0.0, 0.001])
    rounded = float(np.float32(0.001))
    np.testing.assert_array_equal(path[1], START - np.array([0.0, rounded]) * -88.0)


@node.needs_node
def test_noise_of_optax_is_the_same_noise():
    tx = gdlab.chain(optax.add_noise(0.1, 0.55, 3), gdlab.sgd(1e-3))
    path, _ = path_in_node(translate(rosenbrock, tx), START, 20)
    with jax.enable_x64(True):
        expected = gdlab.minimize(rosenbrock, START, tx, 20).path
    assert np.abs(np.asarray(expected) - np.asarray(path)).max() < 1e-12


def test_a_primitive_without_translation_is_named_with_its_place():
    def spectrum(w):
        return jnp.sum(jnp.convolve(w, w))

    with pytest.raises(NotImplementedError, match="conv_general_dilated") as caught:
        translate(spectrum, gdlab.sgd(0.1))
    assert "the function 'spectrum'" in str(caught.value)
    assert "test_program.py" in str(caught.value)


def test_a_primitive_of_an_optimizer_is_named_with_the_optimizer():
    @gdlab.transformation
    def printing():
        def update(updates):
            jax.debug.callback(lambda: None)
            return updates

        return update

    with pytest.raises(NotImplementedError, match=r"update of printing\(\).*callback"):
        translate(rosenbrock, printing())


def test_numbers_that_javascript_lacks_are_refused():
    with pytest.raises(NotImplementedError, match="bfloat16"):
        translate(rosenbrock, gdlab.sgd(0.1, momentum=0.9, accumulator_dtype=jnp.bfloat16))


@gdlab.transformation
def multiplying(factor: int):
    """A state that is an integer of 64 bits."""

    def update(updates, state):
        return updates, factor * state

    return lambda params: jnp.asarray(3, jnp.int64), update


@node.needs_node
def test_an_integer_that_no_double_holds_stops_the_run_by_name():
    tx = gdlab.chain(multiplying(3), gdlab.sgd(0.1))
    program = translate(lambda w: w[0] ** 2 + w[1] ** 2, tx)
    made = node.evaluate(f"""
const p={program.javascript},h=[.1],at=Float64Array.of(1,2);
const last=steps=>{{const w=at.slice(),s=new Float64Array(p.state.length);
p.init(h,w,s);for(let t=0;t<steps;t++)p.step(h,w,s);return [...s]}};
try{{last(40);return "ran"}}catch(error){{return [String(error),...last(32)].join(" ")}}""")
    assert f"the integer {3**34} is beyond 2⁵³" in made
    assert made.split()[-1] == str(3**33)


def test_a_function_that_is_no_real_scalar_is_refused():
    with pytest.raises(TypeError, match=r"real scalar.*shape \(2,\)"):
        translate_function(lambda w: w)


@pytest.mark.parametrize("x64", [False, True])
def test_the_precision_of_the_session_stays_as_it_was(x64):
    with jax.enable_x64(x64):
        translate(rosenbrock, gdlab.sgd(0.1))
        assert jax.config.jax_enable_x64 is x64
        with pytest.raises(NotImplementedError):
            translate(lambda w: jnp.convolve(w, w).sum(), gdlab.sgd(0.1))
        assert jax.config.jax_enable_x64 is x64


def test_programs_are_small_and_free_of_tags():
    named = gdlab.named_chain(("</script><b>", gdlab.adam(1e-3)))
    program = translate(CASES["least_squares"].function, named)
    assert len(program.javascript) < 12_000
    assert "</script" not in program.javascript
    assert any("</script>" in path for path in program.hyperparameters)


_POLYNOMIAL = """
import json, sys
import jax, jax.numpy as jnp, numpy as np, gdlab
from tests.page.functions import beale, rosenbrock, himmelblau

with jax.enable_x64(True):
    runs = {
        f.__name__: gdlab.minimize(f, jnp.array([-0.7, 1.3]), gdlab.sgd(1e-3, 0.9), 60).path
        for f in (beale, rosenbrock, himmelblau)
    }
print(json.dumps({name: np.asarray(path).tolist() for name, path in runs.items()}))
"""


@pytest.mark.slow
@node.needs_node
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="fuses products and sums")
def test_polynomials_are_equal_to_the_last_bit_where_nothing_is_fused(monkeypatch):
    # Without the instruction for it, XLA cannot fuse a product and a sum into one rounding. Other
    # processors than Intel's and AMD's always have it.
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=SSE4_2")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    done = subprocess.run(
        [sys.executable, "-c", _POLYNOMIAL],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    for name, path in json.loads(done.stdout).items():
        program = translate(CASES[name].function, gdlab.sgd(1e-3, 0.9))
        made, _ = path_in_node(program, [-0.7, 1.3], 60)
        np.testing.assert_array_equal(made, path, name)
