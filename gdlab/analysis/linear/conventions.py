"""Conversions between the conventions for momentum."""

from typing import Any, Literal

from gdlab.checks.checked import checked
from gdlab.core.axis import is_axis
from gdlab.core.schedule import Schedule
from gdlab.core.transformation import GradientTransformation
from gdlab.optimizers.momentum.sgd import nesterov, sgd

Convention = Literal["accumulating", "averaging", "learning_rate_in_momentum"]


@checked
def convert(tx: GradientTransformation, convention: Convention) -> GradientTransformation:
    """Rewrite momentum in another convention, with the same iterates.

    accumulating: v ← βv + g, w ← w − ηv; averaging: v ← βv + (1 − β)g, w ← w − ηv, with η/(1 − β)
    for η; learning_rate_in_momentum: v ← βv + ηg, w ← w − v.

    Args:
        tx: :func:`gdlab.sgd` or :func:`gdlab.nesterov` with momentum.
        convention: the new convention; in all of them β multiplies the old value.

    Raises:
        TypeError: if ``tx`` is not one of these.
        ValueError: if a hyperparameter that the conversion changes, or that must be constant for
            the iterates to be equal, follows a schedule or is an axis.

    >>> from gdlab import sgd
    >>> from gdlab.analysis import convert
    >>> convert(sgd(0.25, momentum=0.5), "averaging")
    sgd(0.5, momentum=0.5, averaging=True)
    >>> convert(sgd(0.5, momentum=0.5, averaging=True), "learning_rate_in_momentum")
    sgd(0.25, momentum=0.5, learning_rate_in_momentum=True)
    """
    factories = {made.factory: made for made in (sgd, nesterov)}  # type: ignore[attr-defined]
    make = factories.get(getattr(tx, "factory", None))
    arguments = tx.arguments() if make else {}
    if make is None or arguments["momentum"] is None:
        raise TypeError(f"convert takes sgd or nesterov with momentum, not {tx!r}")
    eta, beta = arguments["learning_rate"], arguments["momentum"]
    averages = arguments.pop("averaging"), convention == "averaging"
    inside = arguments.pop("learning_rate_in_momentum"), convention == "learning_rate_in_momentum"
    for name, value, changes in (
        ("momentum", beta, averages[0] != averages[1]),
        ("learning_rate", eta, inside[0] != inside[1] or averages[0] != averages[1]),
    ):
        if changes and (isinstance(value, Schedule) or is_axis(value)):
            raise ValueError(
                f"{name} is {value!r}, but these two conventions are converted for a single number "
                "there; convert with each of its values"
            )
    # An averaging buffer is the accumulating one times 1 − β.
    if averages[0] and not averages[1]:
        eta = eta * (1 - beta)
    if averages[1] and not averages[0]:
        eta = eta / (1 - beta)
    return make(
        **_plain(arguments) | {"learning_rate": eta},
        averaging=averages[1],
        learning_rate_in_momentum=inside[1],
    )


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.unwrap() if hasattr(value, "unwrap") else value
        for name, value in arguments.items()
    }
