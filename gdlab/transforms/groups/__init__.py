"""Different treatment of different parameters, and other layouts of them."""
