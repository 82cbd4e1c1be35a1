"""A report's contents, made up: eight models, four categories, hostile texts among the answers."""

import numpy as np

from vsr.choice.objective import Objective
from vsr.evaluation.metrics import Metric
from vsr.evaluation.results import Curve, CurvePoint, Evaluation, LearningPoint, MethodResult, Verdict, VerdictKind
from vsr.evaluation.shown.by_category import CategoryCell, CategoryRow
from vsr.evaluation.shown.examples import Example, Examples, ModelAnswer
from vsr.evaluation.shown.reliability import Reliability, ReliabilityBin
from vsr.evaluation.statistics.intervals import Interval
from vsr.report import ReportContents

MODELS = (
    "jamba-1.5-large",
    "Qwen1.5-110B",
    "Meta-Llama-3_1-8B-Instruct",
    "mathstral-7B",
    "<b>bold</b>",
    "Yi-34B|x",
    "phi-3-mini-4k",
    "gpt-oss-120b-with-a-very-long-name-from-some-registry",
)
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> & `a|b` \u202e"
)
_COSTS = (0.0021, 0.0031, 0.00021, 0.00018, 0.0009, 0.0007, 0.00005, 0.0026)
_QUALITY = (0.612, 0.601, 0.501, 0.487, 0.523, 0.55, 0.43, 0.59)


def contents(*, costs: bool = True, latency: bool = True, verdict: VerdictKind = "inconclusive") -> ReportContents:
    generator = np.random.default_rng(0)

    def latency_of(value: float) -> float | None:
        return value if latency else None

    def cost_of(value: float) -> float | None:
        return value if costs else None

    def method(name, label, kind, gain, selection, at=0.61):
        interval = None if gain is None else Interval(gain, gain - 0.017, gain + 0.017, 600)
        return MethodResult(
            name=name,
            label=label,
            kind=kind,
            categories="predicted" if kind in ("selector", "judged") else None,
            utility=at - 0.02,
            quality=at,
            latency_s=latency_of(2.1),
            cost_usd=cost_of(0.0012),
            is_identical=gain is None and kind == "selector",
            gain=interval,
            gain_over_table=interval,
            n_unmeasured=0,
            selection=selection,
            seconds_per_query=1.2e-4 if kind == "selector" else None,
            hit_rate=0.66,
        )

    shares = dict(zip(MODELS, (0.42, 0.2, 0.15, 0.12, 0.06, 0.03, 0.02), strict=False))
    methods = [method("best single", f"best single ({MODELS[0]})", "baseline", None, {MODELS[0]: 1.0})]
    methods += [
        method(f"always {name}", name, "single", -0.01 * n, {name: 1.0}, at)
        for n, (name, at) in enumerate(zip(MODELS[1:], _QUALITY[1:], strict=True), 1)
    ]
    methods.append(method("random", "random", "baseline", None, dict.fromkeys(MODELS, 0.125), 0.5))
    methods.append(method("category table", "category table", "baseline", 0.012, shares))
    for name, gain in (("knn", 0.021), ("kmeans", 0.019), ("svm", None), ("stacking", 0.024)):
        methods.append(method(name, name, "selector", gain, shares, 0.63))
    methods.append(method("judged", "chosen inside the folds", "judged", 0.024, shares, 0.636))
    methods.append(method("oracle", "oracle", "oracle", 0.35, shares, 0.88))
    judged = tuple(_point(weight, costs, latency, shares) for weight in np.linspace(0.0, 1.0, 21).round(2).tolist())
    table = tuple(_point(weight, costs, latency, shares, below=0.012) for weight in (0.0, 0.3, 0.5, 0.7, 0.9, 1.0))
    singles = {
        name: CurvePoint(0.9, 0.0, quality, quality - 0.02, cost_of(cost), latency_of(cost * 900 + 0.3), {name: 1.0})
        for name, quality, cost in zip(MODELS, _QUALITY, _COSTS, strict=True)
    }
    curve = Curve(
        judged=judged,
        table=table,
        singles=singles,
        frontier=(MODELS[6], MODELS[3], MODELS[2], MODELS[5], MODELS[0]),
        default=next(point for point in judged if point.quality_weight == 0.9),
        sentences=(
            f"The same quality as {MODELS[0]} for 41 % less.",
            "For the same money 2.1 points more quality.",
            "The default costs 22 % less and brings 1.9 points.",
        ),
    )
    evaluation = Evaluation(
        n_queries=600,
        n_models=len(MODELS),
        n_categories=4,
        n_folds=5,
        n_splits=3,
        n_held_out=600,
        n_missing_cells=120,
        objective=Objective(),
        best_single=MODELS[0],
        luck=0.004,
        highest_quality=MODELS[0],
        recommended="stacking",
        methods=tuple(methods),
        best_model_share=dict(zip(MODELS, (0.62, 0.6, 0.55, 0.51, 0.5, 0.56, 0.4, 0.59), strict=True)),
        verdict=Verdict(
            verdict,
            f"Not decided yet: the chosen selector, stacking, gains +2.4 points (95 % +0.7 .. +4.1) over always using "
            f"{MODELS[0]}, but its gain over a table of the best model per category is not surely there; if it stays "
            "what it is, about 3,600 queries would decide.",
            "predicted",
            3600,
        ),
        classifier_accuracy=0.59,
        seed=0,
        curve=curve,
        learning_curve=tuple(
            LearningPoint(n, 0.024 - 2.0 / n, 0.024 - 9.0 / n, 0.024 + 5.0 / n) for n in range(120, 601, 80)
        ),
    )
    return ReportContents(
        evaluation=evaluation,
        source="records.jsonl",
        remarks=("All of this is made up.",),
        metrics=(
            Metric("quality", 0.636, "share", "Mean quality of the chosen models.", ""),
            Metric("gap closed", 0.09, "share", "(Q(r) − Q(B)) / (Q(oracle) − Q(B)).", ""),
            Metric(
                "gain over best single",
                2.4,
                "points",
                "100 x mean of the differences.",
                "",
                Interval(2.4, 0.7, 4.1, 600),
            ),
            Metric("AIQ", 0.571, "", "Area under the hull of cost and quality over the cost range.", "RouterBench"),
            Metric(
                "CostSave",
                None,
                "share",
                "1 − cost of the cheapest configuration as good as B / cost(B).",
                "LLMRouterBench",
                note="no configuration is as good",
            ),
        ),
        categories=tuple(
            CategoryRow(
                category,
                150,
                0.6,
                tuple(
                    CategoryCell(model, float(share), float(generator.random()))
                    for model, share in zip(MODELS, generator.dirichlet([0.5] * len(MODELS)), strict=True)
                ),
            )
            for category in ("math", "law", "biology", "other")
        ),
        reliability=Reliability(
            tuple(
                ReliabilityBin(p, p**1.1, p**1.1 - 0.03, min(p**1.1 + 0.03, 1.0), 480)
                for p in np.linspace(0.1, 0.9, 10)
            ),
            0.66,
            0.636,
        ),
        examples=Examples(
            wins=tuple(_example(n, 0.9) for n in range(20)),
            losses=tuple(_example(n, -0.9) for n in range(20)),
            n_wins=80,
            n_losses=61,
            n_same=459,
        ),
    )


def _point(weight: float, costs: bool, latency: bool, shares: dict[str, float], below: float = 0.0) -> CurvePoint:
    quality = 0.45 + 0.19 * weight**0.5 - below
    cost, seconds = 6e-5 * (1e-3 / 6e-5) ** weight * 1.2, 0.4 + 1.7 * weight
    return CurvePoint(
        weight, 0.0, quality, quality - 0.01, cost if costs else None, seconds if latency else None, shares
    )


def _example(number: int, gain: float) -> Example:
    right, wrong = (1.0, 0.0) if gain > 0 else (0.0, 1.0)
    return Example(
        query=f"Question {number}: what is the derivative of x^{number}?\nA) yes\nB) no {HOSTILE}",
        category="math",
        gain=gain,
        chosen=ModelAnswer(MODELS[3], right, 0.8, 0.0002, f"The answer is {number}. {HOSTILE}"),
        best_single=ModelAnswer(MODELS[0], wrong, 1.8, 0.002, "I believe it is x. " * 40),
    )
