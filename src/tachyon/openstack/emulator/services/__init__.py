"""The HTTP APIs of the emulated services: what they answer, in the microversion asked for."""
