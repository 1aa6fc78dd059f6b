"""Notifications of Nova, Cinder and Ironic: the graph follows the cloud between two readings.

An event says what may have changed. What it alone can tell is taken from it; everything else is
read again, once for all events of a batch. docs/collectors.md says why late, repeated and
reordered events end in the same graph.
"""
