"""Choices made again under another objective, from the kept scores of held-out queries."""

import numpy as np
import pytest

from pools import DIM, make_pool, planted_pool
from vsr.choice.objective import Objective
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Choices
from vsr.evaluation.results import CategorySource
from vsr.evaluation.settings import ComparisonSettings


@pytest.mark.parametrize("source", ["given", "predicted"])
@pytest.mark.parametrize("name", [CATEGORY_TABLE, JUDGED])
def test_under_another_objective_each_fold_chooses_as_if_compared_by_it(name: str, source: CategorySource) -> None:
    planted = planted_pool(120)
    seconds = np.tile([2.0, 1.0, 0.1], (120, 1))
    pool = make_pool(
        planted.features[:, :DIM], planted.outcomes.categories, planted.outcomes.quality, latency_s=seconds
    )

    def compared(objective: Objective) -> tuple[np.ndarray, np.ndarray]:
        held, _ = hold_out(pool.features, pool.outcomes, ComparisonSettings(("knn",), splits=2, objective=objective))
        return held.choices[name].columns(source)[:, held.rows], held.choose_again(name, source, Objective(0.3))

    at_first, again = compared(Objective(1.0))
    directly, _ = compared(Objective(0.3))
    np.testing.assert_array_equal(again, directly)
    assert (again != at_first).any()


def test_scores_are_kept_of_the_methods_that_are_asked_for_alone() -> None:
    pool = planted_pool(60)
    held, _ = hold_out(pool.features, pool.outcomes, ComparisonSettings(("knn",), splits=1))
    scores = held.choices[JUDGED].scores("predicted")
    assert scores.shape == (1, 60, pool.outcomes.n_models)
    assert np.isfinite(scores).all()
    assert held.choices["knn"].given_scores is None
    assert Choices.none_yet(1, 2).predicted_scores is None
