"""Methods that seek flat minima: they evaluate the gradient where the loss is higher."""
