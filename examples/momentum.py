"""What does momentum do? A page on which to find out, with everything to drag.

    python examples/momentum.py

It writes momentum.html beside this file: plain gradient descent, momentum and Nesterov's form on a
ravine of curvatures 1 and 25, turned by a sixth of a right angle. On the page are

- the paths among the contours, in the parameters or in eigen-coordinates, with a slider for each
  learning rate and each momentum, and a mark where stability ends;
- the error of each mode, its poles, and where in the plane of η and β the run converges, glides or
  oscillates, for the setting on the sliders or the one that is pointed at;
- each mode as a damped spring, with its damping ratio and its phase plane;
- the next step as the sum of what its gradient gives and what is remembered;
- the loss that noisy gradients add to that of the run.
"""

import argparse
import math
import pathlib

import jax.numpy as jnp

import gdlab

CURVATURES = (1.0, 25.0)
ANGLE = math.pi / 12
PAGE = pathlib.Path(__file__).with_suffix(".html")


def ravine(w):
    """½(λ₁e₁² + λ₂e₂²), with e the coordinates along the eigenvectors."""
    along = math.cos(ANGLE) * w[0] + math.sin(ANGLE) * w[1]
    across = math.cos(ANGLE) * w[1] - math.sin(ANGLE) * w[0]
    return 0.5 * jnp.dot(jnp.array(CURVATURES), jnp.array([along, across]) ** 2)


def main(path=PAGE):
    page = gdlab.explore(
        ravine,
        {
            "gradient descent": gdlab.sgd(0.03),
            "momentum": gdlab.sgd(0.03, momentum=0.8),
            "Nesterov": gdlab.nesterov(0.03, momentum=0.8),
        },
        start=(-2.0, 0.8),
        steps=100,
        ranges={"learning_rate": (0.001, 0.3), "momentum": (0.0, 0.99)},
        title="What does momentum do?",
    )
    page.save(path)
    print(f"{page} is in {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", type=pathlib.Path, default=PAGE)
    main(parser.parse_args().path)
