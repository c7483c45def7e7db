"""A sweep that takes hours; on Ctrl-C it says what it has."""

import json
import sys

import jax.numpy as jnp

from gdlab import Axis, Checkpointing, sgd, sweep


def main(folder):
    try:
        sweep(
            lambda w: jnp.sum(jnp.sin(w) ** 2),
            jnp.ones(3),
            sgd(Axis("learning_rate", [1e-9, 2e-9])),
            steps=2 * 10**9,
            record_every=10**7,
            checkpoint=Checkpointing(folder, seconds_between_saves=0),
        )
    except KeyboardInterrupt as interrupt:
        result = interrupt.result
        said = {"status": result.status.ravel().tolist(), "first": float(result.loss[0, 0, 0])}
        print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
