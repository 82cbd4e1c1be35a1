"""What outgrows one machine, on Ray: embedding, and the fits of a comparison. Only this room imports Ray."""
