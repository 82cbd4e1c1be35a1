"""The words of the held-out table."""

import pytest

from vsr.cli.evaluation_table import points


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(0.0123, "+1.2"), (-0.267, "-26.7"), (0.0, "0.0"), (-0.0, "0.0"), (-0.0004, "0.0"), (0.0004, "0.0")],
)
def test_points_that_round_to_nothing_have_no_sign(difference: float, expected: str) -> None:
    assert points(difference) == expected
