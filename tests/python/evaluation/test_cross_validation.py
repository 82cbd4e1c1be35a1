"""Whole comparisons on small pools whose right verdict is known."""

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pools import DIM, Pool, make_pool, planted_pool, signalless_pool, some_categories, topics
from vsr._core import svm_fit_linfa
from vsr.choice.objective import Objective
from vsr.errors import TrainingError
from vsr.evaluation import Evaluation, cross_validate
from vsr.evaluation.cross_validation import _assign
from vsr.evaluation.document import evaluation_document
from vsr.evaluation.fold import Fold
from vsr.evaluation.held import Predictions
from vsr.evaluation.statistics.intervals import luck_in_gain, luck_of_the_pick
from vsr.evaluation.statistics.query_groups import query_groups
from vsr.selectors.training_data import Preferences
from vsr.training.trainer import Trainer, train_selector

FloatArray = NDArray[np.float64]
QUALITY = Objective(quality_weight=1.0)


def evaluate(pool: Pool, *algorithms: str, **options: Any) -> Evaluation:
    options = {"objective": QUALITY} | options
    return cross_validate(pool.features, pool.outcomes, algorithms or ("knn", "kmeans"), **options)


def groups_of(pool: Pool) -> NDArray[np.int64]:
    return query_groups(pool.features[:, :DIM], pool.outcomes.groups)


# Verdicts


def test_a_planted_signal_is_worth_routing() -> None:
    evaluation = evaluate(planted_pool())
    assert evaluation.verdict.kind == "route"
    assert evaluation.verdict.sentence.startswith("Routing pays: ")
    judged = evaluation.method("judged")
    assert judged.gain is not None
    assert judged.gain.low > 0.1
    assert judged.quality > 0.8


def test_where_one_model_is_best_everywhere_there_is_nothing_to_route() -> None:
    generator = np.random.default_rng(0)
    embeddings, topic = topics(240, generator)
    difficulty = np.array([0.0, 0.15, 0.3])[topic]
    expected = np.array([0.95, 0.75, 0.6]) - difficulty[:, None]
    quality = (generator.random(expected.shape) < expected).astype(float)
    evaluation = evaluate(make_pool(embeddings, some_categories(240, generator), quality))
    assert evaluation.best_single == "large"
    assert evaluation.verdict.kind == "identical"
    assert evaluation.verdict.sentence.startswith("Do not route: trained on all queries, ")
    assert evaluation.verdict.sentence.endswith(" would be identical to always using large.")
    for name in ("category table", "judged"):
        line = evaluation.method(name)
        assert line.is_identical
        assert line.gain is None


def test_shuffled_outcomes_are_not_worth_routing() -> None:
    pool = planted_pool()
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(pool.n_queries)
        evaluation = evaluate(pool.with_quality(pool.outcomes.quality[order]), seed=seed)
        assert evaluation.verdict.kind in ("static", "identical", "inconclusive")
        assert evaluation.verdict.sentence.startswith("Do not route")
        judged = evaluation.method("judged")
        assert judged.utility - evaluation.method("best single").utility + evaluation.luck > -0.05


def test_where_categories_decide_a_table_is_enough() -> None:
    generator = np.random.default_rng(0)
    categories = some_categories(300, generator)
    strong = np.array([["math", "history", "law"].index(name) for name in categories])
    expected = np.where(strong[:, None] == np.arange(3), 0.9, 0.4)
    quality = (generator.random(expected.shape) < expected).astype(float)
    pool = make_pool(generator.standard_normal((300, DIM)), categories, quality)
    evaluation = evaluate(pool, categories="given")
    assert (evaluation.verdict.kind, evaluation.verdict.categories) == ("category_table", "given")
    assert evaluation.verdict.sentence.startswith("A table of the best model per category is enough: it gains +")
    assert ", categories given) over always using" in evaluation.verdict.sentence
    table = evaluation.method("category table")
    assert table.gain is not None
    assert table.gain.low > 0.2
    # Nothing in the vectors says the category: where it has to be predicted, all of the gain is gone.
    arriving = evaluate(pool)
    assert arriving.verdict.kind in ("static", "inconclusive", "identical")
    assert arriving.verdict.categories == "predicted"
    table = arriving.method("category table")
    assert table.gain is None or table.gain.low < 0.05
    assert arriving.classifier_accuracy is not None
    assert arriving.classifier_accuracy < 0.5


def test_given_and_predicted_categories_are_two_lines_of_one_table() -> None:
    pool = planted_pool(120)
    ways = {way: evaluate(pool, "knn", categories=way) for way in ("given", "predicted")}
    for way, other in (("given", "predicted"), ("predicted", "given")):
        evaluation = ways[way]
        assert evaluation.method("judged").categories == way
        line = evaluation.method(f"judged, categories {other}")
        assert (line.kind, line.categories) == ("judged", other)
        assert line.label == f"chosen inside the folds, categories {other}"
        assert line.utility == pytest.approx(ways[other].method("judged").utility)
    with pytest.raises(TrainingError, match="categories is 'guessed'; expected 'given' or 'predicted'"):
        evaluate(pool, "knn", categories="guessed")


def test_luck_counts_only_where_something_else_is_chosen() -> None:
    # Ties: the picked model owes most of its lead to luck. What hardly ever leaves it has hardly any gain.
    generator = np.random.default_rng(0)
    quality = (generator.random((300, 3)) < 0.5).astype(float)
    pool = make_pool(generator.standard_normal((300, DIM)), some_categories(300, generator), quality)
    evaluation = evaluate(pool, "knn")
    assert evaluation.luck > 0.01
    judged = evaluation.method("judged")
    named_share = judged.selection.get(evaluation.best_single, 0.0)
    difference = judged.utility - evaluation.method("best single").utility
    assert named_share > 0.5
    luck = luck_in_gain(evaluation.luck, 1 - named_share)
    assert judged.gain is None or judged.gain.mean == pytest.approx(difference + luck)


def test_repeated_splits_are_averaged() -> None:
    generator = np.random.default_rng(1)
    world = planted_pool(90)
    chances = 0.5 + 0.5 * (world.expected - 0.5)
    pool = world.with_quality((generator.random(chances.shape) < chances).astype(float))
    one, three = evaluate(pool, "knn", splits=1), evaluate(pool, "knn", splits=3)
    assert (one.n_splits, three.n_splits) == (1, 3)
    assert one.method("best single") == three.method("best single")
    assert one.method("knn").utility != three.method("knn").utility
    with pytest.raises(TrainingError, match="splits is 0; expected 1 at least"):
        evaluate(pool, "knn", splits=0)


def test_gains_hold_the_truth_on_queries_that_come_later() -> None:
    """Samples of one world, near-tied models: the interval against what the deployed selector gains on the rest."""
    world = planted_pool(2400, seed=8)
    generator = np.random.default_rng(9)
    tied = 0.5 + 0.12 * (world.expected - world.expected.mean(axis=1, keepdims=True))
    held = 0
    n_studies = 30
    for seed in range(n_studies):
        rows = generator.permutation(world.n_queries)
        sample = world.take(np.sort(rows[:120]))
        chances = tied[np.sort(rows[:120])]
        sample = make_pool(
            sample.features[:, :DIM],
            sample.outcomes.categories,
            (generator.random(chances.shape) < chances).astype(float),
        )
        evaluation = evaluate(sample, "knn", seed=seed)
        rest = np.sort(rows[120:])
        selector = train_selector("knn", sample.features, sample.outcomes, seed=seed)
        chosen = selector.scores(world.features[rest]).argmax(axis=1)
        named = sample.outcomes.models.index(evaluation.best_single)
        truth = (tied[rest][np.arange(len(rest)), chosen] - tied[rest][:, named]).mean()
        gain = evaluation.method("knn").gain
        held += abs(truth) < 0.01 if gain is None else gain.low <= truth <= gain.high
    assert held >= 0.85 * n_studies


# Lines of the table


def test_baselines_are_what_they_say() -> None:
    pool = planted_pool(150)
    quality = pool.outcomes.quality
    evaluation = evaluate(pool)
    assert [method.name for method in evaluation.methods] == [
        "best single",
        *[f"always {pool.outcomes.models[column]}" for column in np.argsort(-quality.mean(axis=0))[1:]],
        "random",
        "category table",
        "knn",
        "kmeans",
        "judged",
        "judged, categories given",
        "category oracle",
        "oracle",
    ]
    for column, name in enumerate(pool.outcomes.models):
        if name != evaluation.best_single:
            assert evaluation.method(f"always {name}").quality == pytest.approx(quality[:, column].mean())
            assert evaluation.method(f"always {name}").selection == {name: 1.0}
    assert (evaluation.n_queries, evaluation.n_models, evaluation.n_categories) == (150, 3, 3)
    assert (evaluation.n_folds, evaluation.n_held_out, evaluation.seed) == (5, 150, 0)
    assert evaluation.method("random").quality == pytest.approx(quality.mean())
    assert evaluation.method("oracle").quality == pytest.approx(quality.max(axis=1).mean())
    assert evaluation.method("oracle").hit_rate == 1.0
    best = quality >= quality.max(axis=1, keepdims=True)
    assert evaluation.best_model_share == pytest.approx(dict(zip(pool.outcomes.models, best.mean(axis=0), strict=True)))
    single = pool.outcomes.models.index(evaluation.best_single)
    assert single == quality.mean(axis=0).argmax()
    line = evaluation.method("best single")
    assert line.selection == {evaluation.best_single: 1.0}
    assert line.quality == pytest.approx(quality[:, single].mean())
    assert line.hit_rate == pytest.approx(best[:, single].mean())
    for method in evaluation.methods:
        assert sum(method.selection.values()) == pytest.approx(1.0)
        assert method.utility == pytest.approx(method.quality)  # at a quality weight of 1
        assert method.n_unmeasured == 0
        if method.gain is not None and method.kind != "single":
            luck = luck_in_gain(evaluation.luck, 1.0 - method.selection.get(evaluation.best_single, 0.0))
            assert method.gain.mean == pytest.approx(method.quality - line.quality + luck)
    assert evaluation.luck == pytest.approx(luck_of_the_pick(quality, single, groups_of(pool)))


def test_selectors_choose_for_queries_that_they_have_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = planted_pool(60)
    trained: list[set[bytes]] = []
    asked: list[set[bytes]] = []
    prepare, predict = Trainer.prepare.__func__, Fold.predict  # type: ignore[attr-defined]

    def spied_prepare(cls: type[Trainer], features: Any, *arguments: Any) -> Trainer:
        trained.append({row.tobytes() for row in features})
        assert arguments[2] == QUALITY  # what they are judged by inside is what the table shows
        table = prepare(cls, features, *arguments)
        assert isinstance(table, Trainer)
        return table

    def spied_predict(self: Any, selector: Any) -> Predictions:
        asked.append({row.tobytes() for row in self.given})
        return predict(self, selector)

    monkeypatch.setattr(Trainer, "prepare", classmethod(spied_prepare))
    monkeypatch.setattr(Fold, "predict", spied_predict)
    evaluate(pool, "knn", folds=4, splits=2)
    assert len(trained) == len(asked) == 9
    everything = {row.tobytes() for row in pool.features}
    # The last one is what would be deployed; what it chooses for its own queries only says whether it ever leaves the
    # best single model.
    assert trained.pop() == asked.pop() == everything
    for train, test in zip(trained, asked, strict=True):
        assert not train & test
        assert train | test == everything
    for split in (asked[:4], asked[4:]):
        assert sum(map(len, split)) == 60
        assert set.union(*split) == everything
    assert asked[:4] != asked[4:]


def test_a_fold_is_what_training_on_the_rest_gives() -> None:
    pool = planted_pool(100)
    evaluation = evaluate(pool, "knn", holdout=0.3, parameters={"knn": {"k": 7}}, categories="given")
    held_out = _assign(pool.features[:, DIM:].argmax(axis=1), groups_of(pool), 5, 0.3, np.random.default_rng(0)) >= 0
    train = pool.take(~held_out)
    selector = train_selector("knn", train.features, train.outcomes, k=7)
    chosen = selector.scores(pool.features[held_out]).argmax(axis=1)
    expected = pool.outcomes.quality[held_out][np.arange(held_out.sum()), chosen].mean()
    assert evaluation.method("knn").quality == pytest.approx(expected)


def test_the_judged_selector_is_the_one_chosen_inside_each_fold() -> None:
    pool = planted_pool(150)
    evaluation = evaluate(pool, "knn", "matrix_factorization", parameters={"matrix_factorization": {"num_factors": 2}})
    lines = {name: evaluation.method(name) for name in ("knn", "matrix_factorization", "judged")}
    assert evaluation.recommended == "knn"
    qualities = sorted([lines["knn"].quality, lines["matrix_factorization"].quality])
    assert qualities[0] <= lines["judged"].quality <= qualities[1]


def test_the_objective_decides_what_is_best() -> None:
    pool = planted_pool(150)
    latency = np.tile([60.0, 1.0, 0.01], (150, 1))
    slow = make_pool(pool.features[:, :DIM], pool.outcomes.categories, pool.outcomes.quality, latency_s=latency)
    of_quality, of_speed = evaluate(slow), evaluate(slow, objective=Objective(0.3))
    assert of_quality.best_single == "large"
    assert of_speed.best_single == "small"
    assert of_speed.highest_quality == "large"
    assert of_speed.method("always large").label == "large (highest quality)"
    line = of_speed.method("best single")
    assert line.latency_s == pytest.approx(0.01)
    quality = pool.outcomes.quality[:, 2].mean()
    assert line.quality == pytest.approx(quality)
    assert line.utility == pytest.approx(0.3 * quality + 0.7 * 1.0)  # the fastest has an efficiency of 1
    assert of_speed.verdict.kind == "identical"


# Gaps


def test_choices_that_were_not_measured_are_estimated_and_counted() -> None:
    pool = planted_pool()
    quality = pool.outcomes.quality.copy()
    quality[np.random.default_rng(1).random(quality.shape) < 0.3] = np.nan
    gapped = pool.with_quality(quality)
    evaluation = evaluate(gapped, "knn")
    n_measured = len(gapped.outcomes.measured_rows)
    assert evaluation.n_queries == n_measured
    line = evaluation.method("knn")
    assert 0.1 * n_measured < line.n_unmeasured < 0.5 * n_measured
    assert line.gain is not None
    assert line.gain.n == n_measured  # all lines are about the same queries
    assert evaluation.n_missing_cells == np.isnan(gapped.outcomes.quality[gapped.outcomes.measured_rows]).sum()
    assert evaluation.method("oracle").n_unmeasured == 0
    assert evaluate(pool, "knn").n_missing_cells == 0
    assert evaluation.verdict.kind == "route"
    assert 0.75 < line.quality < 1.0


def test_a_model_that_a_fold_has_not_measured_cannot_be_chosen_there() -> None:
    pool = planted_pool(60)
    quality = pool.outcomes.quality.copy()
    quality[1:, 0] = np.nan
    quality[0, 0] = 0.0
    evaluation = evaluate(pool.with_quality(quality), "knn", "kmeans")
    assert evaluation.n_models == 3
    assert evaluation.n_held_out == 60
    for name in ("best single", "category table", "knn", "kmeans", "judged"):
        line = evaluation.method(name)
        assert set(line.selection) <= {"medium", "small"}
        assert line.n_unmeasured == 0
    only = np.where(np.eye(3, dtype=bool).repeat(2, axis=0), 1.0, np.nan)
    rare = make_pool(np.eye(6, DIM), ("math",) * 6, only)
    assert evaluate(rare, "knn", folds=3).n_held_out == 6


def test_preference_pairs_follow_the_models_of_a_fold() -> None:
    # Model "large" was measured once; the fold that holds it out has two models, and pairs about these alone.
    pool = planted_pool(40)
    quality = pool.outcomes.quality.copy()
    quality[1:, 0] = np.nan
    generator = np.random.default_rng(0)
    preferred = generator.integers(0, 3, 200)
    pairs = Preferences(
        pool.features[generator.integers(0, 40, 200)],
        preferred,
        (preferred + generator.integers(1, 3, 200)) % 3,
        np.ones(200),
    )
    own = {"matrix_factorization": {"num_factors": 2}}
    evaluation = evaluate(
        pool.with_quality(quality), "matrix_factorization", folds=2, parameters=own, preferences=pairs
    )
    assert evaluation.n_held_out == 40


def test_folds_fit_their_svms_on_the_shared_matrix_and_what_is_kept_by_linfa(monkeypatch: pytest.MonkeyPatch) -> None:
    by_linfa = []

    def counted(features: NDArray[np.float32], *arguments: Any) -> Any:
        by_linfa.append(len(features))
        return svm_fit_linfa(features, *arguments)

    monkeypatch.setattr("vsr.selectors.svm.svm_fit_linfa", counted)
    pool = planted_pool(80)
    quick = evaluate(pool, "svm", splits=1, parameters={"svm": {"c": 0.3}})
    assert by_linfa == [80]
    slow = evaluate(pool, "svm", splits=1, parameters={"svm": {"c": 0.3, "solver": "linfa"}})
    assert by_linfa == [80] + [64] * 5 + [80]
    assert quick.method("svm").quality == pytest.approx(slow.method("svm").quality)


# Splits


def test_a_holdout_is_spread_over_the_categories() -> None:
    codes = np.repeat([0, 3, 7], [100, 50, 10])
    held_out = _assign(codes, np.arange(160), 5, 0.2, np.random.default_rng(0)) >= 0
    assert [int(held_out[codes == code].sum()) for code in (0, 3, 7)] == [20, 10, 2]
    other = _assign(codes, np.arange(160), 5, 0.2, np.random.default_rng(1)) >= 0
    assert (held_out != other).any()


@pytest.mark.parametrize(("share", "expected"), [(0.1, 6), (0.5, 30), (0.999, 58), (0.001, 1)])
def test_a_holdout_is_as_large_as_it_says(share: float, expected: int) -> None:
    evaluation = evaluate(planted_pool(60), "knn", holdout=share)
    assert (evaluation.n_folds, evaluation.n_held_out) == (1, expected)


def test_too_many_folds_and_no_fraction_are_refused() -> None:
    pool = planted_pool(10)
    for folds in (1, 11):
        with pytest.raises(TrainingError, match=f"{folds} folds of 10 queries"):
            evaluate(pool, "knn", folds=folds)
    for holdout in (0.0, 1.0, -0.5, math.nan):
        with pytest.raises(TrainingError, match=r"expected a fraction between 0 and 1"):
            evaluate(pool, "knn", holdout=holdout)
    with pytest.raises(TrainingError, match="2 queries with a measured quality; to hold one out takes 3"):
        evaluate(planted_pool(2), "knn", holdout=0.5)
    with pytest.raises(TrainingError, match="seed is -1"):
        evaluate(pool, "knn", seed=-1)
    with pytest.raises(TrainingError, match="no algorithm is called 'forest'"):
        evaluate(pool, "forest")


@pytest.mark.parametrize("n_queries", [4, 5, 7])
def test_very_few_queries_still_give_a_table(n_queries: int) -> None:
    evaluation = evaluate(planted_pool(n_queries), "knn", "svm", folds=2)
    assert evaluation.n_held_out == n_queries


def test_queries_without_any_category() -> None:
    pool = planted_pool(60)
    plain = make_pool(pool.features[:, :DIM], (None,) * 60, pool.outcomes.quality)
    evaluation = evaluate(plain, "knn")
    assert evaluation.n_categories == 1
    assert evaluation.classifier_accuracy is None
    assert evaluation.verdict.categories is None
    assert {method.categories for method in evaluation.methods} == {None}
    assert "category table" not in [method.name for method in evaluation.methods]


# What it gives to others


def test_the_same_seed_gives_the_same_document() -> None:
    pool = planted_pool(80)
    first, again, other = (evaluation_document(evaluate(pool, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert json.loads(json.dumps(first, allow_nan=False)) == json.loads(json.dumps(first))


def test_the_document_holds_no_nan_where_nothing_is_known() -> None:
    document = evaluation_document(evaluate(signalless_pool(60), "knn"))
    assert json.dumps(document, allow_nan=False)
    assert document["methods"][0]["latency_s"] is None
    assert "seconds_per_query" not in document["methods"][0]


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    evaluate(planted_pool(40), "knn", "kmeans", folds=2, splits=2, progress=lambda *state: told.append(state))
    assert told == [
        ("knn, fold 1 of 4", 0, 10),
        ("kmeans, fold 1 of 4", 1, 10),
        ("knn, fold 2 of 4", 2, 10),
        ("kmeans, fold 2 of 4", 3, 10),
        ("knn, fold 3 of 4", 4, 10),
        ("kmeans, fold 3 of 4", 5, 10),
        ("knn, fold 4 of 4", 6, 10),
        ("kmeans, fold 4 of 4", 7, 10),
        ("knn on all queries", 8, 10),
        ("kmeans on all queries", 9, 10),
        ("held-out table", 10, 10),
    ]
