"""Characteristic polynomials on a mode of curvature λ, highest power first, in x = ηλ and β.

Each comes from eliminating the velocity from the recursion, by hand.
"""


def gradient_descent(x, beta):
    return [1, x - 1]


def heavy_ball(x, beta):
    return [1, -(1 + beta - x), beta]


def nesterov(x, beta):
    return [1, -(1 + beta) * (1 - x), beta * (1 - x)]


def averaging(polynomial):
    return lambda x, beta: polynomial((1 - beta) * x, beta)
