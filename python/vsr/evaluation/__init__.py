"""Honest comparison on held-out queries: does routing pay?"""

from vsr.evaluation.cross_validation import cross_validate
from vsr.evaluation.results import Evaluation, MethodResult, Verdict
from vsr.evaluation.statistics.intervals import Interval

__all__ = ["Evaluation", "Interval", "MethodResult", "Verdict", "cross_validate"]
