"""Models by category, reliability and example queries, against plain loops over what was chosen."""

from dataclasses import replace

import numpy as np
import pytest

from pools import DIM, make_pool, planted_pool, some_categories
from vsr.data.categories import CATEGORIES
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.shown.by_category import models_by_category
from vsr.evaluation.shown.examples import examples
from vsr.evaluation.shown.reliability import reliability


@pytest.fixture(scope="module")
def held() -> Held:
    planted = planted_pool(240)
    quality = planted.outcomes.quality.copy()
    quality[::7, 1] = np.nan  # some answers were not measured
    categories = some_categories(240, np.random.default_rng(4))
    pool = make_pool(planted.features[:, :DIM], categories, quality)
    found, _ = hold_out(pool.features, pool.outcomes, ComparisonSettings(("knn",), splits=2))
    return found


def test_shares_and_qualities_of_a_category_are_those_of_its_queries(held):
    rows = models_by_category(held, "given")
    assert [row.n_queries for row in rows] == sorted((row.n_queries for row in rows), reverse=True)
    assert sum(row.n_queries for row in rows) == held.outcomes.n_queries
    chosen = held.choices[JUDGED].given
    for row in rows:
        members = [i for i in range(held.outcomes.n_queries) if CATEGORIES[held.codes[i]] == row.category]
        assert row.n_queries == len(members)
        got = [held.outcomes.quality[i, split[i]] for split in chosen for i in members]
        assert row.quality == pytest.approx(np.nanmean(got))
        assert sum(cell.share for cell in row.cells) == pytest.approx(1.0)
        for column, cell in enumerate(row.cells):
            assert cell.model == held.outcomes.models[column]
            assert cell.share == pytest.approx(np.mean([split[i] == column for split in chosen for i in members]))
            assert cell.quality == pytest.approx(np.nanmean(held.outcomes.quality[members, column]))


def test_bins_hold_every_measured_cell_once_in_order(held):
    found = reliability(held, "predicted")
    assert found is not None
    quality = held.outcomes.quality
    assert sum(each.n for each in found.bins) == np.isfinite(quality).sum()
    assert [each.predicted for each in found.bins] == sorted(each.predicted for each in found.bins)
    total = sum(each.n * each.measured for each in found.bins)
    assert total == pytest.approx(np.nansum(quality))
    for each in found.bins:
        assert 0.0 <= each.low <= each.measured <= each.high <= 1.0
    pairs = [
        (scores[i, split[i]], quality[i, split[i]])
        for scores, split in zip(held.choices[JUDGED].scores("predicted"), held.choices[JUDGED].predicted, strict=True)
        for i in range(len(quality))
        if np.isfinite(quality[i, split[i]])
    ]
    assert found.chosen_predicted == pytest.approx(np.mean([pair[0] for pair in pairs]))
    assert found.chosen_measured == pytest.approx(np.mean([pair[1] for pair in pairs]))


def test_predictions_that_come_true_lie_on_the_line(held):
    choices = held.choices[JUDGED]
    perfect = replace(choices, predicted_scores=np.broadcast_to(held.outcomes.quality, choices.predicted_scores.shape))
    found = reliability(replace(held, choices=held.choices | {JUDGED: perfect}), "predicted")
    assert found is not None
    for each in found.bins:
        assert each.predicted == pytest.approx(each.measured)


def test_too_few_cells_say_nothing():
    pool = planted_pool(12)
    small, _ = hold_out(pool.features, pool.outcomes, ComparisonSettings(("knn",), folds=2, splits=1))
    assert reliability(small, "given") is None


def test_wins_and_losses_are_the_greatest_differences_in_quality(held):
    named = held.outcomes.models[0]
    found = examples(held, "given", named, seed=3, n_each=5)
    quality, chosen = held.outcomes.quality, held.choices[JUDGED].given[0]
    differences = {
        held.outcomes.queries[i]: quality[i, chosen[i]] - quality[i, 0]
        for i in range(len(quality))
        if chosen[i] != 0 and np.isfinite(quality[i, chosen[i]])
    }
    wins = sorted((each for each in differences.values() if each > 0), reverse=True)
    assert found.n_wins == len(wins) > 5
    assert found.n_losses == sum(each < 0 for each in differences.values())
    assert found.n_wins + found.n_losses + found.n_same == len(quality)
    assert len(found.wins) == 5
    for example in (*found.wins, *found.losses):
        assert example.gain == pytest.approx(differences[example.query])
        assert example.gain == pytest.approx(example.chosen.quality - example.best_single.quality)
        assert example.best_single.model == named != example.chosen.model
    assert min(example.gain for example in found.wins) >= wins[4] - 0.1
    assert max(example.gain for example in found.losses) < 0.0


def test_among_equals_a_lot_decides_and_its_seed_alone(held):
    named = held.outcomes.models[0]
    first = [examples(held, "given", named, seed, n_each=5).wins for seed in (1, 1, 2)]
    assert first[0] == first[1]
    assert first[0] != first[2]
