"""Pictures of networks that read images."""
