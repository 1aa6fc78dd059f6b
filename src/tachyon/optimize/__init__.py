"""The brain: goals, strategies and planners, pure functions of a session."""
