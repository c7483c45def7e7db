"""The report on a result: all judgements, in words, as a table and as a page."""

import collections
import dataclasses
import html as markup
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax, Between
from gdlab.core.representation import in_words
from gdlab.sweeps.direction import is_maximized
from gdlab.sweeps.report.best import best_point
from gdlab.sweeps.report.contestants import Contestant, Measure, contestants_of
from gdlab.sweeps.report.differences import differences_of
from gdlab.sweeps.report.edges import ranges_of
from gdlab.sweeps.report.inclusion import inclusions_of
from gdlab.sweeps.report.judgement import Judgement, plural
from gdlab.sweeps.report.sensitivity import sensitivities_of
from gdlab.sweeps.report.targets import StepsToTarget, profile_of, steps_to_target
from gdlab.sweeps.report.tuning import equal_budget, expected_best, worst_value

if TYPE_CHECKING:
    from gdlab.page.page import Page

TOLERANCES: dict[bool, float] = {False: 2.0, True: 1.1}
"""The factor of the best score within which a point is nearly as good; key: is more better?"""


Confidence: TypeAlias = Annotated[float, Between(0, 1, excludes_low=True, excludes_high=True)]
"""A probability that is neither 0 nor 1."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SweepReport:
    """The judgements of a result; :meth:`gdlab.SweepResult.report` makes it.

    ``print(report)`` shows it in sentences, alarms first; a notebook shows these with their tables.
    """

    judgements: tuple[Judgement, ...]
    """Every judgement. Its numbers are its fields, ``sentence`` says it in words, and ``is_alarm``
    tells whether the result should not be trusted as it is."""
    results: Any
    """The result that was judged, or the dictionary of results."""
    metric: str
    maximize: bool

    @property
    def alarms(self) -> tuple[Judgement, ...]:
        """The judgements that are alarms."""
        return tuple(each for each in self.judgements if each.is_alarm)

    def of_kind(self, kind: str) -> tuple[Judgement, ...]:
        """The judgements of one kind.

        Args:
            kind: "best", "range", "sensitivity", "tuning", "budget", "difference", "target",
                "profile" or "inclusion".

        Raises:
            ValueError: if there is no judgement of that kind.
        """
        found = tuple(each for each in self.judgements if each.kind == kind)
        if not found:
            kinds = ", ".join(dict.fromkeys(each.kind for each in self.judgements))
            raise ValueError(f"the report has no judgement of the kind {kind!r}; it has {kinds}")
        return found

    def to_dataframe(self, kind: str | None = None) -> Any:
        """A ``pandas.DataFrame`` of the numbers.

        Args:
            kind: the kind of judgement, as for :meth:`of_kind`; unless given, all of them, with the
                ``kind`` and the ``sentence`` of each in front.
        """
        import pandas

        if kind is not None:
            return pandas.DataFrame([row for each in self.of_kind(kind) for row in each.rows])
        return pandas.DataFrame(
            [
                {"kind": each.kind, "sentence": each.sentence, **row}
                for each in self.judgements
                for row in each.rows
            ]
        )

    @checked
    def plot(self, ax: Ax = None) -> Any:
        """Draw what tuning costs, the differences with their intervals, and the profile.

        Each problem's cost of tuning is a panel: the expected best of k trials over the evaluations
        that they cost, with its interval over the seeds. It needs the extra ``lab``.

        Args:
            ax: as many matplotlib axes as there are panels; new ones unless given.

        Returns:
            The matplotlib axes, of shape ``(panels,)``.

        Raises:
            ValueError: if the report judges none of these.

        >>> import jax
        >>> from gdlab import Axis, adam, sgd, sweep
        >>> rates = Axis("learning_rate", [0.01, 0.03, 0.1, 0.3, 0.6])
        >>> optimizers = {"sgd": sgd(rates), "adam": adam(rates)}
        >>> result = sweep(lambda w: w**2, jax.random.normal, optimizers, steps=20, seeds=5)
        >>> tuning, differences, profile = result.report().plot()
        >>> tuning.get_xlabel()
        'evaluations spent on tuning'
        """
        from gdlab.plots.sweeps.report import plot_report

        return plot_report(self, ax)

    @checked
    def page(self, title: str = "Sweep") -> "Page":
        """The result as one HTML file that loads nothing, with this report below its pictures.

        Parallel coordinates, a map of any two hyperparameters and the curves of all seeds are
        linked: a point that is pointed at in one of them is marked in all. It needs the extra
        ``lab``. In a notebook the page shows itself; ``page(…).save(path)`` writes it.

        Args:
            title: its heading.

        >>> from gdlab import Axis, sgd, sweep
        >>> rates = Axis("learning_rate", [0.1, 0.2, 0.4])
        >>> sweep(lambda w: w**2, 1.0, sgd(rates), steps=9).report().page("Three rates")
        <Page 'Three rates', ... kB>
        """
        from gdlab.sweeps.report.page.page import page_of

        return page_of(self, title)

    def __str__(self) -> str:
        lines = [self._title()]
        if self.alarms:
            lines += ["", "Alarms", *(f"  ! {each.sentence}" for each in self.alarms)]
        for heading, judgements in self._by_heading().items():
            lines += ["", heading, *(f"  {each.sentence}" for each in judgements)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        judgements = plural(len(self.judgements), "judgement")
        return f"<SweepReport of {self.metric}: {judgements}, {plural(len(self.alarms), 'alarm')}>"

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The sentences under their headings, each heading with its table folded away below."""
        parts = [f"<p>{markup.escape(self._title())}</p>"]
        if self.alarms:
            items = "".join(f"<li>{markup.escape(each.sentence)}</li>" for each in self.alarms)
            parts.append(f'<div class="alarms"><h3>Alarms</h3><ul>{items}</ul></div>')
        for heading, judgements in self._by_heading().items():
            items = "".join(f"<li>{markup.escape(each.sentence)}</li>" for each in judgements)
            rows = [row for each in judgements for row in each.rows]
            parts.append(f"<h3>{heading}</h3><ul>{items}</ul>{_folded_table(rows)}")
        return f'<div class="sweep-report">{"".join(parts)}</div>'

    def _title(self) -> str:
        more = "more" if self.maximize else "less"
        return f"Judged by {in_words(self.metric)}, of which {more} is better."

    def _by_heading(self) -> dict[str, list[Judgement]]:
        """The judgements that are not alarms, by their headings."""
        found: dict[str, list[Judgement]] = collections.defaultdict(list)
        for each in self.judgements:
            if not each.is_alarm:
                found[each.heading].append(each)
        return found


@checked
def sweep_report(
    results: Any,
    metric: str = "final_loss",
    *,
    maximize: bool | None = None,
    tolerance: Annotated[float, Between(1)] | None = None,
    target: Annotated[float, Between(-1e308, 1e308)] | None = None,
    confidence: Confidence = 0.95,
    power: Confidence = 0.8,
) -> SweepReport:
    """Judge what :func:`gdlab.sweep` returned, also where that is a dictionary of results.

    It extends :meth:`gdlab.SweepResult.report` to several results, since optimizers whose axes
    differ have one result each.

    Args:
        results: a result; a dictionary of results by the names of optimizers, or of problems if
            all have the same optimizers; or one by problems of dictionaries by optimizers.
        metric: "final_loss", or the name of an evaluation metric.
        maximize: whether more is better, unless the name of the metric tells.
        tolerance: the factor of the best score within which a point is nearly as good; 2 unless
            given, 1.1 where more is better.
        target: the loss for which the report says how many steps each optimizer needs to reach it;
            by default nine tenths of the way from the start to the best end of any run.
        confidence: the confidence of the intervals; one minus it is the level of the tests.
        power: the probability with which the needed number of seeds finds a difference.

    Raises:
        ValueError: if there is no such metric, or nothing tells its direction.
        TypeError: if ``results`` is anything else.

    >>> from gdlab import Axis, adam, sgd, sweep, sweep_report
    >>> rates = Axis("learning_rate", [0.03, 0.1, 0.3])
    >>> optimizers = {"sgd": sgd(rates), "adam": adam(rates, b1=Axis("b1", [0.5, 0.9]))}
    >>> results = sweep(lambda w: w**2, 1.0, optimizers, steps=20)
    >>> print(sweep_report(results).of_kind("range")[0].sentence)
    The best learning_rate of sgd, 0.3, is at the highest end of the 3 values from 0.03 to 0.3: a
    better one may lie beyond. Try 0.95 and 3.
    """
    measure = Measure(metric, is_maximized(metric, maximize))
    contestants = contestants_of(results)
    tolerance = TOLERANCES[measure.maximize] if tolerance is None else tolerance
    judgements: list[Judgement] = []
    times: list[StepsToTarget] = []
    for problem in dict.fromkeys(contestant.problem for contestant in contestants):
        rivals = [contestant for contestant in contestants if contestant.problem == problem]
        for contestant in rivals:
            judgements.append(best_point(contestant, measure, confidence))
            judgements += ranges_of(contestant, measure)
            judgements += sensitivities_of(contestant, measure, tolerance)
        judgements += _tuning(rivals, measure, confidence)
        if len(rivals) > 1:
            differences = differences_of(rivals, measure, confidence, power)
            judgements += [*differences, *inclusions_of(rivals, measure, differences)]
        if len(rivals) > 1 or target is not None:
            times += steps_to_target(rivals, target)
    judgements += times
    profile = profile_of(times)
    judgements += [] if profile is None else [profile]
    return SweepReport(tuple(judgements), results, measure.metric, measure.maximize)


def _tuning(rivals: Sequence[Contestant], measure: Measure, confidence: float) -> list[Judgement]:
    """The cost of tuning on one problem, by optimizer and at equal budgets."""
    worst = worst_value(rivals, measure)
    if not np.isfinite(worst):
        return []
    every = [expected_best(contestant, measure, worst, confidence) for contestant in rivals]
    tunings = [each for each in every if each is not None]
    equal = equal_budget(tunings, measure)
    return [*tunings, *([] if equal is None else [equal])]


def _folded_table(rows: Sequence[dict[str, Any]]) -> str:
    """A table of rows, folded away, with the columns in which any row has a value."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns = [name for name in columns if any(_cell(row.get(name)) for row in rows)]
    head = "".join(f"<th>{markup.escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{markup.escape(_cell(row.get(name)))}</td>' for name in columns)}</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<details><summary>Numbers</summary><div class="wide">{table}</div></details>'


def _cell(value: Any) -> str:
    """The text of a cell; the empty string for a missing value."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.ndarray | tuple | list):
        return ", ".join(_cell(each) for each in value)
    if isinstance(value, float | np.floating):
        return f"{value:.4g}".replace("-", "−")
    return str(value)
