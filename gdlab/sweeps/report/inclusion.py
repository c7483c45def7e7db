"""The alarm if an optimizer loses to a special case of itself.

If one method includes another as a special case or a limit of its hyperparameters, then it cannot
be worse at its best setting. If a sweep shows otherwise, the two were not tuned equally well.

Source: D. Choi et al., On empirical comparisons of optimizers for deep learning, 2019, section 3.
"""

import ast
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from gdlab.core.representation import in_words
from gdlab.sweeps.report.contestants import Contestant, Measure
from gdlab.sweeps.report.differences import Difference
from gdlab.sweeps.report.judgement import Judgement, enumeration, number
from gdlab.sweeps.results.recorded import form_of

_LARGE_EPS: str = "eps → ∞ with learning_rate / eps held"
"""The limit in which an adaptive method divides by the constant ε alone."""
INCLUSIONS: dict[tuple[str, str], str] = {
    ("momentum", "sgd"): "momentum = 0",
    ("nesterov", "sgd"): "momentum = 0",
    ("qhm", "momentum"): "nu = 1",
    ("rmsprop", "sgd"): _LARGE_EPS,
    ("rmsprop with momentum", "rmsprop"): "momentum = 0",
    ("rmsprop with momentum", "momentum"): _LARGE_EPS,
    ("adam", "momentum"): _LARGE_EPS,
    ("adam", "rmsprop"): "b1 = 0",
    ("adamw", "adam"): "weight_decay = 0",
    ("amsgrad", "momentum"): _LARGE_EPS,
    ("adabelief", "momentum"): _LARGE_EPS,
    ("yogi", "momentum"): _LARGE_EPS,
    ("nadam", "nesterov"): _LARGE_EPS,
    ("nadamw", "nadam"): "weight_decay = 0",
    ("qhadam", "adam"): "nu1 = nu2 = 1",
}
"""(method, included method) → the setting or limit at which the first method equals the second, up
to the bias corrections of the first steps."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Inclusion(Judgement):
    """A pair of optimizers of which one includes the other."""

    kind: ClassVar[str] = "inclusion"
    heading: ClassVar[str] = "Inclusion"
    optimizer: str
    included: str
    limit: str
    """The setting or limit at which ``optimizer`` becomes ``included``."""
    metric: str
    score: float
    """The median over the seeds of ``optimizer``, each seed tuned on all others."""
    included_score: float
    is_violated: bool
    """True if ``optimizer`` is worse than ``included`` by more than the seeds' randomness
    explains."""
    differences_in_tuning: tuple[str, ...]
    """The differences between the tuning of the two, in words."""

    @property
    def is_alarm(self) -> bool:
        """True if the inclusion is violated."""
        return self.is_violated

    @property
    def sentence(self) -> str:
        """The inclusion and, if it is violated, the differences in tuning."""
        includes = f"{self.optimizer} includes {self.included} ({self.limit})"
        if not self.is_violated:
            return f"{includes} and does not lose to it{self.on_problem}, as it must not."
        metric = in_words(self.metric)
        unequal = enumeration(self.differences_in_tuning)
        return (
            f"{includes}, and yet loses to it{self.on_problem}, with a best {metric} of "
            f"{number(self.score)} against {number(self.included_score)}: at equal tuning it "
            f"cannot{f', but {unequal}' if unequal else ''}. Tune it further before it is "
            "compared."
        )


def inclusions_of(
    contestants: Sequence[Contestant], measure: Measure, differences: Sequence[Difference]
) -> list[Inclusion]:
    """Judge all pairs on one problem of which one method is known to include the other."""
    significant = {
        (each.better, each.other): each.seeds < 2 or each.is_significant for each in differences
    }
    found = []
    for one, other in itertools.permutations(contestants, 2):
        limit = limit_of(*(method_of(each.result.optimizers[0]) for each in (one, other)))
        bests = [each.best_point(measure) for each in (one, other)]
        if limit is None or None in bests:
            continue
        score, included_score = (
            float(np.median(each.tuned_on_other_seeds(measure))) for each in (one, other)
        )
        loses = measure.sign * score > measure.sign * included_score
        found.append(
            Inclusion(
                problem=one.problem,
                optimizer=one.optimizer,
                included=other.optimizer,
                limit=limit,
                metric=measure.metric,
                score=score,
                included_score=included_score,
                is_violated=loses and significant.get((other.optimizer, one.optimizer), False),
                differences_in_tuning=tuple(_differences_in_tuning(one, other, limit)),
            )
        )
    return found


def limit_of(method: str, included: str) -> str | None:
    """The settings at which a method becomes another one, possibly in several stages.

    >>> from gdlab.sweeps.report.inclusion import limit_of
    >>> limit_of("adamw", "sgd")
    'weight_decay = 0, then eps → ∞ with learning_rate / eps held, then momentum = 0'
    >>> limit_of("momentum", "adam") is None
    True
    """
    if (method, included) in INCLUSIONS:
        return INCLUSIONS[method, included]
    for (start, between), limit in INCLUSIONS.items():
        rest = limit_of(between, included) if start == method else None
        if rest is not None:
            return f"{limit}, then {rest}"
    return None


def method_of(tx: Any) -> str:
    """The name of an optimizer's method, from the call that made it.

    >>> import gdlab
    >>> from gdlab.sweeps.report.inclusion import method_of
    >>> method_of(gdlab.sgd(0.1, momentum=0.9))
    'momentum'
    """
    try:
        call = ast.parse(form_of(tx), mode="eval").body
    except SyntaxError:
        return ""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return ""
    given = {each.arg: ast.unparse(each.value) for each in call.keywords}
    if call.func.id in ("sgd", "rmsprop"):
        return _with_momentum(call.func.id, given)
    return call.func.id


def _with_momentum(name: str, given: dict[str | None, str]) -> str:
    """The name of gradient descent or RMSProp, which have their momentum as an option."""
    has_momentum = given.get("momentum", "None") not in ("None", "0.0", "0")
    if name == "rmsprop":
        return "rmsprop with momentum" if has_momentum else "rmsprop"
    if not has_momentum:
        return "sgd"
    return "nesterov" if given.get("nesterov") == "True" else "momentum"


def _differences_in_tuning(one: Contestant, other: Contestant, limit: str) -> list[str]:
    """The differences between the tuning of two optimizers, in words."""
    found = []
    if "eps" in limit and "eps" not in one.result.axes:
        found.append(f"the eps of {one.optimizer} was not tuned")
    points = [int(np.prod(each.result.status.shape[:-1])) for each in (one, other)]
    if points[0] < points[1]:
        found.append(f"it had {points[0]} points against {points[1]}")
    return found
