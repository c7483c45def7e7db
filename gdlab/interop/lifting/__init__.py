"""Factories of other libraries as gdlab's own: their numbers become leaves."""

from gdlab.interop.lifting.factory import lift

__all__ = ["lift"]
