"""The plan of a sweep: its arguments checked, its points laid out, its brackets and policies."""
