"""An optimizer and a loss together: what theory says of a run, and what a run shows."""
