"""Parts: one idea a file."""
