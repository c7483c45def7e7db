"""What an optimizer step costs: measurements, the files that keep them, and how they are shown."""
