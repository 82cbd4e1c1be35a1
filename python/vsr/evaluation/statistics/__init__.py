"""What figures rest on: intervals, cells that are missing, queries that belong together."""
