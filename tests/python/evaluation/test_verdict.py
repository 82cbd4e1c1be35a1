"""The rule, row by row."""

import pytest

from vsr.evaluation.results import VerdictKind
from vsr.evaluation.statistics.intervals import Interval
from vsr.evaluation.verdict import Evidence, judge

NONE = Interval(0.0, 0.0, 0.0, 400)
GAIN = Interval(0.03, 0.01, 0.05, 400)
UNSURE = Interval(0.02, -0.01, 0.05, 400)
FAINT = Interval(0.001, -0.02, 0.022, 400)
FLAT = 0.0  # a learning curve by which nothing is still to come
LOSS = Interval(-0.02, -0.04, 0.0, 400)


@pytest.mark.parametrize(
    ("judged", "over_table", "table", "expected"),
    [
        (GAIN, GAIN, NONE, "route"),
        (GAIN, GAIN, GAIN, "route"),
        (GAIN, UNSURE, GAIN, "category_table"),
        (UNSURE, LOSS, GAIN, "category_table"),
        (LOSS, LOSS, GAIN, "category_table"),
        (GAIN, UNSURE, UNSURE, "route"),
        (GAIN, LOSS, UNSURE, "inconclusive"),
        (UNSURE, UNSURE, UNSURE, "inconclusive"),
        (UNSURE, LOSS, UNSURE, "inconclusive"),
        (FAINT, FAINT, NONE, "static"),
        (NONE, NONE, NONE, "static"),
        (LOSS, LOSS, LOSS, "static"),
        (LOSS, GAIN, LOSS, "static"),
        # What would always choose the best single model has no interval.
        (None, None, None, "identical"),
        (None, None, FAINT, "identical"),
        (None, None, GAIN, "category_table"),
        (GAIN, GAIN, None, "route"),
        (UNSURE, UNSURE, None, "inconclusive"),
    ],
)
def test_one_rule_the_interval(
    judged: Interval | None, over_table: Interval | None, table: Interval | None, expected: VerdictKind
) -> None:
    assert Evidence(judged, over_table, table).kind() == expected


def test_route_says_what_gains_how_much_over_what() -> None:
    verdict = judge(Evidence(GAIN, GAIN, NONE), None, "knn", "llama")
    assert verdict.sentence == (
        "Routing pays: the chosen selector, knn, gains +3.0 points (95 % +1.0 .. +5.0) over always using llama."
    )
    assert (verdict.kind, verdict.categories, verdict.queries_needed) == ("route", None, None)


def test_a_verdict_says_how_queries_arrive() -> None:
    verdict = judge(Evidence(GAIN, GAIN, NONE), "predicted", "knn", "llama")
    assert verdict.categories == "predicted"
    assert verdict.sentence == (
        "Routing pays: the chosen selector, knn, gains +3.0 points (95 % +1.0 .. +5.0, categories predicted) over "
        "always using llama."
    )


def test_a_table_that_is_enough() -> None:
    for judged in (UNSURE, None):
        verdict = judge(Evidence(judged, FAINT, GAIN), "given", "knn", "llama")
        assert verdict.sentence == (
            "A table of the best model per category is enough: it gains +3.0 points (95 % +1.0 .. +5.0, categories "
            "given) over always using llama, and no selector is surely better."
        )


def test_do_not_route() -> None:
    assert judge(Evidence(LOSS, LOSS, NONE), None, "knn", "llama").sentence == (
        "Do not route: nothing surely beats always using llama (the chosen selector, knn: -2.0 points "
        "(95 % -4.0 .. +0.0))."
    )


def test_what_is_identical_has_no_interval() -> None:
    verdict = judge(Evidence(None, None, None), "predicted", "knn", "llama")
    assert (verdict.kind, verdict.queries_needed) == ("identical", None)
    assert verdict.sentence == ("Do not route: trained on all queries, knn would be identical to always using llama.")


def test_no_figure_is_a_negative_zero() -> None:
    almost = Interval(-0.02, -0.04, -0.0001, 400)
    assert "-4.0 .. +0.0" in judge(Evidence(almost, almost, NONE), None, "knn", "llama").sentence


def test_inconclusive_says_how_many_queries_would_decide() -> None:
    # The half width of 3 points has to shrink to 2: 9/4 of the queries.
    verdict = judge(Evidence(UNSURE, UNSURE, NONE, FLAT), None, "knn", "llama")
    assert verdict.queries_needed == 900
    assert verdict.sentence == (
        "Do not route yet: the gain over always using llama, +2.0 points (95 % -1.0 .. +5.0), is not surely there; "
        "the learning curve says that about 900 queries would decide."
    )


def test_a_number_of_queries_that_are_there_is_not_said() -> None:
    nearly = Interval(0.02, -0.0005, 0.0405, 400)  # 420 queries: as many as there are, but for noise
    verdict = judge(Evidence(nearly, nearly, NONE, FLAT), None, "knn", "llama")
    assert (verdict.kind, verdict.queries_needed) == ("inconclusive", None)
    assert verdict.sentence == (
        "Do not route yet: the gain over always using llama, +2.0 points (95 % -0.1 .. +4.0), is not surely there."
    )


def test_a_number_of_queries_is_rough() -> None:
    rough = Interval(0.0123, -0.02, 0.0446, 2017)
    assert judge(Evidence(rough, rough, NONE, FLAT), None, "knn", "llama").queries_needed == 14000


def test_a_gain_over_the_single_model_is_enough_where_the_table_has_none_and_looks_worse() -> None:
    verdict = judge(Evidence(GAIN, UNSURE, UNSURE, FLAT), None, "knn", "llama")
    assert verdict.sentence == (
        "Routing pays: the chosen selector, knn, gains +3.0 points (95 % +1.0 .. +5.0) over always using llama; over a "
        "table of the best model per category, which does not surely pay, it gains +2.0 points (95 % -1.0 .. +5.0)."
    )
    assert (verdict.kind, verdict.queries_needed) == ("route", None)


def test_a_table_that_looks_better_than_the_selector_leaves_it_open() -> None:
    assert judge(Evidence(GAIN, LOSS, UNSURE, FLAT), None, "knn", "llama").sentence == (
        "Not decided yet: the chosen selector, knn, gains +3.0 points (95 % +1.0 .. +5.0) over always using "
        "llama, but its gain over a table of the best model per category, -2.0 points (95 % -4.0 .. +0.0), is not "
        "surely there."
    )


def test_a_gain_over_a_table_that_does_not_pay_need_not_be_sure() -> None:
    weaker = Interval(0.001, -0.02, 0.022, 400)
    assert judge(Evidence(UNSURE, weaker, NONE, FLAT), None, "knn", "llama").queries_needed == 900


def test_a_gain_that_still_grows_needs_fewer_queries() -> None:
    # Half a point is still to come of the gain: ((3 + 0.5) / (2 + 0.5))^2 * 400 = 784.
    assert judge(Evidence(UNSURE, UNSURE, NONE, 0.005), None, "knn", "llama").queries_needed == 780


def test_without_a_learning_curve_no_number_is_said() -> None:
    verdict = judge(Evidence(UNSURE, UNSURE, NONE), None, "knn", "llama")
    assert verdict.queries_needed is None
    assert verdict.sentence.endswith("+2.0 points (95 % -1.0 .. +5.0), is not surely there.")


def test_what_a_sample_leaves_open_more_of_the_queries_may_decide() -> None:
    verdict = judge(Evidence(UNSURE, UNSURE, UNSURE), None, "knn", "llama", n_sampled_from=5_000)
    assert verdict.kind == "inconclusive"
    assert verdict.sentence.endswith("is not surely there, and there are 5,000: compare on more of them.")
    decided = judge(Evidence(GAIN, GAIN, NONE), None, "knn", "llama", n_sampled_from=5_000)
    assert decided == judge(Evidence(GAIN, GAIN, NONE), None, "knn", "llama")
