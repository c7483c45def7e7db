"""Pictures of the outputs of transformations for a series of numbers."""
