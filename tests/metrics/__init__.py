"""Every metric moves, and is on the operations page."""
