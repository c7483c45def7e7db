"""Groups of parameters: masks, partitions, frozen parameters, and other layouts."""
