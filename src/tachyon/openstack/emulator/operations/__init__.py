"""What the emulated services do: work that takes time, tells of itself, and can fail."""
