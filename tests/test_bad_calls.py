"""Bad calls are refused by an error that names the argument, and says what came."""

import os
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import (
    Axis,
    PopulationBasedTraining,
    SuccessiveHalving,
    accumulate,
    adam,
    analysis,
    apply_updates,
    bus,
    chain,
    clip,
    clip_by_global_norm,
    constant_schedule,
    cosine_decay_schedule,
    ema,
    expand,
    fork,
    global_norm,
    hyperparameters,
    join_schedules,
    linear_schedule,
    look_ahead,
    lookahead,
    losses,
    masked,
    minibatches,
    minimize,
    moving_average,
    named_chain,
    on_wires,
    piecewise_constant_schedule,
    plots,
    problems,
    scaling,
    set_hyperparameters,
    sgd,
    soap,
    sweep,
    warmup_cosine_decay_schedule,
)

nan = float("nan")
w = g = np.ones(3, np.float32)
P = {"a": np.ones(2, np.float32), "b": np.ones(3, np.float32)}
K = {"k": np.ones((4, 3), np.float32)}
inputs = np.random.default_rng(0).normal(size=(16, 3)).astype("f")
data = (inputs, inputs @ w)


def bowl(w):
    return (w**2).sum() / 2


def mse(w, batch):
    x, y = batch
    return ((x @ w - y) ** 2).mean()


def one(tx, gradient=g, params=w, **keywords):
    return tx.update(gradient, tx.init(params), params, **keywords)[0]


def line_search(value_fn):
    return one(gdlab.lbfgs(), value=1.0, grad=g, value_fn=value_fn)


def sw(loss=bowl, params=w, tx=None, **changes):
    tx = sgd(Axis("lr", [0.1, 0.2])) if tx is None else tx
    return sweep(loss, params, tx, **({"steps": 3, "progress": False} | changes))


@gdlab.schedule
def not_a_schedule(value: gdlab.Hyperparameter):
    return value


@gdlab.leafwise
def of_no_array(scale: gdlab.Hyperparameter):
    return lambda u: None


@gdlab.leafwise
def of_growing_state(scale: gdlab.Hyperparameter):
    return jnp.zeros_like, lambda u, state: (u, jnp.concatenate([state, state]))


def run_with_state(loss, **keywords):
    return minimize(loss, w, sgd(0.1), 3, model_state={"a": 1.0}, **keywords)


def from_torch(state_dict):
    return gdlab.interop.from_torch(state_dict, ["a"], tx=adam(0.1), params={"a": w})


def compare(start, **keywords):
    run = minimize(bowl, w, sgd(0.1), 3)
    return analysis.compare(run, sgd(0.1), np.ones(3), start, **keywords)


MANY = np.ones(10**6, np.float32)
BAD = [
    # Numbers that mean nothing
    (lambda: sgd(0.1, averaging=True), "averaging.*momentum is None"),
    (lambda: accumulate(sgd(0.1), -3), "steps.* above 0 and up to 2147483647, not -3"),
    (lambda: accumulate(sgd(0.1), nan), "steps.*NaN"),
    (lambda: accumulate(sgd(0.1), 10**10), r"steps.* above 0 and up to 2147483647, not 1e\+10"),
    (lambda: soap(0.1, every=Axis("every", [1, 10**10])), r"every.* not 1e\+10"),
    (lambda: lookahead(sgd(0.1), -1, 0.5), "sync_period.* not -1"),
    (lambda: clip(-1.0), "max_delta.* at least 0, not -1"),
    (lambda: clip_by_global_norm(-1.0), "max_norm.* at least 0, not -1"),
    (lambda: clip_by_global_norm(Axis("norm", [1.0, -1.0])), "max_norm.* not -1"),
    (lambda: adam(0.1, b2=1.5), "b2.* between 0 and 1, not 1.5"),
    (lambda: sgd(nan), "learning_rate.*NaN"),
    (
        lambda: adam(1e-3, mu_dtype=int),
        "mu_dtype must be a floating-point dtype.* not <class 'int'>",
    ),
    (lambda: adam(10**400), "learning_rate.*does not fit"),
    (lambda: Axis("a", [1e-50]), "Axis 'a'.*does not fit into float32"),
    (
        lambda: Axis("a", range(10**9)),
        "Axis 'a': an axis has at most 1000000 values, not 1000000000",
    ),
    (lambda: Axis("a", [1.0], along=3), "along must be the name of a dimension, not 3"),
    (lambda: adam({}), "learning_rate.*expected a number"),
    (lambda: moving_average(10**12), "window must be .* not 1000000000000"),
    (lambda: sgd(1j), "learning_rate.* not 1j"),
    (lambda: sgd(np.complex64(1)), "learning_rate.* not np.complex64"),
    (lambda: sgd(Axis("rate", [1j])), "Axis 'rate': values must be numbers"),
    (lambda: sgd(np.array([0.1, nan])), "learning_rate.* not array"),
    (lambda: sgd(jnp.array(True)), "learning_rate.* not Array"),
    (lambda: sgd(jax.random.key(0)), "learning_rate.* not Array"),
    (lambda: accumulate(sgd(0.1), 0), "steps.* above 0 and up to 2147483647, not 0"),
    (lambda: gdlab.prodigy(estim_lr0=0.0), "estim_lr0.* above 0, not 0"),
    (lambda: gdlab.rprop(0.1, eta_plus=0.5), "eta_plus.* at least 1, not 0.5"),
    (lambda: gdlab.rmsprop(0.1, decay=1.5), "decay.* between 0 and 1, not 1.5"),
    (lambda: gdlab.sam(sgd(0.1), rho=-1.0), "rho.* at least 0, not -1"),
    (lambda: gdlab.galore(0.1, rank=0), "rank must be a whole number between 1"),
    (lambda: gdlab.prodigy(betas=(0.9,)), "betas.* expected 2 values, not 1"),
    (lambda: gdlab.prodigy(betas=(0.9, 1.5)), "betas.* between 0 and 1, not 1.5"),
    (lambda: gdlab.aggmo(0.1, betas=()), "betas.* one value at least"),
    (lambda: gdlab.project_onto_box(1.0, -1.0), "'upper' must be at least 'lower'.* 1, not -1"),
    (lambda: gdlab.muon(0.1, preconditioning="fro"), "preconditioning must be .* not 'fro'"),
    (lambda: gdlab.scion(0.1, norms="size"), "norms.* not 'size'"),
    (lambda: gdlab.grafted_matrices(3), "weight_dimension_numbers.* not 3"),
    # Schedules
    (lambda: linear_schedule(1.0, 0.0, -5), "transition_steps.* not -5"),
    (lambda: cosine_decay_schedule(1.0, -5), "decay_steps.* not -5"),
    (lambda: cosine_decay_schedule(1.0, 5)(nan), "the step must be a number, not nan"),
    (lambda: cosine_decay_schedule(1.0, 5)("x"), "the step must be a number, not 'x'"),
    (lambda: join_schedules([constant_schedule(1.0)] * 3, [5, 2]), "boundaries must rise"),
    (lambda: join_schedules([constant_schedule(1.0)], [1]), "one boundary fewer"),
    (lambda: warmup_cosine_decay_schedule(0.0, 1.0, 10, 5), "decay_steps counts the warm-up"),
    (lambda: piecewise_constant_schedule(1.0, [3]), "boundaries_and_scales.*a dictionary"),
    (lambda: adam(lambda: 1.0), "learning_rate.*function of the step alone"),
    (lambda: one(adam(lambda t: "x")), "must return a number at each step, not 'x'"),
    (lambda: one(adam(lambda t: None)), "must return a number at each step, not None"),
    (lambda: one(adam(lambda t: 1j)), "must return a number at each step, not 1j"),
    (lambda: constant_schedule(1.0)(-3), "the step must count from 0, not -3"),
    (lambda: constant_schedule(1.0)(1j), "the step must be a number, not 1j"),
    (lambda: gdlab.exponential_decay(1.0, 5, -0.5), "decay_rate.* at least 0, not -0.5"),
    (
        lambda: gdlab.linear_onecycle_schedule(9, 1.0, pct_start=0.9, pct_final=0.5),
        "'pct_final' must be at least 'pct_start', which is 0.9, not 0.5",
    ),
    (lambda: piecewise_constant_schedule(1.0, {-3: 0.1}), "boundaries_and_scales: .* not -3"),
    (
        lambda: gdlab.piecewise_interpolate_schedule("linear", 1.0, {-3: 0.1}),
        "boundaries_and_scales: steps count from 0, not -3",
    ),
    # Axes
    (lambda: Axis("a", [1.0, 2.0, 1.0]), "Axis 'a': .* positions 0 and 2 are equal"),
    (lambda: Axis("a", [1.0, 1.0 + 1e-9]), "Axis 'a': .* are equal, 1 in float32"),
    (lambda: Axis("a", [1.0, 2.0]).value_of("x"), "position must be a whole number, not 'x'"),
    (lambda: Axis("a", [1.0, 2.0]).value_of(2), "position must be one of its 2 values.* not 2"),
    (lambda: Axis.choices("a", ["x"]).value_of(None), "position must be a whole number, not None"),
    # Functions of the user's, which take or return something else
    (lambda: one(masked(sgd(0.1), lambda: True)), r"mask\(params\) is what is called"),
    (lambda: one(fork(lambda a: a, sgd(0.1), sgd(0.1))), r"join\(array, …\) is what is called"),
    (lambda: one(gdlab.foreign(lambda: (), lambda u, s, p: u)), r"init\(params\) is what is"),
    (lambda: one(gdlab.foreign(lambda p: (), lambda u: u)), r"update\(updates, state\) is what"),
    (lambda: one(look_ahead(sgd(0.1)), grad_fn=lambda: g), r"grad_fn\(params\) is what is called"),
    (lambda: one(look_ahead(sgd(0.1)), grad_fn=lambda w: w[:2]), "what grad_fn returns and params"),
    (lambda: line_search(lambda: 1.0), r"value_fn\(params\) is what is called"),
    (lambda: line_search(lambda w: w), "what value_fn returns must be one real number"),
    (lambda: one(gdlab.stateless(lambda u, p: None)), "what f returns must be an array at"),
    (lambda: one(gdlab.project_params(lambda p: p[:2])), "what projection returns and params"),
    (lambda: one(gdlab.snapshot("norm", lambda u: "x")), "the measure 'norm' must return numbers"),
    (
        lambda: one(gdlab.conditionally_mask(sgd(0.1), lambda step: 2.5)),
        "should_transform_fn.* must be True or False, not 2.5",
    ),
    (
        lambda: one(gdlab.galore(0.1, 2, projector=lambda m, r: m[0]), K, K),
        "what projector returns and the rows differ in shape",
    ),
    (lambda: minimize(bowl, w, gdlab.gauss_newton(lambda w: None), 3), "residuals must return"),
    (
        lambda: minimize(bowl, w, sgd(0.1), 3, evaluate=lambda w: None),
        "evaluate must return a tree",
    ),
    (lambda: sw(evaluate=lambda: 1.0), r"evaluate\(params\) is what is called"),
    (lambda: sw(params=lambda: w), r"params: init\(key\) is what is called"),
    # Wiring, masks, names
    (lambda: one(fork(lambda a, b: None, sgd(0.1), sgd(0.1))), "a join must return one array"),
    (lambda: one(fork(lambda a, b: (a, b), sgd(0.1), sgd(0.1))), "a join must return one array"),
    (lambda: one(fork(lambda a, b: {"a": a}, sgd(0.1), sgd(0.1))), "a join must return one array"),
    (lambda: one(chain(fork(bus(), sgd(0.1)), on_wires(lambda a: [a]))), "must return one array"),
    (lambda: named_chain(("a.b", sgd(0.1))), "'a.b' becomes a part of dotted paths"),
    (lambda: masked(sgd(0.1), 3), "mask.*not 3"),
    (lambda: one(masked(sgd(0.1), {"a": 1, "b": 0}), P, P), "mask: the value at 'a' must be True"),
    (lambda: one(masked(sgd(0.1), lambda p: 3), P, P), "mask.* must be True or False, not 3"),
    (lambda: expand(3), "tx must be a GradientTransformation, not 3"),
    (lambda: hyperparameters(3), "tx must be .*not 3"),
    (lambda: set_hyperparameters(adam(1e-3), [("b1", 1.0)]), "must be a dictionary"),
    (lambda: ema(0.9, accumulator_dtype="foo"), "accumulator_dtype must be a floating-point dtype"),
    # Trees that do not agree, or hold no numbers
    (lambda: apply_updates(P, 1.0), "params have a leaf at 'a' where updates have none"),
    (lambda: apply_updates(w, 1.0), r"differ in shape at 'the root': \(\) and \(3,\)"),
    (lambda: apply_updates({"a": w}, {"a": 1}), r"differ in shape at 'a': \(\) and \(3,\)"),
    (lambda: one(adam(0.1), 1.0), r"differ in shape at 'the root': \(\) and \(3,\)"),
    (lambda: global_norm("abc"), "tree must be a tree of arrays, not 'abc'"),
    (lambda: global_norm({"a": "x", "b": abs}), "tree must be a tree of arrays"),
    (lambda: global_norm(np.array(["x"])), "array of numbers"),
    (lambda: adam(0.1).init(np.array([object()])), "array of numbers"),
    (lambda: one(adam(0.1), np.array(["a"]), np.array(["b"])), "array of numbers"),
    (lambda: adam(0.1).update(g, None, w), "the state is not one of adam"),
    (lambda: adam(0.1).update(g, sgd(0.1).init(w), w), "the state is not one of adam"),
    (lambda: one(look_ahead(sgd(0.1)), grad_fn=3), "grad_fn must be a function"),
    (lambda: apply_updates(w, "x"), "updates must have an array at 'the root'.* not 'x'"),
    (lambda: one(gdlab.polyak_sgd(), value=np.ones(3)), "value must be one real number"),
    (lambda: one(gdlab.add_noise(0.1, 0.5), key=5), "key must be a PRNG key, such as jax"),
    # Runs
    (lambda: minimize(bowl, w, sgd(0.1), True), "steps must be a whole number"),
    (lambda: minimize(bowl, w, sgd(0.1), 2.5), "steps must be a whole number"),
    (lambda: minimize(bowl, w, sgd(0.1), 10**19), "steps must be a whole number"),
    (lambda: minimize(bowl, None, sgd(0.1), 3), "x0 has no arrays"),
    (lambda: minimize(bowl, np.arange(3), sgd(0.1), 3), "x0 is int"),
    (lambda: minimize(bowl, w, sgd(0.1), 3, data=data), r"called as loss\(params, batch\)"),
    (lambda: minimize(bowl, w, sgd(0.1), 3, has_aux=True), r"must return \(loss, aux\)"),
    (lambda: list(minibatches(data, 2, None, epochs="x")), "epochs must be a whole number"),
    (lambda: minimize(bowl, w, sgd(0.1), 3, tol=-1.0), "tol must be .* at least 0.* not -1.0"),
    (lambda: minimize(bowl, w, sgd(0.1), 3, bounds=(1.0, -1.0)), "bounds: the lower bound must be"),
    (lambda: minimize(bowl, w, sgd(0.1), 3, first_step=-1), "first_step must be .* not -1"),
    (lambda: minibatches(data, 2, None, epochs=-1), "epochs must be a whole number.* not -1"),
    (lambda: minimize(bowl, MANY, sgd(0.1), 10**9), "steps: .* keep_path=False"),
    (lambda: gdlab.EpochSampler(8, 2).order(jax.random.key(0), 2.5), "step must be .* not 2.5"),
    (lambda: run_with_state(lambda w, model_state: w.sum()), r"must return \(loss, state\)"),
    (lambda: run_with_state(lambda w, model_state: (w.sum(), {})), "model_state differ in struct"),
    (
        lambda: run_with_state(lambda w, model_state: (w.sum(), {"a": w})),
        "differ in shape at 'a'",
    ),
    (
        lambda: run_with_state(lambda w, model_state: (w.sum(), {"a": 1.0}), has_aux=True),
        r"must return \(loss, \(state, aux\)\)",
    ),
    (lambda: minimize(bowl, w, sgd(0.1), 3, model_state={"a": "x"}), "model_state .* has 'x'"),
    # Sweeps
    (lambda: sw(seeds=[-1]), "seeds must be at least 0"),
    (lambda: sw(tx=sgd(Axis("loss", [0.1]))), "field 'loss' of its own"),
    (lambda: sw(hyperparameters=3), "hyperparameters must be .* not 3"),
    (lambda: sw(policy="halving"), "policy must be .*Policy.* not 'halving'"),
    (lambda: sw(has_aux="x"), "has_aux must be True or False, not 'x'"),
    (lambda: sw(evaluate=3), "evaluate must be .* not 3"),
    (lambda: sw(loss=3), "loss must be .* not 3"),
    (lambda: sw(loss=lambda: 1.0), r"called as loss\(params\)"),
    (lambda: sw(params=None), "params has no arrays"),
    (lambda: sw(tx={1: sgd(0.1)}), "tx must be"),
    (lambda: SuccessiveHalving(factor="x"), "factor must be a number above 1 and finite, not 'x'"),
    (lambda: SuccessiveHalving(rungs=[1.5]), "rungs must be a list of whole numbers"),
    (lambda: SuccessiveHalving(least_steps="x"), "least_steps must be a whole number"),
    (lambda: PopulationBasedTraining(every=1.5), "every must be a whole number"),
    (lambda: PopulationBasedTraining(every=1, factors=()), "factors must be positive"),
    (
        lambda: PopulationBasedTraining(every=1, factors=(nan,)),
        "factors must be .* numbers, not .nan",
    ),
    (lambda: sw(seeds=10**10), "seeds must be .* not 10000000000"),
    (lambda: sw(seeds=2 * 10**9), "seeds must be .* not 2000000000"),
    (lambda: sw(seeds=[10**10]), r"below 2\*\*32.* not 10000000000"),
    (lambda: sw(samples=10**9), "samples must be .* not 1000000000"),
    (lambda: sw(seeds=10**6, steps=10**9), "the losses at all recorded steps .* record_every"),
    (lambda: sw(live=3), "live must be .* not 3"),
    (lambda: gdlab.Stopping(divergence_factor=0.5), "divergence_factor.* at least 1, not 0.5"),
    (lambda: gdlab.Stopping({"loss": np.inf}), "targets: 'loss' must have a finite number"),
    (lambda: gdlab.Resources(lane_chunk=4, exact=True), "lane_chunk=4 has no place"),
    (lambda: SuccessiveHalving(rungs=[]), "rungs must be one number of steps at least"),
    (lambda: sw(tx={"": sgd(0.1)}), "tx: an optimizer needs a name"),
    (lambda: gdlab.sweep_report(3), "results must be a SweepResult.* not 3"),
    (
        lambda: gdlab.sweep_report({}, confidence=1.0),
        "confidence must be .* above 0 and below 1, not 1.0",
    ),
    (
        lambda: sw(lambda w, c: c * w.sum(), hyperparameters={"c": None}),
        "hyperparameters: 'c' is None",
    ),
    # Losses
    (lambda: losses.l2_loss(None), "predictions must be an array of numbers, not None"),
    (lambda: losses.huber_loss(w, w, delta=-1.0), "delta must be above 0, not -1"),
    (
        lambda: losses.softmax_cross_entropy(w, w, axis=7),
        "axis must be an axis of an .* not 7",
    ),
    # Trees of integers, of texts, and of other shapes
    (lambda: adam(0.1).init({"a": np.arange(3)}), "params must be float.* those at 'a' are int"),
    (lambda: adam(0.1).init(np.array([True])), "params must be float.* at 'the root' are bool"),
    (lambda: one(adam(0.1), np.ones(3, int)), "updates must be float.* at 'the root' are int"),
    (lambda: one(sgd(0.1), {"a": [True], "b": w}, None), "updates must be float.* 'a.0' are bool"),
    (lambda: one(adam(0.1), "g"), "updates must be arrays, but at 'the root' is 'g'"),
    (lambda: apply_updates(np.arange(3), w), "params with an update must be floating-point"),
    (lambda: apply_updates({"a": w}, {"a": np.arange(3)}), "updates must be float.* 'a' are int"),
    (
        lambda: one(gdlab.foreign(tuple, lambda u, s: ("x", s))),
        "updates that foreign makes must be",
    ),
    (
        lambda: one(gdlab.foreign(tuple, lambda u, s: (w[:2], s))),
        r"updates made and params.*\(2,\)",
    ),
    (lambda: gdlab.flatten_state([object()]), "state must be a tree of arrays.* not .<object"),
    (lambda: gdlab.unstacked(3), "state must be a tree of arrays, as init makes a state, not 3"),
    (lambda: gdlab.expected_scales("x"), "params must be a tree of arrays, not 'x'"),
    (lambda: gdlab.matrices({"a": "x"}), "params must be a tree of arrays, not"),
    (lambda: hyperparameters(adam(0.1), {"a": 1}), "holds a, where this transformation keeps mu"),
    (lambda: hyperparameters(adam(0.1), sgd(0.1).init(w)), "holds nothing, where"),
    (
        lambda: gdlab.unitwise_clip(w, w[:2], w),
        r"max_norm must have the shape of grad, \(3,\), not",
    ),
    # Values by leaf
    (lambda: one(sgd({"a": 0.1}), P, P), r"sgd.*: learning_rate: .* expected keys: \['a'\]"),
    (lambda: one(sgd(0.1, [("a", 0.9)]), P, P), "momentum: .*no pattern matches the leaf at 'b'"),
    (lambda: one(chain(clip({"a": 1.0}), sgd(0.1)), P, P), "max_delta: .* expected keys"),
    (
        lambda: one(sgd(gdlab.by_leaf(lambda: 1.0))),
        r"learning_rate: values\(params\) is what is called",
    ),
    (
        lambda: one(sgd(np.ones((2, 3)))),
        r"learning_rate has the shape \(2, 3\) and the array \(3,\)",
    ),
    (lambda: one(sgd(gdlab.scaled_by_leaf(0.1, lambda p: None)), P, P), "factors must be.* at 'a'"),
    (lambda: one(gdlab.stacked(sgd(0.1), labels={"z": 0}), P, P), "stacked: labels: .*'z'"),
    # Parts and formats
    (lambda: adam(0.1, mu_dtype="complex64"), "mu_dtype must be a floating-point dtype.*complex64"),
    (
        lambda: gdlab.centralize(axis=(1, 1)),
        r"axis must be .* different axes, or None, not \(1, 1\)",
    ),
    (lambda: gdlab.adaptive_grad_clip(0.1, axis=(0, 0)), r"axis must be .* not \(0, 0\)"),
    (lambda: gdlab.wire(-1), "index must be a whole number between 0 and .* not -1"),
    (lambda: gdlab.weighted_sum(), "'weights': expected one value at least"),
    (lambda: gdlab.Shared(3, 4), "Shared: init must be a function, not 3"),
    (lambda: gdlab.Int8Format(smallest=-1), "smallest must be a whole number between 0 and"),
    (lambda: gdlab.BFloat16Format("up"), "rounding must be .*'nearest'.* not 'up'"),
    (lambda: gdlab.gaussian_rows(jax.random.key(0), (2, 2), "x"), "dtype must be a floating-point"),
    # Masks, schedules, and rules that their authors wrote wrong
    (
        lambda: one(gdlab.adamw(0.1, mask=lambda p: p), P, P),
        "mask: the value at 'a' must be True or",
    ),
    (
        lambda: one(gdlab.adamw(0.1, mask={"a": True, "b": "no"}), P, P),
        "mask: .* at 'b' .* not 'no'",
    ),
    (lambda: adam(0.1, (0.9, 0.999)), r"adam\(0\.1, b1=\(0\.9, 0\.999\)\): debias"),
    (
        lambda: one(sgd(not_a_schedule(1.0))),
        r"not_a_schedule.*: schedule\(count\) is what is called",
    ),
    (lambda: one(of_no_array(1.0)), r"of_no_array\(…\): update must return an array, not None"),
    (
        lambda: one(of_growing_state(1.0)),
        r"of_growing_state: .* shape \(3,\), and is now of \(6,\)",
    ),
    (
        lambda: gdlab.evaluation_params(w, adam(0.1).init(w)),
        "params must be parameters, not a state",
    ),
    # Pictures and pages
    (lambda: plots.averages([1.0], {"a": ema(0.9)}, ax=3), "ax must be axes of matplotlib.* not 3"),
    (lambda: plots.losses([1.0, 0.5], minimum=nan), "minimum must be a number or None, not nan"),
    (lambda: plots.poles([nan]), "poles must be finite, but 1 of 1"),
    (lambda: plots.spectral_density([0.0, 1.0], [1.0]), "density must have a value for each"),
    (lambda: plots.three_regimes({}), "paths must be a dictionary"),
    (lambda: gdlab.exercise("", 1.0), "question must be a text that is not empty"),
    (lambda: gdlab.exercise("?", 1.0).save("a.docx"), "path: a page ends in .html"),
    (lambda: plots.losses({"a": [1.0, 0.5]}, minimum=2.0), "minimum is 2.0, but all losses of 'a'"),
    (lambda: plots.losses({1: [1.0, 0.5]}), "runs: the name of each run must be a text, not 1"),
    (lambda: plots.mode_factors({"a": []}), "factors_by_panel: the factors of 'a' are none"),
    (lambda: plots.mode_factors({"a": [nan]}), "factors_by_panel: .* must be finite"),
    (lambda: plots.poles(["x"]), "poles must be numbers"),
    (lambda: plots.root_locus([1.0, 2.0], [1.0, 2.0]), "poles: a path needs"),
    (lambda: plots.frequency_response([0.1, 0.2], [nan, nan]), "response must be finite"),
    (lambda: plots.frequency_response([0.2, 0.1], [1.0, 1.0]), "frequency must rise"),
    (lambda: plots.spectral_density([0.0, 1.0], [1.0, -1.0]), "density must be at least 0"),
    (lambda: plots.sharpness([1, 0], [1.0, 2.0], 3.0), "step must rise"),
    (lambda: plots.error_by_mode([-1.0], [[1.0]]), "curvature must be at least 0"),
    (
        lambda: plots.regimes(["a"], {"a": [1.0, 2.0]}, [0.5, 0.5], ["monotone", "wild"]),
        "regime must be one of .* not 'wild'",
    ),
    (
        lambda: plots.landscape([0.0, 1.0], [0.0, 1.0], np.ones((2, 2)), path_losses=[1.0]),
        "path_losses are those along a path",
    ),
    (
        lambda: plots.race(problems.saddle(), {"a": sgd(0.1)}, tune="x", progress=False),
        "tune must be real numbers, not 'x'",
    ),
    (lambda: gdlab.explore(bowl, sgd(0.1), 1j * w), "start must be two finite numbers or more"),
    (lambda: gdlab.explore(bowl, {"": sgd(0.1)}, w), "tx must be .* text that is not empty"),
    (lambda: gdlab.explore_training(lambda w: nan * w.sum(), sgd(0.1), w), "loss must be finite"),
    (lambda: gdlab.map_axes(lambda: 1.0)(Axis("a", [1.0])), r"function\(…\) is what is called"),
    # Models and laws of their size
    (lambda: scaling.mup({"w": w}, layouts={"v": ((), (0,))}), "layouts: pattern 'v' matches none"),
    (lambda: scaling.completed_p(K, depth=0.0, blocks="k"), "depth must be a positive number"),
    (lambda: scaling.fit_power_law({"n": [1.0]}, [1.0, 2.0]), "sizes of 'n' must be one for each"),
    (lambda: problems.dense_network((10**9,)), "widths must be at most 10000 each, not 10000000"),
    (lambda: problems.quadratic([1.0, 2.0], rotation=nan), "rotation must be a number.* not nan"),
    (lambda: problems.Layer(stride=0), "stride must be .* not 0"),
    (lambda: problems.Problem(bowl, "bowl", w, "none", bounds=3), "bounds must be .* not 3"),
    (lambda: problems.convolutional_network(blocks=10**6), "blocks must be .* not 1000000"),
    (lambda: scaling.fit_power_law({"": [1.0, 2.0, 4.0]}, [1.0, 2.0, 4.0]), "sizes must be"),
    (
        lambda: scaling.fit_optimum([0.1, 0.2, 0.4], [1.0, 0.5, 2.0]).value_at(-1.0),
        "rate must be a number above 0, not -1.0",
    ),
    # Other libraries
    (lambda: gdlab.interop.trainable(w, 3), "trainable takes a Flax NNX module or an Equinox"),
    (lambda: gdlab.interop.trainable(w, None), "wrt must be a filter .* not None"),
    (lambda: from_torch({"state": 3}), "'state' must be a dictionary of dictionaries, not 3"),
    (lambda: from_torch({"param_groups": 3}), "'param_groups' must be a list of dict.* not 3"),
    (
        lambda: from_torch({"state": {0: {"step": 1.5, "exp_avg": w, "exp_avg_sq": w}}}),
        "state_dict: the step of 0 must be a whole number, not 1.5",
    ),
    (
        lambda: from_torch({"state": {0: {"step": 1, "exp_avg": "x", "exp_avg_sq": w}}}),
        "a tensor or an array of numbers is needed, not 'x'",
    ),
    # Analyses
    (lambda: analysis.linearize(sgd(0.1), "x"), "curvature must be real numbers, not 'x'"),
    (lambda: analysis.frequency_response(ema(0.9), [nan]), "frequency must be finite"),
    (lambda: analysis.stationary_variance(sgd(0.1), 1.0, noise=-1.0), "noise must be at least 0"),
    (lambda: analysis.gradient_flow(bowl, w, [0.0, 1e9]), "times: the path of .* cannot be follow"),
    (lambda: analysis.step_response(ema(0.9), 10**9), "steps must be .* not 1000000000"),
    (lambda: analysis.landscape(bowl, w, points=10**6), "points must be .* not 1000000"),
    (
        lambda: analysis.landscape(bowl, w, directions="random", points=10**4),
        "points must be at most 1000000 together",
    ),
    (lambda: analysis.hessian_vector_product(bowl, w, None), "vector .* it has None"),
    (lambda: analysis.hessian_vector_product(bowl, w, w > 0), "vector must be a tree of real"),
    (lambda: analysis.hessian_eigenpairs(lambda w: nan * w.sum(), w), "the loss is NaN there"),
    (lambda: analysis.hessian_eigenpairs(bowl, w, k=10), "k must be from 1 to 3, .* not 10"),
    (
        lambda: analysis.spectral_density(bowl, MANY, key=jax.random.key(0), iterations=10**6),
        "iterations: 1000000 vectors of 1000000 parameters take 4e.12 bytes",
    ),
    (
        lambda: analysis.spectral_density(bowl, w, key=jax.random.key(0), bandwidth=np.inf),
        "bandwidth must be a number above 0 and finite",
    ),
    (
        lambda: analysis.gauss_newton_vector_product(
            lambda w, x: None, lambda outputs, y: 0.0, w, w, data
        ),
        "model must return the outputs, a tree of arrays, not None",
    ),
    (
        lambda: analysis.empirical_fisher_vector_product(lambda w, e: w, w, w, data),
        "log_likelihood must be a real scalar",
    ),
    (
        lambda: analysis.empirical_fisher_vector_product(lambda w: w.sum(), w, w, data),
        r"log_likelihood is called as log_likelihood\(params, example\)",
    ),
    (lambda: analysis.gradient_flow(lambda w: w, w, [0.0, 1.0]), "fun must be a real scalar"),
    (lambda: analysis.gradient_flow(lambda: 1.0, w, [0.0, 1.0]), r"called as fun\(params\)"),
    (lambda: analysis.gradient_flow(bowl, 1j * w, [0.0, 1.0]), "w0 must be a tree of floating"),
    (lambda: analysis.gradient_flow(bowl, nan * w, [0.0, 1.0]), "w0 must be finite"),
    (lambda: analysis.frequency_response(ema(0.9), [3.14]), "frequency must be in cycles .* 3.14"),
    (lambda: analysis.linearize(adam(0.1), 1.0, gradient_rms="x"), "gradient_rms must be real"),
    (lambda: analysis.circuit(sgd(0.1), 1.0).response([-1.0, 1.0]), "times must be at least 0"),
    (lambda: analysis.circuit(sgd(0.1), 1.0).response([1.0], "x"), "w0 must be real numbers"),
    (lambda: analysis.circuit(sgd(0.1), 1.0).plot([]), "iterates must be of the shape"),
    (lambda: analysis.track(bowl, w, sgd(0.1), 4, every=0), "every must be .* not 0"),
    (lambda: analysis.sharpness(bowl, w, preconditioner=-w), "preconditioner must be finite, and"),
    (
        lambda: analysis.classify_critical_point(bowl, 0 * w, curvature_tolerance=-1.0),
        "curvature_tolerance must be .* not -1.0",
    ),
    (lambda: compare([1.0]), "start holds 1 numbers, but the curvature has 3 directions"),
    (lambda: compare(w, minimiser=[1.0]), "minimiser and start differ"),
    (lambda: compare("x"), "start must be a tree of real numbers"),
    (lambda: compare(w, minimum=1e9), "minimum is 1000000000.0, but all losses"),
    (lambda: analysis.impulse_response(ema(0.9), -3), "steps must be a whole number"),
    (lambda: analysis.impulse_response(ema(0.9), 2.5), "steps must be a whole number"),
    (lambda: analysis.hessian_trace(bowl, w, key=3), "key must be a PRNG key.* not 3"),
    (lambda: analysis.hessian_eigenpairs(3, w), "must be a function, not 3"),
    (lambda: problems.ackley(10**9), "size must be a whole number between 1 and 1000000"),
    (lambda: problems.rosenbrock(10**10), "size must be a whole number between 2 and 1000000"),
    (lambda: problems.ackley("two"), "size must be a whole number"),
    (lambda: gdlab.foreign(1, 2), "init must be a function, not 1"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_call_is_refused_and_the_argument_is_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_failing_live_function_is_named_and_what_was_computed_is_kept():
    def live(result):
        raise KeyError("no such column")

    with pytest.raises(KeyError, match="raised by `live`") as caught:
        sw(live=live)
    assert caught.value.result.loss.shape == (2, 1, 4)


@pytest.mark.parametrize("tree", [None, {}, {"w": np.array([3.0, 4.0]), "activation": abs}])
def test_what_is_no_array_adds_nothing_to_a_norm(tree):
    assert global_norm(tree) == (5 if tree else 0)


def test_a_page_takes_the_place_of_no_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.html")
    with pytest.raises(OSError, match=r"is no file.*pipe\.html"):
        gdlab.exercise("How much?", 1.0).save(tmp_path / "pipe.html")
    assert not (tmp_path / "pipe.html").is_file()


CONVERTED = [
    (lambda: minimize(lambda w: float(w[0]), w, sgd(0.1), 3), r"loss\(params\), which JAX traces"),
    (lambda: sw(lambda w: w.sum() if w[0] > 0 else 0.0), r"loss\(params\), which JAX traces"),
    (
        lambda: gdlab.explore(lambda w: float(w[0]), sgd(0.1), np.ones(2)),
        r"fun\(params\), which JAX traces",
    ),
    (
        lambda: minimize(bowl, w, sgd(0.1), 3, evaluate=lambda w: np.asarray(w).sum()),
        r"evaluate\(params\), which JAX traces",
    ),
    (
        lambda: minimize(lambda w, batch: batch @ w[:2], w, sgd(0.1), 3, data=inputs),
        r"loss\(params, batch\) with batch of float32\[16, 3\]",
    ),
]


@pytest.mark.parametrize(("call", "note"), CONVERTED, ids=[note for _, note in CONVERTED])
def test_an_error_of_a_users_function_says_in_which_call_it_came(call, note):
    with pytest.raises(TypeError) as caught:
        call()
    assert re.search(note, " ".join(caught.value.__notes__))
