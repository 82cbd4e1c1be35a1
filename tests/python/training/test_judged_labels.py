"""What judged qualities are worth, learnt from few true ones."""

import numpy as np
import numpy.typing as npt

import vsr
from vsr.data.judgements import Judgements
from vsr.training.judged_labels import calibrated, worth_of

N_QUERIES = 400


def judged_pool(right: float, n_labels: int, favoured: float = 0.0) -> tuple[npt.NDArray[np.float64], vsr.Outcomes]:
    """Give the truth, and outcomes of which a judge said the most; the second model is of his family."""
    generator = np.random.default_rng(7)
    truth = (generator.random((N_QUERIES, 3)) < [0.6, 0.5, 0.4]).astype(float)
    judged = np.where(generator.random(truth.shape) < right, truth, 1.0 - truth)
    judged[generator.random(N_QUERIES) < favoured, 1] = 1.0
    stand_in = np.ones(truth.shape, dtype=bool)
    stand_in[:n_labels] = False
    queries = [f"query {number}" for number in range(N_QUERIES)]
    quality = np.where(stand_in, judged, truth)
    outcomes = vsr.Outcomes(
        queries, [None] * N_QUERIES, ["a", "b", "c"], quality, judgements=Judgements(judged, stand_in)
    )
    return truth, outcomes


def test_a_favoured_model_is_brought_down_and_labels_stay() -> None:
    truth, outcomes = judged_pool(0.9, 200, favoured=0.5)
    better = calibrated(outcomes)
    np.testing.assert_array_equal(better.quality[:200], truth[:200])
    raw = outcomes.quality[200:].mean(axis=0) - truth[200:].mean(axis=0)
    left = better.quality[200:].mean(axis=0) - truth[200:].mean(axis=0)
    assert raw[1] > 0.2
    assert np.abs(left).max() < 0.06


def test_a_judge_that_says_nothing_is_not_believed() -> None:
    _, outcomes = judged_pool(0.5, 200)
    spread = calibrated(outcomes).quality[200:].std(axis=0)
    assert spread.max() < 0.1


def test_without_labels_judgements_are_believed_as_they_are() -> None:
    _, outcomes = judged_pool(0.7, 3)
    assert calibrated(outcomes) is outcomes


def test_worth_is_least_squares_within_models() -> None:
    judged = np.array([[0.0, 0.5], [1.0, 1.0], [0.0, np.nan], [1.0, 0.0]] * 10)
    true = 0.1 + 0.6 * judged
    worth = worth_of(judged, true)
    assert worth is not None
    np.testing.assert_allclose(worth, true)
    assert worth_of(judged[:4], np.full((4, 2), np.nan)) is None
