"""What holds for all selectors."""

import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pools import DIM, Pool, make_pool, planted_pool, signalless_pool, some_categories, topics
from vsr.choice.chooser import choose
from vsr.data.categories import CATEGORIES
from vsr.embedding import Fingerprint
from vsr.errors import ArtefactError, RecordError, SelectionError, TrainingError
from vsr.features import build_features
from vsr.persistence import load_artefact, load_selector, save_selector
from vsr.selectors import registry
from vsr.selectors.base import Selector, TrainedSelector
from vsr.training.trainer import Trainer, train_selector

# Networks small enough for a quick suite; everything else is chosen as in the field.
SMALL: dict[str, dict[str, Any]] = {"mlp": {"hidden_layers": (16,)}, "matrix_factorization": {"num_factors": 4}}
NETWORKS = ("mlp", "matrix_factorization")
PARTS = ("knn", "kmeans", "svm", *NETWORKS)

pytestmark = pytest.mark.parametrize("name", registry.names())


def beyond_the_means(name: str) -> None:
    """Skip an algorithm that learns nothing beyond the category means."""
    if not registry.algorithm(name).learns:
        pytest.skip("it knows the category means alone")


def train(name: str, pool: Pool, seed: int = 0, **parameters: Any) -> TrainedSelector:
    table = Trainer.prepare(pool.features, pool.outcomes, seed)
    parts = []
    if registry.algorithm(name).combines:
        parts = [table.train(part, **SMALL.get(part, {})) for part in PARTS]
    return table.train(name, parts, **(SMALL.get(name, {}) | parameters))


@pytest.fixture(scope="module")
def planted() -> Pool:
    return planted_pool()


@pytest.fixture(scope="module")
def trained(planted: Pool) -> Callable[[str], TrainedSelector]:
    """Give the selector of that name that was trained on the planted pool, trained once."""
    made: dict[str, TrainedSelector] = {}

    def of(name: str) -> TrainedSelector:
        if name not in made:
            made[name] = train(name, planted)
        return made[name]

    return of


# What a selector gives


def test_it_is_a_selector(name: str, planted: Pool, trained: Callable[[str], TrainedSelector]) -> None:
    selector = trained(name)
    assert isinstance(selector, Selector)
    assert selector.name == name
    assert selector.models == planted.outcomes.models
    assert selector.n_features == DIM + len(CATEGORIES)
    assert selector.is_trained


def test_it_is_the_same_in_another_process(
    name: str, trained: Callable[[str], TrainedSelector], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    selector = trained(name)
    there = pickle.loads(pickle.dumps(selector))
    unseen = planted_pool(50, seed=1)
    np.testing.assert_array_equal(there.scores(unseen.features), selector.scores(unseen.features))
    for each, folder in ((selector, "here"), (there, "there")):
        (tmp_path / folder).mkdir()
        save_selector(each, tmp_path / folder, artefact_format="binary")
    for file in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / file.name).read_bytes() == file.read_bytes()


def test_scores_are_float64_in_the_unit_interval(name: str, trained: Callable[[str], TrainedSelector]) -> None:
    unseen = planted_pool(50, seed=1)
    scores = trained(name).scores(unseen.features)
    assert scores.dtype == np.float64
    assert scores.shape == (50, 3)
    assert np.isfinite(scores).all()
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0


def test_no_rows_give_no_scores(name: str, trained: Callable[[str], TrainedSelector]) -> None:
    selector = trained(name)
    assert selector.scores(np.empty((0, selector.n_features), dtype=np.float32)).shape == (0, 3)


def test_a_row_alone_and_in_a_batch_agree(name: str, trained: Callable[[str], TrainedSelector]) -> None:
    selector = trained(name)
    unseen = planted_pool(150, seed=2)  # more rows than one block of any of them
    batch = selector.scores(unseen.features)
    alone = np.vstack([selector.scores(row[None]) for row in unseen.features])
    np.testing.assert_allclose(alone, batch, rtol=0, atol=1e-6)
    chosen = [[choice.model for choice in choose(scores, selector.statistics)] for scores in (batch, alone)]
    assert chosen[0] == chosen[1]


def test_any_matrix_of_numbers_will_do(name: str, trained: Callable[[str], TrainedSelector]) -> None:
    selector = trained(name)
    rows = planted_pool(6, seed=3).features
    expected = selector.scores(rows)
    for same in (rows.astype(np.float64), np.asfortranarray(rows), rows.tolist()):
        np.testing.assert_array_equal(selector.scores(same), expected)


def test_features_are_not_changed(name: str) -> None:
    pool = planted_pool(60)
    before = pool.features.copy()
    train(name, pool).scores(pool.features)
    np.testing.assert_array_equal(pool.features, before)


def test_a_caller_who_reuses_the_array_changes_nothing(name: str, tmp_path: Path) -> None:
    pool = planted_pool(60)
    unseen = planted_pool(10, seed=1).features
    selector = train(name, pool)
    expected = selector.scores(unseen)
    pool.features[:] = 0.5
    np.testing.assert_array_equal(selector.scores(unseen), expected)
    save_selector(selector, tmp_path)
    np.testing.assert_array_equal(load_selector(tmp_path, name).scores(unseen), expected)


# Files


def test_a_loaded_selector_scores_the_same_to_the_last_bit(
    name: str, trained: Callable[[str], TrainedSelector], tmp_path: Path
) -> None:
    selector = trained(name)
    unseen = planted_pool(100, seed=4).features
    save_selector(selector, tmp_path)
    loaded = load_selector(tmp_path, name)
    np.testing.assert_array_equal(loaded.scores(unseen), selector.scores(unseen))
    assert (loaded.models, loaded.n_features, loaded.seed) == (selector.models, selector.n_features, selector.seed)
    assert (loaded.slope, loaded.explained) == (selector.slope, selector.explained)
    assert loaded.training_digest == selector.training_digest
    for field in ("quality", "counts", "latency_s", "cost_usd"):
        np.testing.assert_array_equal(getattr(loaded.statistics, field), getattr(selector.statistics, field))


def test_a_loaded_selector_is_saved_as_the_same_file(
    name: str, trained: Callable[[str], TrainedSelector], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = save_selector(trained(name), tmp_path / "first", held_out={"verdict": "static"})
    artefact = load_artefact(first)
    assert artefact.header is not None
    assert artefact.header.created_at == "2023-11-14T22:13:20Z"
    second = save_selector(artefact.selector, tmp_path / "second", held_out=artefact.header.held_out)
    assert second.name == first.name
    assert second.read_bytes() == first.read_bytes()


def test_the_same_seed_gives_the_same_bytes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    files = []
    for run in ("first", "second"):
        selector = train(name, planted_pool(120), seed=7)
        files.append(save_selector(selector, tmp_path / run).read_bytes())
    assert files[0] == files[1]


def test_a_file_holds_no_nan(name: str, trained: Callable[[str], TrainedSelector], tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"the file holds {constant}")

    path = save_selector(trained(name), tmp_path)  # whose latencies are all unknown
    content = json.loads(path.read_text(), parse_constant=refuse)
    assert content["algorithm"] == name
    assert content["trained"] is True


def test_names_may_hold_anything(name: str, planted: Pool, tmp_path: Path) -> None:
    odd = ("meta/llama-3.1:8b", 'a "quoted" \\ name', "模型.β é")
    pool = make_pool(planted.features[:, :DIM], planted.outcomes.categories, planted.outcomes.quality, names=odd)
    selector = train(name, pool)
    save_selector(selector, tmp_path)
    loaded = load_selector(tmp_path, name)
    assert loaded.models == odd
    np.testing.assert_array_equal(loaded.scores(pool.features), selector.scores(pool.features))


def test_numbers_of_numpy_will_do(name: str, tmp_path: Path) -> None:
    given: dict[str, dict[str, Any]] = {
        "knn": {"k": np.int64(7)},
        "kmeans": {"num_clusters": np.int32(4)},
        "svm": {"c": np.float32(0.5), "gamma": np.float64(0.3)},
        "mlp": {"hidden_layers": tuple(np.array([8, 4]))},
        "matrix_factorization": {"num_factors": np.int64(3)},
        "toy": {"width": np.int64(2)},
        "table": {},
        "stacking": {},
    }
    pool = planted_pool(60)
    selector = train_selector(name, pool.features, pool.outcomes, seed=np.int64(3), **given[name])  # type: ignore[arg-type]
    save_selector(selector, tmp_path)
    np.testing.assert_array_equal(load_selector(tmp_path, name).scores(pool.features), selector.scores(pool.features))


# Parameters

CHANGED: dict[str, list[dict[str, Any]]] = {
    "knn": [{"k": 7}],
    "kmeans": [{"num_clusters": 3}],
    "svm": [{"kernel": "linear"}, {"gamma": 0.01}, {"c": 10.0}, {"solver": "shared-gram"}],
    "mlp": [{"hidden_layers": (8,)}, {"hidden_layers": (16, 8)}, {"hidden_layers": "auto"}, {"members": 2}],
    "matrix_factorization": [{"num_factors": 2}],
    "toy": [{"width": 1}],
    "table": [],
    "stacking": [],
}
# Another way to the same scores.
SAME_SCORES = {"knn": {"index"}}


def test_every_parameter_changes_the_scores(name: str) -> None:
    pool, unseen = planted_pool(120), planted_pool(50, seed=8).features
    usual = train(name, pool).scores(unseen)
    for parameters in CHANGED[name]:
        assert np.abs(train(name, pool, **parameters).scores(unseen) - usual).max() > 1e-9, parameters
    tried = {parameter for parameters in CHANGED[name] for parameter in parameters}
    assert tried | SAME_SCORES.get(name, set()) == set(registry.algorithm(name).parameters_model.model_fields)


def test_parameters_stand_in_the_artefact(name: str, tmp_path: Path) -> None:
    of_each: dict[str, dict[str, Any]] = {
        "knn": {"k": 9},
        "kmeans": {"num_clusters": 5},
        "svm": {"kernel": "rbf", "gamma": 0.25, "c": 2.0},
        "mlp": {"hidden_layers": (6, 5)},
        "matrix_factorization": {"num_factors": 3},
        "toy": {"width": 2},
        "table": {},
        "stacking": {},
    }
    given = of_each[name]
    selector = train_selector(name, planted_pool(60).features, planted_pool(60).outcomes, **given)
    assert selector.parameters | given == selector.parameters
    save_selector(selector, tmp_path)
    loaded = load_selector(tmp_path, name).parameters
    assert loaded | json.loads(json.dumps(given)) == loaded


# What it learns


def test_a_planted_signal_is_found(name: str, trained: Callable[[str], TrainedSelector]) -> None:
    beyond_the_means(name)
    unseen = planted_pool(300, seed=5)
    chosen = trained(name).scores(unseen.features).argmax(axis=1)
    quality = unseen.expected[np.arange(300), chosen].mean()
    best_single = unseen.expected.mean(axis=0).max()
    oracle = unseen.expected.max(axis=1).mean()
    # Two hundred queries are few for the networks; clusters form around categories too, which mean nothing here.
    share = {"kmeans": 0.7, "mlp": 0.3, "matrix_factorization": 0.3}.get(name, 0.9)
    assert quality - best_single > share * (oracle - best_single)


def test_scores_are_probabilities(name: str, trained: Callable[[str], TrainedSelector]) -> None:
    beyond_the_means(name)
    unseen = planted_pool(300, seed=6)
    scores = trained(name).scores(unseen.features)
    assert abs(float((scores - unseen.expected).mean())) < 0.05  # the level
    plain = np.square(unseen.expected.mean(axis=0) - unseen.expected).mean()
    assert np.square(scores - unseen.expected).mean() < 0.8 * plain


def test_without_a_signal_it_answers_like_the_best_single_model(name: str) -> None:
    lost = []
    for seed in range(5):
        selector = train(name, signalless_pool(200, seed), seed)
        unseen = signalless_pool(200, seed + 10)
        chosen = selector.scores(unseen.features).argmax(axis=1)
        best = int(np.nanargmax(selector.statistics.quality))
        lost.append(unseen.expected[:, best].mean() - unseen.expected[np.arange(200), chosen].mean())
    # Two hundred queries fool now and then; a raw kNN loses three times as much as this.
    assert np.mean(lost) < 0.01


def test_a_category_that_decides_is_found(name: str) -> None:
    generator = np.random.default_rng(0)
    embeddings = generator.standard_normal((240, DIM))
    categories = some_categories(240, generator)
    strong = np.array([{"math": 0, "history": 1, "law": 2}[category] for category in categories])
    expected = np.where(strong[:, None] == np.arange(3), 0.9, 0.4)
    pool = make_pool(embeddings, categories, (generator.random((240, 3)) < expected).astype(float), expected=expected)
    chosen = train(name, pool).scores(pool.features).argmax(axis=1)
    assert (chosen == strong).mean() > 0.95


# Degenerate data: each works and answers sensibly


def saved_and_loaded(selector: TrainedSelector, pool: Pool, folder: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Scores of the pool's own queries, which a file keeps and which are sound."""
    scores = selector.scores(pool.features)
    assert scores.shape == pool.outcomes.quality.shape
    assert np.isfinite(scores).all()
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0
    save_selector(selector, folder)
    np.testing.assert_array_equal(load_selector(folder, selector.name).scores(pool.features), scores)
    return scores


def test_a_model_that_never_and_one_that_always_succeeds(name: str, planted: Pool, tmp_path: Path) -> None:
    quality = planted.outcomes.quality.copy()
    quality[:, 1], quality[:, 2] = 0.0, 1.0
    pool = planted.with_quality(quality)
    scores = saved_and_loaded(train(name, pool), pool, tmp_path)
    assert (scores.argmax(axis=1) == 2).all()
    assert (scores.argmin(axis=1) == 1).mean() > 0.9
    assert abs(scores[:, 2].mean() - 1.0) < 0.1
    assert scores[:, 1].mean() < 0.1


def test_one_model_only(name: str, planted: Pool, tmp_path: Path) -> None:
    pool = planted.with_quality(planted.outcomes.quality[:, :1])
    selector = train(name, pool)
    scores = saved_and_loaded(selector, pool, tmp_path)
    # One model has no differences to learn: its score is its mean in the category, which nothing shrinks.
    assert abs(scores.mean() - pool.outcomes.quality.mean()) < 0.02
    choice = choose(scores[:1], selector.statistics)[0]
    assert (choice.reason, choice.margin) == ("single_candidate", None)


@pytest.mark.parametrize("quality", [[[1, 0], [0, 1]], [[1, 1], [1, 1]], [[0.5, 0.2], [math.nan, 0.7]]])
def test_two_queries_only(name: str, quality: list[list[float]], tmp_path: Path) -> None:
    pool = make_pool(np.eye(2, DIM), ("math", "law"), quality)
    scores = saved_and_loaded(train(name, pool), pool, tmp_path)
    low, high = np.nanmin(pool.outcomes.quality), np.nanmax(pool.outcomes.quality)
    assert scores.min() >= low - 0.3
    assert scores.max() <= high + 0.3


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_all_qualities_equal(name: str, value: float, planted: Pool, tmp_path: Path) -> None:
    pool = planted.with_quality(np.full((planted.n_queries, 3), value))
    scores = saved_and_loaded(train(name, pool), pool, tmp_path)
    np.testing.assert_allclose(scores, value, atol=1e-6)


def test_all_models_the_same(name: str, planted: Pool, tmp_path: Path) -> None:
    pool = planted.with_quality(np.repeat(planted.outcomes.quality[:, :1], 3, axis=1))
    scores = saved_and_loaded(train(name, pool), pool, tmp_path)
    assert np.ptp(scores, axis=1).max() < 1e-6


def test_constant_features(name: str, tmp_path: Path) -> None:
    random = signalless_pool(80)
    pool = make_pool(np.ones((80, DIM)), ("math",) * 80, random.outcomes.quality)
    scores = saved_and_loaded(train(name, pool), pool, tmp_path)
    assert np.ptp(scores, axis=0).max() < 1e-6
    np.testing.assert_allclose(scores[0], pool.outcomes.quality.mean(axis=0), atol=0.03)
    assert scores[0].argmax() == pool.outcomes.quality.mean(axis=0).argmax()


def test_fewer_rows_than_neighbours_or_clusters(name: str, tmp_path: Path) -> None:
    large: dict[str, dict[str, Any]] = {"knn": {"k": 100}, "kmeans": {"num_clusters": 64}}
    pool = planted_pool(6)
    saved_and_loaded(train(name, pool, **large.get(name, {})), pool, tmp_path)


@pytest.mark.parametrize("n_queries", [2, 3, 5, 9])
def test_a_handful_of_queries(name: str, n_queries: int, tmp_path: Path) -> None:
    pool = planted_pool(n_queries)
    saved_and_loaded(train(name, pool), pool, tmp_path)


def test_missing_cells(name: str, planted: Pool, tmp_path: Path) -> None:
    quality = planted.outcomes.quality.copy()
    quality[np.random.default_rng(1).random(quality.shape) < 1 / 3] = np.nan
    pool = planted.with_quality(quality)
    saved_and_loaded(train(name, pool), pool, tmp_path)
    unseen = planted_pool(300, seed=5)
    chosen = train(name, pool).scores(unseen.features).argmax(axis=1)
    best_single = unseen.expected.mean(axis=0).max()
    gain = unseen.expected[np.arange(300), chosen].mean() - best_single
    assert gain > (0.03 if name in NETWORKS else 0.25 if registry.algorithm(name).learns else -1e-9)


def test_every_query_measured_on_one_model_alone(name: str, tmp_path: Path) -> None:
    pool = planted_pool(60)
    quality = np.where(np.arange(60)[:, None] % 3 == np.arange(3), pool.outcomes.quality, np.nan)
    pool = pool.with_quality(quality)
    saved_and_loaded(train(name, pool), pool, tmp_path)


def test_models_that_were_hardly_ever_measured(name: str, tmp_path: Path) -> None:
    # Whichever rows are held out, the rest has not seen one of the models.
    pool = planted_pool(8)
    quality = np.where(np.eye(8, 3, dtype=bool), 1.0, np.nan)
    quality[3:, 0] = 0.5
    pool = pool.with_quality(quality)
    saved_and_loaded(train(name, pool), pool, tmp_path)
    only = make_pool(np.eye(2, DIM), ("math", "law"), [[1.0, math.nan], [math.nan, 0.0]])
    saved_and_loaded(train(name, only), only, tmp_path)


def test_queries_that_nobody_answered_are_left_out(name: str, tmp_path: Path) -> None:
    pool = planted_pool(60)
    quality = pool.outcomes.quality.copy()
    quality[40:] = np.nan
    with_gaps = train(name, pool.with_quality(quality))
    saved_and_loaded(with_gaps, pool, tmp_path)
    np.testing.assert_array_equal(
        with_gaps.scores(pool.features), train(name, pool.take(np.arange(40))).scores(pool.features)
    )


def test_graded_quality(name: str, planted: Pool, tmp_path: Path) -> None:
    beyond_the_means(name)
    generator = np.random.default_rng(2)
    quality = np.clip(planted.expected + 0.1 * generator.standard_normal(planted.expected.shape), 0.0, 1.0)
    pool = planted.with_quality(quality)
    scores = saved_and_loaded(train(name, pool), pool, tmp_path)
    assert (scores.argmax(axis=1) == planted.expected.argmax(axis=1)).mean() > (0.5 if name in NETWORKS else 0.95)


def test_coarse_grades(name: str, planted: Pool, tmp_path: Path) -> None:
    beyond_the_means(name)
    generator = np.random.default_rng(4)
    pool = planted.with_quality(generator.binomial(2, planted.expected) / 2)  # 0, 0.5 and 1: two repeats averaged
    scores = saved_and_loaded(train(name, pool), pool, tmp_path)
    assert (scores.argmax(axis=1) == planted.expected.argmax(axis=1)).mean() > (0.5 if name in NETWORKS else 0.95)


def test_without_category_columns(name: str, planted: Pool, tmp_path: Path) -> None:
    beyond_the_means(name)
    features = build_features(planted.features[:, :DIM], planted.outcomes.categories, category_weight=0.0)
    pool = Pool(features, planted.outcomes, planted.expected)
    scores = saved_and_loaded(train(name, pool), pool, tmp_path)
    assert (scores.argmax(axis=1) == planted.expected.argmax(axis=1)).mean() > (0.4 if name in NETWORKS else 0.9)


def test_a_category_that_was_never_seen(name: str, trained: Callable[[str], TrainedSelector]) -> None:
    beyond_the_means(name)
    generator = np.random.default_rng(3)
    embeddings, topic = topics(30, generator)
    scores = trained(name).scores(build_features(embeddings, ["biology"] * 30))
    assert (scores.argmax(axis=1) == topic).mean() > (0.3 if name in NETWORKS else 0.8)


def test_identical_queries_with_contradicting_outcomes(name: str, tmp_path: Path) -> None:
    pool = planted_pool(40)
    twice = make_pool(
        np.tile(pool.features[:, :DIM], (2, 1)),
        pool.outcomes.categories * 2,
        np.vstack([pool.outcomes.quality, 1.0 - pool.outcomes.quality]),
    )
    saved_and_loaded(train(name, twice), twice, tmp_path)


# Misuse


def test_a_wrong_width_is_refused(name: str, trained: Callable[[str], TrainedSelector]) -> None:
    selector = trained(name)
    for width in (selector.n_features - 1, selector.n_features + 1):
        with pytest.raises(SelectionError, match=f"features are {width} wide .* trained on {selector.n_features}"):
            selector.scores(np.zeros((2, width), dtype=np.float32))
    with pytest.raises(RecordError, match="expected more than the 14"):
        selector.scores(np.zeros((2, 5)))
    with pytest.raises(RecordError, match="shape"):
        selector.scores(np.zeros(selector.n_features))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(
    name: str, value: float, planted: Pool, trained: Callable[[str], TrainedSelector]
) -> None:
    rows = planted.features[:5].copy()
    rows[3, 2] = value
    with pytest.raises(RecordError, match=f"hold {value} in row 3, column 2"):
        trained(name).scores(rows)
    with pytest.raises(RecordError, match=f"hold {value} in row 3, column 2"):
        train_selector(name, rows, planted.outcomes.take(np.arange(5)))


def test_what_cannot_be_trained_on_is_refused(name: str, planted: Pool) -> None:
    with pytest.raises(TrainingError, match="239 feature rows but outcomes of 240 queries"):
        train_selector(name, planted.features[1:], planted.outcomes)
    with pytest.raises(TrainingError, match="1 unique queries have a measured quality; at least 2"):
        train(name, planted.take([0]))
    quality = planted.outcomes.quality.copy()
    quality[:, 1] = np.nan
    with pytest.raises(TrainingError, match="no quality was measured for medium"):
        train(name, planted.with_quality(quality))
    quality[1:] = np.nan
    with pytest.raises(TrainingError, match="1 unique queries have a measured quality"):
        train(name, planted.with_quality(quality))


def test_a_negative_seed_is_refused(name: str, planted: Pool) -> None:
    with pytest.raises(TrainingError, match="seed is -1"):
        train(name, planted, seed=-1)


WRONG: dict[str, list[dict[str, Any]]] = {
    "knn": [{"k": 0}, {"k": -1}, {"k": 2.5}, {"k": "many"}, {"k": True}, {"k": None}, {"index": "tree"}],
    "kmeans": [{"num_clusters": 0}, {"num_clusters": math.nan}, {"num_clusters": "8"}],
    "svm": [
        *({"c": value} for value in (0.0, -1.0, math.inf, math.nan, "large", True)),
        *({"gamma": value} for value in (0.0, math.nan, "scale")),
        {"kernel": "poly"},
        {"solver": "libsvm"},
    ],
    "mlp": [
        *({"hidden_layers": value} for value in ((), (0,), (8, -1), (2.5,), "8", 8, ("auto",), (True,))),
        *({"members": value} for value in (0, 3, "many")),
    ],
    "matrix_factorization": [{"num_factors": value} for value in (0, 1.5, "auto", "16", None)],
    "toy": [{"width": value} for value in (0, 2.5, "3")],
    "table": [],
    "stacking": [],
}


def test_wrong_parameters_are_refused(name: str, planted: Pool) -> None:
    for parameters in [*WRONG[name], {"neighbours": 3}]:
        parameter = next(iter(parameters))
        with pytest.raises(TrainingError, match=parameter):
            train_selector(name, planted.features, planted.outcomes, **parameters)


def test_an_unknown_algorithm_is_refused(name: str, planted: Pool, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"no algorithm is called '{name}s'; there are knn, kmeans"):
        train_selector(f"{name}s", planted.features, planted.outcomes)
    with pytest.raises(ArtefactError, match=f"no algorithm is called '{name}s'"):
        load_selector(tmp_path, f"{name}s")


def test_an_embedder_of_another_width_is_refused(
    name: str, trained: Callable[[str], TrainedSelector], tmp_path: Path
) -> None:
    with pytest.raises(ArtefactError, match="gives 17 dimensions but the selector was trained on 16"):
        save_selector(trained(name), tmp_path, Fingerprint.external(17))
    assert not list(tmp_path.iterdir())
