"""What is said of a prediction, checked against what it rests on."""

from typing import Any

import numpy as np
import pytest

from pools import DIM, NAMES, Pool, planted_pool
from vsr.data.categories import CATEGORIES
from vsr.features import build_features
from vsr.routing.explanation import explain
from vsr.selectors import registry
from vsr.selectors.kmeans import KMeansPredictor
from vsr.selectors.svm import SvmPredictor
from vsr.training.trainer import train_selector

SMALL: dict[str, dict[str, Any]] = {"mlp": {"hidden_layers": (8,)}, "knn": {"k": 8}, "kmeans": {"num_clusters": 5}}
MODELS = ["small", "large"]


@pytest.fixture(scope="module")
def pool() -> Pool:
    return planted_pool(90)


@pytest.mark.parametrize("name", registry.names())
def test_differences_from_the_means_of_the_category(name: str, pool: Pool) -> None:
    selector = train_selector(name, pool.features, pool.outcomes, **SMALL.get(name, {}))
    unseen = planted_pool(3, seed=1)
    explanation = explain(selector, unseen.features[1:2], MODELS)
    category = unseen.outcomes.categories[1]
    assert category is not None
    learnt = f" plus {selector.slope:.2f} (the calibration slope) times what {name} has learnt beyond them"
    assert explanation.summary == f"Scores are the means of category {category}{'' if name == 'table' else learnt}."
    rows = explanation.tables[f"Against the means of {category}"]
    scores = dict(zip(selector.models, selector.scores(unseen.features[1:2])[0], strict=True))
    assert selector.prior is not None
    means = dict(zip(selector.models, selector.prior.by_category[CATEGORIES.index(category)], strict=True))
    assert [row["model"] for row in rows] == MODELS
    for row in rows:
        assert row["predicted"] == scores[str(row["model"])]
        assert row["mean"] == means[str(row["model"])]
        assert row["difference"] == pytest.approx(scores[str(row["model"])] - means[str(row["model"])])


def test_knn_names_the_nearest_queries_and_what_they_measured(pool: Pool) -> None:
    quality = pool.outcomes.quality.copy()
    quality[4, 2] = np.nan
    gapped = pool.with_quality(quality)
    selector = train_selector("knn", gapped.features, gapped.outcomes, k=8)
    rows = explain(selector, gapped.features[4:5], MODELS).tables["Nearest training queries and their measured quality"]
    assert len(rows) == 5
    assert rows[0]["query"] == "query number 4"
    assert rows[0]["weight"] == pytest.approx(1.0)
    assert rows[0]["small"] == "not measured"
    assert rows[0]["large"] == quality[4, 0]
    weights = [float(row["weight"]) for row in rows]
    assert weights == sorted(weights, reverse=True)


def test_kmeans_names_the_nearest_clusters_and_their_means(pool: Pool) -> None:
    selector = train_selector("kmeans", pool.features, pool.outcomes, num_clusters=5)
    predictor = selector.predictor
    assert isinstance(predictor, KMeansPredictor)
    rows = explain(selector, pool.features[:1], MODELS).tables["Nearest clusters and their mean quality"]
    assert len(rows) == 3
    squared = ((predictor.centroids - pool.features[0]) ** 2).sum(axis=1)
    assert [int(row["cluster"]) for row in rows] == np.argsort(squared)[:3].tolist()
    for row in rows:
        cluster = int(row["cluster"])
        assert row["queries"] == predictor.cluster_sizes[cluster]
        assert row["small"] == predictor.cluster_quality[cluster, NAMES.index("small")]


def test_svm_says_how_far_each_model_is_from_its_margin(pool: Pool) -> None:
    selector = train_selector("svm", pool.features, pool.outcomes)
    predictor = selector.predictor
    assert isinstance(predictor, SvmPredictor)
    rows = explain(selector, pool.features[:1], MODELS).tables["Distance from the margin"]
    decisions = predictor.machine.decisions(pool.features[:1])[0]
    assert [row["decision"] for row in rows] == [decisions[2], decisions[0]]


def test_a_query_of_no_category_and_names_that_are_not_known(pool: Pool) -> None:
    selector = train_selector("knn", pool.features, pool.outcomes, k=8)
    features = build_features(pool.features[:1, :DIM], ["math"], category_weight=0.0)
    explanation = explain(selector, features, ["small", "gpt-9"])
    assert "means of category unknown" in explanation.summary
    assert [row["model"] for row in explanation.tables["Against the means of unknown"]] == ["small"]


def test_long_queries_are_cut(pool: Pool) -> None:
    held = pool.outcomes
    long = type(held)(
        queries=[f"{number} " + "word \n\t" * 200 for number in range(90)],
        categories=held.categories,
        models=held.models,
        quality=held.quality,
    )
    selector = train_selector("knn", pool.features, long, k=8)
    rows = explain(selector, pool.features[:1], MODELS).tables["Nearest training queries and their measured quality"]
    assert str(rows[0]["query"]).startswith("0 word word")
    assert str(rows[0]["query"]).endswith("...")
    assert len(str(rows[0]["query"])) == 60
