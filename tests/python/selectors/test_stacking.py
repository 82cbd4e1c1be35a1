"""The weights of a stacking against every active set tried, and what becomes of its parts."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pools import Pool, planted_pool, signalless_pool
from vsr.errors import ArtefactError, TrainingError
from vsr.persistence import load_artefact, load_selector, save_selector
from vsr.selectors.base import TrainedSelector
from vsr.selectors.stacking import StackingPredictor, bounded_least_squares
from vsr.training.trainer import Trainer

FloatArray = NDArray[np.float64]
PARTS = ("knn", "kmeans", "svm")


@pytest.fixture(scope="module")
def pool() -> Pool:
    return planted_pool(150)


@pytest.fixture(scope="module")
def table(pool: Pool) -> Trainer:
    return Trainer.prepare(pool.features, pool.outcomes)


@pytest.fixture(scope="module")
def parts(table: Trainer) -> list[TrainedSelector]:
    return [table.train(name) for name in PARTS]


@pytest.fixture(scope="module")
def stacking(table: Trainer, parts: list[TrainedSelector]) -> TrainedSelector:
    return table.train("stacking", parts)


def every_active_set(products: FloatArray, target: FloatArray) -> FloatArray:
    """The best weights of 0 or more and of sum 1 at most, by solving for every set of weights above 0."""
    best, least = np.zeros(len(target)), 0.0
    for size in range(1, len(target) + 1):
        for chosen in map(list, itertools.combinations(range(len(target)), size)):
            inner, outer = products[np.ix_(chosen, chosen)], target[chosen]
            free = np.linalg.solve(inner, outer)
            ones = np.linalg.solve(inner, np.ones(size))
            for own in (free, free - ones * (free.sum() - 1.0) / ones.sum()):
                if own.min() < -1e-12 or own.sum() > 1.0 + 1e-12:
                    continue
                error = float(own @ inner @ own - 2.0 * own @ outer)
                if error < least:
                    best, least = np.zeros(len(target)), error
                    best[chosen] = own
    return best


@pytest.mark.parametrize("strength", [0.2, 1.0, 3.0])
def test_weights_are_those_of_the_best_active_set(strength: float) -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        common = generator.standard_normal((400, 1))
        predicted = common + generator.standard_normal((400, 5))
        target = strength * common[:, 0] + generator.standard_normal(400)
        products, cross = predicted.T @ predicted, predicted.T @ target
        expected = every_active_set(products, cross)
        expected[expected < 0.01 * expected.sum()] = 0.0
        np.testing.assert_allclose(bounded_least_squares(products, cross), expected, atol=1e-6)


def test_nothing_predicted_has_no_weight() -> None:
    np.testing.assert_array_equal(bounded_least_squares(np.zeros((3, 3)), np.zeros(3)), np.zeros(3))
    products = np.diag([4.0, 0.0])
    np.testing.assert_array_equal(bounded_least_squares(products, np.array([2.0, 0.0])), [0.5, 0.0])
    np.testing.assert_array_equal(bounded_least_squares(products, np.array([-2.0, 0.0])), [0.0, 0.0])


def test_scores_are_the_prior_and_the_weighted_parts(stacking: TrainedSelector, parts: list[TrainedSelector]) -> None:
    weights = stacking.parameters["weights"]
    assert set(weights) <= set(PARTS)
    assert min(weights.values()) > 0.0
    assert sum(weights.values()) <= 1.0 + 1e-9
    assert stacking.slope == 1.0
    assert stacking.prior is not None
    unseen = planted_pool(40, seed=3)
    prior = stacking.prior.rows(unseen.features[:, -14:].argmax(axis=1))
    expected = prior.copy()
    for part in parts:
        # Margins are not in units of quality: their own slope makes them so.
        scale = part.slope if part.name == "svm" else 1.0
        expected += weights.get(part.name, 0.0) * scale * part.predictor.predicted_residuals(unseen.features, prior)
    np.testing.assert_allclose(stacking.scores(unseen.features), np.clip(expected, 0.0, 1.0), atol=1e-12)


def test_it_explains_out_of_fold_at_least_as_much_as_its_best_part(
    stacking: TrainedSelector, parts: list[TrainedSelector]
) -> None:
    assert stacking.explained >= max(part.explained for part in parts) - 1e-6
    assert stacking.gain > 0.0


def test_parts_of_weight_0_are_left_out_of_the_file(
    stacking: TrainedSelector, table: Trainer, parts: list[TrainedSelector], tmp_path: Path
) -> None:
    content = json.loads(save_selector(stacking, tmp_path).read_text())
    assert list(content["parts"]) == list(stacking.parameters["weights"])
    useless = table.without_categories().train("matrix_factorization")
    assert useless.held_out is not None
    silent = np.zeros_like(useless.held_out.predicted_residuals)
    object.__setattr__(useless.held_out, "predicted_residuals", silent)
    with_useless = table.train("stacking", [*parts, useless])
    assert with_useless.parameters["weights"] == pytest.approx(stacking.parameters["weights"])
    assert isinstance(with_useless.predictor, StackingPredictor)
    assert "matrix_factorization" not in with_useless.predictor.parts


def test_without_a_signal_there_may_be_no_part_at_all(tmp_path: Path) -> None:
    pool = signalless_pool(60)
    table = Trainer.prepare(pool.features, pool.outcomes)
    part = table.train("knn")
    assert part.held_out is not None
    opposite = -np.nan_to_num(part.held_out.residual).astype(np.float32)
    object.__setattr__(part.held_out, "predicted_residuals", opposite)
    selector = table.train("stacking", [part])
    assert (selector.slope, selector.parameters) == (0.0, {"weights": {}})
    np.testing.assert_array_equal(selector.scores(pool.features), table.train("table").scores(pool.features))
    save_selector(selector, tmp_path)
    np.testing.assert_array_equal(
        load_selector(tmp_path, "stacking").scores(pool.features), selector.scores(pool.features)
    )


def test_the_parameters_of_its_parts_tell_its_training_apart(table: Trainer) -> None:
    selector = table.train("stacking", [table.train("knn", k=7), table.train("kmeans")])
    assert selector.requested == {"knn": {"k": 7}}


def test_the_table_is_no_part(table: Trainer, parts: list[TrainedSelector], stacking: TrainedSelector) -> None:
    assert table.train("stacking", [table.train("table"), *parts]).parameters == stacking.parameters


def test_parts_from_files_are_refused(table: Trainer, parts: list[TrainedSelector], tmp_path: Path) -> None:
    save_selector(parts[0], tmp_path)
    with pytest.raises(TrainingError, match="none that was loaded from a file"):
        table.train("stacking", [load_selector(tmp_path, "knn"), parts[1]])


def test_a_file_without_the_block_answers_the_mean_of_its_parts(
    stacking: TrainedSelector, pool: Pool, tmp_path: Path
) -> None:
    path = save_selector(stacking, tmp_path)
    content = json.loads(path.read_text())
    del content["vsr"]
    path.write_text(json.dumps(content))
    bare = load_artefact(path)
    assert bare.header is None
    predictor = bare.selector.predictor
    assert isinstance(predictor, StackingPredictor)
    mean = np.mean([part.quality(pool.features) for part in predictor.parts.values()], axis=0)
    np.testing.assert_allclose(bare.selector.scores(pool.features), np.clip(mean, 0.0, 1.0))


def test_damaged_parts_are_refused(stacking: TrainedSelector, tmp_path: Path) -> None:
    path = save_selector(stacking, tmp_path)
    whole = path.read_text()
    name = next(iter(stacking.parameters["weights"]))
    for change, message in (
        (lambda part: part.update(weight=0.0), "weight' is 0.0; expected a number above 0"),
        (lambda part: part.update(scale=-1), "scale' is -1.0; expected a number above 0"),
        (lambda part: part.pop("vsr"), r"vsr' is missing"),
    ):
        content = json.loads(whole)
        change(content["parts"][name])
        path.write_text(json.dumps(content))
        with pytest.raises(ArtefactError, match=message):
            load_artefact(path)
    for other in ("forest", "stacking", "table"):
        content = json.loads(whole)
        content["parts"][other] = content["parts"].pop(name)
        path.write_text(json.dumps(content))
        with pytest.raises(ArtefactError, match=f"'parts.{other}' is no algorithm that can be a part"):
            load_artefact(path)
