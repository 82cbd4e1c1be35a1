"""Calibration by hand, and of predictions that are right."""

import numpy as np
import pytest

from vsr.evaluation.metrics.calibration import brier_score, calibration_slope, expected_calibration_error

PREDICTED = np.array([0.15, 0.15, 0.85, 0.85])
MEASURED = np.array([0.0, 1.0, 1.0, 1.0])


def test_by_hand():
    assert brier_score(PREDICTED, MEASURED) == pytest.approx((0.0225 + 0.7225 + 0.0225 + 0.0225) / 4.0)
    # Bin of 0.15: half come true, off by 0.35; bin of 0.85: all do, off by 0.15.
    assert expected_calibration_error(PREDICTED, MEASURED) == pytest.approx(0.5 * 0.35 + 0.5 * 0.15)
    # From 0.15 to 0.85 what comes true rises from 0.5 to 1.
    assert calibration_slope(PREDICTED, MEASURED) == pytest.approx(0.5 / 0.7)


def test_predictions_outside_the_range_count_at_its_ends():
    assert expected_calibration_error(np.array([-0.1, 1.2]), np.array([0.0, 1.0])) == pytest.approx(0.15)


def test_right_chances_are_calibrated_and_bold_ones_are_not():
    generator = np.random.default_rng(0)
    chance = generator.random(20_000)
    came_true = (generator.random(20_000) < chance).astype(float)
    assert expected_calibration_error(chance, came_true) < 0.015
    assert calibration_slope(chance, came_true) == pytest.approx(1.0, abs=0.03)
    bold = 0.5 + 2.0 * (chance - 0.5)
    assert calibration_slope(bold, came_true) == pytest.approx(0.5, abs=0.02)
    assert calibration_slope(np.full(5, 0.3), np.arange(5.0)) is None
