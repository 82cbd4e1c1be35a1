"""Saved artefacts on what they have not seen: judged on records, foreseen on queries alone."""
