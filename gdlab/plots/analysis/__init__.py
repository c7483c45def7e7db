"""Pictures of what the analysis finds."""
