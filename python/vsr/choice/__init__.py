"""From predicted quality to a model: the objective, the candidates on offer, and the choice among them."""

from vsr.choice.candidates import Candidate, ModelReference
from vsr.choice.chooser import CategorySource, Choice, Chooser, choose
from vsr.choice.objective import EfficiencyScale, Objective, as_objective, best_columns, measured_utilities
from vsr.choice.statistics import Statistics

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
