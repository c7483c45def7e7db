"""Methods that divide by the size of past gradients."""
