"""The adaptive number of steps in a call of a compiled program."""

SECONDS_PER_CALL = 0.25
"""The intended duration of a call, after which the bar moves and Ctrl-C is handled."""
FIRST_STEPS = 8
"""The number of steps in the first call."""


class CallLength:
    """The number of steps for which a call takes about a quarter of a second."""

    def __init__(self) -> None:
        self.steps: int = FIRST_STEPS
        self._warm = False

    def keep(self, seconds: float, steps: int) -> None:
        """Update the estimate from the duration and the number of steps of a call."""
        if not self._warm:
            # The first call includes compilation, so its duration is no measure of speed.
            self._warm = True
        elif seconds < SECONDS_PER_CALL / 2:
            self.steps *= 2 if seconds > SECONDS_PER_CALL / 8 else 4
        elif seconds > 2 * SECONDS_PER_CALL and steps == self.steps:
            self.steps = max(1, steps // 2)
