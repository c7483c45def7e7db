"""Methods that seek flat minima, by evaluating the gradient at a nearby point of higher loss."""
