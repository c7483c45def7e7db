"""What a call makes JAX do: programs it compiles, and steps that lanes are taken along."""

import contextlib

import jax

from gdlab.sweeps.compiled import programs


def count_compilations(call):
    """How many programs JAX compiles in a call, from its own events."""
    events = []
    listener = lambda name, *_, **__: events.append(name)  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        call()
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
    return sum(name == "/jax/core/compile/backend_compile_duration" for name in events)


class Executed:
    """In place of the program that takes steps: it notes seeds, points and steps of every call."""

    def __init__(self, program):
        self._program = program
        self.lower, self.trace = program.lower, program.trace
        self.calls = []

    def __call__(self, structure, state, orders, inputs):
        self.calls.append((*state.lanes.status.shape, int(inputs.end) - int(inputs.begin)))
        return self._program(structure, state, orders, inputs)

    @property
    def lane_steps(self):
        return sum(seeds * points * steps for seeds, points, steps in self.calls)

    @property
    def shapes(self):
        """How many seeds and points there were at once, in order and each once."""
        return list(dict.fromkeys((seeds, points) for seeds, points, _ in self.calls))


@contextlib.contextmanager
def executed(monkeypatch):
    """Note what is executed within this block."""
    with monkeypatch.context() as patch:
        noted = Executed(programs.advance)
        patch.setattr(programs, "advance", noted)
        yield noted
