"""Errors that say in which argument or part they were raised."""


def located(error: Exception, where: str) -> Exception:
    """An error like another one, whose message begins with the place where it was raised.

    The constructor of a subclass of :class:`TypeError` or :class:`ValueError` may take something
    else than a message, as those of JAX's errors about traced values do, so such an error is
    returned itself, with a note of the place.

    >>> from gdlab.checks.located import located
    >>> located(ValueError("it is negative"), "sgd: learning_rate")
    ValueError('sgd: learning_rate: it is negative')
    """
    if type(error) in (TypeError, ValueError):
        return type(error)(f"{where}: {error}")
    error.add_note(f"It was raised in {where}.")
    return error
