"""Code, states and models of other libraries, moved in and out.

``gdlab.interop.optax`` stands in for optax by one import. The functions here move the states of
optimizers, and take factories of other libraries.
"""

from gdlab.training.models import trainable

__all__: list[str] = ["trainable"]
