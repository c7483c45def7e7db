"""An exercise: a question that is answered before its figure shows the run."""

import base64
import io
import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between, Name
from gdlab.checks.values import is_array_of_reals
from gdlab.core.warning import warn_caller
from gdlab.page.document import RUNS, Document, Template, compact_json
from gdlab.page.explore import LARGEST
from gdlab.page.page import Page

HEIGHT: int = 560
"""Height of the frame of an exercise, in pixels, before the page reports its own height."""
PICTURE: Template = Template(
    ("picture.html",), ("page.css",), ("scales.js", "elements.js", "picture.js")
)
"""The page of a still picture."""
TOLERANCE = 0.02
"""The default for the largest relative error of a number that counts as right."""
DOTS_PER_INCH: int = 100
"""The resolution of a still picture."""
Hidden: TypeAlias = Literal["all", "runs", "sliders"]
"""The part of a figure that is hidden until the exercise is answered."""


class Exercise(Page):
    """A page that asks a question, as :func:`~gdlab.exercise` makes it.

    Attributes:
        question: the question.
        answer: the right answer: a number, or one of the choices.

    >>> import gdlab
    >>> task = gdlab.exercise("How large is 2 + 2?", 4.0)
    >>> task.answer
    4.0
    """

    question: str
    answer: float | str

    def __init__(self, document: Document, question: str, answer: float | str):
        super().__init__(document.html(), document.title, lambda: None, {}, HEIGHT)
        self.question = question
        self.answer = answer

    def __repr__(self) -> str:
        return f"<Exercise {_shortened(self.question)!r}, {len(self.html.encode()) / 1000:.0f} kB>"


@checked
def exercise(
    question: Name,
    answer: Any,
    figure: Any = None,
    *,
    choices: Mapping[str, str] | Sequence[str] | None = None,
    tolerance: Annotated[float, Between(0, 1)] = TOLERANCE,
    unit: str = "",
    hint: str = "",
    explanation: str = "",
    hides: Hidden = "runs",
) -> Exercise:
    """A page that asks for a prediction, judges it, and then shows the run and the explanation.

    The learner types a number or picks a choice. The page says whether a wrong number is too large
    or too small, by much or by little; each wrong choice can have its own hint. The right answer,
    or "Show the answer" after a first attempt, reveals the figure. The page is one file that loads
    nothing. Compute the answer, for example with :mod:`gdlab.analysis`, rather than typing it, so
    that it agrees with the code that runs.

    Args:
        question: the question, as plain text; an empty line begins a new paragraph.
        answer: the right number, or the right one of ``choices``.
        figure: a page of :func:`~gdlab.explore` or :func:`~gdlab.explore_training`, or a
            matplotlib figure or axes, which is closed.
        choices: the choices in the order in which they are shown, for an answer that is no number;
            or a dictionary with hints, choice → text shown to a learner who wrongly picks it.
        tolerance: the largest relative error of a number that counts as right; the absolute one
            where the answer is 0.
        unit: the unit of the number, shown after it.
        hint: a text shown to a learner who gives a wrong number, beside the direction.
        explanation: the text that is shown with the answer.
        hides: the part of the figure that is hidden until then: ``"runs"``, which shows only the
            map with the start; ``"sliders"``, for a question about visible runs; or ``"all"``. A
            still picture is hidden unless this is ``"sliders"``.

    Returns:
        The :class:`~gdlab.Exercise`: ``task.save("x.html")`` writes it, a notebook shows it.

    Raises:
        TypeError: if ``answer`` is not a number and there are no choices, or ``figure`` is not a
            figure.
        ValueError: if ``answer`` is not finite or not among the choices, there are fewer than two
            choices, or ``unit``, ``tolerance`` or ``hides`` does not apply.

    Warns:
        UserWarning: if a picture makes the page take more than 100 kB.

    >>> import gdlab
    >>> from gdlab.analysis import stable_range
    >>> ravine = lambda w: 0.5 * (w[0] ** 2 + 25 * w[1] ** 2)
    >>> _, limit = stable_range(gdlab.sgd(0.1), [1.0, 25.0])
    >>> gdlab.exercise(
    ...     "Up to which learning rate does gradient descent converge?",
    ...     limit,
    ...     gdlab.explore(ravine, {"just above": gdlab.sgd(1.01 * limit)}, (-2, 1)),
    ...     hint="The steepest direction sets the limit.",
    ...     explanation=f"Curvature 25 allows learning rates below 2/25 = {limit:g}.",
    ... )
    <Exercise 'Up to which learning rate does gradient descent…', ... kB>
    """
    options = _choices_of(choices)
    if options is not None and (unit or tolerance != TOLERANCE):
        raise ValueError("unit and tolerance are those of a number, but there are choices")
    if figure is None and hides != "runs":
        raise ValueError(f"hides={hides!r} says what of a figure is hidden, but there is no figure")
    right = _number_of(answer) if options is None else _chosen(answer, options)
    document = _document_of(figure)
    template = document.template
    opening = ("unseal.js",) if template is RUNS else ()
    asked = {
        "question": question,
        "answer": right,
        "choices": None if options is None else list(options.items()),
        "tolerance": float(tolerance),
        "unit": unit,
        "hint": hint,
        "explanation": explanation,
        "hides": hides,
    }
    whole = Document(
        Template(
            ("exercise.html", *template.bodies),
            (*template.styles, "exercise.css"),
            (*template.scripts, *opening, "exercise.js"),
        ),
        "Predict, then run: " + _shortened(question),
        {**document.page, "sealed": hides != "sliders"},
        # Among the scripts, which are compressed, so that the page source does not reveal the
        # answer.
        {**document.constants, "EXERCISE": compact_json(asked)},
    )
    made = Exercise(whole, question, right)
    _warn_of_size(made, document)
    return made


def _warn_of_size(made: Exercise, figure: Document) -> None:
    """Warn of a large still picture; for a large live page there was a warning when it was made."""
    size, picture = len(made.html), len(figure.page.get("picture", ""))
    if picture and size > LARGEST:
        warn_caller(
            f"the exercise takes {size / 1000:.0f} kB, of which {picture / 1000:.0f} kB are its "
            "picture; a smaller figure, or one with less noise in it, takes less"
        )


def _shortened(question: str) -> str:
    return textwrap.shorten(question, 50, placeholder="…")


def _choices_of(choices: Mapping[str, str] | Sequence[str] | None) -> dict[str, str] | None:
    """Choice → hint; None for a question whose answer is a number."""
    if choices is None:
        return None
    options = dict(choices) if isinstance(choices, Mapping) else dict.fromkeys(choices, "")
    if len(options) < 2:
        raise ValueError(f"choices: a question needs two choices at least, not {choices!r}")
    return options


def _number_of(answer: Any) -> float:
    if not is_array_of_reals(answer) or np.ndim(answer) != 0:
        raise TypeError(f"answer must be a number, or one of choices=[…], not {answer!r}")
    number = float(answer)
    if not math.isfinite(number):
        raise ValueError(f"answer must be finite, not {number}")
    return number


def _chosen(answer: Any, options: Mapping[str, str]) -> str:
    if not isinstance(answer, str) or answer not in options:
        raise ValueError(f"answer: {answer!r} is none of the choices {', '.join(options)}")
    return answer


def _document_of(figure: Any) -> Document:
    """The document of the figure, to which the exercise is added."""
    if figure is None:
        return Document(Template((), ("page.css",), ("scales.js", "elements.js")), "", {}, {})
    if isinstance(figure, Page) and figure.document is not None:
        return figure.document
    # Take the figure from matplotlib axes, or from an array of axes.
    first = next(iter(np.ravel(np.asarray(figure, dtype=object))), None)
    drawn = getattr(first, "figure", first)
    if not hasattr(drawn, "savefig"):
        raise TypeError(
            "figure must be a page of gdlab.explore or gdlab.explore_training, or a matplotlib "
            f"figure or axes, not {figure!r}"
        )
    return Document(PICTURE, "", {"picture": _picture_of(drawn)}, {})


def _picture_of(figure: Any) -> str:
    """The data URL of a matplotlib figure, which is closed so that a notebook does not show it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close(figure)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
