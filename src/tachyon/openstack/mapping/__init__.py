"""What the services answer as entities of the graph: pure functions for all who read a cloud.

Collectors, handlers of notifications and the reader of captured answers call them, so the same
thing never lies in the graph in two ways. They raise one of `MISSHAPEN` for an answer that has not
the form its service gives it.
"""
