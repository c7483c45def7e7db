"""Test problems with known minimisers and curvature."""

from gdlab.problems.layers import Layer
from gdlab.problems.linear_models import least_squares, logistic_regression
from gdlab.problems.measures import NetworkMeasures, measure_network
from gdlab.problems.multimodal import (
    ackley,
    bohachevsky,
    branin,
    goldstein_price,
    griewank,
    himmelblau,
    levy,
    rastrigin,
    six_hump_camel,
    styblinski_tang,
    three_hump_camel,
)
from gdlab.problems.networks import convolutional_network, dense_network
from gdlab.problems.problem import Problem
from gdlab.problems.quadratics import quadratic, random_rotation
from gdlab.problems.saddles import double_well, easom, monkey_saddle, plateau, saddle
from gdlab.problems.traps import heavy_ball_cycle, rare_large_gradient, rescaled, rotated
from gdlab.problems.valleys import (
    beale,
    booth,
    long_valley,
    matyas,
    powell_singular,
    rosenbrock,
    zakharov,
)

__all__ = [
    "Layer",
    "NetworkMeasures",
    "Problem",
    "ackley",
    "beale",
    "bohachevsky",
    "booth",
    "branin",
    "convolutional_network",
    "dense_network",
    "double_well",
    "easom",
    "goldstein_price",
    "griewank",
    "heavy_ball_cycle",
    "himmelblau",
    "least_squares",
    "levy",
    "logistic_regression",
    "long_valley",
    "matyas",
    "measure_network",
    "monkey_saddle",
    "plateau",
    "powell_singular",
    "quadratic",
    "random_rotation",
    "rare_large_gradient",
    "rastrigin",
    "rescaled",
    "rosenbrock",
    "rotated",
    "saddle",
    "six_hump_camel",
    "styblinski_tang",
    "three_hump_camel",
    "zakharov",
]
