"""What models stand on: nothing, a simulation session, or the graph itself."""
