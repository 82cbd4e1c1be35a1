"""Honest comparison on held-out queries: does routing pay?"""

from vsr.evaluation.cross_validation import cross_validate
from vsr.evaluation.intervals import Interval
from vsr.evaluation.results import Evaluation, MethodResult, Verdict

__all__ = ["Evaluation", "Interval", "MethodResult", "Verdict", "cross_validate"]
