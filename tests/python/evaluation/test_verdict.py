"""The rule, row by row."""

import pytest

from vsr.evaluation.bootstrap import Interval
from vsr.evaluation.results import VerdictKind
from vsr.evaluation.verdict import Evidence, judge

NONE = Interval(0.0, 0.0, 0.0, 400)
GAIN = Interval(0.03, 0.01, 0.05, 400)
UNSURE = Interval(0.02, -0.01, 0.05, 400)
FAINT = Interval(0.001, -0.02, 0.022, 400)
LOSS = Interval(-0.02, -0.04, 0.0, 400)


@pytest.mark.parametrize(
    ("judged", "over_table", "table", "expected"),
    [
        (GAIN, GAIN, NONE, "route"),
        (GAIN, GAIN, GAIN, "route"),
        (GAIN, UNSURE, GAIN, "category_table"),
        (UNSURE, LOSS, GAIN, "category_table"),
        (LOSS, LOSS, GAIN, "category_table"),
        (GAIN, UNSURE, UNSURE, "inconclusive"),
        (UNSURE, UNSURE, UNSURE, "inconclusive"),
        (UNSURE, LOSS, UNSURE, "inconclusive"),
        (FAINT, FAINT, NONE, "static"),
        (NONE, NONE, NONE, "static"),
        (LOSS, LOSS, LOSS, "static"),
        (LOSS, GAIN, LOSS, "static"),
    ],
)
def test_one_rule_the_interval(judged: Interval, over_table: Interval, table: Interval, expected: VerdictKind) -> None:
    assert Evidence(judged, over_table, table).kind() == expected


def test_route_says_what_gains_how_much_over_what() -> None:
    verdict = judge(Evidence(GAIN, GAIN, NONE), None, "knn", "llama")
    assert verdict.sentence == (
        "Routing pays: the selector that was chosen inside the folds, knn mostly, gains +3.0 points "
        "(95 % +1.0 .. +5.0) over always using llama."
    )
    assert (verdict.kind, verdict.with_predicted, verdict.queries_needed) == ("route", None, None)


def test_a_table_that_is_enough() -> None:
    verdict = judge(Evidence(UNSURE, FAINT, GAIN), None, "knn", "llama")
    assert verdict.sentence == (
        "A table of the best model per category is enough: it gains +3.0 points (95 % +1.0 .. +5.0) over always using "
        "llama, and no selector is surely better."
    )


def test_do_not_route() -> None:
    assert judge(Evidence(LOSS, LOSS, NONE), None, "knn", "llama").sentence == (
        "Do not route: nothing surely beats always using llama (chosen inside the folds: -2.0 points "
        "(95 % -4.0 .. +0.0))."
    )
    assert judge(Evidence(NONE, NONE, NONE), None, "knn", "llama").sentence == (
        "Do not route: nothing surely beats always using llama."
    )


def test_no_figure_is_a_negative_zero() -> None:
    almost = Interval(-0.02, -0.04, -0.0001, 400)
    assert "-4.0 .. +0.0" in judge(Evidence(almost, almost, NONE), None, "knn", "llama").sentence


def test_inconclusive_says_how_many_queries_would_decide() -> None:
    # The half width of 3 points has to shrink to 2: 9/4 of the queries.
    verdict = judge(Evidence(UNSURE, UNSURE, NONE), None, "knn", "llama")
    assert verdict.queries_needed == 900
    assert verdict.sentence == (
        "Do not route yet: the gain over always using llama, +2.0 points (95 % -1.0 .. +5.0), is not surely there; "
        "about 900 queries would decide."
    )


def test_a_gain_over_the_single_model_alone_is_said_to_be_one() -> None:
    assert judge(Evidence(GAIN, UNSURE, UNSURE), None, "knn", "llama").sentence == (
        "Not decided yet: the selector that was chosen inside the folds, knn mostly, gains +3.0 points "
        "(95 % +1.0 .. +5.0) over always using llama, but its gain over a table of the best model per category, "
        "+2.0 points (95 % -1.0 .. +5.0), is not surely there; about 900 queries would decide."
    )


def test_the_weaker_of_the_two_intervals_decides_how_many() -> None:
    weaker = Interval(0.01, -0.02, 0.04, 400)
    assert judge(Evidence(GAIN, weaker, NONE), None, "knn", "llama").queries_needed == 3600


@pytest.mark.parametrize(
    ("predicted", "kind", "said"),
    [
        (Evidence(LOSS, LOSS, NONE), "static", "do not route, -2.0 points (95 % -4.0 .. +0.0)."),
        (Evidence(FAINT, FAINT, NONE), "static", "do not route, +0.1 points (95 % -2.0 .. +2.2)."),
        (Evidence(UNSURE, FAINT, GAIN), "category_table", "the table is enough, +3.0 points (95 % +1.0 .. +5.0)."),
        (Evidence(UNSURE, UNSURE, NONE), "inconclusive", "not decided, +2.0 points (95 % -1.0 .. +5.0)."),
    ],
)
def test_predicted_categories_have_a_verdict_and_a_figure_of_their_own(
    predicted: Evidence, kind: VerdictKind, said: str
) -> None:
    verdict = judge(Evidence(GAIN, GAIN, NONE), predicted, "knn", "llama")
    assert (verdict.kind, verdict.with_predicted) == ("route", kind)
    assert verdict.sentence.endswith(f"; where categories have to be predicted: {said}")


def test_one_verdict_for_both_is_said_once() -> None:
    verdict = judge(Evidence(GAIN, GAIN, NONE), Evidence(GAIN, GAIN, NONE), "knn", "llama")
    assert verdict.with_predicted == "route"
    assert "predicted" not in verdict.sentence
