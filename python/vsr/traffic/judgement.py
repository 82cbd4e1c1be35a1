"""Another policy judged on logged decisions: how much of it the log covers, what it would have brought, how sure."""

from dataclasses import dataclass, replace

import numpy as np

from vsr.traffic.off_policy import Estimate, doubly_robust, effective_sample_size, importance_weights, self_normalised
from vsr.traffic.table import BoolArray, FloatArray, IntArray, LoggedTable

LEAST_SAMPLE_SIZE = 200
"""Effective sample size below which nothing is said."""

LEAST_TRIED = 10
"""Decisions in which a policy differs from the log's own and the log took what it would: fewer say nothing of it."""


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> "Figure":
        """Take value and interval."""
        return cls(estimate.value, *estimate.interval)


@dataclass(frozen=True)
class PolicyValue:
    """What a policy would have brought on the decisions that the log covers.

    Attributes:
        name: of the policy.
        n_decisions: that it is judged on, covered or not.
        covered: share of them in which the log could have taken what the policy takes; of the others nothing is known.
        differing: share of the covered in which it takes another model than the log would without exploration.
        n_tried: decisions of these in which the log took what the policy takes.
        effective_sample_size: of the covered decisions.
        refusal: why nothing is said of its quality; None where something is.
        self_normalised: mean quality on the covered decisions; None where nothing is said, and so the others.
        doubly_robust: the same by the other estimator.
        gain_self_normalised: over the log's own choices without exploration, on the same decisions.
        gain_doubly_robust: likewise.
    """

    name: str
    n_decisions: int
    covered: float
    differing: float
    n_tried: int
    effective_sample_size: float
    refusal: str | None = None
    self_normalised: Figure | None = None
    doubly_robust: Figure | None = None
    gain_self_normalised: Figure | None = None
    gain_doubly_robust: Figure | None = None


def judge(table: LoggedTable, name: str, columns: IntArray) -> PolicyValue:
    """Judge a policy.

    Args:
        table: the decisions.
        name: of the policy.
        columns: (n,) column of the model that it takes in each, `NOBODY` for one that the log does not know.
    """
    covered = table.covers(columns)
    differs = covered & (columns != table.best)
    tried = differs & table.takes(columns)
    weights = importance_weights(table.takes(columns), table.propensity)[covered]
    n_covered, n_tried = int(covered.sum()), int(tried.sum())
    said = PolicyValue(
        name=name,
        n_decisions=len(table),
        covered=n_covered / len(table),
        differing=float(differs.sum()) / max(n_covered, 1),
        n_tried=n_tried,
        effective_sample_size=effective_sample_size(weights),
    )
    refusal = _refusal(said, n_differing=int((columns != table.best).sum()), n_covered_differing=int(differs.sum()))
    if refusal is not None:
        return replace(said, refusal=refusal)
    own = importance_weights(table.takes(table.best), table.propensity)[covered]
    rewards = table.quality[covered]
    ratio, robust = self_normalised(rewards, weights), _robust(table, columns, covered, weights)
    return replace(
        said,
        self_normalised=Figure.of(ratio),
        doubly_robust=Figure.of(robust),
        gain_self_normalised=Figure.of(ratio.less(self_normalised(rewards, own))),
        gain_doubly_robust=Figure.of(robust.less(_robust(table, table.best, covered, own))),
    )


def _robust(table: LoggedTable, columns: IntArray, covered: BoolArray, weights: FloatArray) -> Estimate:
    """Take the predicted scores of the log as the reward model; what was taken and what would be are predicted."""
    rows = np.flatnonzero(covered)
    return doubly_robust(
        table.quality[rows], weights, table.scores[rows, table.taken[rows]], table.scores[rows, columns[rows]]
    )


def _refusal(said: PolicyValue, n_differing: int, n_covered_differing: int) -> str | None:
    """Say why too little is known of a policy, if it is."""
    if said.effective_sample_size < LEAST_SAMPLE_SIZE:
        return (
            f"the effective sample size is {said.effective_sample_size:,.0f} of {said.n_decisions:,} decisions; "
            f"expected {LEAST_SAMPLE_SIZE} or more"
        )
    if n_differing and not n_covered_differing:
        return (
            f"in none of the {n_differing:,} decisions in which it takes another model was that one within what was "
            "explored"
        )
    if n_covered_differing and said.n_tried < LEAST_TRIED:
        return (
            f"the log took its model in {said.n_tried:,} of the {n_covered_differing:,} decisions in which it takes "
            f"another than the log would; expected {LEAST_TRIED} or more"
        )
    return None
