"""Progress bars, pictures and interruption of long computations."""
