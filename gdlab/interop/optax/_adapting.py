"""gdlab's factories with optax's signatures and defaults, and with a step count in the state."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import ParamSpec

from gdlab.core.structure import Function, Value
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.interop.optax._counting import counted

P = ParamSpec("P")


def adapted(
    factory: Callable[P, GradientTransformation],
    module: str,
    *,
    name: str | None = None,
    finish: Callable[[GradientTransformation], GradientTransformation] | None = counted,
    ignored: Mapping[str, Value] = {},
    converted: Mapping[str, Function] = {},
    none_is: Mapping[str, Value] = {},
    annotations: Mapping[str, Value] = {},
    **defaults: Value,
) -> Callable[P, GradientTransformation]:
    """Make a variant of a gdlab factory with optax's signature, whose state counts the steps.

    Args:
        factory: the gdlab factory.
        module: the ``__module__`` of the result.
        name: the ``__name__`` of the result; by default that of ``factory``.
        finish: a function that is applied to each transformation, or None.
        ignored: further parameters of optax that change no update → their defaults.
        converted: parameter → function that converts its argument before it is passed on.
        none_is: parameter → the value that None stands for.
        annotations: parameter → annotation, where it differs from gdlab's.
        **defaults: parameter → optax's default, where it differs from gdlab's.
    """
    original = factory.factory.function  # type: ignore[attr-defined]
    signature = _with_defaults(inspect.signature(original), defaults, ignored)

    @functools.wraps(original)
    def function(*args: P.args, **kwargs: P.kwargs) -> GradientTransformation:
        given = signature.bind(*args, **kwargs).arguments
        given |= {name: value for name, value in none_is.items() if given[name] is None}
        given |= {name: convert(given[name]) for name, convert in converted.items()}
        known = {name: value for name, value in given.items() if name not in ignored}
        made = factory(**known)  # type: ignore[call-arg]
        return finish(made) if finish else made

    function.__name__ = function.__qualname__ = name or original.__name__
    function.__module__ = module
    function.__doc__ = _without_examples(inspect.getdoc(original) or "")
    function.__annotations__ = original.__annotations__ | dict.fromkeys(ignored, object)
    function.__annotations__ |= annotations
    for optional in none_is:
        function.__annotations__[optional] |= None
    function.__signature__ = signature  # type: ignore[attr-defined]
    return transformation(function)


def _with_defaults(
    signature: inspect.Signature, defaults: Mapping[str, Value], ignored: Mapping[str, Value]
) -> inspect.Signature:
    """A signature with other defaults, and with more parameters after the positional ones."""
    own = [
        parameter.replace(default=defaults.get(name, parameter.default))
        for name, parameter in signature.parameters.items()
    ]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    more = [inspect.Parameter(name, kind, default=value) for name, value in ignored.items()]
    by_keyword = [parameter for parameter in own if parameter.kind is parameter.KEYWORD_ONLY]
    positional = own[: len(own) - len(by_keyword)]
    return signature.replace(parameters=[*positional, *more, *by_keyword])


def _without_examples(text: str) -> str:
    """A docstring without its examples, which use gdlab's own factories."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(part for part in paragraphs if not part.startswith(">>>"))
