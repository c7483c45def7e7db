"""The structure of a model, from which it is rebuilt with other arrays."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

KEY_OF_MODEL = 2
"""The number folded into the key of a step for the model's own random streams, so that they are
independent of the ``key`` of the loss and of the optimizer."""


class Held(NamedTuple):
    """The arrays in a model that are not trained."""

    carried: Any = None
    """The arrays that a call may change, such as batch statistics."""
    fixed: Any = None
    """The arrays that do not change, such as parameters that a filter leaves out. The lanes of a
    sweep share them."""


@dataclasses.dataclass(frozen=True)
class Form:
    """The structure of a model, a static argument: equal forms share their compiled programs."""

    @property
    def carries_state(self) -> bool:
        """True if a call may change arrays of the model other than its parameters."""
        return False

    @property
    def may_draw(self) -> bool:
        """True if the model may draw random numbers from its own streams."""
        return False

    def close(self, params: Any, held: Held) -> Any:
        """Build a new model with these arrays."""
        raise NotImplementedError

    def call(
        self, function: Callable[[Any], Any], params: Any, held: Held, key: jax.Array | None
    ) -> tuple[Any, Held]:
        """Return ``function(model)``, and the arrays that the model holds after the call.

        Args:
            function: a function of the model.
            params: the trained arrays.
            held: the other arrays of the model.
            key: the PRNG key of the step, from which the model's own streams are derived.

        Raises:
            ValueError: if the model draws random numbers, but there is no key.
        """
        del key
        return function(self.close(params, held)), held


class Plain(Form):
    """The form of a tree of arrays, which is its own parameters."""

    def close(self, params: Any, held: Held) -> Any:
        """The parameters themselves."""
        del held
        return params


PLAIN = Plain()


class ModelState(NamedTuple):
    """The state of a model that is carried from step to step beside its parameters."""

    held: Held = Held()
    """The arrays that the model holds itself, such as batch statistics."""
    given: Any = None
    """The ``model_state`` that the caller gave."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class OpenedModel:
    """A model split into its trained arrays, its other arrays and its structure; a pytree.

    With leading axes in all arrays it stands for many models.
    """

    params: Any
    """The arrays that are trained: a tree whose paths are the names of the parameters."""
    held: Held
    """The other arrays of the model, such as batch statistics."""
    form: Form = dataclasses.field(metadata={"static": True})
    """The structure of the model."""

    def close(self) -> Any:
        """Rebuild the model."""
        return self.form.close(self.params, self.held)

    @property
    def is_init(self) -> bool:
        """True if the parameters are a function that makes a model, rather than a model."""
        # A callable model is a tree of several nodes, while a function is a leaf.
        return (
            isinstance(self.form, Plain)
            and callable(self.params)
            and jax.tree_util.all_leaves([self.params])
        )

    def unless_plain(self) -> Any:
        """The parameters themselves if they are a plain tree of arrays, else this object."""
        return self.params if isinstance(self.form, Plain) else self


def key_of_model(key: jax.Array) -> jax.Array:
    """The key for the random streams of a model, derived from the key of the step."""
    return jax.random.fold_in(key, KEY_OF_MODEL)


def without_key(what: str) -> ValueError:
    """The error for a model that draws random numbers without a key."""
    return ValueError(
        f"the model draws random numbers ({what}), but there is no PRNG key: training takes one, "
        "such as key=jax.random.key(0); where none is taken, as for the curvature of a loss, the "
        "loss has to call the model in evaluation mode"
    )
