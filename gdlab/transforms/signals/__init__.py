"""Signals and their joins: functions of the updates alone."""
