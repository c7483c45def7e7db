"""Each primitive alone: what Node computes of it against JAX in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr

from gdlab import rarely
from gdlab.page.translator import primitives  # noqa: F401  (registers the rules)
from gdlab.page.translator.emit import Module
from gdlab.page.translator.ir import Graph, Value
from gdlab.page.translator.lowering import RULES, Lowering
from gdlab.page.translator.operations import expression
from gdlab.page.translator.program import as_doubles
from tests.page import node

POINTS = np.array([-2.5, -1.0, -0.75, -0.3, 0.0, 0.2, 0.5, 0.6, 1.0, 1.7, 2.5, 30.0])
INSIDE = np.array([-0.9, -0.5, -0.1, 0.0, 0.3, 0.7, 0.95])
POSITIVE = np.array([1e-3, 0.2, 0.5, 1.0, 1.5, 3.7, 12.0])
LARGE = np.concatenate([np.linspace(-2, 2, 99), [0.5]])
MATRIX = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]])

ints = lambda w, dtype=jnp.int32: jnp.round(3 * w).astype(dtype)  # noqa: E731
index = lambda w: jnp.abs(ints(w[-1]))  # noqa: E731
outside = lambda w: jnp.stack([index(w), jnp.int32(-500), jnp.int32(500)])[:, None]  # noqa: E731


def _symmetric_function(w):
    matrix = jnp.asarray(MATRIX) * w[1]
    values, vectors = jnp.linalg.eigh(matrix)
    return jnp.concatenate([values, (vectors @ jnp.diag(values) @ vectors.T).ravel()])


def _swapping_scan(w):
    def body(carry, row):
        a, b = carry
        return (b, a * 0.5 + row), (a[0] + row, b)

    (a, b), (c, d) = lax.scan(body, (w, 2 * w), w / 10, reverse=True)
    return jnp.concatenate([a, b, c, d.ravel()])


def _halving_while(w):
    return lax.while_loop(lambda c: c[0] < 7, lambda c: (c[0] + 1, c[1] / 2, w), (0, w, w))[1]


@jax.custom_vjp
def _scaled_backwards(w):
    return 2 * w


_scaled_backwards.defvjp(lambda w: (2 * w, None), lambda _, slope: (slope,))


def _scattered(operation):
    def scatter(w):
        target = jnp.arange(float(w.size))
        return getattr(target.at[jnp.stack([index(w), 1, index(w)])], operation)(w[:3])

    return scatter


_NUMBERS = lax.GatherDimensionNumbers((), (0,), (0,))

# name of the primitive: functions that use it, with the points they are given.
CASES = {
    **{
        name: [(getattr(jnp, name), POINTS), (getattr(jnp, name), LARGE)]
        for name in ("abs", "sin", "cos", "tan", "tanh", "exp2", "expm1", "floor", "ceil", "sign")
    },
    **{name: [(getattr(jnp, name), POINTS)] for name in ("exp", "sinh", "cosh", "cbrt")},
    **{name: [(getattr(jnp, f"arc{name[1:]}"), POINTS)] for name in ("atan", "asinh")},
    **{name: [(getattr(jnp, f"arc{name[1:]}"), INSIDE)] for name in ("asin", "acos", "atanh")},
    **{name: [(getattr(jnp, name), POSITIVE)] for name in ("log", "log1p", "sqrt")},
    "acosh": [(jnp.arccosh, POSITIVE + 1)],
    "rsqrt": [(lax.rsqrt, POSITIVE), (lambda w: lax.rsqrt(w + 3), LARGE)],
    "neg": [(lambda w: -w, POINTS), (lambda w: -ints(w), POINTS)],
    "add": [(lambda w: w + w[0], LARGE), (lambda w: ints(w) + 2147483645, POINTS)],
    "sub": [(lambda w: w - w[::-1], LARGE), (lambda w: ints(w) - 2147483645, POINTS)],
    "mul": [
        (lambda w: w * w[::-1], LARGE),
        (lambda w: ints(w) * 1234567891, POINTS),
        (lambda w: (ints(w, jnp.int64) * 1234567890123456789) >> 11, POINTS),
    ],
    "div": [
        (lambda w: w / (w[0] + 9), LARGE),
        (lambda w: lax.div(ints(w), jnp.int32(2)), POINTS),
        (lambda w: lax.div(jnp.int32(7), ints(w)), POINTS),
        (lambda w: lax.div(jnp.int64(-7), ints(w, jnp.int64)), POINTS),
    ],
    "rem": [
        (lambda w: lax.rem(w, 0.7), POINTS),
        (lambda w: ints(w) % 4, POINTS),
        (lambda w: lax.rem(jnp.int32(7), ints(w)), POINTS),
        (lambda w: lax.rem(jnp.int64(-7), ints(w, jnp.int64)), POINTS),
    ],
    "pow": [
        (lambda w: w**0.7, POSITIVE),
        (lambda w: 1.7**w, POINTS),
        (lambda w: lax.pow(w, ints(w, jnp.int64)), POINTS),
    ],
    "integer_pow": [(lambda w: jnp.stack([w**k for k in (-3, 2, 5, 7)]), POSITIVE)],
    "square": [(jnp.square, POINTS)],
    "atan2": [(lambda w: jnp.arctan2(w, w[::-1]), POINTS)],
    "max": [(lambda w: jnp.maximum(w, 0.1), LARGE), (lambda w: jnp.fmax(w, w[::-1]), POINTS)],
    "min": [(lambda w: jnp.minimum(w, w[::-1]), POINTS)],
    "clamp": [(lambda w: lax.clamp(-0.4, w, 0.8), LARGE)],
    "logistic": [(jax.nn.sigmoid, POINTS)],
    "erf": [(lax.erf, POINTS), (lax.erf, LARGE * 4)],
    "erfc": [(lax.erfc, LARGE * 3)],
    "erf_inv": [(lax.erf_inv, np.append(INSIDE, [0.9999, -0.999999999]))],
    "lgamma": [(lax.lgamma, POSITIVE), (lax.lgamma, np.array([-0.3, -1.7, -4.2]))],
    "digamma": [(lax.digamma, POSITIVE), (lax.digamma, np.array([-0.3, -1.7, -4.2]))],
    "nextafter": [(lambda w: jnp.nextafter(w, 1.0), POINTS)],
    "round": [(jnp.round, LARGE * 2.5), (lambda w: lax.round(w), LARGE * 2.5)],
    "is_finite": [(lambda w: jnp.isfinite(1 / w), POINTS)],
    "eq": [(lambda w: w == 1, POINTS)],
    "ne": [(lambda w: w != 1, LARGE)],
    "lt": [(lambda w: w < 0.2, POINTS)],
    "le": [(lambda w: w <= 0.2, POINTS)],
    "gt": [(lambda w: w > 0.2, POINTS)],
    "ge": [(lambda w: w >= 0.2, LARGE)],
    "and": [(lambda w: (w > 0) & (w < 1), LARGE), (lambda w: ints(w) & 5, POINTS)],
    "or": [(lambda w: (w < 0) | (w > 1), POINTS), (lambda w: ints(w, jnp.int64) | 5, POINTS)],
    "xor": [(lambda w: (w < 0) ^ (w > -1), LARGE), (lambda w: ints(w) ^ 6, POINTS)],
    "not": [(lambda w: ~(w < 0), POINTS), (lambda w: ~ints(w), POINTS)],
    "shift_left": [(lambda w: ints(w) << 29, POINTS), (lambda w: ints(w) << 2, LARGE)],
    "shift_right_logical": [(lambda w: lax.shift_right_logical(ints(w), jnp.int32(3)), POINTS)],
    "shift_right_arithmetic": [(lambda w: ints(w) >> 1, POINTS)],
    "select_n": [
        (lambda w: jnp.where(w > 0, w, w[::-1] * 2), LARGE),
        (lambda w: lax.select_n(jnp.abs(ints(w)) % 3, w, 2 * w, 3 * w), POINTS),
    ],
    "convert_element_type": [
        (lambda w: w.astype(jnp.float32), POINTS),
        (lambda w: (w.astype(jnp.float32) * 3).astype(float), POINTS),
        (lambda w: (w.astype(jnp.float32) * 3).astype(float), LARGE),
        (lambda w: (w * 1e10).astype(jnp.int32), POINTS),
        (lambda w: (w * 1e20).astype(jnp.int64) // 4096, POINTS),
        (lambda w: (ints(w, jnp.int64) * 36028797018963971).astype(jnp.float32), POINTS),
        (lambda w: (w > 0).astype(float) + jnp.abs(ints(w)).astype(jnp.uint32), POINTS),
    ],
    "bitcast_convert_type": [
        (lambda w: jnp.ldexp(w, ints(w)), POINTS),
        (lambda w: jnp.concatenate(jnp.frexp(w)), POINTS),
        (lambda w: lax.bitcast_convert_type(w, jnp.int64) >> 12, POINTS),
        (lambda w: lax.bitcast_convert_type(ints(w, jnp.int64) << 40, float), POINTS),
        (lambda w: lax.bitcast_convert_type(w.astype(jnp.float32), jnp.int32), POINTS),
    ],
    "broadcast_in_dim": [(lambda w: jnp.tile(w[:, None], (1, 3)) * w[0], POINTS)],
    "reshape": [(lambda w: w.reshape(3, 4) + 1, POINTS)],
    "transpose": [(lambda w: w.reshape(20, 5).T * 2, LARGE)],
    "concatenate": [(lambda w: jnp.concatenate([w, 2 * w, w[:1]]), LARGE)],
    "stack": [(lambda w: jnp.stack([w, jnp.ones_like(w)], 1) @ w[:2], LARGE)],
    "pad": [(lambda w: lax.pad(w, 7.0, [(2, -1, 1)]) * 2, LARGE)],
    "rev": [(lambda w: w[::-1] * 3, LARGE)],
    "slice": [(lambda w: w[3:90:4] + 1, LARGE)],
    "squeeze": [(lambda w: w[1] * w, POINTS)],
    "split": [(lambda w: sum(jnp.split(w, 4)), LARGE)],
    "iota": [(lambda w: jnp.arange(12) * w, POINTS)],
    "reduce_sum": [
        (jnp.sum, LARGE),
        (lambda w: w.reshape(5, 20).sum(1), LARGE),
        (lambda w: w.reshape(5, 2, 10).sum((0, 2)), LARGE),
        (jnp.sum, POINTS),
    ],
    "reduce_prod": [(lambda w: jnp.prod(1 + w / 10), LARGE)],
    "reduce_max": [(jnp.max, LARGE), (lambda w: jnp.max(w.at[3].set(jnp.nan)), POINTS)],
    "reduce_min": [(lambda w: w.reshape(5, 20).min(0), LARGE)],
    "reduce_and": [(lambda w: jnp.all(w > -3), LARGE)],
    "reduce_or": [(lambda w: jnp.any(w > 3), LARGE)],
    "cumsum": [(jnp.cumsum, LARGE), (lambda w: lax.cumsum(w, reverse=True), POINTS)],
    "cumprod": [
        (lambda w: jnp.cumprod(1 + w.reshape(5, 20) / 10, 0), LARGE),
        (lambda w: jnp.cumprod(1234567 * (1 + ints(w)), dtype=jnp.int32), LARGE),
    ],
    "cummax": [(lambda w: lax.cummax(w * w[::-1]), LARGE)],
    "cummin": [(lambda w: lax.cummin(w * w[::-1]), POINTS)],
    "argmax": [(lambda w: jnp.argmax(w.reshape(5, 20) ** 2, 0), LARGE), (jnp.argmax, POINTS)],
    "argmin": [(jnp.argmin, LARGE)],
    "top_k": [
        (lambda w: jnp.concatenate(lax.top_k(w.reshape(3, 4) ** 2, 2)), POINTS),
        (lambda w: lax.top_k(w.at[3].set(jnp.nan), 5)[0], LARGE),
    ],
    "lt_to": [
        (lambda w: jnp.interp(w, jnp.array([-1.0, 0.5, 2.0]), jnp.array([3.0, -1.0, 1.0])), POINTS),
        (
            jax.grad(
                lambda w: jnp.sum(
                    jnp.interp(w, jnp.array([-1.0, 0.5, 2.0]), jnp.array([3.0, -1.0, 1.0]))
                )
            ),
            LARGE,
        ),
    ],
    "le_to": [(lambda w: jnp.searchsorted(jnp.array([-1.0, 0.0, 0.5]), w), POINTS)],
    "sort": [(jnp.sort, -LARGE), (lambda w: jnp.argsort(w.reshape(3, 4) ** 2), POINTS)],
    "dot_general": [
        (lambda w: w.reshape(5, 20) @ w.reshape(20, 5), LARGE),
        (lambda w: jnp.einsum("bij,bkj->bik", *2 * (w.reshape(2, 5, 10),)), LARGE),
        (lambda w: w @ w, POINTS),
    ],
    "dynamic_slice": [
        (lambda w: lax.dynamic_slice(w, (index(w),), (3,)), LARGE),
        (lambda w: lax.dynamic_slice(w, (-index(w) * 0 + 11,), (3,)), POINTS),
    ],
    "dynamic_update_slice": [
        (lambda w: lax.dynamic_update_slice(w, w[:2] * 9, (index(w),)), LARGE),
        (
            lambda w: lax.dynamic_update_slice(
                w.reshape(3, 4), 0 * w[:1, None], (index(w[:1]), index(w[1:3]))
            ),
            np.append(INSIDE, INSIDE[:5]),
        ),
    ],
    "gather": [
        (lambda w: w[jnp.abs(ints(w))], LARGE),
        (lambda w: w.reshape(10, 10)[index(w), jnp.array([1, 3])], LARGE),
        (lambda w: lax.gather(w, outside(w), _NUMBERS, (1,), mode="fill"), LARGE),
        (lambda w: lax.gather(w, outside(w), _NUMBERS, (1,), mode="clip"), LARGE),
    ],
    "scatter": [(lambda w: w.at[index(w)].set(5.0), LARGE), (_scattered("set"), INSIDE)],
    "scatter-add": [(_scattered("add"), LARGE), (_scattered("add"), INSIDE)],
    "scatter-mul": [(_scattered("multiply"), LARGE)],
    "scatter-min": [(_scattered("min"), LARGE)],
    "scatter-max": [(_scattered("max"), LARGE)],
    "cond": [
        (lambda w: lax.cond(w[0] < 0, lambda: w * 2, lambda: w[::-1] + 1), LARGE),
        (lambda w: lax.switch(index(w), [lambda: w, lambda: 2 * w, lambda: 3 * w]), INSIDE),
    ],
    "while": [(_halving_while, POINTS), (_halving_while, LARGE)],
    "scan": [(_swapping_scan, POINTS), (_swapping_scan, LARGE)],
    "jit": [(jax.jit(lambda w: w + 1), POINTS)],
    "custom_jvp_call": [(jax.nn.relu, POINTS)],
    "custom_vjp_call": [(_scaled_backwards, POINTS)],
    "custom_vmap_call": [
        (lambda w: rarely(w[0] < 0, lambda w: 2 * w, lambda w: w + w[1], w), POINTS),
        (lambda w: rarely(w[0] > 0, lambda w: 2 * w, lambda w: w + w[1], w), LARGE),
    ],
    "remat2": [(jax.grad(jax.checkpoint(lambda w: jnp.sum(jnp.sin(w) ** 2))), POINTS)],
    "stop_gradient": [(jax.grad(lambda w: jnp.sum(lax.stop_gradient(w) * w)), POINTS)],
    "eigh": [(_symmetric_function, POSITIVE)],
    "cholesky": [(lambda w: jnp.linalg.cholesky(jnp.asarray(MATRIX) * w[1]), POSITIVE)],
    "triangular_solve": [
        (
            lambda w: jax.scipy.linalg.solve_triangular(jnp.tril(MATRIX) * w[1], w[:3], lower=True),
            POSITIVE,
        ),
        (
            lambda w: lax.linalg.triangular_solve(
                jnp.triu(MATRIX) * w[1], w[:6].reshape(2, 3), transpose_a=True
            ),
            POSITIVE,
        ),
        (
            jax.grad(
                lambda w: jnp.sum(
                    jax.scipy.linalg.solve_triangular(
                        jnp.tril(MATRIX) * w[1], w[:3], trans=1, lower=True, unit_diagonal=True
                    )
                    ** 2
                )
            ),
            POSITIVE,
        ),
    ],
    "lu": [
        (
            lambda w: jnp.linalg.solve(
                jnp.array([[0.0, 1, 2], [3, 4, 5], [6, 1, 0]]) + w[1] * MATRIX, w[:3]
            ),
            POSITIVE,
        )
    ],
    "custom_linear_solve": [
        (jax.grad(lambda w: jnp.linalg.inv(MATRIX * w[1] + jnp.eye(3))[0, 1] * w[0]), POSITIVE)
    ],
    "threefry2x32": [
        (lambda w: jax.random.normal(jax.random.key(index(w)), (3,)), LARGE),
        (lambda w: jax.random.bits(jax.random.PRNGKey(index(w)), (5,), "uint32"), POINTS),
        (lambda w: jax.random.uniform(jax.random.fold_in(jax.random.key(1), index(w))), POINTS),
        (lambda w: jax.random.normal(jax.random.split(jax.random.key(index(w)))[1]), POINTS),
    ],
}


def as_javascript(function, point):
    """``(w) => out`` for any function from a vector to an array."""
    graph = Graph()
    module = Module(graph)
    given = graph.buffer(point.size, np.float64, "w")
    traced = jax.make_jaxpr(function)(point)
    (result,) = Lowering(graph, "the case").closed(traced, [Value(given.labels, given.dtype)])
    labels = as_doubles(graph, result).labels.ravel()
    writes = [(f"out[{i}]", int(label)) for i, label in enumerate(labels)]
    module.function("f", ["w", "out"], graph.block, {}, writes)
    out = f"const out=new Float64Array({len(writes)})"
    code = module.javascript(f"return w=>{{{out};f(w,out);return out}}")
    return f"(()=>{{{code}}})()"


@node.needs_node
def test_each_primitive_alone():
    expected, script = {}, ["const out={};"]
    with jax.enable_x64(True):
        for name, cases in CASES.items():
            for number, (function, point) in enumerate(cases):
                key = f"{name} {number}"
                expected[key] = np.asarray(jax.jit(function)(point), float).ravel()
                code = as_javascript(function, jnp.asarray(point))
                script.append(f"out[{key!r}]=({code})({node.array(point)});")
    made = node.evaluate("\n".join(script) + "return out;")
    worst = {}
    for key, numbers in expected.items():
        actual = np.array(made[key], float)
        # JAX is the less accurate side, by some units in the last place.
        close = np.isclose(actual, numbers, rtol=3e-14, atol=3e-15, equal_nan=True)
        if not close.all():
            worst[key] = (actual[~close][:3], numbers[~close][:3])
    assert not worst


def test_each_case_holds_the_primitive_it_is_named_after():
    def names(jaxpr):
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            for inner in jax.tree.leaves(
                list(equation.params.values()),
                is_leaf=lambda x: isinstance(x, ClosedJaxpr | Jaxpr),
            ):
                inner = getattr(inner, "jaxpr", inner)
                if isinstance(inner, Jaxpr):
                    yield from names(inner)

    lacking = []
    with jax.enable_x64(True):
        for name, cases in CASES.items():
            found = {n for f, point in cases for n in names(jax.make_jaxpr(f)(point).jaxpr)}
            lacking += [] if name in found or name == "threefry2x32" else [name]
    assert not lacking
    assert set(CASES) <= set(RULES)


def test_a_kind_of_number_without_a_template_is_refused_by_the_name_of_the_primitive():
    with pytest.raises(NotImplementedError, match="is_finite of int64 numbers has no"):
        expression("is_finite", np.dtype("int64"), ["x"], ())
