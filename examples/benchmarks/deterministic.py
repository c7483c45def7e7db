"""How often do deterministic methods evaluate the loss until they have converged?

Compares methods of gdlab with those of the same names in SciPy on the classic test problems. An
evaluation computes value and gradient together. Each count is of one start; the counts of conjugate
gradients change by a third if the start moves by a hundredth.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import gdlab
from gdlab import Outcome, minimize

jax.config.update("jax_enable_x64", True)
TOL = 1e-6


def rosenbrock(w):
    return jnp.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2)


def beale(w):
    powers = jnp.array([w[1], w[1] ** 2, w[1] ** 3])
    return jnp.sum((jnp.array([1.5, 2.25, 2.625]) - w[0] * (1 - powers)) ** 2)


def himmelblau(w):
    return (w[0] ** 2 + w[1] - 11) ** 2 + (w[0] + w[1] ** 2 - 7) ** 2


def powell_singular(w):
    a, b, c, d = w
    return (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4


PROBLEMS = {
    "Rosenbrock in 2": (rosenbrock, np.array([-1.2, 1.0])),
    "Beale": (beale, np.array([1.0, 1.0])),
    "Himmelblau": (himmelblau, np.array([0.0, 0.0])),
    "Powell singular": (powell_singular, np.array([3.0, -1.0, 0.0, 1.0])),
    "Rosenbrock in 24": (rosenbrock, np.tile([-1.2, 1.0], 12)),
}
METHODS = {
    "lbfgs": (gdlab.lbfgs(), "L-BFGS-B"),
    "nonlinear_cg": (gdlab.nonlinear_cg(), "CG"),
    "newton_cg": (gdlab.newton_cg(), "Newton-CG"),
    "trust_region": (gdlab.trust_region(), "trust-ncg"),
}


def of_scipy(loss, start, method):
    """The evaluations of SciPy until no element of the gradient exceeds the tolerance."""
    value_and_grad = jax.jit(jax.value_and_grad(loss))
    times = jax.jit(lambda w, v: jax.jvp(jax.grad(loss), (w,), (v,))[1])
    hessp = lambda w, v: np.asarray(times(w, v))  # noqa: E731
    sizes = {}

    def both(w):
        value, grad = map(np.asarray, value_and_grad(w))
        sizes[w.tobytes()] = np.abs(grad).max()
        return value, grad

    def stop(w):
        if sizes[w.tobytes()] <= TOL:
            raise StopIteration

    own = {"L-BFGS-B": {"ftol": 0, "gtol": TOL}, "Newton-CG": {"xtol": 0.0}}
    return scipy.optimize.minimize(
        both,
        start,
        jac=True,
        method=method,
        hessp=hessp if method in ("Newton-CG", "trust-ncg") else None,
        callback=stop,
        options={"maxiter": 3000} | own.get(method, {"gtol": TOL}),
    ).nfev


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two problems, for a smoke test")
    problems = list(PROBLEMS.items())[: 2 if parser.parse_args().quick else None]
    print(f"{'':18}" + "".join(f"{name:>24}" for name in METHODS))
    for name, (loss, start) in problems:
        row = ""
        for tx, method in METHODS.values():
            run = minimize(loss, jnp.asarray(start), tx, 3000, tol=TOL, keep_path=False)
            ours, theirs = int(run.evaluations), of_scipy(loss, start, method)
            end = "" if run.outcome == Outcome.CONVERGED else Outcome(int(run.outcome)).name
            row += f"{f'{ours} / {theirs} = {ours / theirs:.2f} {end}':>24}"
        print(f"{name:18}{row}")
    print("evaluations of gdlab / those of SciPy")


if __name__ == "__main__":
    main()
