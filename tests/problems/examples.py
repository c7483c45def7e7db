"""At least one problem of each public factory; those of data are made when they are asked for."""

import functools

import numpy as np

import gdlab
from gdlab import problems
from gdlab.problems import random_rotation

NO_FACTORIES = {"Layer", "NetworkMeasures", "Problem", "measure_network", "random_rotation"}

EXAMPLES = {
    "ackley": [problems.ackley, lambda: problems.ackley(5)],
    "beale": [problems.beale],
    "bohachevsky": [problems.bohachevsky],
    "booth": [problems.booth],
    "branin": [problems.branin],
    "convolutional_network": [
        lambda: problems.convolutional_network((2, 3), pool=True),
        lambda: problems.convolutional_network((2, 3), blocks=1, bias=False, dropout=0.5, shift=1),
    ],
    "dense_network": [
        lambda: problems.dense_network([4]),
        lambda: problems.dense_network([4, 4], skip=True, bias=False, dropout=0.5, shift=1),
    ],
    "double_well": [problems.double_well],
    "easom": [problems.easom],
    "goldstein_price": [problems.goldstein_price],
    "griewank": [problems.griewank, lambda: problems.griewank(12)],
    "heavy_ball_cycle": [problems.heavy_ball_cycle],
    "himmelblau": [problems.himmelblau],
    "least_squares": [
        problems.least_squares,
        lambda: problems.least_squares(examples=6),
    ],
    "levy": [problems.levy, lambda: problems.levy(1), lambda: problems.levy(4)],
    "logistic_regression": [
        problems.logistic_regression,
        lambda: problems.logistic_regression(1e-3),
    ],
    "long_valley": [problems.long_valley],
    "matyas": [problems.matyas],
    "monkey_saddle": [problems.monkey_saddle],
    "plateau": [problems.plateau],
    "powell_singular": [problems.powell_singular],
    "quadratic": [
        problems.quadratic,
        lambda: problems.quadratic([1.0, 100.0], 0.5, noise=[0.3, 2.0], minimiser=[1.0, -2.0]),
        lambda: problems.quadratic(np.geomspace(1e-8, 1.0, 9), random_rotation(9)),
        lambda: problems.quadratic([-1.0, 0.0, 3.0]),
        lambda: problems.quadratic([-2.0, -1.0]),
    ],
    "rare_large_gradient": [
        problems.rare_large_gradient,
        lambda: problems.rare_large_gradient(10.0),
    ],
    "rastrigin": [problems.rastrigin, lambda: problems.rastrigin(4)],
    "rescaled": [
        lambda: problems.rescaled(problems.six_hump_camel(), 1000.0, 0.1),
        lambda: problems.rescaled(problems.quadratic([1.0, 9.0], 0.2, noise=2.0), 3.0, 5.0),
        lambda: problems.rescaled(problems.dense_network([4], dropout=0.5), 3.0, 2.0),
    ],
    "rosenbrock": [problems.rosenbrock, lambda: problems.rosenbrock(5)],
    "rotated": [
        lambda: problems.rotated(problems.himmelblau(), 0.7),
        lambda: problems.rotated(problems.quadratic([1.0, 9.0], noise=[2.0, 0.1]), 0.7),
        lambda: problems.rotated(problems.least_squares(), random_rotation(10)),
    ],
    "saddle": [problems.saddle],
    "six_hump_camel": [problems.six_hump_camel],
    "styblinski_tang": [problems.styblinski_tang, lambda: problems.styblinski_tang(3)],
    "three_hump_camel": [problems.three_hump_camel],
    "zakharov": [problems.zakharov, lambda: problems.zakharov(5)],
}

FACTORIES = sorted(set(gdlab.problems.__all__) - NO_FACTORIES)
ALL = [(name, number) for name in FACTORIES for number in range(len(EXAMPLES.get(name, [])))]


@functools.cache
def example(name, number):
    return EXAMPLES[name][number]()
