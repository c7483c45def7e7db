"""Conversion of the states of stored and stacked methods to those of the methods within."""

from gdlab.core.stacks import unstacked
from gdlab.core.state import State
from gdlab.core.storage import in_form_of, read
from gdlab.core.structure import Params
from gdlab.core.transformation import GradientTransformation


def within_storage(tx: GradientTransformation) -> GradientTransformation:
    """The method within :func:`gdlab.stored` and :func:`gdlab.stacked`, or ``tx`` itself.

    Raises:
        ValueError: if parameters are stored in a format too, which no other library has.
    """
    while tx.factory.name in ("stacked", "stored", "stored_slots"):
        if getattr(tx, "params", None) is not None:
            raise ValueError(
                f"the state of {tx!r} cannot be carried over: it has the bits that its parameters "
                "lack; carry over that of the method without params="
            )
        tx = tx.inner
    return tx


def plain(tx: GradientTransformation, state: State) -> tuple[GradientTransformation, State]:
    """The method within a stored or stacked one and its state as arrays, or both unchanged."""
    method = within_storage(tx)
    return (tx, state) if method is tx else (method, read(unstacked(state)))


def in_formats_of(tx: GradientTransformation, state: State, params: Params) -> State:
    """A plain state, converted to the formats of a stored or stacked method."""
    return in_form_of(state, tx.init(params))
