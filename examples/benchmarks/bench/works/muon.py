"""A Muon step on the matrices of twelve layers: products of matrices, and not memory traffic."""

import jax
import optax

import gdlab

from ..compiled import compiled_in_place
from ..figures import Figure
from ..processes import in_fresh_process
from ..timing import Effort, Sample, Samples, in_turns, ratios, stepping, timed, times
from .elementwise import Contender, of_gdlab, of_optax

LAYERS, WIDTH, QUICK_WIDTH = 12, 256, 32
RATE = 1e-2
CONTENDERS: dict[str, Contender] = {
    "gdlab": of_gdlab(gdlab.muon(RATE)),
    "gdlab, standard iteration": of_gdlab(gdlab.muon(RATE, iteration="standard")),
    "optax": of_optax(optax.contrib.muon(RATE)),
}
TRACE = "trace and lower"
TARGETS = {TRACE: 0.6, "step": 0.6}


def tree(width: int) -> dict[str, jax.Array]:
    """The matrices of transformer layers: four square ones, and two four times as wide."""
    shapes = {name: (width, width) for name in ("query", "key", "value", "out")}
    shapes |= {"up": (width, 4 * width), "down": (4 * width, width)}
    keys = jax.random.split(jax.random.key(0), LAYERS * len(shapes))
    names = [(layer, name) for layer in range(LAYERS) for name in shapes]
    return {
        f"layer{layer}.{name}": jax.random.normal(key, shapes[name])
        for key, (layer, name) in zip(keys, names, strict=True)
    }


def trace(name: str, width: str) -> Sample:
    """The seconds of tracing a step in this process, which must be a new one."""
    contender, params = CONTENDERS[name], tree(int(width))
    state = contender.init(params)
    return timed(lambda: jax.jit(contender.step).lower(params, state, params) and None)()


def muon(effort: Effort) -> list[Figure]:
    """Tracing in new processes, and a step in turns."""
    width = effort.choose(WIDTH, QUICK_WIDTH)
    traced: Samples = {name: [] for name in CONTENDERS}
    for _ in range(effort.choose(3, 1)):
        for name in CONTENDERS:
            traced[name].append(Sample(*in_fresh_process("works.muon:trace", name, str(width))))
    turns = {}
    for name, contender in CONTENDERS.items():
        params, grads = tree(width), tree(width)
        state = contender.init(params)
        program = compiled_in_place(contender.step, params, state, grads)
        turns[name] = stepping(program, params, state, grads)
    taken = {TRACE: traced, "step": in_turns(turns, effort.choose(7, 2), warm_up=1)}
    figures: list[Figure] = []
    for part, samples in taken.items():
        figures += times(part, samples)
        figures += ratios(part, samples, "gdlab", "optax", TARGETS[part])
        figures += ratios(part, samples, "gdlab", "gdlab, standard iteration")
    return figures
