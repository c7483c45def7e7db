"""What is done at some steps only, and what is done about bad ones."""
