"""What outgrows one machine, on Ray: embedding, and the folds of a comparison. Only this room imports Ray."""
