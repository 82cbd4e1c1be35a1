"""Measure LLMs on your own queries, learn which of them answers which query how well, and route."""
