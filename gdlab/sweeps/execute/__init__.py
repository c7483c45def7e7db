"""The execution of a sweep: compiled programs, lanes on devices, and tables of their results."""
