"""Multipliers of initial scales, learning rates, decays and ε by the widths of each parameter."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax

from gdlab.core.axis import Axis
from gdlab.core.by_leaf import ByLeaf
from gdlab.core.representation import in_words
from gdlab.core.scaled_by_leaf import scaled_by_leaf
from gdlab.core.schedule import Schedule
from gdlab.core.structure import Params, Tree, Value, dotted, flatten, leaves_with_paths
from gdlab.core.transformation import GradientTransformation
from gdlab.scaling.parametrizations.widths import WidthRatios, Widths
from gdlab.training.models import open_model


class LeafMultipliers(NamedTuple):
    """The factors of one parameter, relative to its values at the base width."""

    initial_scale: float = 1.0
    """The factor of the initial weights that the model's own ``init`` draws."""
    learning_rate: float = 1.0
    """The factor of the learning rate."""
    weight_decay: float = 1.0
    """The factor of a decay that is itself multiplied by the learning rate, as in AdamW."""
    eps: float = 1.0
    """The factor of Adam's ε."""
    forward: float = 1.0
    """The factor of the parameter wherever the model uses it."""

    def moved_forward(self, factor: float, *, is_adaptive: bool) -> "LeafMultipliers":
        """The same training with ``factor`` moved from the parameter into the model.

        For a parameter w = factor·v, the initial v is that of w divided by the factor, and so is
        each step. The gradient with respect to v is factor times that of w, so the learning rate is
        divided by factor² for gradient descent, and by factor for adaptive methods.
        """
        step = factor if is_adaptive else factor**2
        return LeafMultipliers(
            self.initial_scale / factor,
            self.learning_rate / step,
            self.weight_decay * step,
            self.eps * factor,
            self.forward * factor,
        )


class Rule(Protocol):
    """The rule of a parametrisation: a hashable function of the widths of a parameter."""

    scaled: tuple[str, ...]
    """The names of the hyperparameters that the rule changes."""

    def __call__(self, path: str, widths: WidthRatios, params: Params) -> LeafMultipliers:
        """The multipliers of one parameter."""
        ...

    def residual_multiplier(self, params: Params) -> float:
        """The factor of the output of each residual block."""
        ...


@dataclasses.dataclass(frozen=True)
class Parametrization:
    """Multipliers for each parameter, 1 at the base width; made by :func:`mup` and others.

    One parametrisation serves all widths: it compares the given parameters with the base model.
    """

    name: str
    widths: Widths
    rule: Any

    def multipliers(self, params: Params) -> dict[str, LeafMultipliers]:
        """The multipliers of each parameter by its dotted path.

        Args:
            params: a tree of arrays or shapes, or a model.

        Raises:
            ValueError: if a parameter is not declared.
        """
        params = open_model(params).params
        ratios = self.widths.ratios(params)
        return {path: self.rule(path, widths, params) for path, widths in ratios.items()}

    def init(self, init: Callable[..., Any]) -> Callable[..., Any]:
        """Make an ``init(key, …)`` with the initial scales of the parametrisation.

        Args:
            init: the model's own function, which returns parameters or a model.
        """
        if not callable(init):
            raise TypeError(f"init must be a function, not {init!r}")

        @functools.wraps(init)
        def scaled(*args: Any, **kwargs: Any) -> Any:
            opened = open_model(init(*args, **kwargs))
            params = self._multiplied(opened.params, "initial_scale")
            return dataclasses.replace(opened, params=params).close()

        return scaled

    def forward(self, params: Params) -> Params:
        """The parameters times their factors of the forward pass, for use in the model.

        With the tables that have such factors, ``loss(parametrization.forward(params), batch)`` is
        the loss to train on.
        """
        return self._multiplied(params, "forward")

    def residual_multiplier(self, params: Params) -> float:
        """The factor of each residual block's output: ``x + factor * block(x)``."""
        return self.rule.residual_multiplier(open_model(params).params)

    def optimizer(self, tx: GradientTransformation) -> GradientTransformation:
        """Scale learning rate, weight decay and ε of an optimizer leaf by leaf.

        Args:
            tx: an optimizer with the hyperparameters of the base width, which may be numbers,
                schedules or axes.

        Raises:
            ValueError: if the optimizer has no learning rate, or a hyperparameter that already
                differs by leaf.

        >>> import jax.numpy as jnp
        >>> from gdlab import adam
        >>> from gdlab.scaling import mup
        >>> wide, base = ({"w": jnp.ones((n, n)), "b": jnp.ones(n)} for n in (4, 2))
        >>> tx = mup(base).optimizer(adam(0.1))
        >>> updates, _ = tx.update(wide, tx.init(wide))
        >>> print(updates["w"][0, 0].round(3), updates["b"][0].round(3))
        -0.05 -0.1
        """
        if not self.rule.scaled:
            return tx
        if not isinstance(tx, GradientTransformation):
            raise TypeError(f"tx must be a GradientTransformation, not {tx!r}")
        replaced = set()

        def scaled(path: Any, value: Value) -> Value:
            name = str(getattr(path[-1], "name", ""))
            if name not in self.rule.scaled:
                return value
            if isinstance(value, ByLeaf):
                raise ValueError(f"{self.name}: {dotted(path)} has a value by leaf already")
            replaced.add(name)
            return scaled_by_leaf(value, Factors(self, name))

        is_one = lambda node: isinstance(node, Schedule | Axis | ByLeaf)  # noqa: E731
        new = jax.tree_util.tree_map_with_path(scaled, tx, is_leaf=is_one)
        if "learning_rate" not in replaced:
            raise ValueError(f"{self.name}: {tx!r} has no hyperparameter called learning_rate")
        return new

    def table(self, params: Params) -> str:
        """A table of the multipliers, one row for each parameter."""
        rows = self.multipliers(params)
        width = max(map(len, [*rows, "parameter"]))
        names = list(map(in_words, LeafMultipliers._fields))
        lines = ["  ".join([f"{'parameter':{width}}", *(f"{name:>13}" for name in names)])]
        for path, values in rows.items():
            lines.append("  ".join([f"{path:{width}}", *(f"{value:13.4g}" for value in values)]))
        return "\n".join(lines)

    def factors(self, name: str, params: Params) -> Tree:
        """One kind of multiplier as a tree like ``params``."""
        multipliers, (_, treedef) = self.multipliers(params), flatten(params)
        values = [
            None if leaf is None else getattr(multipliers[path], name)
            for path, leaf in leaves_with_paths(params)
        ]
        return treedef.unflatten(values)

    def _multiplied(self, params: Params, name: str) -> Params:
        return jax.tree.map(lambda leaf, factor: leaf * factor, params, self.factors(name, params))

    def __repr__(self) -> str:
        return self.name


@dataclasses.dataclass(frozen=True, repr=False)
class Factors:
    """The function from the parameters to one kind of multiplier."""

    parametrization: Parametrization
    name: str

    def __call__(self, params: Params) -> Tree:
        """A tree of numbers like ``params``."""
        return self.parametrization.factors(self.name, params)

    def __repr__(self) -> str:
        return f"<{self.name} of {self.parametrization}>"
