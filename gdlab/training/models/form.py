"""The structure of a model, with which arrays make the model again."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

KEY_OF_MODEL = 2
"""The number that is folded into the key of a step to make the key of the model's own streams, so
that they are independent of the ``key`` that the loss and the optimizer are given."""


class Held(NamedTuple):
    """The arrays that a model holds beside those that are trained."""

    carried: Any = None
    """The arrays that a call may change, such as batch statistics."""
    fixed: Any = None
    """The arrays that do not change, such as parameters that a filter leaves out. The lanes of a
    sweep share them."""


@dataclasses.dataclass(frozen=True)
class Form:
    """The structure of a model. Equal forms are hashed alike, and share their programs."""

    @property
    def carries_state(self) -> bool:
        """True if a call may change what the model holds beside its parameters."""
        return False

    @property
    def may_draw(self) -> bool:
        """True if the model may draw random numbers by itself."""
        return False

    def close(self, params: Any, held: Held) -> Any:
        """The model with these arrays, a new one each time."""
        raise NotImplementedError

    def call(
        self, function: Callable[[Any], Any], params: Any, held: Held, key: jax.Array | None
    ) -> tuple[Any, Held]:
        """``function(model)``, and what the model holds afterwards.

        Args:
            function: a function of the model.
            params: the trained arrays.
            held: what the model holds beside them.
            key: the PRNG key of the step, of which the model's own streams are made.

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
    """The values carried from step to step beside the parameters and the optimizer's state."""

    held: Held = Held()
    """The arrays that the model holds itself, such as batch statistics."""
    given: Any = None
    """The ``model_state`` that the caller gave."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class OpenedModel:
    """A model as its trained arrays, the others, and its structure; a tree of all its arrays.

    With leading axes in all of them it stands for many models.
    """

    params: Any
    """The arrays that are trained: a tree whose paths are the names of the parameters."""
    held: Held
    """The arrays that the model holds beside them, such as batch statistics."""
    form: Form = dataclasses.field(metadata={"static": True})
    """The structure."""

    def close(self) -> Any:
        """The model."""
        return self.form.close(self.params, self.held)

    @property
    def is_init(self) -> bool:
        """True if it is no model, but a function that makes one."""
        # A model may be callable as well, but it is a tree; a function is a leaf.
        return (
            isinstance(self.form, Plain)
            and callable(self.params)
            and jax.tree_util.all_leaves([self.params])
        )

    def unless_plain(self) -> Any:
        """The parameters themselves where they are a tree of arrays, else this."""
        return self.params if isinstance(self.form, Plain) else self


def key_of_model(key: jax.Array) -> jax.Array:
    """The key from which the streams of a model start, of that of the step."""
    return jax.random.fold_in(key, KEY_OF_MODEL)


def without_key(what: str) -> ValueError:
    """The error of a model that draws random numbers where there is no key."""
    return ValueError(
        f"the model draws random numbers ({what}), but there is no PRNG key: training takes one, "
        "such as key=jax.random.key(0); where none is taken, as for the curvature of a loss, the "
        "loss has to call the model in evaluation mode"
    )
