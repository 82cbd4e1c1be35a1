"""What was decided in service, read back: what other policies would have brought, and whether traffic has changed."""
