"""The optimizers of a page: their names, their translations, and the sliders of each."""

from collections.abc import Mapping
from typing import Any

import jax

from gdlab.core.schedule import Schedule
from gdlab.core.structure import dotted
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.page.sliders import check_ranges, sliders_of
from gdlab.page.space import Space
from gdlab.page.translator.program import (
    TranslatedFunction,
    TranslatedOptimizer,
    translate_optimizer,
)


def named_optimizers(
    tx: GradientTransformation | Mapping[str, GradientTransformation],
) -> dict[str, GradientTransformation]:
    """Optimizers by name; a single one is called by its factory."""
    if isinstance(tx, Mapping):
        if not tx:
            raise ValueError("tx holds no optimizer")
        return {name: as_transformation(own) for name, own in tx.items()}
    single = as_transformation(tx)
    factory = repr(single).partition("(")[0]
    # The factory of an optimizer of another library is no helpful name.
    return {"optimizer" if factory == "foreign" else factory: single}


def translated_optimizers(
    optimizers: Mapping[str, GradientTransformation],
    function: TranslatedFunction,
    space: Space,
    ranges: Mapping[str, tuple[float, float]],
) -> dict[str, TranslatedOptimizer]:
    """Translate optimizers by name, and refuse ranges for hyperparameters that no optimizer has."""
    made = {
        name: translate_optimizer(own, function, space.params) for name, own in optimizers.items()
    }
    check_ranges(ranges, [path for own in made.values() for path in own.hyperparameters])
    return made


def slider_json(
    name: str,
    race: TranslatedOptimizer,
    tx: GradientTransformation,
    ranges: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """The name of an optimizer and its sliders, as entries of a page's JSON."""
    sliders = sliders_of(race.hyperparameters, ranges, _scheduled(tx))
    return {"name": name, "sliders": [slider._asdict() for slider in sliders]}


def _scheduled(tx: GradientTransformation) -> list[str]:
    """The paths of the hyperparameters that follow a schedule."""
    found, _ = jax.tree_util.tree_flatten_with_path(tx, is_leaf=lambda x: isinstance(x, Schedule))
    return [dotted(path) for path, value in found if isinstance(value, Schedule)]
