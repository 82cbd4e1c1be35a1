"""Cells that were asked more than once keep their draws apart."""

import numpy as np

from vsr.data.outcomes import Outcomes
from vsr.data.records import Record


def records(*cells: tuple[str, str, float | None]) -> list[Record]:
    return [
        Record(query=query, model_name=model, performance=quality, error=None if quality is not None else "HTTP 429")
        for query, model, quality in cells
    ]


def test_first_draws_and_the_mean_of_the_others():
    outcomes = Outcomes.from_records(
        records(
            ("one", "a", 1.0),
            ("one", "b", 0.5),
            ("two", "a", 0.0),
            ("one", "a", 0.0),
            ("one", "a", 0.5),
            ("two", "b", 1.0),
        )
    )
    assert outcomes.repeats is not None
    np.testing.assert_array_equal(outcomes.repeats.first, [[1.0, 0.5], [0.0, 1.0]])
    np.testing.assert_array_equal(outcomes.repeats.others, [[0.25, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(outcomes.quality, [[0.5, 0.5], [0.0, 1.0]])


def test_rows_columns_and_categories_take_the_draws_along():
    outcomes = Outcomes.from_records(
        records(("one", "a", 1.0), ("one", "b", 0.5), ("two", "a", 0.0), ("two", "a", 1.0), ("two", "b", 1.0))
    )
    taken = outcomes.take([1]).with_models(["b", "a"]).with_categories(["math"])
    assert taken.repeats is not None
    np.testing.assert_array_equal(taken.repeats.first, [[1.0, 0.0]])
    np.testing.assert_array_equal(taken.repeats.others, [[np.nan, 1.0]])


def test_without_a_second_draw_there_is_nothing_to_keep():
    once = records(("one", "a", 1.0), ("one", "b", 0.5))
    assert Outcomes.from_records(once).repeats is None
    # A call that failed for no fault of the model is no draw.
    assert Outcomes.from_records([*once, *records(("one", "a", None))]).repeats is None


def test_the_digest_is_that_of_the_averages():
    twice = Outcomes.from_records(records(("one", "a", 1.0), ("one", "a", 0.0), ("two", "a", 1.0)))
    once = Outcomes.from_records(records(("one", "a", 0.5), ("two", "a", 1.0)))
    assert twice.repeats is not None
    assert twice.digest() == once.digest()
