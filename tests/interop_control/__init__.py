"""The control plane with the clients that operators have, each in an environment of its own."""
