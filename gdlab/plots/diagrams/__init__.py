"""Pictures of compositions."""
