"""Methods that keep less than one number for each parameter."""
