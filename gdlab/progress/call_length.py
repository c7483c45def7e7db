"""The number of steps in a call of the devices."""

SECONDS_PER_CALL = 0.25
"""The seconds of a call, after which the bar moves and Ctrl-C is heard."""
FIRST_STEPS = 8
"""The number of steps in the first call."""


class CallLength:
    """The number of steps with which a call takes about a quarter of a second."""

    def __init__(self) -> None:
        self.steps: int = FIRST_STEPS
        self._warm = False

    def keep(self, seconds: float, steps: int) -> None:
        """Learn from a call of so many steps, which took so long."""
        if not self._warm:
            # The first call compiles as well, so it says nothing of the speed.
            self._warm = True
        elif seconds < SECONDS_PER_CALL / 2:
            self.steps *= 2 if seconds > SECONDS_PER_CALL / 8 else 4
        elif seconds > 2 * SECONDS_PER_CALL and steps == self.steps:
            self.steps = max(1, steps // 2)
