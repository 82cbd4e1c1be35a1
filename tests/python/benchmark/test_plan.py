from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from servers.scripted import config_for
from vsr.benchmark.plan import CONCISE_LINE, make_plan
from vsr.data.prompts import parse_choices
from vsr.data.records import Query
from vsr.errors import BenchmarkError

ENDPOINTS = [{"name": "one", "address": "127.0.0.1", "port": 1}]


def plan_of(queries, *, models=None, **settings):
    models = models or {"a": {"preferred_endpoints": ["one"]}}
    return make_plan(queries, config_for(ENDPOINTS, models), environment={}, **settings)


def many(**n_by_category):
    return [Query(f"{category} {i}", category) for category, n in n_by_category.items() for i in range(n)]


def texts(plan):
    return [question.query.query for question in plan.questions]


def test_repeated_queries_are_asked_once():
    plan = plan_of([Query("What?"), Query("  what? "), Query("Why?")])
    assert texts(plan) == ["What?", "Why?"]
    assert (plan.n_in_file, plan.n_repeated, plan.n_calls) == (2, 1, 2)


def test_the_same_stem_with_other_choices_is_another_query():
    plan = plan_of([Query("Which?", choices=parse_choices(["a", "b"])), Query("Which?", choices=parse_choices(["c"]))])
    assert [question.prompt for question in plan.questions] == ["Which?\nA) a\nB) b", "Which?\nA) c"]


def test_a_limit_is_spread_over_the_categories():
    plan = plan_of(many(math=80, law=15, history=4, biology=1), query_limit=20)
    assert len(plan.questions) == 20
    drawn = Counter(question.query.category for question in plan.questions)
    assert drawn == {"math": 15, "law": 3, "history": 1, "biology": 1}


def test_a_limit_below_the_number_of_categories_takes_the_largest():
    plan = plan_of(many(math=5, law=50, history=20, biology=1), query_limit=2)
    assert {question.query.category for question in plan.questions} == {"law", "history"}


def test_a_larger_limit_keeps_the_queries_of_a_smaller_one():
    queries = many(math=40, law=25, history=13, other=7)
    drawn = [set(texts(plan_of(queries, query_limit=n, seed=3))) for n in range(1, 86)]
    assert all(small < large for small, large in pairwise(drawn))
    assert drawn[29] != set(texts(plan_of(queries, query_limit=30, seed=4)))
    assert drawn[29] == set(texts(plan_of(queries, query_limit=30, seed=3)))


def test_the_order_of_the_file_stays():
    queries = many(math=10, law=10)
    drawn = texts(plan_of(queries, query_limit=7))
    assert drawn == [query.query for query in queries if query.query in drawn]


def test_spellings_of_a_category_are_one():
    queries = [Query(f"q{i}", ("Computer Science", "computer_science", "COMPUTER-SCIENCE")[i % 3]) for i in range(9)]
    assert len(plan_of([*queries, Query("x", "law")], query_limit=2).questions) == 2
    assert "x" in texts(plan_of([*queries, Query("x", "law")], query_limit=2))


def test_the_wish_for_a_bare_answer_stands_in_a_line_of_its_own():
    plan = plan_of([Query("What?")], is_concise=True)
    assert plan.questions[0].prompt == f"What?\n\n{CONCISE_LINE}"
    assert plan.questions[0].key == "what?"


def test_every_setting_that_changes_the_answer_changes_the_key():
    base = {"preferred_endpoints": ["one"]}
    variants = {
        "same": base,
        "id": {**base, "external_model_ids": {"vllm": "other"}},
        "tokens": {**base, "max_tokens": 7},
        "temperature": {**base, "temperature": 0.7},
        "none": {**base, "temperature": None},
    }
    keys = {}
    for name, entry in variants.items():
        plan = plan_of([Query("What?")], models={"a": entry})
        keys[name] = plan.call_id(plan.models[0], plan.questions[0])
    reasoning = plan_of([Query("What?")], models={"a": base})
    other = replace(reasoning.models[0], use_reasoning=True)
    assert len(set(keys.values())) == len(keys)
    concise = plan_of([Query("What?")], models={"a": base}, is_concise=True)
    renamed = plan_of([Query("What?")], models={"b": {**base, "external_model_ids": {"vllm": "a"}}})
    assert concise.call_id(concise.models[0], concise.questions[0]) not in keys.values()
    assert renamed.call_id(renamed.models[0], renamed.questions[0]) not in keys.values()
    assert other.use_reasoning


def test_what_does_not_change_the_answer_does_not_change_the_key():
    base = {"preferred_endpoints": ["one"]}
    priced = {**base, "pricing": {"prompt_per_1m": 3}, "access_key": "another-key"}
    first = plan_of([Query("What?", "law", "5")], models={"a": base})
    second = plan_of([Query("Why?"), Query("What?", "math", "6")], models={"z": base, "a": priced})
    asked = second.questions[1]
    assert first.call_id(first.models[0], first.questions[0]) == second.call_id(second.models[1], asked)


def test_nothing_to_ask_is_an_error():
    with pytest.raises(BenchmarkError, match="the query file holds no query"):
        plan_of([])
