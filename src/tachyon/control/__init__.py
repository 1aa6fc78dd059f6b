"""The control plane: Watcher's services on the cluster graph."""
