"""Every rule by which predicted quality becomes a choice."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from vsr.choice.chooser import Choice, Chooser, choose
from vsr.choice.objective import EfficiencyScale, Objective, Scale, best_columns
from vsr.data.categories import CATEGORIES
from vsr.data.outcomes import Outcomes
from vsr.errors import SelectionError
from vsr.prior.category_means import MeanTable
from vsr.prior.statistics import Statistics

MODELS = ("a", "b", "c")
NAN = math.nan
N_CATEGORIES = len(CATEGORIES)


def statistics(
    latency_s: ArrayLike = (NAN, NAN, NAN),
    cost_usd: ArrayLike = (NAN, NAN, NAN),
    quality: ArrayLike = (0.5, 0.5, 0.5),
    models: tuple[str, ...] = MODELS,
) -> Statistics:
    """The same latency and cost in every category."""

    def everywhere(values: ArrayLike) -> NDArray[np.float64]:
        return np.tile(np.asarray(values, dtype=np.float64), (N_CATEGORIES + 1, 1))

    counts = np.ones((N_CATEGORIES, len(models)), dtype=np.int64)
    return Statistics(
        models, np.asarray(quality, dtype=np.float64), counts, everywhere(latency_s), everywhere(cost_usd)
    )


def first(scores: ArrayLike, held: Statistics, weight: float = 1.0, share: float = 0.0) -> Choice:
    return choose(np.asarray([scores]), held, objective=Objective(weight, share))[0]


# The objective


def test_utility_is_the_documented_formula() -> None:
    held = statistics(latency_s=[0.5, 5.0, 500.0], cost_usd=[0.01, 0.0001, 1.0])
    for weight in (0.0, 0.3, 0.9, 1.0):
        for share in (0.0, 0.4, 1.0):
            got = first([0.9, 0.5, 0.2], held, weight, share).utilities
            for name, quality, t, c in zip(
                MODELS, (0.9, 0.5, 0.2), (0.5, 5.0, 500.0), (0.01, 0.0001, 1.0), strict=True
            ):
                speed = 1 - math.log(t / 0.5) / math.log(500.0 / 0.5)
                cheapness = 1 - math.log(c / 0.0001) / math.log(1.0 / 0.0001)
                efficiency = (1 - share) * speed + share * cheapness
                assert got[name] == pytest.approx(weight * quality + (1 - weight) * efficiency)


def test_the_span_is_at_least_a_hundredfold_around_its_middle() -> None:
    narrow = Scale.spanning(np.array([1.0, 1.0]))
    np.testing.assert_allclose(narrow.merit(np.array([0.1, 1.0, 10.0])), [1.0, 0.5, 0.0], atol=1e-12)
    wide = Scale.spanning(np.array([0.1, 3.0, 1000.0]))
    np.testing.assert_allclose(wide.merit(np.array([0.1, 10.0, 1000.0])), [1.0, 0.5, 0.0], atol=1e-12)
    almost = Scale.spanning(np.array([2.0, 4.0]))
    middle = math.sqrt(8.0)
    np.testing.assert_allclose(almost.merit(np.array([middle / 10, middle, middle * 10])), [1.0, 0.5, 0.0], atol=1e-12)


def test_a_hundredth_of_a_second_is_nothing() -> None:
    held = statistics(latency_s=[1.00, 1.01, 1.01])
    utilities = first([0.5, 0.5, 0.5], held, 0.9).utilities
    assert utilities["a"] - utilities["b"] < 0.001


def test_a_model_twice_as_slow_must_be_one_point_seven_points_better() -> None:
    held = statistics(latency_s=[1.0, 2.0, 2.0])
    assert first([0.500, 0.516, 0.0], held, 0.9).model == "a"
    assert first([0.500, 0.518, 0.0], held, 0.9).model == "b"


def test_the_scale_does_not_depend_on_the_candidates() -> None:
    held = statistics(latency_s=[0.1, 1.0, 50.0])
    scores = np.array([[0.4, 0.5, 0.6]])
    of_all = choose(scores, held)[0].utilities
    for candidates in (["a", "b"], ["b", "c"], ["c", "a"]):
        of_some = choose(scores, held, candidates=candidates)[0].utilities
        assert of_some == {name: of_all[name] for name in of_some}
        assert set(of_some) == set(candidates)


@pytest.mark.parametrize(("weight", "expected"), [(1.0, "c"), (0.9, "c"), (0.5, "b"), (0.3, "a"), (0.0, "a")])
def test_the_weight_slides_from_quality_to_speed(weight: float, expected: str) -> None:
    held = statistics(latency_s=[0.1, 0.3, 10.0])
    assert first([0.3, 0.6, 0.95], held, weight).model == expected


def test_weight_zero_takes_the_fastest_always() -> None:
    held = statistics(latency_s=[2.0, 1.9, 2.1], cost_usd=[0.0, 5.0, 0.0])
    assert first([1.0, 0.0, 1.0], held, 0.0).model == "b"


def test_unknown_latency_counts_half() -> None:
    held = statistics(latency_s=[0.1, NAN, 100.0])
    utilities = first([0.5, 0.5, 0.5], held, 0.5).utilities
    assert utilities == pytest.approx({"a": 0.75, "b": 0.5, "c": 0.25})
    nothing_known = first([0.6, 0.5, 0.4], statistics(), 0.5)
    assert nothing_known.utilities == pytest.approx({"a": 0.55, "b": 0.5, "c": 0.45})


def test_a_free_model_costs_as_much_as_the_cheapest() -> None:
    held = statistics(cost_usd=[0.0, 0.001, 1.0])
    utilities = first([0.5, 0.5, 0.5], held, 0.5, 1.0).utilities
    assert utilities["a"] == utilities["b"] > utilities["c"]
    alone = statistics(cost_usd=[0.0, NAN, NAN])
    assert EfficiencyScale.of(alone.latency_s[-1], alone.cost_usd[-1]).free_usd == 1e-6
    assert first([0.5, 0.5, 0.5], alone, 0.5, 1.0).utilities["a"] == pytest.approx(0.5)


def test_latency_is_that_of_the_category() -> None:
    held = statistics(latency_s=[1.0, 1.0, 30.0])
    held.latency_s[CATEGORIES.index("math"), :2] = (20.0, 0.5)
    scores = np.full((3, 3), 0.5)
    chosen = choose(scores, held, ["math", "law", None], objective=Objective(0.5))
    assert [choice.model for choice in chosen] == ["b", "a", "a"]
    # The scale is that of the models' overall means, so one category cannot change it.
    assert (
        chosen[1].utilities
        == choose(scores[:1], statistics(latency_s=[1.0, 1.0, 30.0]), ["law"], objective=Objective(0.5))[0].utilities
    )


@pytest.mark.parametrize("value", [-0.1, 1.1, NAN, math.inf])
@pytest.mark.parametrize("field", ["quality_weight", "cost_share"])
def test_weights_outside_the_unit_interval_are_refused(field: str, value: float) -> None:
    with pytest.raises(SelectionError, match=f"{field} is {value}; expected a number from 0 to 1"):
        Objective(**{field: value})  # type: ignore[arg-type]  # which of them is a number, mypy cannot see


def test_the_default_objective() -> None:
    assert Objective() == Objective(quality_weight=0.9, cost_share=0.0)


# Ties


def test_ties_go_to_higher_mean_quality_then_lower_latency_then_name() -> None:
    scores = [0.5, 0.5, 0.5]
    assert first(scores, statistics(quality=[0.5, 0.7, 0.6])).model == "b"
    assert first(scores, statistics(latency_s=[3.0, 2.0, 1.0])).model == "c"
    assert first(scores, statistics(latency_s=[NAN, NAN, 9.0])).model == "c"
    assert first(scores, statistics()).model == "a"
    assert first(scores, statistics(models=("z", "y", "x"))).model == "x"
    assert first([0.5, 0.6, 0.6], statistics(quality=[0.9, 0.5, 0.6])).model == "c"
    assert choose([scores], statistics(quality=[0.5, 0.7, 0.6]), candidates=["a", "c"])[0].model == "c"


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.25, 0.5]) for _ in MODELS]), min_size=1, max_size=8))
def test_choosing_the_best_column_is_choosing(rows: list[tuple[float, ...]]) -> None:
    held = statistics(latency_s=[1.0, 1.0, 0.1], quality=[0.5, 0.6, 0.5])
    for objective in (Objective(1.0), Objective(0.8)):
        chooser = Chooser.prepare(held, objective)
        columns = chooser.best(np.array(rows), np.full(len(rows), -1))
        chosen = choose(np.array(rows), held, objective=objective)
        assert [MODELS[column] for column in columns] == [choice.model for choice in chosen]


# Candidates


@dataclass(frozen=True)
class Reference:
    model: str
    lora_name: str | None = None
    use_reasoning: bool = False


def test_only_the_candidates_on_offer_are_compared() -> None:
    choice = choose([[0.9, 0.5, 0.7]], statistics(), candidates=["c", "b"])[0]
    assert choice.model == "c"
    assert choice.scores == {"c": 0.7, "b": 0.5}
    assert choice.reason == "predicted"
    assert choice.margin == pytest.approx(0.9 * 0.2)


def test_without_candidates_all_are_on_offer() -> None:
    choice = choose([[0.9, 0.5, 0.7]], statistics())[0]
    assert set(choice.scores) == set(MODELS)
    assert choice.reference is None
    assert choice.excluded == {}


def test_unknown_candidates_are_left_out_and_named() -> None:
    choice = choose([[0.9, 0.5, 0.7]], statistics(), candidates=["gpt-9", "b", "c", "o7"])[0]
    assert choice.model == "c"
    assert choice.excluded == {"gpt-9": "unknown", "o7": "unknown"}
    assert set(choice.utilities) == {"b", "c"}


def test_one_candidate_is_that_one() -> None:
    choice = choose([[0.1, 0.9, 0.9]], statistics(), candidates=["a"])[0]
    assert (choice.model, choice.reason, choice.margin) == ("a", "single_candidate", None)
    assert (choice.quality, choice.scores) == (0.1, {"a": 0.1})
    alone = choose([[0.1, 0.9, 0.9]], statistics(), candidates=["gpt-9", "a"])[0]
    assert (alone.reason, alone.excluded) == ("single_candidate", {"gpt-9": "unknown"})


def test_no_known_candidate_is_an_error_that_names_both_lists() -> None:
    with pytest.raises(SelectionError, match=r"offered gpt-9, o7; the artefact knows a, b, c"):
        choose([[0.1, 0.9, 0.9]], statistics(), candidates=["gpt-9", "o7"])
    with pytest.raises(SelectionError, match=r"offered an empty list; the artefact knows a, b, c"):
        choose([[0.1, 0.9, 0.9]], statistics(), candidates=[])


def test_the_default_answers_where_no_candidate_is_known() -> None:
    for candidates in (["gpt-9"], []):
        chosen = choose([[0.1, 0.9, 0.9]] * 2, statistics(), ["math", None], candidates, default="gpt-9")
        assert [choice.model for choice in chosen] == ["gpt-9", "gpt-9"]
        assert {choice.reason for choice in chosen} == {"default"}
        assert tuple(chosen[0].excluded) == tuple(candidates)
        assert (chosen[0].quality, chosen[0].utility, chosen[0].margin) == (None, None, None)
        assert (chosen[0].scores, chosen[0].utilities) == ({}, {})
        assert [(choice.category, choice.category_source) for choice in chosen] == [("math", "given"), (None, None)]


def test_the_default_is_not_used_where_a_candidate_is_known() -> None:
    assert choose([[0.1, 0.9, 0.9]], statistics(), candidates=["a"], default="b")[0].model == "a"


def test_references_come_back_unchanged() -> None:
    slow, quick = Reference("b", use_reasoning=True), {"model": "c", "use_reasoning": False}
    choice = choose([[0.9, 0.5, 0.7]], statistics(), candidates=[slow, quick])[0]
    assert choice.model == "c"
    assert choice.reference is quick
    assert choose([[0.9, 0.8, 0.7]], statistics(), candidates=[slow, quick])[0].reference is slow


def test_an_adapter_stands_for_its_model() -> None:
    tuned = Reference("b", lora_name="b-law")
    choice = choose([[0.1, 0.8, 0.7]], statistics(), candidates=[tuned, "c"])[0]
    assert choice.model == "b-law"
    assert choice.scores == {"b-law": 0.8, "c": 0.7}
    assert choice.reference is tuned


def test_an_adapter_that_was_measured_itself_speaks_for_itself() -> None:
    choice = choose([[0.1, 0.8, 0.3]], statistics(), candidates=[Reference("b", lora_name="c"), "a"])[0]
    assert choice.scores == {"c": 0.3, "a": 0.1}


def test_an_adapter_of_an_unknown_model_is_named_by_its_own_name() -> None:
    choice = choose([[0.1, 0.8, 0.3]], statistics(), candidates=[{"model": "x", "lora_name": "x-law"}, "a"])[0]
    assert choice.excluded == {"x-law": "unknown"}


def test_a_blank_adapter_is_none() -> None:
    assert choose([[0.1, 0.8, 0.3]], statistics(), candidates=[{"model": "b", "lora_name": ""}])[0].model == "b"


def test_a_candidate_named_twice_counts_once() -> None:
    choice = choose([[0.1, 0.8, 0.3]], statistics(), candidates=["b", "b"])[0]
    assert (choice.reason, choice.scores) == ("single_candidate", {"b": 0.8})


def test_what_names_no_model_is_refused() -> None:
    for wrong in ({"name": "a"}, 5, {"model": 3}, {"model": "a", "lora_name": 4}, None):
        with pytest.raises(SelectionError, match="names no model"):
            choose([[0.1, 0.8, 0.3]], statistics(), candidates=[wrong])  # type: ignore[list-item]
    with pytest.raises(SelectionError, match="candidates are the text 'a,b'; expected a list of names"):
        choose([[0.1, 0.8, 0.3]], statistics(), candidates="a,b")


# What the choice says


def test_the_choice_says_what_it_rests_on() -> None:
    held = statistics(latency_s=[0.1, 1.0, 10.0])
    choice = choose([[0.2, 0.8, 0.7]], held, ["Computer Science"], objective=Objective(0.9))[0]
    assert choice.model == "b"
    assert choice.quality == 0.8
    assert choice.scores == {"a": 0.2, "b": 0.8, "c": 0.7}
    assert choice.utilities == pytest.approx({"a": 0.28, "b": 0.77, "c": 0.63})
    assert choice.utility == choice.utilities["b"]
    assert choice.margin == pytest.approx(0.14)
    assert (choice.category, choice.category_source) == ("computer_science", "given")


def test_a_tie_has_no_margin() -> None:
    assert first([0.5, 0.5, 0.1], statistics()).margin == 0.0


def test_no_rows_give_no_choices() -> None:
    assert choose(np.zeros((0, 3)), statistics()) == []


def test_scores_that_do_not_fit_are_refused() -> None:
    for shape in ((3,), (1, 2), (1, 3, 1)):
        with pytest.raises(SelectionError, match="expected one row per query and 3 columns"):
            choose(np.zeros(shape), statistics())
    for value in (NAN, math.inf):
        with pytest.raises(SelectionError, match="NaN or infinity"):
            choose([[0.1, value, 0.2]], statistics())
    with pytest.raises(SelectionError, match="1 rows of scores but 2 categories"):
        choose([[0.1, 0.2, 0.3]], statistics(), ["math", "law"])
    with pytest.raises(SelectionError, match="scores are no matrix of numbers"):
        choose([["high", "low", "low"]], statistics())


# What training says of the models, and the best model of a training query


def test_statistics_are_shrunk_to_each_models_own_mean() -> None:
    latency = np.array([[1.0, 10.0], [3.0, NAN], [5.0, 20.0], [NAN, 30.0]])
    outcomes = Outcomes(list("qrst"), ["math", "math", "law", "law"], ["a", "b"], np.full((4, 2), 0.5), latency)
    codes = np.array([0, 0, 9, 9])
    table = MeanTable.fit(outcomes.quality, codes, N_CATEGORIES, math.inf)
    held = Statistics.from_outcomes(outcomes, codes, table)
    np.testing.assert_allclose(held.latency_s[-1], [3.0, 20.0])
    np.testing.assert_allclose(held.latency_s[0], [(4.0 + 20 * 3.0) / 22, (10.0 + 20 * 20.0) / 21])
    np.testing.assert_allclose(held.latency_s[9], [(5.0 + 20 * 3.0) / 21, (50.0 + 20 * 20.0) / 22])
    np.testing.assert_allclose(held.latency_s[5], [3.0, 20.0])  # a category that was never seen
    assert np.isnan(held.cost_usd).all()
    assert held.counts[0].tolist() == [2, 2]
    np.testing.assert_allclose(held.quality, 0.5)


def test_the_best_column_of_a_query_is_that_of_its_own_measurements() -> None:
    quality = np.array([[1.0, 1.0, 0.0], [0.5, NAN, 0.4], [0.2, 0.8, 1.0], [NAN, 0.3, 0.3]])
    latency = np.array([[2.0, 1.0, 1.0], [1.0, 0.1, 0.1], [1.0, 0.1, 100.0], [1.0, NAN, 5.0]])
    cost = np.full((4, 3), NAN)
    assert best_columns(quality, latency, cost, Objective(1.0)).tolist() == [1, 0, 2, 2]
    assert best_columns(quality, latency, cost, Objective(0.5)).tolist()[2] == 1


def test_equally_good_columns_go_to_the_cheaper_then_the_faster_then_the_first() -> None:
    quality, unknown = np.ones((1, 3)), np.full((1, 3), NAN)
    latency, cost = np.array([[1.0, 2.0, 3.0]]), np.array([[0.3, 0.3, 0.1]])
    assert best_columns(quality, latency, cost, Objective(1.0)).tolist() == [2]
    assert best_columns(quality, latency, np.array([[0.3, 0.1, 0.1]]), Objective(1.0)).tolist() == [1]
    assert best_columns(quality, latency[:, ::-1], unknown, Objective(1.0)).tolist() == [2]
    assert best_columns(quality, unknown, unknown, Objective(1.0)).tolist() == [0]


def test_latency_counts_by_the_probability_of_the_categories() -> None:
    latency = np.ones((N_CATEGORIES + 1, 3))
    latency[0, 0], latency[1, 1] = 8.0, 4.0
    plain = statistics()
    known = Statistics(MODELS, plain.quality, plain.counts, latency, plain.cost_usd)
    chooser = Chooser.prepare(known, Objective(quality_weight=0.5))
    scores = np.full((3, 3), 0.5)
    shares = np.zeros((3, N_CATEGORIES + 1))
    shares[0, 0] = shares[1, 1] = 1.0
    shares[2, :2] = 0.25, 0.75
    utilities = chooser.utilities(scores, shares)
    np.testing.assert_array_equal(utilities[:2], chooser.utilities(scores[:2], np.array([0, 1])))
    np.testing.assert_allclose(utilities[2], 0.25 * utilities[0] + 0.75 * utilities[1], rtol=1e-15)
    choice = chooser.choose(scores, shares, chooser.offer(None), None, ["predicted"] * 3)[2]
    assert (choice.category, choice.category_source) == (CATEGORIES[1], "predicted")
    assert choice.utilities == dict(zip(MODELS, utilities[2].tolist(), strict=True))
