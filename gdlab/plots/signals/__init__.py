"""Pictures of what transformations make of a series of numbers."""
