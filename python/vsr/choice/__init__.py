"""From predicted quality to a model, the last step of routing: objective, candidates, and the choice."""

from vsr.choice.candidates import Candidate, ModelReference
from vsr.choice.chooser import CategorySource, Choice, Chooser, choose
from vsr.choice.expectations import Demand, ModelFacts
from vsr.choice.exploration import Exploration
from vsr.choice.limits import Limits
from vsr.choice.objective import EfficiencyScale, Objective, as_objective, best_columns, measured_utilities
from vsr.prior.statistics import Statistics

__all__ = [
    "Candidate",
    "CategorySource",
    "Choice",
    "Chooser",
    "Demand",
    "EfficiencyScale",
    "Exploration",
    "Limits",
    "ModelFacts",
    "ModelReference",
    "Objective",
    "Statistics",
    "as_objective",
    "best_columns",
    "choose",
    "measured_utilities",
]
