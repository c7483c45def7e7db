"""Methods whose state is smaller than Adam's."""
