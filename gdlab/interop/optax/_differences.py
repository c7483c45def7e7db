"""The differences between this namespace, which follows the papers, and optax."""

import html
import textwrap
from typing import NamedTuple


class Difference(NamedTuple):
    """A difference of meaning, with its reason."""

    names: tuple[str, ...]
    """The names of the functions that differ, or a description if it is not about functions."""
    case: str
    """The arguments for which the two differ; empty if they always differ."""
    optax: str
    """The behaviour of optax 0.2.8."""
    gdlab: str
    """The behaviour of gdlab, in this namespace and elsewhere."""
    reason: str
    """The reason why gdlab does not follow optax."""


class Differences(dict[str, tuple[Difference, ...]]):
    """Differences by the name of the function; it prints as a table."""

    @property
    def rows(self) -> list[Difference]:
        """Each difference once."""
        return list(dict.fromkeys(row for rows in self.values() for row in rows))

    def __repr__(self) -> str:
        lines = [_line(*HEADER), _line(*("-" * width for width in WIDTHS))]
        for row in self.rows:
            cells = [
                textwrap.wrap(text, width) or [""]
                for text, width in zip(_cells(row), WIDTHS, strict=True)
            ]
            height = max(map(len, cells))
            padded = (cell + [""] * (height - len(cell)) for cell in cells)
            lines.extend(_line(*parts) for parts in zip(*padded, strict=True))
            lines.append("")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def cells(kind: str, texts: tuple[str, ...]) -> str:
            return "".join(f"<{kind}>{html.escape(text)}</{kind}>" for text in texts)

        rows = "".join(f"<tr>{cells('td', _cells(row))}</tr>" for row in self.rows)
        return f"<table><tr>{cells('th', HEADER)}</tr>{rows}</table>"


HEADER = ("name", "optax", "gdlab", "reason")
WIDTHS = (24, 30, 30, 30)


def _cells(row: Difference) -> tuple[str, str, str, str]:
    names = ", ".join(row.names)
    return f"{names}: {row.case}" if row.case else names, row.optax, row.gdlab, row.reason


def _line(*parts: str) -> str:
    padded = (part.ljust(width) for part, width in zip(parts, WIDTHS, strict=True))
    return "  ".join(padded).rstrip()


def differences() -> Differences:
    """The functions of this namespace that deliberately differ from optax's.

    Returns:
        Name → the differences of that function, each with its reason. Printed it is a table.

    >>> from gdlab.interop import optax
    >>> optax.differences()["amsgrad"][0].optax
    'keeps the maximum of the corrected second moments'
    """
    found = Differences()
    for row in ROWS:
        for name in row.names:
            found[name] = (*found.get(name, ()), row)
    return found


NO_UPDATE_OF_NOTHING = "a gradient of zero asks for no step, and a NaN spoils a run for good"

ROWS = (
    Difference(
        ("adadelta",),
        "without a learning rate",
        "the updates ascend",
        "descends, with the learning rate 1",
        "Zeiler's algorithm descends, and has no learning rate",
    ),
    Difference(
        ("amsgrad", "scale_by_amsgrad"),
        "",
        "keeps the maximum of the corrected second moments",
        "keeps the maximum of the raw ones, and corrects that",
        "the paper's; corrected moments start large, and their maximum stays",
    ),
    Difference(
        ("adan", "scale_by_adan"),
        "",
        "weighs the change of the gradient by 1 − b2",
        "weighs it by b2",
        "the paper's, whose β₂ is 1 − b2, and its authors' code",
    ),
    Difference(
        ("rprop", "scale_by_rprop"),
        "",
        "hands on the update of the step before; the first one is zero",
        "hands on the update of this step",
        "the paper's",
    ),
    Difference(
        ("yogi", "scale_by_yogi"),
        "",
        "starts both averages at 1e-6, so that parameters without a gradient move",
        "starts the average of gradients at zero",
        "the paper's",
    ),
    Difference(
        ("lars",),
        "with weight decay",
        "divides by the norm of the decayed gradient",
        "divides by the norms of gradient and decay, added",
        "the paper's, algorithm 1",
    ),
    Difference(
        ("adafactor",),
        "with weight decay",
        "decays by weight_decay_rate at each step, whatever the learning rate",
        "scales the decay with the learning rate",
        "the decay of optax goes on at full strength when the learning rate has come to zero",
    ),
    Difference(
        ("lbfgs", "scale_by_lbfgs"),
        "where curvature along a step is negative",
        "keeps the pair, and may point uphill",
        "leaves the pair out",
        "the inverse Hessian has to stay positive definite",
    ),
    Difference(
        ("scale_by_zoom_linesearch", "lbfgs"),
        "where the first trial of a search is not accepted",
        "doubles the step until there is a bracket",
        "takes the minimum of the cubic through the last two trials",
        "fewer evaluations; both end where the conditions of Wolfe hold",
    ),
    Difference(
        ("contrib.acprop", "contrib.scale_by_acprop"),
        "",
        "divides the average gradient, and measures deviations from the average before",
        "divides the gradient, and measures them from the average that knows it",
        "the paper's, algorithm 2",
    ),
    Difference(
        ("contrib.madgrad", "contrib.scale_by_madgrad"),
        "",
        "adds ε to the learning rate",
        "does not",
        "the paper's; with a learning rate of zero nothing moves",
    ),
    Difference(
        ("contrib.mechanize",),
        "",
        "computes the displacement from the parameters, divided by the scale plus ε",
        "keeps the displacement",
        "the paper's; where the scale is as small as ε the quotient is wrong by half",
    ),
    Difference(
        ("contrib.muon",),
        "",
        "corrects the average as in Nadam, and lets AdamW beside it look ahead as well",
        "orthogonalises β·m + (1 − β)·g, beside plain AdamW",
        "Jordan's code",
    ),
    Difference(
        ("contrib.scale_by_muon",),
        "",
        "corrects the average as in Nadam",
        "orthogonalises β·m + (1 − β)·g",
        "Jordan's code",
    ),
    Difference(
        ("contrib.galore", "contrib.scale_by_galore"),
        "",
        "projects the longer side of a matrix",
        "projects the shorter side, and takes no weight_dimension_numbers",
        "the paper's, which keeps less",
    ),
    Difference(
        ("contrib.sophia",),
        "",
        "corrects the momentum, and renews the curvature after the step",
        "does not correct, and renews the curvature before the step that uses it",
        "the paper's, algorithm 3",
    ),
    Difference(
        ("contrib.schedule_free_sgd", "contrib.schedule_free_adamw"),
        "with warmup_steps",
        "the first step has the learning rate 0",
        "the first step has 1/warmup_steps of it",
        "the authors' code; a first step of nothing is none",
    ),
    Difference(
        ("contrib.schedule_free", "contrib.schedule_free_sgd", "contrib.schedule_free_adamw"),
        "with a schedule for the learning rate",
        "weighs each step in the average by the learning rate of the step after it",
        "weighs it by its own",
        "the authors' code",
    ),
    Difference(
        ("contrib.reduce_on_plateau",),
        "in its state",
        "count is the number of values averaged so far",
        "seen is",
        "count is the number of steps, which all links share",
    ),
    Difference(
        ("contrib.reduce_on_plateau",),
        "with a loss below zero",
        "a loss above the best one still improves on it",
        "it improves below best − rtol·|best|",
        "otherwise a negative loss never reaches a plateau",
    ),
    Difference(
        ("clip_by_global_norm",),
        "with a NaN, or at norm and bound 0",
        "one NaN makes all updates NaN, and 0/0 is NaN",
        "it stays where it is, the norm of the others is bounded, and 0/0 is 0",
        "a NaN goes nowhere it was not",
    ),
    Difference(
        ("global_norm",),
        "where squares overflow",
        "infinite",
        "the norm",
        "it is a number like others; and its derivative at zero is zero",
    ),
    Difference(
        ("centralize",),
        "",
        "subtracts the mean over all axes but the first",
        "subtracts the mean over all axes but the last",
        "the paper's mean is over the inputs of each output, and JAX has outputs last",
    ),
    Difference(
        ("adaptive_grad_clip", "transforms.unitwise_norm"),
        "with three axes",
        "a unit spans the first axis alone",
        "a unit spans all axes but the last",
        "the paper's norm is over the inputs of each output, and JAX has outputs last",
    ),
    Difference(
        ("contrib.normalize",),
        "with zero gradients",
        "NaN",
        "0",
        NO_UPDATE_OF_NOTHING,
    ),
    Difference(
        ("scale_by_adam", "adam", "adamw", "adamax", "nadam"),
        "with eps=0 and a zero gradient, or in float16",
        "0/0 is NaN, and 1e-8 is 0 in float16",
        "0",
        NO_UPDATE_OF_NOTHING,
    ),
    Difference(
        ("scale_by_stddev", "rmsprop"),
        "with centered=True and a constant gradient",
        "takes v − m², which cancels, and may take the root of a negative number",
        "keeps the variance itself",
        "the same number in exact arithmetic",
    ),
    Difference(
        ("flatten", "contrib.split_real_and_imaginary"),
        "with the keyword grad",
        "the inner transformation is given grad in the old layout, or not at all",
        "it is given it in the layout that it sees",
        "what it does with it would not fit its updates",
    ),
    Difference(
        ("masked", "partition"),
        "with a function for the mask or the labels",
        "the function is given the updates at a step, and the parameters at the start",
        "it is given the parameters always",
        "a choice that depends on values would not fit the state",
    ),
    Difference(
        ("linear_schedule", "polynomial_schedule"),
        "with no steps, or a negative begin",
        "zero steps: the first value for good; a negative begin counts as 0",
        "zero steps: the last value at once; a negative begin is one",
        "the limit of few steps",
    ),
    Difference(
        ("exponential_decay",),
        "with decay_rate=0",
        "the first value for good",
        "0 after the first step",
        "the limit of a small rate",
    ),
    Difference(
        (
            "cosine_decay_schedule",
            "warmup_cosine_decay_schedule",
            "linear_onecycle_schedule",
            "cosine_onecycle_schedule",
        ),
        "with no steps of decay",
        "an error",
        "the last value at once",
        "the limit of few steps; the number of steps may be swept",
    ),
    Difference(
        ("piecewise_constant_schedule", "piecewise_interpolate_schedule"),
        "with negative scales",
        "an error",
        "they are scales",
        "scales are data, which may be traced",
    ),
    Difference(
        ("optimistic_adam", "sm3"),
        "with a schedule for the learning rate",
        "an error",
        "follows it",
        "a schedule stands wherever a number can",
    ),
    Difference(
        ("scale_by_sm3",),
        "with a scalar parameter",
        "an error",
        "keeps one number",
        "scalars are parameters",
    ),
    Difference(
        ("scale_by_distance_over_gradients",),
        "with a scalar parameter",
        "an update of the shape (1,)",
        "an update of its shape",
        "scalars are parameters",
    ),
    Difference(
        ("chain", "named_chain"),
        "in what init returns",
        "the state is a tuple, or a dictionary, of the states of the links",
        "one State has the entries of all links by name, and state[i] is that State; iteration "
        "and len go over the names, and named_chain puts its names before those of entries",
        "entries that have names go to files and come back",
    ),
    Difference(
        ("tree.set", "tree_utils.tree_set"),
        "of the count of Adam and the like",
        "sets the step of the bias corrections as well",
        "sets the step of schedules; bias corrections have weights of their own in the state",
        "weights stay right when a decay follows a schedule",
    ),
    Difference(
        ("state",),
        "its type",
        "named tuples such as ScaleByAdamState",
        "State, a dictionary, which isinstance takes for one of each class whose entries it has",
        "one type, of which every wrapper knows what it is",
    ),
    Difference(
        ("state",),
        "where the moments of Adam and the like are set by hand, as to zero",
        "the count says how they are corrected",
        "mu_weight and nu_weight say it; make the state anew by init",
        "weights stay right when a decay follows a schedule",
    ),
    Difference(
        ("low precision",),
        "with parameters or moments in bfloat16 or float16",
        "moments in the dtype of the parameters, multiplied in the dtype they are stored in; "
        "updates in a dtype that depends on how the learning rate is given",
        "moments in float32 unless mu_dtype or accumulator_dtype says otherwise, multiplied in "
        "float32; updates in the wider dtype of gradient and parameter",
        "averages stall in bfloat16",
    ),
    Difference(
        ("small numbers",),
        "such as eps=1e-50 without float64",
        "0",
        "an error",
        "it would be another number than the one that was written",
    ),
)
