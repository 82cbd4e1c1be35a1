"""The world of the demo: queries of our own in all categories, with answers that are computed or beyond dispute."""
