"""What to compare on held-out queries, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vsr.choice.objective import Objective
from vsr.choice.target import Target
from vsr.evaluation.results import CategorySource
from vsr.evaluation.rivals.rival import RivalRouter
from vsr.features import CategoryClassifier
from vsr.selectors.training_data import Preferences

#: How often the queries are split into folds: the choice of one split is half luck.
N_SPLITS = 3
#: Queries that a comparison is made on: of more a random sample, whose intervals are narrow already.
MOST_COMPARED = 20_000


@dataclass(frozen=True)
class ComparisonSettings:
    """What to compare, and how.

    Attributes:
        algorithms: registry names.
        folds: number of folds.
        splits: how often the queries are split into folds, each time otherwise.
        holdout: share of the queries to hold out once, instead of folds.
        objective: what the choices maximise.
        categories: whether queries will arrive with their category or have it predicted: what the verdict is for.
        seed: seed of the splits and the fits.
        parameters: per algorithm, its own parameters.
        preferences: pairs of the models of the outcomes, for algorithms that learn from them.
        classifier: of categories, fitted on the labelled ones of all queries already.
        rivals: routers of others, to be baselines.
        target: what choices may need at most; the table is then under the objective that meets it, and `objective` is
            the one under which the selector to judge is chosen inside the folds.
        learning_curve: whether to draw the learning curve whatever the verdict; an open one has it anyway.
        most_queries: more measured queries than these are compared on a random sample of so many; None for no limit.
            What is trained on all queries is trained on all the same.
    """

    algorithms: tuple[str, ...]
    folds: int = 5
    splits: int = N_SPLITS
    holdout: float | None = None
    objective: Objective = field(default_factory=Objective)
    categories: CategorySource = "predicted"
    seed: int = 0
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    preferences: Preferences | None = None
    classifier: CategoryClassifier | None = None
    rivals: tuple[RivalRouter, ...] = ()
    target: Target | None = None
    learning_curve: bool = False
    most_queries: int | None = None
