"""Examples of the core: wiring and foreign pairs."""

import jax.numpy as jnp
import optax

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "chain": [
        Example(gdlab.chain(gdlab.trace(0.9), gdlab.clip_by_global_norm(1.0), gdlab.adam(0.1))),
    ],
    "foreign": [
        # The averages of optax's Adam change the dtype of complex squares.
        Example(
            gdlab.foreign(*optax.scale_by_adam()),
            source=False,
            on_complex=None,
            bears_extremes=False,
        ),
    ],
    "fork": [
        Example(gdlab.fork(gdlab.ratio(0.1), gdlab.identity(), gdlab.square())),
        Example(
            gdlab.fork(jnp.add, gdlab.ema(0.9), gdlab.clip_by_global_norm(1.0)),
            source=False,  # its join has no name among gdlab's
        ),
    ],
    "identity": [Example(gdlab.identity())],
    "named_chain": [
        Example(
            gdlab.named_chain(
                ("second", gdlab.clip_by_global_norm(1.0)), ("first", gdlab.adam(0.1))
            )
        ),
    ],
    "on_wires": [
        Example(
            gdlab.chain(
                gdlab.fork(gdlab.bus(), gdlab.identity(), gdlab.ema(0.9)),
                gdlab.fork(
                    gdlab.ratio(0.1),
                    gdlab.wire(1),
                    gdlab.chain(gdlab.on_wires(jnp.subtract), gdlab.square()),
                ),
            ),
            source=False,  # its join has no name among gdlab's
        )
    ],
    "wire": [
        Example(
            gdlab.chain(gdlab.fork(gdlab.bus(), gdlab.scale(2.0), gdlab.ema(0.9)), gdlab.wire(1))
        )
    ],
}
