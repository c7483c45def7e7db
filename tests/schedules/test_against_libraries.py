"""Schedules beside those of PyTorch, Keras, Transformers and pytorch_optimizer.

Those of PyTorch are asked as they step, and where a library means something else by its numbers the
test says what it is called with.
"""

import os
import warnings

import jax
import numpy as np
import pytest

import gdlab as gd

pytestmark = pytest.mark.x64

STEPS = 36
PEAK = 0.5


def values(eta, steps=STEPS):
    return np.asarray(jax.jit(jax.vmap(eta))(np.arange(steps)))


def stepped(make, steps=STEPS, read=lambda group: group["lr"], **settings):
    """What a scheduler of PyTorch sets at each step, learning rates unless ``read`` says else."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=PEAK, **settings)
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(read(optimizer.param_groups[0]))
        optimizer.step()
        scheduler.step()
    return np.array(found)


def of_torch(name, *args, **kwargs):
    def make(optimizer):
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        return getattr(torch.optim.lr_scheduler, name)(optimizer, *args, **kwargs)

    return make


TORCH = {
    "constant": (of_torch("ConstantLR", 0.25, 6), gd.piecewise_constant_schedule(0.125, {6: 4.0})),
    "linear": (of_torch("LinearLR", 0.2, 1.0, 9), gd.linear_schedule(0.1, PEAK, 9)),
    "polynomial": (
        of_torch("PolynomialLR", 20, 2.0),
        gd.polynomial_schedule(PEAK, 0.0, 2.0, 20),
    ),
    "steps": (of_torch("StepLR", 8, 0.5), gd.exponential_decay(PEAK, 8, 0.5, staircase=True)),
    "milestones": (
        of_torch("MultiStepLR", [5, 20], 0.1),
        gd.piecewise_constant_schedule(PEAK, {5: 0.1, 20: 0.1}),
    ),
    "exponential": (of_torch("ExponentialLR", 0.9), gd.exponential_decay(PEAK, 1, 0.9)),
    "multiplied": (
        of_torch("MultiplicativeLR", lambda step: 0.9),
        gd.exponential_decay(PEAK, 1, 0.9),
    ),
    # PyTorch's cosine does not rest at its end.
    "cosine": (
        of_torch("CosineAnnealingLR", 8, 0.05),
        gd.periodic_cosine_schedule(PEAK, 0.05, 8),
    ),
    # Its smallest value is a number there, and a fraction of the first one here.
    "warm restarts": (
        of_torch("CosineAnnealingWarmRestarts", 5, 2, 0.05),
        gd.cosine_decay_restarts_schedule(PEAK, 5, 2.0, alpha=0.1),
    ),
    "warm restarts of equal length": (
        of_torch("CosineAnnealingWarmRestarts", 7),
        gd.cosine_decay_restarts_schedule(PEAK, 7, 1.0),
    ),
    "triangular": (
        of_torch("CyclicLR", 0.1, 0.6, 4, 6, cycle_momentum=False),
        gd.cyclic_schedule(0.1, 0.6, 4, 6),
    ),
    "triangular2": (
        of_torch("CyclicLR", 0.1, 0.6, 5, mode="triangular2", cycle_momentum=False),
        gd.cyclic_schedule(0.1, 0.6, 5, mode="triangular2"),
    ),
    "exp_range": (
        of_torch("CyclicLR", 0.1, 0.6, 5, mode="exp_range", gamma=0.9, cycle_momentum=False),
        gd.cyclic_schedule(0.1, 0.6, 5, mode="exp_range", gamma=0.9),
    ),
    # Its N steps are those from 0 to N − 1, and its phases end at pct·N − 1 and so on.
    "one cycle": (
        of_torch("OneCycleLR", 2.0, STEPS, pct_start=0.25, div_factor=10.0, final_div_factor=5.0),
        gd.cosine_onecycle_schedule(STEPS - 1, 2.0, 8 / 35, 10.0, 5.0),
    ),
    "one cycle of three lines": (
        of_torch(
            "OneCycleLR", 2.0, STEPS, pct_start=0.25, div_factor=10.0, final_div_factor=5.0,
            anneal_strategy="linear", three_phase=True,
        ),
        gd.linear_onecycle_schedule(STEPS - 1, 2.0, 8 / 35, 16 / 35, 10.0, 5.0),
    ),
    "one cycle of three cosines": (
        of_torch(
            "OneCycleLR", 2.0, STEPS, pct_start=0.25, div_factor=10.0, final_div_factor=5.0,
            three_phase=True,
        ),
        gd.piecewise_interpolate_schedule("cosine", 0.2, {8: 10.0, 16: 0.1, 35: 0.2}),
    ),
    "any function": (
        of_torch("LambdaLR", lambda step: 1 / (1 + step)),
        gd.inverse_time_decay(PEAK, 1, 1.0),
    ),
    "stochastic weight averaging": (
        lambda optimizer: pytest.importorskip("torch").optim.swa_utils.SWALR(
            optimizer, 0.05, anneal_epochs=10
        ),
        # It begins with the first step that it is asked for.
        gd.cosine_decay_schedule(PEAK, 10, 0.1),
    ),
}  # fmt: skip


@pytest.mark.sampled(6)
@pytest.mark.parametrize(("theirs", "ours"), TORCH.values(), ids=TORCH)
def test_a_scheduler_of_pytorch_sets_the_same_values(theirs, ours):
    # PyTorch multiplies what it set before by quotients, and its rounding adds up.
    np.testing.assert_allclose(values(ours), stepped(theirs), rtol=1e-10, atol=1e-12)


def test_schedulers_of_pytorch_in_turn_and_at_once_are_joined_and_multiplied():
    def in_turn(optimizer):
        torch = pytest.importorskip("torch")
        parts = of_torch("LinearLR", 0.1, 1.0, 6)(optimizer), of_torch("StepLR", 5, 0.5)(optimizer)
        return torch.optim.lr_scheduler.SequentialLR(optimizer, list(parts), milestones=[6])

    def at_once(optimizer):
        torch = pytest.importorskip("torch")
        parts = of_torch("ConstantLR", 0.5, 6)(optimizer), of_torch("ExponentialLR", 0.9)(optimizer)
        return torch.optim.lr_scheduler.ChainedScheduler(list(parts))

    joined = gd.join_schedules(
        [gd.linear_schedule(0.1 * PEAK, PEAK, 6), gd.exponential_decay(PEAK, 5, 0.5, 0, True)], [6]
    )
    product = gd.multiply_schedules(
        gd.piecewise_constant_schedule(0.5, {6: 2.0}), gd.exponential_decay(PEAK, 1, 0.9)
    )
    np.testing.assert_allclose(values(joined), stepped(in_turn), rtol=1e-12)
    np.testing.assert_allclose(values(product), stepped(at_once), rtol=1e-12)


@pytest.mark.parametrize("three_phase", [False, True], ids=["two phases", "three phases"])
def test_the_momentum_of_one_cycle_is_one_cycle_between_other_numbers(three_phase):
    theirs = stepped(
        of_torch("OneCycleLR", 2.0, STEPS, pct_start=0.25, anneal_strategy="linear"
                 if three_phase else "cos", three_phase=three_phase),
        read=lambda group: group["momentum"], momentum=0.9,
    )  # fmt: skip
    numbers = {"peak_value": 0.85, "div_factor": 0.85 / 0.95, "final_div_factor": 1.0}
    ours = (
        gd.linear_onecycle_schedule(STEPS - 1, pct_start=8 / 35, pct_final=16 / 35, **numbers)
        if three_phase
        else gd.cosine_onecycle_schedule(STEPS - 1, pct_start=8 / 35, **numbers)
    )
    np.testing.assert_allclose(values(ours), theirs, rtol=1e-13)


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_the_momentum_of_cycles_is_the_same_cycle_with_its_values_swapped(mode):
    theirs = stepped(
        of_torch("CyclicLR", 0.1, 0.6, 4, 6, mode, gamma=0.9, base_momentum=0.8, max_momentum=0.9),
        read=lambda group: group["momentum"],
        momentum=0.9,
    )
    ours = gd.cyclic_schedule(0.9, 0.8, 4, 6, mode, 0.9)
    np.testing.assert_allclose(values(ours), theirs, rtol=1e-13)


# Ours, and Keras' by its name and arguments.
KERAS = {
    "exponential": (gd.exponential_decay(PEAK, 7, 0.5), "ExponentialDecay", (PEAK, 7, 0.5), {}),
    "staircase": (
        gd.exponential_decay(PEAK, 7, 0.5, staircase=True),
        "ExponentialDecay",
        (PEAK, 7, 0.5, True),
        {},
    ),
    # A boundary of Keras is the last step of the value before it.
    "piecewise constant": (
        gd.piecewise_constant_schedule(PEAK, {6: 0.5, 21: 0.1}),
        "PiecewiseConstantDecay",
        ([5, 20], [PEAK, 0.5 * PEAK, 0.05 * PEAK]),
        {},
    ),
    "polynomial": (
        gd.polynomial_schedule(PEAK, 0.01, 2.0, 12),
        "PolynomialDecay",
        (PEAK, 12, 0.01, 2.0),
        {},
    ),
    "polynomial in cycles": (
        gd.polynomial_schedule(PEAK, 0.01, 2.0, 12, cycle=True),
        "PolynomialDecay",
        (PEAK, 12, 0.01, 2.0),
        {"cycle": True},
    ),
    "inverse time": (gd.inverse_time_decay(PEAK, 5, 0.7), "InverseTimeDecay", (PEAK, 5, 0.7), {}),
    "inverse time on a staircase": (
        gd.inverse_time_decay(PEAK, 5, 0.7, staircase=True),
        "InverseTimeDecay",
        (PEAK, 5, 0.7, True),
        {},
    ),
    "cosine": (gd.cosine_decay_schedule(PEAK, 20, 0.1), "CosineDecay", (PEAK, 20, 0.1), {}),
    # Its decay_steps begin after the warm-up.
    "warm-up and cosine": (
        gd.warmup_cosine_decay_schedule(0.1, PEAK, 6, 26, 0.1 * PEAK),
        "CosineDecay",
        (0.1, 20, 0.1),
        {"warmup_target": PEAK, "warmup_steps": 6},
    ),
    "restarts": (
        gd.cosine_decay_restarts_schedule(PEAK, 4, 2.0, 0.7, 0.1),
        "CosineDecayRestarts",
        (PEAK, 4, 2.0, 0.7, 0.1),
        {},
    ),
    "restarts of equal length": (
        gd.cosine_decay_restarts_schedule(PEAK, 5, 1.0, 0.7, 0.1),
        "CosineDecayRestarts",
        (PEAK, 5, 1.0, 0.7, 0.1),
        {},
    ),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("ours", "name", "args", "kwargs"), KERAS.values(), ids=KERAS)
def test_a_schedule_of_keras_has_the_same_values(ours, name, args, kwargs):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings(action="ignore"):  # its own, about NumPy
        keras = pytest.importorskip("keras", reason="Keras is not installed")
    steps = np.arange(0, STEPS, 3)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        theirs = getattr(keras.optimizers.schedules, name)(*args, **kwargs)
        expected = [float(keras.ops.convert_to_numpy(theirs(step))) for step in steps]
    # It has computed in float32. At a restart its rounded logarithm may still be in the cycle
    # before, whose end is the smallest value.
    found = values(ours)[steps]
    apart = ~np.isclose(found, expected, rtol=1e-5, atol=1e-7)
    restarts = np.isin(steps, [12]) if name == "CosineDecayRestarts" else False
    assert not (apart & ~restarts).any(), steps[apart]


# Ours, and the function of Transformers that makes a scheduler, with its arguments.
TRANSFORMERS = {
    "constant": (gd.constant_schedule(PEAK), "constant_schedule", {}),
    "warm-up and constant": (
        gd.warmup_constant_schedule(0.0, PEAK, 6),
        "constant_schedule_with_warmup",
        {"num_warmup_steps": 6},
    ),
    "warm-up and line": (
        gd.warmup_stable_decay_schedule(0.0, PEAK, 6, 0, 24),
        "linear_schedule_with_warmup",
        {"num_warmup_steps": 6, "num_training_steps": 30},
    ),
    # Its cosines do not rest at their end, which is the last of the steps here.
    "warm-up and cosine": (
        gd.warmup_cosine_decay_schedule(0.0, PEAK, 6, 36),
        "cosine_schedule_with_warmup",
        {"num_warmup_steps": 6, "num_training_steps": 36},
    ),
    "waves": (
        gd.join_schedules(
            [gd.linear_schedule(0.0, PEAK, 6), gd.periodic_cosine_schedule(PEAK, 0.0, 10)], [6]
        ),
        "cosine_schedule_with_warmup",
        {"num_warmup_steps": 6, "num_training_steps": 36, "num_cycles": 1.5},
    ),
    "cosine with a smallest value": (
        gd.warmup_cosine_decay_schedule(0.0, PEAK, 6, 36, 0.05),
        "cosine_with_min_lr_schedule_with_warmup",
        {"num_warmup_steps": 6, "num_training_steps": 36, "min_lr": 0.05},
    ),
    # It counts a step more: the warm-up begins at its first step and not before it.
    "cosine that counts from 1": (
        gd.warmup_cosine_decay_schedule(PEAK / 6, PEAK, 5, 35, 0.05),
        "cosine_with_min_lr_schedule_with_warmup_lr_rate",
        {"num_warmup_steps": 6, "num_training_steps": 36, "min_lr": 0.05},
    ),
    "hard restarts": (
        gd.join_schedules(
            [gd.linear_schedule(0.0, PEAK, 6), gd.cosine_decay_restarts_schedule(PEAK, 10, 1.0)],
            [6],
        ),
        "cosine_with_hard_restarts_schedule_with_warmup",
        {"num_warmup_steps": 6, "num_training_steps": 36, "num_cycles": 3},
    ),
    "polynomial": (
        gd.join_schedules(
            [gd.linear_schedule(0.0, PEAK, 6), gd.polynomial_schedule(PEAK, 0.01, 2.0, 24)], [6]
        ),
        "polynomial_decay_schedule_with_warmup",
        {"num_warmup_steps": 6, "num_training_steps": 30, "lr_end": 0.01, "power": 2.0},
    ),
    "inverse root": (
        gd.warmup_inverse_sqrt_decay_schedule(0.0, PEAK, 6),
        "inverse_sqrt_schedule",
        {"num_warmup_steps": 6},
    ),
    "inverse root on a scale of its own": (
        gd.warmup_inverse_sqrt_decay_schedule(0.0, PEAK, 6, 15),
        "inverse_sqrt_schedule",
        {"num_warmup_steps": 6, "timescale": 15},
    ),
    **{
        f"stable, {shape}": (
            gd.warmup_stable_decay_schedule(
                0.1 * PEAK, PEAK, 6, 10, 12, 0.1 * PEAK, decay_type=shape, warmup_type=shape
            ),
            "wsd_schedule",
            {
                "num_warmup_steps": 6, "num_stable_steps": 10, "num_decay_steps": 12,
                "min_lr_ratio": 0.1, "decay_type": shape, "warmup_type": shape,
            },
        )
        for shape in ("linear", "cosine", "1-sqrt")
    },
}  # fmt: skip


@pytest.mark.parametrize(("ours", "name", "arguments"), TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_a_scheduler_of_transformers_sets_the_same_values(ours, name, arguments):
    library = pytest.importorskip(
        "transformers.optimization", reason="Transformers is not installed"
    )
    make = getattr(library, f"get_{name}")
    theirs = stepped(lambda optimizer: make(optimizer, **arguments))
    np.testing.assert_allclose(values(ours), theirs, rtol=1e-12, atol=1e-15)


def test_rex_proportion_and_squares_are_those_of_pytorch_optimizer():
    library = pytest.importorskip(
        "pytorch_optimizer.lr_scheduler", reason="pytorch_optimizer is not installed"
    )
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    # The step 0 is made when it is built.
    rex = library.REXScheduler(optimizer, 20, PEAK, 0.05)
    proportion = library.ProportionScheduler(rex, PEAK, 0.05, 2.0, 1.0)
    found = [(rex.step(), proportion.step()) for _ in range(25)]
    ours = gd.rex_schedule(PEAK, 0.05, 20)
    radius = gd.proportional_schedule(ours, 0.05, PEAK, 1.0, 2.0)
    expected = np.stack([values(ours, 26), values(radius, 26)], axis=1)[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    square = gd.warmup_stable_decay_schedule(0.0, PEAK, 6, 10, 12, decay_type="1-square")
    theirs = stepped(
        lambda optimizer: library.get_wsd_schedule(optimizer, 6, 10, 12, cooldown_type="1-square")
    )
    np.testing.assert_allclose(values(square), theirs, rtol=1e-13)


def test_restarts_with_warm_ups_of_pytorch_optimizer_are_cycles_of_sgdr():
    library = pytest.importorskip(
        "pytorch_optimizer.lr_scheduler", reason="pytorch_optimizer is not installed"
    )
    theirs = stepped(
        lambda optimizer: library.CosineAnnealingWarmupRestarts(
            optimizer, 9, 2.0, max_lr=PEAK, min_lr=0.05, warmup_steps=3, gamma=0.8
        )
    )
    # Without their warm-ups the cycles last 6, 12 and 24 steps.
    cycles = [
        {
            "init_value": 0.05, "peak_value": 0.8**i * PEAK, "warmup_steps": 3,
            "decay_steps": length, "end_value": 0.05,
        }
        for i, length in enumerate((9, 15, 27))
    ]  # fmt: skip
    np.testing.assert_allclose(values(gd.sgdr_schedule(cycles)), theirs, rtol=1e-13)


def test_fractal_chebyshev_steps_are_those_of_pytorch_optimizer():
    module = pytest.importorskip(
        "pytorch_optimizer.lr_scheduler.chebyshev", reason="pytorch_optimizer is not installed"
    )
    theirs = module.get_chebyshev_perm_steps(32)  # of the curvatures from 0.05 to 1
    np.testing.assert_allclose(values(gd.chebyshev_schedule(0.05, 1.0, 32), 32), theirs, rtol=1e-13)
