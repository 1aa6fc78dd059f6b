"""The Tachyon API v1: the graph and its simulation sessions over HTTP."""
