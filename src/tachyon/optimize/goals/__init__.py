"""What an audit is for, and the indicators that say how well a plan serves it."""
