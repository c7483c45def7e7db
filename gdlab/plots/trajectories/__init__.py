"""Pictures of where runs go."""
