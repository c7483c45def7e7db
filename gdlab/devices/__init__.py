"""Devices: free memory, transfers, meshes, and caches by shapes."""
