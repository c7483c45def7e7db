"""Checks of the arguments that users pass, and their error messages."""
