"""Parametrisations: multipliers by the widths of each parameter, and the rules that set them."""
