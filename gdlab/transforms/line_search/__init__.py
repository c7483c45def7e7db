"""Line searches for the step size along a direction."""
