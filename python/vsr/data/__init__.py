"""Queries, records and outcomes: what was asked, what was measured, and the files that hold them."""
