"""What each route does, a file per noun; every handler takes the model and a checked call."""
