"""Devices: the memory they have, copies to them and back, and caches by shapes."""
