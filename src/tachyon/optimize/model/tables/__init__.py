"""What all models of one generation share: rows, keys and columns of a view, made on first use."""
