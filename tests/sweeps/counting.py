"""What a call makes JAX do: programs it compiles, and steps of lanes that it takes and shows."""

import contextlib

import jax
import pytest

from gdlab.progress import monitor
from gdlab.progress.bar import Bar
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


class CountedBar(Bar):
    """A progress bar that notes the steps that it is told of."""

    def __init__(self, steps, **arguments):
        super().__init__(steps, **arguments)
        self.needed_steps, self.found_steps, self.advanced_steps = steps, 0, 0

    def found(self, steps):
        self.found_steps += steps
        super().found(steps)

    def dropped(self, steps):
        self.needed_steps -= steps
        super().dropped(steps)

    def advanced(self, state, steps):
        self.advanced_steps += steps
        super().advanced(state, steps)


@contextlib.contextmanager
def counted_bars():
    """The list of the progress bars that sweeps make within this block."""
    with pytest.MonkeyPatch.context() as patch:
        made = []

        def bar(steps, **arguments):
            made.append(CountedBar(steps, **arguments))
            return made[-1]

        patch.setattr(monitor, "Bar", bar)
        yield made


@contextlib.contextmanager
def executed(monkeypatch):
    """Note what is executed within this block."""
    with monkeypatch.context() as patch:
        noted = Executed(programs.advance)
        patch.setattr(programs, "advance", noted)
        yield noted
