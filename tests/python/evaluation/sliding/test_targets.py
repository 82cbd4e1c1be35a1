"""The objective that meets a target on held-out queries, what is said of it, and what is deployed for it."""

from pathlib import Path

import numpy as np
import pytest

from pools import Pool, priced_pool
from vsr.choice.objective import Objective
from vsr.choice.target import Target
from vsr.data.outcomes import Outcomes
from vsr.embedding import Fingerprint
from vsr.errors import TrainingError
from vsr.evaluation.compare_and_train import TrainingResult, TrainingSettings, compare_and_train
from vsr.evaluation.cross_validation import compare, conclude, hold_out
from vsr.evaluation.document import evaluation_document
from vsr.evaluation.held import Held
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.sliding.targets import keeps, meet, sentences_of
from vsr.features import split_features
from vsr.persistence import load_artefact, read_manifest


@pytest.fixture(scope="module")
def pool() -> Pool:
    return priced_pool()


@pytest.fixture(scope="module")
def held(pool: Pool) -> Held:
    return hold_out(pool.features, pool.outcomes, ComparisonSettings(("knn",), splits=2))[0]


def share_target(pool: Pool, value: float) -> Target:
    return Target("share", value, pool.outcomes.models[0])


@pytest.mark.parametrize("value", [1.5e-3, 2.5e-3, 3.5e-3])
def test_a_cost_is_met_and_used_up(held: Held, value: float) -> None:
    met = meet(Target("cost", value), held, "predicted", 0)
    assert 0.85 * value < met.held_out <= value
    assert met.expected.low < met.expected.mean < met.expected.high
    assert met.expected.mean == pytest.approx(value, rel=0.15)
    assert met.unlimited > value
    assert met.objective.cost_share == 1.0


def test_a_tighter_target_leaves_less_quality(held: Held) -> None:
    qualities = [meet(Target("latency", value), held, "predicted", 0).quality for value in (0.6, 0.9, 1.2)]
    assert qualities == sorted(qualities)
    assert qualities[0] < qualities[-1]


def test_a_share_is_met_by_a_penalty(pool: Pool, held: Held) -> None:
    met = meet(share_target(pool, 0.2), held, "predicted", 0)
    assert list(met.objective.model_penalty) == [pool.outcomes.models[0]]
    assert 0.15 < met.held_out <= 0.2


def test_what_is_no_limit_is_said_to_be_none(held: Held) -> None:
    met = meet(Target("cost", 1.0), held, "predicted", 0)
    assert met.objective == Objective(1.0, 1.0)
    assert "is no limit" in sentences_of(met)[0]


def test_the_gain_is_over_the_best_single_model_that_keeps_to_the_target(pool: Pool, held: Held) -> None:
    first, middle, cheap = pool.outcomes.models
    best_first = pool.outcomes.quality.mean(axis=0).argmax() == 0
    assert best_first
    assert meet(Target("cost", 1.0), held, "predicted", 0).gain_over == first
    within = meet(Target("cost", 2.5e-3), held, "predicted", 0)
    assert within.gain_over in (middle, cheap)
    assert within.is_gain_within
    assert "the best that keeps to it" in sentences_of(within)[1]


def test_out_of_reach_is_an_error_with_the_range(held: Held) -> None:
    with pytest.raises(TrainingError, match=r"can have from 0\.00\d+ USD to 0\.00\d+ USD\. Raise the target"):
        meet(Target("cost", 1e-5), held, "predicted", 0)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target("cost", 1.0), "a target cost needs the cost of every model, and no record has that of any model"),
        (Target("share", 0.2, "gpt"), "the target share is of 'gpt'"),
    ],
)
def test_what_cannot_be_a_target_is_refused_before_anything_is_trained(target: Target, said: str) -> None:
    pool = priced_pool(90, has_cost=False)
    steps: list[str] = []
    with pytest.raises(TrainingError, match=said):
        hold_out(
            pool.features,
            pool.outcomes,
            ComparisonSettings(("knn",), target=target),
            lambda what, _done, _total: steps.append(what),
        )
    assert steps == []


def test_the_table_is_the_one_under_the_objective_that_was_found(pool: Pool) -> None:
    target = Target("cost", 2.5e-3)
    settings = ComparisonSettings(("knn", "kmeans"), splits=1, target=target)
    found = compare(pool.features, pool.outcomes, settings).evaluation
    assert found.target is not None
    assert found.objective == found.target.objective
    directly = compare(
        pool.features, pool.outcomes, ComparisonSettings(("knn", "kmeans"), splits=1, objective=found.objective)
    ).evaluation
    for method in ("knn", "kmeans", "category table", "oracle", "best single"):
        ours, theirs = found.method(method), directly.method(method)
        assert ours.utility == pytest.approx(theirs.utility), method
        assert ours.cost_usd == pytest.approx(theirs.cost_usd), method
        assert ours.is_identical == theirs.is_identical, method
    assert evaluation_document(found)["target"]["objective"] == found.objective.document()


def test_choosing_everything_again_under_the_same_objective_changes_nothing(pool: Pool) -> None:
    settings = ComparisonSettings(("knn",), splits=2, target=Target("cost", 1.0))
    held, _ = hold_out(pool.features, pool.outcomes, settings)
    again = held.under(settings.objective)
    for name, choices in held.choices.items():
        np.testing.assert_array_equal(again.choices[name].given, choices.given)
        np.testing.assert_array_equal(again.choices[name].predicted, choices.predicted)
        np.testing.assert_array_equal(again.deployed[name].predicted, held.deployed[name].predicted)


def test_the_artefacts_hold_the_objective(pool: Pool, tmp_path: Path) -> None:
    result = trained(pool, tmp_path, share_target(pool, 0.2))
    assert result.evaluation is not None
    objective = result.evaluation.objective
    assert objective.model_penalty
    header = load_artefact(result.paths[0]).header
    assert header is not None
    assert header.objective == objective
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.objective == objective


def test_nothing_is_recommended_that_does_not_keep_to_the_target(tmp_path: Path) -> None:
    # Nothing can be learnt, so that the best single model is what the verdict says; it is too dear for the target.
    pool = priced_pool()
    generator = np.random.default_rng(5)
    quality = (generator.random((240, 3)) < [0.9, 0.5, 0.45]).astype(np.float64)
    outcomes = Outcomes(
        queries=pool.outcomes.queries,
        categories=pool.outcomes.categories,
        models=pool.outcomes.models,
        quality=quality,
        latency_s=pool.outcomes.latency_s,
        cost_usd=pool.outcomes.cost_usd,
    )
    unlearnable = Pool(pool.features, outcomes, quality)
    free = trained(unlearnable, tmp_path / "free", None)
    assert free.recommended == "table"
    target = Target("share", 0.3, outcomes.models[0])
    result = trained(unlearnable, tmp_path / "limited", target)
    evaluation = result.evaluation
    assert evaluation is not None
    alone = evaluation.method("best single")
    if not keeps(target, alone):
        assert result.recommended == "knn"
        assert "does not keep to the target" in evaluation.verdict.sentence
    recommended = evaluation.method("judged" if result.recommended == "knn" else "best single")
    assert keeps(target, recommended)


def test_a_target_needs_something_to_choose_between(tmp_path: Path) -> None:
    pool = priced_pool(90)
    one = Outcomes(
        queries=pool.outcomes.queries,
        categories=pool.outcomes.categories,
        models=pool.outcomes.models[:1],
        quality=pool.outcomes.quality[:, :1],
        cost_usd=pool.outcomes.cost_usd[:, :1],
    )
    with pytest.raises(TrainingError, match="a target needs two models"):
        trained(Pool(pool.features, one, pool.expected), tmp_path, Target("cost", 1.0))


def test_the_conclusion_with_a_target_is_under_its_objective(pool: Pool) -> None:
    settings = ComparisonSettings(("knn",), splits=1, target=Target("cost", 2e-3))
    held, _ = hold_out(pool.features, pool.outcomes, settings)
    under, evaluation = conclude(held, settings)
    assert evaluation.objective != settings.objective
    assert (under.choices["knn"].predicted != held.choices["knn"].predicted).any()
    assert evaluation.curve is not None
    assert evaluation.curve.default.cost_usd == pytest.approx(evaluation.target and evaluation.target.held_out)


def trained(pool: Pool, folder: Path, target: Target | None) -> TrainingResult:
    vectors = split_features(pool.features).embeddings
    fingerprint = Fingerprint.external(vectors.shape[1])
    settings = TrainingSettings(algorithms=("knn",), splits=1, target=target)
    return compare_and_train(pool.outcomes, vectors, fingerprint, folder, settings)
