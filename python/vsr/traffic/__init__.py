"""What was decided in service, read back: the decision log, and what another policy would have brought."""
