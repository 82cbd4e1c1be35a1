"""From predicted quality to a model, the last step of routing: objective, candidates, and the choice."""

from vsr.choice.candidates import Candidate, ModelReference
from vsr.choice.chooser import CategorySource, Choice, Chooser, choose
from vsr.choice.objective import EfficiencyScale, Objective, as_objective, best_columns, measured_utilities
from vsr.prior.statistics import Statistics

__all__ = [
    "Candidate",
    "CategorySource",
    "Choice",
    "Chooser",
    "EfficiencyScale",
    "ModelReference",
    "Objective",
    "Statistics",
    "as_objective",
    "best_columns",
    "choose",
    "measured_utilities",
]
