"""Measurements of the graph, its sessions and its service, beside stock Watcher in one run."""
