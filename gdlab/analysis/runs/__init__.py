"""An optimizer and a loss together: predictions for runs, and measurements of runs."""
