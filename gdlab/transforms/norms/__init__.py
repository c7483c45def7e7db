"""Norms and inner products, and updates that are bounded or scaled by them."""
