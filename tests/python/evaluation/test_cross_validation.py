"""Whole comparisons on small pools whose right verdict is known."""

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pools import DIM, Pool, make_pool, planted_pool, signalless_pool, some_categories, topics
from vsr.choice.objective import Objective
from vsr.errors import TrainingError
from vsr.evaluation import Evaluation, cross_validate
from vsr.evaluation import cross_validation as module
from vsr.evaluation.cross_validation import _assign
from vsr.evaluation.document import evaluation_document
from vsr.selectors.training_data import Preferences
from vsr.training.trainer import Trainer, train_selector

FloatArray = NDArray[np.float64]
QUALITY = Objective(quality_weight=1.0)


def evaluate(pool: Pool, *algorithms: str, **options: Any) -> Evaluation:
    options = {"objective": QUALITY} | options
    return cross_validate(pool.features, pool.outcomes, algorithms or ("knn", "kmeans"), **options)


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
    assert evaluation.verdict.kind == "static"
    assert evaluation.verdict.sentence.startswith("Do not route: nothing surely beats always using large")


def test_shuffled_outcomes_are_not_worth_routing() -> None:
    pool = planted_pool()
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(pool.n_queries)
        evaluation = evaluate(pool.with_quality(pool.outcomes.quality[order]), seed=seed)
        assert evaluation.verdict.kind in ("static", "inconclusive")
        assert evaluation.verdict.sentence.startswith("Do not route")
        judged = evaluation.method("judged").gain
        assert judged is not None
        assert judged.mean > -0.05


def test_where_categories_decide_a_table_is_enough() -> None:
    generator = np.random.default_rng(0)
    categories = some_categories(300, generator)
    strong = np.array([["math", "history", "law"].index(name) for name in categories])
    expected = np.where(strong[:, None] == np.arange(3), 0.9, 0.4)
    quality = (generator.random(expected.shape) < expected).astype(float)
    evaluation = evaluate(make_pool(generator.standard_normal((300, DIM)), categories, quality))
    assert evaluation.verdict.kind == "category_table"
    table = evaluation.method("category table")
    assert table.gain is not None
    assert table.gain.low > 0.2
    # Nothing in the vectors says the category: where it has to be predicted, all of the gain is gone.
    assert evaluation.verdict.with_predicted in ("static", "inconclusive")
    assert table.gain_predicted is not None
    assert table.gain_predicted.low < 0.05
    assert evaluation.classifier_accuracy is not None
    assert evaluation.classifier_accuracy < 0.5


# Lines of the table


def test_baselines_are_what_they_say() -> None:
    pool = planted_pool(150)
    quality = pool.outcomes.quality
    evaluation = evaluate(pool)
    assert [method.name for method in evaluation.methods] == [
        "best single",
        "random",
        "category table",
        "knn",
        "kmeans",
        "judged",
        "oracle",
    ]
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
    if len(line.selection) == 1:
        assert line.quality == pytest.approx(quality[:, single].mean())
        assert line.hit_rate == pytest.approx(best[:, single].mean())
    for method in evaluation.methods:
        assert sum(method.selection.values()) == pytest.approx(1.0)
        assert method.utility == pytest.approx(method.quality)  # at a quality weight of 1
        assert method.n_unmeasured == 0
        if method.gain is not None and method.name != "random":
            assert method.gain.mean == pytest.approx(method.quality - line.quality)


def test_selectors_choose_for_queries_that_they_have_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = planted_pool(60)
    trained: list[set[bytes]] = []
    asked: list[set[bytes]] = []
    prepare, choose = Trainer.prepare.__func__, module._Fold.choose  # type: ignore[attr-defined]

    def spied_prepare(cls: type[Trainer], features: Any, *arguments: Any) -> Trainer:
        trained.append({row.tobytes() for row in features})
        assert arguments[2] == QUALITY  # what they are judged by inside is what the table shows
        table = prepare(cls, features, *arguments)
        assert isinstance(table, Trainer)
        return table

    def spied_choose(self: Any, *arguments: Any) -> None:
        asked.append({row.tobytes() for row in self.given})
        choose(self, *arguments)

    monkeypatch.setattr(Trainer, "prepare", classmethod(spied_prepare))
    monkeypatch.setattr(module._Fold, "choose", spied_choose)
    evaluate(pool, "knn", folds=4)
    assert len(trained) == len(asked) == 4
    everything = {row.tobytes() for row in pool.features}
    for train, test in zip(trained, asked, strict=True):
        assert not train & test
        assert train | test == everything
    assert sum(map(len, asked)) == 60


def test_a_fold_is_what_training_on_the_rest_gives() -> None:
    pool = planted_pool(100)
    evaluation = evaluate(pool, "knn", holdout=0.3, parameters={"knn": {"k": 7}})
    held_out = _assign(pool.features[:, DIM:].argmax(axis=1), 5, 0.3, 0) >= 0
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
    assert [method.name for method in of_speed.methods][:2] == ["best single", "highest quality"]
    line = of_speed.method("best single")
    assert line.latency_s == pytest.approx(0.01)
    quality = pool.outcomes.quality[:, 2].mean()
    assert line.quality == pytest.approx(quality)
    assert line.utility == pytest.approx(0.3 * quality + 0.7 * 1.0)  # the fastest has an efficiency of 1
    assert of_speed.verdict.kind == "static"


# Gaps


def test_choices_that_were_not_measured_are_left_out_and_counted() -> None:
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
    single = evaluation.method("best single")
    assert line.gain.n <= n_measured - max(line.n_unmeasured, single.n_unmeasured)
    assert evaluation.method("oracle").n_unmeasured == 0
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


# Splits


def test_a_holdout_is_spread_over_the_categories() -> None:
    codes = np.repeat([0, 3, 7], [100, 50, 10])
    held_out = _assign(codes, 5, 0.2, 0) >= 0
    assert [int(held_out[codes == code].sum()) for code in (0, 3, 7)] == [20, 10, 2]
    other = _assign(codes, 5, 0.2, 1) >= 0
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
    assert evaluation.verdict.with_predicted is None
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
    evaluate(planted_pool(40), "knn", "kmeans", folds=2, progress=lambda *state: told.append(state))
    assert told == [
        ("knn, fold 1 of 2", 0, 4),
        ("kmeans, fold 1 of 2", 1, 4),
        ("knn, fold 2 of 2", 2, 4),
        ("kmeans, fold 2 of 2", 3, 4),
        ("held-out table", 4, 4),
    ]
