"""Best learning rates, their power laws over model sizes, and their transfer."""
