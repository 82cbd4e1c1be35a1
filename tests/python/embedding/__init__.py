"""Tests of embedders. A package, so that no checker takes `benches/python/embedding.py` for it."""
