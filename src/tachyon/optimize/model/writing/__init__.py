"""From what was done to a model to the transactions that do it to the graph."""
