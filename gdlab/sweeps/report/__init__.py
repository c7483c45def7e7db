"""Judgements of the result of a sweep, in numbers, words and tables."""
