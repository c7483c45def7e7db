"""Rules about the parameters themselves: decay, averages, bounds, displacements."""
