"""What a held-out comparison found: one line per method, the verdict, and the facts behind both."""

from dataclasses import dataclass
from typing import Literal

from vsr.choice.objective import Objective
from vsr.evaluation.bootstrap import Interval

MethodKind = Literal["baseline", "selector", "judged", "oracle"]
VerdictKind = Literal["route", "category_table", "static", "inconclusive"]


@dataclass(frozen=True)
class MethodResult:
    """One method on the held-out queries.

    Attributes:
        name: registry name of a selector, or name of a baseline.
        label: the name with what it was set to, for people.
        kind: what the line is.
        utility: mean utility of the chosen models under the objective.
        quality: mean quality of the chosen models.
        latency_s: mean latency of the chosen models in seconds, None where none was measured.
        cost_usd: mean cost of the chosen models, None where none is known.
        gain: utility less that of the best single model, with its interval; None for that model itself.
        gain_over_table: utility less that of the category table; None for baselines.
        gain_predicted: gain when every category is predicted; None where there is no classifier.
        gain_predicted_over_table: the same over the category table with predicted categories.
        n_unmeasured: queries whose chosen model was not measured; they are in no mean.
        selection: share of the queries that each model was chosen for.
        seconds_per_query: median time of one choice from a feature row; None for baselines.
        hit_rate: share of queries on which a best model was chosen, as the documented system counts.
    """

    name: str
    label: str
    kind: MethodKind
    utility: float
    quality: float
    latency_s: float | None
    cost_usd: float | None
    gain: Interval | None
    gain_over_table: Interval | None
    gain_predicted: Interval | None
    gain_predicted_over_table: Interval | None
    n_unmeasured: int
    selection: dict[str, float]
    seconds_per_query: float | None
    hit_rate: float


@dataclass(frozen=True)
class Verdict:
    """Whether routing pays.

    Attributes:
        kind: `route`, `category_table`, `static` or `inconclusive`; only the first two say that anything but the best
            single model pays.
        sentence: the same for people, one sentence.
        with_predicted: the kind when every category is predicted; None where there is no classifier.
        queries_needed: for `inconclusive`, about how many queries in all would decide.
    """

    kind: VerdictKind
    sentence: str
    with_predicted: VerdictKind | None
    queries_needed: int | None


@dataclass(frozen=True)
class Evaluation:
    """A held-out comparison.

    Attributes:
        n_queries: unique queries.
        n_models: models.
        n_categories: categories that occur.
        n_folds: folds, 1 for a single hold-out.
        n_held_out: queries that were predicted while held out.
        objective: what the choices maximised.
        best_single: the single model of highest utility on all queries.
        highest_quality: the single model of highest quality on all queries.
        recommended: the algorithm that was chosen inside most training parts, by its gain out of fold there.
        methods: baselines, selectors, the judged selector, oracle, in this order.
        best_model_share: share of the queries on which each model is (one of) the best.
        verdict: whether routing pays.
        classifier_accuracy: leave-one-out accuracy of the category classifier; None where there is none.
        seed: seed of the folds.
    """

    n_queries: int
    n_models: int
    n_categories: int
    n_folds: int
    n_held_out: int
    objective: Objective
    best_single: str
    highest_quality: str
    recommended: str
    methods: tuple[MethodResult, ...]
    best_model_share: dict[str, float]
    verdict: Verdict
    classifier_accuracy: float | None
    seed: int

    def method(self, name: str) -> MethodResult:
        """Give the line of a method by its name."""
        return next(method for method in self.methods if method.name == name)
