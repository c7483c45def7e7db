"""Methods that keep what they learn from single examples private."""
