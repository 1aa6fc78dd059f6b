"""How a goal is pursued: a strategy changes a session, and its net effect is the plan."""
