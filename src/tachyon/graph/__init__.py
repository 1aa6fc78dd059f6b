"""The model service: the durable cluster graph, its columnar view and what-if sessions.

Knows nothing of Watcher and of OpenStack's clients; `docs/graph.md` explains it to its users.
"""
