"""What the emulated services tell on the message bus, and how it gets there."""
