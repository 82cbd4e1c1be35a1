"""What a held-out comparison found: one line per method, the verdict, and the facts behind both."""

from dataclasses import dataclass
from typing import Literal

from vsr.choice.objective import Objective
from vsr.choice.target import Target
from vsr.evaluation.statistics.intervals import Interval
from vsr.evaluation.statistics.prediction_powered import JudgedLabels

MethodKind = Literal["baseline", "single", "selector", "judged", "oracle"]
VerdictKind = Literal["route", "category_table", "static", "identical", "inconclusive"]
CategorySource = Literal["given", "predicted"]


@dataclass(frozen=True)
class MethodResult:
    """One method on the held-out queries, all of them.

    Attributes:
        name: registry name of a selector, name of a baseline, or `always` and the name of a model.
        label: the name with what it was set to, for people.
        kind: what the line is.
        categories: how the categories of the held-out queries were known; None where they make no difference.
        utility: mean utility of the chosen models under the objective.
        quality: mean quality of the chosen models.
        latency_s: mean latency of the chosen models in seconds, None where none was measured.
        cost_usd: mean cost of the chosen models, None where none is known.
        is_identical: trained on all queries, it always chooses the best single model; there is no gain then.
        gain: utility less that of the best single model, less what that one owes to having been picked, with its
            interval; None for that model itself, for random and for what is identical to it.
        gain_over_table: utility less that of the category table; None for baselines.
        n_unmeasured: queries whose chosen model was not measured (mean over the splits); their values are estimates.
        selection: share of the choices that each model has.
        seconds_per_query: median time of one choice from a feature row; None for baselines.
        hit_rate: share of the choices of a best model, as the documented system counts.
    """

    name: str
    label: str
    kind: MethodKind
    categories: CategorySource | None
    utility: float
    quality: float
    latency_s: float | None
    cost_usd: float | None
    is_identical: bool
    gain: Interval | None
    gain_over_table: Interval | None
    n_unmeasured: int
    selection: dict[str, float]
    seconds_per_query: float | None
    hit_rate: float


@dataclass(frozen=True)
class Verdict:
    """Whether routing pays.

    Attributes:
        kind: `route`, `category_table`, `static`, `identical` (the artefact would always choose the best single model)
            or `inconclusive`; only the first two say that anything but the best single model pays.
        sentence: the same for people, one sentence.
        categories: the way queries will arrive that it is for; None where categories make no difference.
        queries_needed: for `inconclusive`, about how many queries in all would decide, as the learning curve says; None
            where that is hardly more than there are, or there is no curve.
    """

    kind: VerdictKind
    sentence: str
    categories: CategorySource | None
    queries_needed: int | None


@dataclass(frozen=True)
class LearningPoint:
    """One point of a learning curve.

    Attributes:
        n_queries: how many queries there are in all.
        gain: of the judged selector over the best single model, in utility.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    n_queries: int
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class CurvePoint:
    """What choices under one objective give, or what one model for everything gives: means over held-out queries.

    Attributes:
        quality_weight: of the objective.
        cost_share: of the objective.
        quality: mean quality of the chosen models.
        utility: mean utility under that objective.
        cost_usd: mean cost per query; None where the cost of a model is not known.
        latency_s: mean latency; None where the latency of a model is not known.
        selection: share of the choices that each model has.
    """

    quality_weight: float
    cost_share: float
    quality: float
    utility: float
    cost_usd: float | None
    latency_s: float | None
    selection: dict[str, float]


@dataclass(frozen=True)
class Curve:
    """What sliding the objective does.

    Attributes:
        judged: points of the selector that is judged: by cost share, then by quality weight.
        table: the same points of the category table.
        singles: every single model, under the objective in force.
        frontier: the single models that none of the others beats in both quality and cost (latency where no cost is
            known), the cheapest first.
        default: the judged selector under the objective in force.
        sentences: the same quality for how much less; how much more quality for the same money (or time); what the
            objective in force does.
    """

    judged: tuple[CurvePoint, ...]
    table: tuple[CurvePoint, ...]
    singles: dict[str, CurvePoint]
    frontier: tuple[str, ...]
    default: CurvePoint
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class MetTarget:
    """A target, and the objective that meets it.

    Attributes:
        target: what choices may need at most, on average.
        objective: the one that meets it on the held-out queries and gives up least for it.
        held_out: what choices under it need there.
        unlimited: what choices would need without the target.
        expected: what they need on new queries: measured on queries on which the objective was not found.
        quality: mean quality of the choices, measured likewise.
        unlimited_quality: mean quality without the target.
        gain: quality less that of one model for everything.
        gain_over: that model: the one of highest quality of those that keep to the target; of all, where none does.
        is_gain_within: whether it keeps to the target.
    """

    target: Target
    objective: Objective
    held_out: float
    unlimited: float
    expected: Interval
    quality: float
    unlimited_quality: float
    gain: Interval
    gain_over: str
    is_gain_within: bool


@dataclass(frozen=True)
class Evaluation:
    """A held-out comparison.

    Attributes:
        n_queries: unique queries that were compared.
        n_models: models.
        n_categories: categories that occur.
        n_folds: folds, 1 for a single hold-out.
        n_splits: how often the queries were split into folds.
        n_held_out: queries that were predicted while held out.
        n_missing_cells: cells of the held-out queries that were not measured. Their values are estimated, so that all
            lines are about the same queries; unless draws were logged, that assumes that cells are missing at random.
        objective: what the choices maximised.
        best_single: the single model of highest utility on all queries.
        luck: what its utility owes to its having been picked; taken from it in every gain.
        highest_quality: the single model of highest quality on all queries.
        recommended: the algorithm whose choices gain most out of fold, trained on all queries.
        methods: best single, other baselines, the other single models, selectors, the judged selector, oracle.
        best_model_share: share of the queries on which each model is (one of) the best.
        verdict: whether routing pays.
        classifier_accuracy: leave-one-out accuracy of the category classifier; None where there is none.
        seed: seed of the splits.
        learning_curve: the judged gain at a quarter, at a half and at all of the queries; empty where it was not drawn.
        target: how the objective was found; None where it was given.
        curve: what sliding the objective would do; None where nobody worked it out.
        judged_labels: what judged qualities are worth; None where none is only judged.
        has_logged_draws: whether records say with which probability their calls were drawn.
        n_sampled_from: where the queries are a random sample, how many there were to draw from, on all of which what is
            deployed was trained; None where they are all.
    """

    n_queries: int
    n_models: int
    n_categories: int
    n_folds: int
    n_splits: int
    n_held_out: int
    n_missing_cells: int
    objective: Objective
    best_single: str
    luck: float
    highest_quality: str
    recommended: str
    methods: tuple[MethodResult, ...]
    best_model_share: dict[str, float]
    verdict: Verdict
    classifier_accuracy: float | None
    seed: int
    learning_curve: tuple[LearningPoint, ...] = ()
    target: MetTarget | None = None
    curve: Curve | None = None
    judged_labels: JudgedLabels | None = None
    has_logged_draws: bool = False
    n_sampled_from: int | None = None

    def method(self, name: str) -> MethodResult:
        """Give the line of a method by its name."""
        return next(method for method in self.methods if method.name == name)
