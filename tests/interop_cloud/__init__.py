"""The control plane as the infra-optim service of a real OpenStack, used by its real clients."""
