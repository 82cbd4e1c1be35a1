"""Looks at the verdict: when they end the asking."""

import numpy as np
import pytest

from pools import Pool, planted_pool, signalless_pool
from vsr.evaluation.compare_and_train import TrainingSettings
from vsr.evaluation.looks import LOOKED_AT, Seen, ending, level_of, look
from vsr.evaluation.preparation import prepare_training
from vsr.evaluation.results import VerdictKind
from vsr.evaluation.statistics.intervals import Interval
from vsr.features import split_features

LEVEL = level_of(4)


def seen_of(pool: Pool, n_ceiling: int, level: float = LEVEL) -> Seen | None:
    prepared = prepare_training(pool.outcomes, split_features(pool.features).embeddings)
    return look(prepared, TrainingSettings(algorithms=LOOKED_AT), n_ceiling, level)


def around(mean: float, half: float) -> Interval:
    return Interval(mean, mean - half, mean + half, 100)


def test_four_looks_share_the_error() -> None:
    assert level_of(4) == 0.9875
    assert level_of(1) == 0.95


def test_a_planted_gain_ends_it_and_wider_intervals_are_those_of_the_level() -> None:
    pool = planted_pool(240)
    now, plain = seen_of(pool, 800), seen_of(pool, 800, 0.95)
    assert now is not None
    assert plain is not None
    assert (now.verdict, now.end) == ("route", "pays")
    assert now.gain.mean == plain.gain.mean
    assert (now.gain.high - now.gain.low) / (plain.gain.high - plain.gain.low) == pytest.approx(
        2.4977 / 1.9600, abs=1e-3
    )
    assert now.rise is not None
    assert now.rise >= 0.0


def test_where_one_model_is_always_best_nothing_is_to_be_had() -> None:
    pool = signalless_pool(600)
    quality = np.array(pool.outcomes.quality)
    quality[:, 0] = 1.0
    quality[:, 1:] = 0.0
    seen = seen_of(pool.with_quality(quality), 2400)
    assert seen is not None
    assert (seen.verdict, seen.end) == ("identical", "not worth it")


def test_one_model_is_nothing_to_compare() -> None:
    pool = signalless_pool(100)
    prepared = prepare_training(
        pool.outcomes.with_models(pool.outcomes.models[:1]), split_features(pool.features).embeddings
    )
    assert look(prepared, TrainingSettings(algorithms=LOOKED_AT), 400, LEVEL) is None


@pytest.mark.parametrize(
    ("verdict", "gain", "table", "rise", "share", "end"),
    [
        ("route", around(0.05, 0.04), around(0.0, 0.04), 0.02, 0.25, "pays"),
        ("category_table", around(0.05, 0.06), around(0.05, 0.04), None, 0.25, "pays"),
        ("inconclusive", around(0.03, 0.04), around(0.0, 0.04), 0.0, 0.25, None),  # the rest halves the interval
        ("inconclusive", around(0.03, 0.04), around(0.0, 0.04), None, 0.25, None),  # nobody knows the curve
        ("static", around(-0.01, 0.04), around(-0.02, 0.04), 0.0, 0.25, "flat"),
        ("static", around(-0.01, 0.04), around(-0.02, 0.04), 0.006, 0.25, None),  # the curve still rises
        ("static", around(-0.01, 0.04), around(0.01, 0.04), 0.0, 0.25, None),  # the table may still pay
        ("static", around(-0.01, 0.015), around(-0.01, 0.015), 0.0, 0.25, "not worth it"),
        ("static", around(-0.01, 0.015), around(-0.01, 0.015), 0.02, 0.25, None),
        ("static", around(0.01, 0.04), around(0.0, 0.04), 0.0, 0.95, "flat"),
    ],
)
def test_the_rule(
    verdict: VerdictKind, gain: Interval, table: Interval, rise: float | None, share: float, end: str | None
) -> None:
    assert ending(verdict, gain, table, rise, share, LEVEL) == end
