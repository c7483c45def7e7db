"""Every schedule, what optax calls it if it has it, and its closed form in NumPy."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import optax

import gdlab as gd
from gdlab import Schedule

STEPS = np.arange(40)


class Case(NamedTuple):
    ours: Schedule
    closed: Callable
    """From an array of steps to the values."""
    optax: Callable | None = None


def clip01(t):
    return np.clip(t, 0, 1)


def half_cosine(s):
    return 0.5 * (1 + np.cos(np.pi * clip01(s)))


def warmed_up(t, start, peak, steps, later):
    return np.where(t < steps, start + (peak - start) * t / steps, later)


def level_then(t, shape):
    """Warm-up from 0.1 to 1 in 5 steps, 10 steps at 1, then the shape down to 0.2 in 10."""
    return warmed_up(t, 0.1, 1.0, 5, shape(clip01((t - 15) / 10)))


def stable(decay_type, **more):
    return gd.warmup_stable_decay_schedule(0.1, 1.0, 5, 10, 10, 0.2, decay_type=decay_type, **more)


def growing_cycles(t, first, growth):
    """The cycle of each step and how much of it is done, cycle by cycle."""
    found = []
    for step in np.ravel(t):
        number, begin, length = 0, 0.0, first
        while step >= begin + length:
            begin, length, number = begin + length, length * growth, number + 1
        found.append((number, (step - begin) / length))
    return np.array(found).T.reshape(2, *np.shape(t))


def restarts(t, first, growth, height, alpha):
    cycle, s = growing_cycles(t, first, growth)
    return 0.5 * ((1 - alpha) * height**cycle * half_cosine(s) + alpha)


def risen(t, up, down):
    left = t % (up + down)
    return np.where(left <= up, left / up, (up + down - left) / down)


def cubes(t):
    """Keras' polynomial with ``cycle=True``."""
    length = 12 * np.maximum(np.ceil(t / 12), 1)
    return 0.1 + 0.9 * (1 - t / length) ** 3


def chebyshev(t, smallest=0.1, largest=1.0):
    order = np.array([1, 8, 4, 5, 2, 7, 3, 6])  # σ₈ of the paper, which counts from 1
    nodes = (largest + smallest) / 2 - (largest - smallest) / 2 * np.cos((order - 0.5) * np.pi / 8)
    return (1 / nodes)[t.astype(int) % 8]


CYCLES = (
    {"init_value": 0.1, "peak_value": 1.0, "warmup_steps": 3, "decay_steps": 12, "end_value": 0.05},
    {"init_value": 0.0, "peak_value": 0.5, "warmup_steps": 0, "decay_steps": 8, "exponent": 2.0},
    {"init_value": 0.2, "peak_value": 0.4, "warmup_steps": 5, "decay_steps": 15},
)


def sgdr(t):
    cycle = [
        lambda t: warmed_up(t, 0.1, 1.0, 3, 0.05 + 0.95 * half_cosine((t - 3) / 9)),
        lambda t: 0.5 * half_cosine(t / 8) ** 2,
        lambda t: warmed_up(t, 0.2, 0.4, 5, 0.4 * half_cosine((t - 5) / 10)),
    ]
    return np.where(t < 12, cycle[0](t), np.where(t < 20, cycle[1](t - 12), cycle[2](t - 20)))


CASES = {
    "constant": Case(
        gd.constant_schedule(0.3), lambda t: 0.3 + 0.0 * t, optax.constant_schedule(0.3)
    ),
    "linear": Case(
        gd.linear_schedule(0.2, 1.5, 10, 5),
        lambda t: 0.2 + 1.3 * clip01((t - 5) / 10),
        optax.linear_schedule(0.2, 1.5, 10, 5),
    ),
    "polynomial": Case(
        gd.polynomial_schedule(1.0, 0.1, 2.5, 20, 4),
        lambda t: 0.1 + 0.9 * (1 - clip01((t - 4) / 20)) ** 2.5,
        optax.polynomial_schedule(1.0, 0.1, 2.5, 20, 4),
    ),
    "polynomial in cycles": Case(gd.polynomial_schedule(1.0, 0.1, 3.0, 12, cycle=True), cubes),
    "exponential": Case(
        gd.exponential_decay(2.0, 10, 0.5),
        lambda t: 2 * 0.5 ** (t / 10),
        optax.exponential_decay(2.0, 10, 0.5),
    ),
    "exponential from a step on": Case(
        gd.exponential_decay(2.0, 10, 0.5, 6),
        lambda t: 2 * 0.5 ** (np.maximum(t - 6, 0) / 10),
        optax.exponential_decay(2.0, 10, 0.5, 6),
    ),
    "staircase": Case(
        gd.exponential_decay(2.0, 10, 0.5, 3, staircase=True),
        lambda t: 2 * 0.5 ** (np.maximum(t - 3, 0) // 10),
        optax.exponential_decay(2.0, 10, 0.5, 3, staircase=True),
    ),
    "exponential to a floor": Case(
        gd.exponential_decay(2.0, 5, 0.5, end_value=0.25),
        lambda t: np.maximum(2 * 0.5 ** (t / 5), 0.25),
        optax.exponential_decay(2.0, 5, 0.5, end_value=0.25),
    ),
    "exponential to a ceiling": Case(
        gd.exponential_decay(0.25, 5, 2.0, end_value=2.0),
        lambda t: np.minimum(0.25 * 2.0 ** (t / 5), 2.0),
        optax.exponential_decay(0.25, 5, 2.0, end_value=2.0),
    ),
    "inverse time": Case(
        gd.inverse_time_decay(0.5, 10, 2.0, 3),
        lambda t: 0.5 / (1 + 2 * np.maximum(t - 3, 0) / 10),
    ),
    "inverse time on a staircase": Case(
        gd.inverse_time_decay(0.5, 10, 2.0, staircase=True), lambda t: 0.5 / (1 + 2 * (t // 10))
    ),
    "cosine": Case(
        gd.cosine_decay_schedule(0.5, 30, 0.1, 1.5),
        lambda t: 0.5 * (0.9 * half_cosine(t / 30) ** 1.5 + 0.1),
        optax.cosine_decay_schedule(0.5, 30, 0.1, 1.5),
    ),
    "periodic cosine": Case(
        gd.periodic_cosine_schedule(1.0, 0.1, 7),
        lambda t: 0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * t / 7)),
    ),
    "warm-up and constant": Case(
        gd.warmup_constant_schedule(0.1, 1.0, 8),
        lambda t: 0.1 + 0.9 * clip01(t / 8),
        optax.warmup_constant_schedule(0.1, 1.0, 8),
    ),
    "warm-up and cosine": Case(
        gd.warmup_cosine_decay_schedule(0.1, 1.0, 8, 30, 0.05),
        lambda t: warmed_up(t, 0.1, 1.0, 8, 0.05 + 0.95 * half_cosine((t - 8) / 22)),
        optax.warmup_cosine_decay_schedule(0.1, 1.0, 8, 30, 0.05),
    ),
    "warm-up and exponential": Case(
        gd.warmup_exponential_decay_schedule(0.1, 1.0, 8, 10, 0.5, 4, end_value=0.2),
        lambda t: warmed_up(t, 0.1, 1.0, 8, np.maximum(0.5 ** (np.maximum(t - 12, 0) / 10), 0.2)),
        optax.warmup_exponential_decay_schedule(0.1, 1.0, 8, 10, 0.5, 4, end_value=0.2),
    ),
    "warm-up and inverse root": Case(
        gd.warmup_inverse_sqrt_decay_schedule(0.1, 1.0, 8),
        lambda t: warmed_up(t, 0.1, 1.0, 8, np.sqrt(8 / np.maximum(t, 8))),
    ),
    "inverse root on a scale of its own": Case(
        gd.warmup_inverse_sqrt_decay_schedule(0.1, 1.0, 5, 20.0),
        lambda t: warmed_up(t, 0.1, 1.0, 5, np.sqrt(20 / np.maximum(t + 15, 20))),
    ),
    "piecewise constant": Case(
        gd.piecewise_constant_schedule(2.0, {5: 0.5, 12: 0.1, 30: 4.0}),
        lambda t: (
            2 * np.where(t >= 5, 0.5, 1) * np.where(t >= 12, 0.1, 1) * np.where(t >= 30, 4, 1)
        ),
        optax.piecewise_constant_schedule(2.0, {5: 0.5, 12: 0.1, 30: 4.0}),
    ),
    "piecewise linear": Case(
        # The order in which they are written does not matter.
        gd.piecewise_interpolate_schedule("linear", 2.0, {12: 0.1, 5: 1.5, 30: 4.0}),
        lambda t: np.interp(t, [0, 5, 12, 30], [2.0, 3.0, 0.3, 1.2]),
        optax.piecewise_interpolate_schedule("linear", 2.0, {5: 1.5, 12: 0.1, 30: 4.0}),
    ),
    "piecewise cosine": Case(
        gd.piecewise_interpolate_schedule("cosine", 2.0, {8: 0.5, 24: 2.0}),
        lambda t: np.where(t < 8, 1 + half_cosine(t / 8), 2 - half_cosine((t - 8) / 16)),
        optax.piecewise_interpolate_schedule("cosine", 2.0, {8: 0.5, 24: 2.0}),
    ),
    "one cycle of lines": Case(
        gd.linear_onecycle_schedule(40, 2.0, 0.25, 0.75, 10.0, 5.0),
        lambda t: np.interp(t, [0, 10, 30, 40], [0.2, 2.0, 0.2, 0.04]),
        optax.linear_onecycle_schedule(40, 2.0, 0.25, 0.75, 10.0, 5.0),
    ),
    "one cycle of cosines": Case(
        gd.cosine_onecycle_schedule(32, 2.0, 0.25, 10.0, 5.0),
        lambda t: np.where(
            t < 8, 0.2 + 1.8 * (1 - half_cosine(t / 8)), 0.04 + 1.96 * half_cosine((t - 8) / 24)
        ),
        optax.cosine_onecycle_schedule(32, 2.0, 0.25, 10.0, 5.0),
    ),
    "cyclic": Case(gd.cyclic_schedule(0.1, 1.0, 4, 6), lambda t: 0.1 + 0.9 * risen(t, 4, 6)),
    "cyclic, halved": Case(
        gd.cyclic_schedule(0.1, 1.0, 5, mode="triangular2"),
        lambda t: 0.1 + 0.9 * risen(t, 5, 5) * 0.5 ** (t // 10),
    ),
    "cyclic, shrinking": Case(
        gd.cyclic_schedule(0.1, 1.0, 5, mode="exp_range", gamma=0.95),
        lambda t: 0.1 + 0.9 * risen(t, 5, 5) * 0.95**t,
    ),
    "restarts": Case(
        gd.cosine_decay_restarts_schedule(0.5, 3, 2.0, 0.8, 0.1),
        lambda t: restarts(t, 3, 2.0, 0.8, 0.1),
    ),
    "restarts of equal length": Case(
        gd.cosine_decay_restarts_schedule(0.5, 7, 1.0, 0.9),
        lambda t: restarts(t, 7, 1.0, 0.9, 0.0),
    ),
    "restarts at fractions of a step": Case(
        gd.cosine_decay_restarts_schedule(0.5, 4, 1.3, 1.0, 0.2),
        lambda t: restarts(t, 4, 1.3, 1.0, 0.2),
    ),
    "sgdr": Case(gd.sgdr_schedule(CYCLES), sgdr, optax.sgdr_schedule(CYCLES)),
    "warm-up, stable, decay": Case(
        stable("linear"),
        lambda t: level_then(t, lambda s: 1 - 0.8 * s),
        optax.join_schedules(
            [
                optax.linear_schedule(0.1, 1.0, 5),
                optax.constant_schedule(1.0),
                optax.linear_schedule(1.0, 0.2, 10),
            ],
            [5, 15],
        ),
    ),
    "stable, cosine": Case(
        stable("cosine"), lambda t: level_then(t, lambda s: 0.2 + 0.8 * half_cosine(s))
    ),
    "stable, mirrored cosine": Case(
        stable("mirrored_cosine"),
        lambda t: level_then(t, lambda s: 2 * (1 - 0.8 * s) - (0.2 + 0.8 * half_cosine(s))),
    ),
    "stable, exponential": Case(stable("exponential"), lambda t: level_then(t, lambda s: 0.2**s)),
    "stable, 1 − √": Case(
        stable("1-sqrt"), lambda t: level_then(t, lambda s: 0.2 + 0.8 * (1 - np.sqrt(s)))
    ),
    "stable, 1 − square": Case(
        stable("1-square"), lambda t: level_then(t, lambda s: 0.2 + 0.8 * (1 - s**2))
    ),
    "stable, curved warm-up": Case(
        stable("linear", warmup_type="1-sqrt"),
        lambda t: np.where(
            t < 5,
            0.1 + 0.9 * (1 - np.sqrt(1 - clip01(t / 5))),
            level_then(t, lambda s: 1 - 0.8 * s),
        ),
    ),
    "rex": Case(
        gd.rex_schedule(1.0, 0.1, 20, 4),
        lambda t: 0.1 + 0.9 * (lambda s: (1 - s) / (1 - s / 2))(clip01((t - 4) / 20)),
    ),
    "power": Case(
        gd.power_schedule(0.5, 2.0, -0.51),
        lambda t: np.minimum(0.5, 2 * np.maximum(t, 1e-9) ** -0.51),
    ),
    "power of the count": Case(gd.power_of_count(0.25, 1), lambda t: (t + 1.0) ** 0.25),
    "inverse root, bounded": Case(
        gd.at_most_inverse_root(0.3), lambda t: np.minimum(0.3, 1 / np.sqrt(t + 1.0))
    ),
    "warmed up": Case(gd.warmed_up(0.5, 8), lambda t: 0.5 * np.minimum((t + 1.0) / 8, 1)),
    "chebyshev": Case(gd.chebyshev_schedule(0.1, 1.0, 8), chebyshev),
    "joined": Case(
        gd.join_schedules([gd.linear_schedule(0, 1, 5), gd.cosine_decay_schedule(1.0, 20)], [7]),
        lambda t: np.where(t < 7, clip01(t / 5), half_cosine((t - 7) / 20)),
        optax.join_schedules(
            [optax.linear_schedule(0, 1, 5), optax.cosine_decay_schedule(1.0, 20)], [7]
        ),
    ),
    "multiplied": Case(
        gd.multiply_schedules(0.5, gd.linear_schedule(0, 1, 5), gd.cosine_decay_schedule(1.0, 20)),
        lambda t: 0.5 * clip01(t / 5) * half_cosine(t / 20),
    ),
    "repeated": Case(
        gd.repeat_schedule(gd.linear_schedule(1.0, 0.2, 10), 8), lambda t: 1 - 0.08 * (t % 8)
    ),
    "proportional": Case(
        gd.proportional_schedule(gd.linear_schedule(1.0, 0.2, 20), 0.2, 1.0, 0.95, 0.85),
        lambda t: 0.95 - 0.1 * (1 - clip01(t / 20)),
    ),
}
