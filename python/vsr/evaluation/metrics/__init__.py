"""The metrics of the literature, each with its definition, and what they are worked out from."""

from vsr.evaluation.metrics.metric import Definition, Metric

__all__ = ["Definition", "Metric"]
