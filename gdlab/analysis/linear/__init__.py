"""An optimizer near a minimum as a linear system."""
