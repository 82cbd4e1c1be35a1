import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.data.categories import UnknownCategory
from vsr.data.outcomes import Outcomes, OutcomesReport
from vsr.data.prompts import render_prompt, unique_key, unique_prompts, unique_rows
from vsr.data.records import Record, UnratedRecord, read_records
from vsr.errors import RecordError

NAN = math.nan


def record(query: str, model: str, performance: float | None = 1.0, **fields: object) -> Record:
    return replace_fields(Record(query, model, performance), fields)


def replace_fields(made: Record, fields: dict[str, object]) -> Record:
    return type(made)(**{name: getattr(made, name) for name in made.__struct_fields__} | fields)


def same(left: Outcomes, right: Outcomes) -> bool:
    return left.digest() == right.digest()


def test_rows_and_columns_in_order_of_first_appearance() -> None:
    outcomes = Outcomes.from_records(
        [
            record("Second?", "b", 0.5, response_time=2.0, cost=0.1, category="Computer Science"),
            record("first", "a", 1.0, response_time=1.0),
            record("  SECOND?\n", "a", 0.0),
        ]
    )
    assert outcomes.queries == ("Second?", "first")
    assert outcomes.models == ("b", "a")
    assert outcomes.categories == ("computer_science", None)
    np.testing.assert_array_equal(outcomes.quality, [[0.5, 0.0], [NAN, 1.0]])
    np.testing.assert_array_equal(outcomes.latency_s, [[2.0, NAN], [NAN, 1.0]])
    np.testing.assert_array_equal(outcomes.cost_usd, [[0.1, NAN], [NAN, NAN]])
    assert outcomes.report == OutcomesReport(n_records=3)
    assert outcomes.report.lines() == []
    assert (outcomes.n_queries, outcomes.n_models) == (2, 2)


def test_choices_make_another_query() -> None:
    outcomes = Outcomes.from_records(
        [
            record("Which?", "m"),
            record("Which?", "m", choices=["x", "y"]),
            record("Which?", "m", choices='["x", "y"]'),
            record("Which?", "m", choices=["y", "x"]),
        ]
    )
    assert outcomes.queries == ("Which?", "Which?\nA) x\nB) y", "Which?\nA) y\nB) x")
    assert outcomes.report is not None
    assert outcomes.report.n_repeats == 1


def test_repeats_are_averaged_over_what_was_measured() -> None:
    outcomes = Outcomes.from_records(
        [
            record("q", "m", 1.0, response_time=1.0),
            record("q", "m", 0.0, response_time=3.0, cost=0.5),
            record("q", "m", 0.5, unscored=True, response_time=5.0),
        ]
    )
    assert outcomes.quality.tolist() == [[0.5]]
    assert outcomes.latency_s.tolist() == [[3.0]]
    assert outcomes.cost_usd.tolist() == [[0.5]]
    assert outcomes.report is not None
    assert (outcomes.report.n_repeats, outcomes.report.n_unscored) == (2, 1)


@pytest.mark.parametrize(
    ("error", "quality", "latency_s", "counted"),
    [
        ("timeout: 60 s", 0.0, 60.0, "n_timeouts"),
        ("refusal: filter", 0.0, NAN, "n_failed"),
        ("context_overflow: 9000 tokens", 0.0, NAN, "n_failed"),
        ("something else", 0.0, NAN, "n_failed"),
        ("HTTP 401: Unauthorized", NAN, NAN, "n_unavailable"),
    ],
)
@pytest.mark.parametrize("performance", [None, 0.0, 1.0])
def test_failed_calls(error: str, quality: float, latency_s: float, counted: str, performance: float | None) -> None:
    failed = record("q", "m", performance, error=error, response_time=60.0, cost=1.0)
    outcomes = Outcomes.from_records([failed, record("other", "m", 1.0)])
    np.testing.assert_array_equal(outcomes.quality, [[quality], [1.0]])
    np.testing.assert_array_equal(outcomes.latency_s, [[latency_s], [NAN]])
    assert np.isnan(outcomes.cost_usd).all()
    assert outcomes.report is not None
    assert getattr(outcomes.report, counted) == 1
    assert len(outcomes.report.lines()) == 1


def test_answers_without_performance_need_a_scorer() -> None:
    answers = [
        UnratedRecord("q", "m", response="B", ground_truth="B", response_time=1.0),
        UnratedRecord("q2", "m", response="B", ground_truth=None),
        UnratedRecord("q3", "m", response="strange", ground_truth="B"),
    ]
    with pytest.raises(RecordError, match=r"record 1: `performance` is missing; .* `vsr-train score` adds it"):
        Outcomes.from_records(answers)
    outcomes = Outcomes.from_records(answers, scorer=lambda each: 0.25 if each.response == each.ground_truth else None)
    np.testing.assert_array_equal(outcomes.quality, [[0.25], [NAN], [NAN]])
    assert outcomes.latency_s[0, 0] == 1.0
    assert outcomes.report == OutcomesReport(n_records=3, n_scored=1, n_unscored=2)
    assert outcomes.measured_rows.tolist() == [0]


def test_the_first_category_holds_and_unknown_ones_are_counted() -> None:
    outcomes = Outcomes.from_records(
        [
            record("a", "m", category=" "),
            record("a", "n", category="Math"),
            record("a", "o", category="math"),
            record("a", "p", category="law"),
            record("b", "m", category="geography"),
            record("b", "n", category="geography"),
            record("c", "m", category="geography"),
            record("d", "m", category="other"),
        ]
    )
    assert outcomes.categories == ("math", "other", "other", "other")
    assert outcomes.report is not None
    assert outcomes.report.n_category_conflicts == 1
    assert outcomes.report.unknown_categories == (UnknownCategory("geography", 2),)
    assert outcomes.report.lines() == [
        "1 records name another category than the first one of their query, which holds",
        "categories taken as other: 'geography' (2)",
    ]


def test_two_texts_under_one_id_are_an_error(tmp_path: Path) -> None:
    rows = [{"query": text, "model_name": "m", "performance": 1, "embedding_id": 5} for text in ("One", " one", "Two")]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(RecordError) as caught:
        Outcomes.from_records(read_records(path))
    assert str(caught.value) == (
        f"{path}:3: `embedding_id` 5 stands for two texts, 'One' and 'Two'; expected one id a query. "
        "Number the queries anew or leave the ids out"
    )


def test_asked_models_come_in_their_order_and_every_query_keeps_its_row() -> None:
    records = [record("x", "c"), record("y", "a", 0.5), record("z", "b"), record("z", "keyless", None, error="no key")]
    outcomes = Outcomes.from_records(records, models=["b", "a", "keyless", "absent"])
    assert outcomes.models == ("b", "a")
    assert outcomes.queries == ("x", "y", "z")
    assert outcomes.measured_rows.tolist() == [1, 2]
    assert outcomes.report == OutcomesReport(
        n_records=4, n_other_models=1, n_unavailable=1, models_without_quality=("keyless", "absent")
    )
    with pytest.raises(RecordError, match="there is no record of absent; their models are c, a, b, keyless"):
        Outcomes.from_records(records, models=["absent"])


def test_nothing_to_learn_from() -> None:
    with pytest.raises(RecordError, match="there is no record; expected at least one"):
        Outcomes.from_records([])
    with pytest.raises(RecordError, match=r"none of the 2 records has a quality \(1 failed .* 1 unscored answers\)"):
        Outcomes.from_records([record("q", "m", None, error="no key"), record("q", "m", 0.5, unscored=True)])


cells = st.tuples(
    st.sampled_from(["one", "ONE", "two", " two ", "thrée"]),
    st.sampled_from(["a", "b", "c"]),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 100),
)


@given(st.lists(cells, min_size=1, max_size=30))
def test_grouping_agrees_with_a_plain_reference(drawn: list[tuple[str, str, float | None, float | None]]) -> None:
    records = [
        record(query, model, 0.5 if quality is None else quality, unscored=quality is None, response_time=latency)
        for query, model, quality, latency in drawn
    ]
    queries = list(dict.fromkeys(unique_key(query) for query, *_ in drawn))
    models = [model for model in dict.fromkeys(model for _, model, *_ in drawn)
              if any(other == model and quality is not None for _, other, quality, _ in drawn)]  # fmt: skip
    if not models:
        with pytest.raises(RecordError, match="has a quality"):
            Outcomes.from_records(records)
        return
    outcomes = Outcomes.from_records(records)
    assert [unique_key(query) for query in outcomes.queries] == queries
    assert list(outcomes.models) == models
    for row, key in enumerate(queries):
        for column, model in enumerate(models):
            mine = [each for each in drawn if unique_key(each[0]) == key and each[1] == model]
            for array, at in ((outcomes.quality, 2), (outcomes.latency_s, 3)):
                known = np.array([each[at] for each in mine if each[at] is not None], dtype=np.float64)
                assert array[row, column] == pytest.approx(known.mean() if known.size else NAN, nan_ok=True)


def small() -> Outcomes:
    return Outcomes(
        queries=["a", "b", "c"],
        categories=["Math", None, "astrology"],
        models=["m", "n"],
        quality=np.array([[1, 0], [0.5, NAN], [NAN, NAN]]),
        latency_s=np.array([[1, 2], [3, 4], [5, 6]]),
    )


def test_built_from_arrays() -> None:
    outcomes = small()
    assert outcomes.categories == ("math", None, "other")
    assert outcomes.report == OutcomesReport(unknown_categories=(UnknownCategory("astrology", 1),))
    assert np.isnan(outcomes.cost_usd).all()
    assert outcomes.observed.tolist() == [[True, True], [True, False], [False, False]]
    assert outcomes.measured_rows.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        outcomes.quality[0, 0] = 0.0


def test_parts() -> None:
    outcomes = small()
    part = outcomes.take([2, 0])
    assert (part.queries, part.categories) == (("c", "a"), ("other", "math"))
    assert part.latency_s.tolist() == [[5, 6], [1, 2]]
    assert same(outcomes.take(np.array([True, False, True])), outcomes.take([0, 2]))
    turned = outcomes.with_models(["n", "m"])
    assert turned.latency_s.tolist() == [[2, 1], [4, 3], [6, 5]]
    assert same(turned.with_models(["m", "n"]), outcomes)
    assert outcomes.with_categories(["law", "law", None]).categories == ("law", "law", None)
    with pytest.raises(RecordError, match="outcomes have no model x; their models are m, n"):
        outcomes.with_models(["m", "x"])
    with pytest.raises(RecordError, match="no queries"):
        outcomes.take([])


def test_the_digest_is_of_the_content() -> None:
    outcomes = small()
    assert outcomes.digest() == "f07d17f4770b1f90cc652a0d28c4f54cc60d4132e64f9c76848e17a4f1c6f72d"
    quality = np.array(outcomes.quality)
    quality[0, 1] = -0.0
    quality[1, 1] = -NAN
    assert same(replace(outcomes, quality=quality), outcomes)
    for change in (
        {"queries": ["a", "b", "d"]},
        {"categories": [None, None, "other"]},
        {"models": ["m", "o"]},
        {"quality": quality * 0.5},
        {"latency_s": None},
        {"cost_usd": outcomes.latency_s},
    ):
        assert not same(replace(outcomes, **change), outcomes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": []}, "outcomes have no queries"),
        ({"models": []}, "outcomes have no models"),
        ({"models": ["m", "m"]}, "outcomes name m more than once; expected one column a model"),
        ({"categories": ["math"]}, "outcomes have 3 queries and 1 categories; expected one each"),
        (
            {"quality": [[1, 0]]},
            r"quality has shape \(1, 2\); expected \(3, 2\), one row a query and one column a model",
        ),
        ({"quality": [["high"] * 2] * 3}, "quality is no matrix of numbers"),
        (
            {"quality": [[0, 1], [0, 1.7], [0, 1]]},
            r"quality is 1.7 in row 1, column 1; expected numbers from 0 to 1, NaN",
        ),
        ({"quality": [[0, 1], [0, 1], [-0.1, 1]]}, r"quality is -0.1 in row 2, column 0"),
        (
            {"latency_s": [[0, 1], [0, math.inf], [0, 1]]},
            "latency_s is inf in row 1, column 1; expected numbers 0 or more",
        ),
        ({"cost_usd": [[0, 1], [0, -1], [0, 1]]}, r"cost_usd is -1.0 in row 1, column 1; expected numbers 0"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        replace(small(), **change)


@pytest.mark.parametrize("name", ["mmlu_pro", "llmrouter"])
def test_real_records(name: str, shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    script = shared / "data" / "expand.py"
    subprocess.run([sys.executable, script, name, "--models", "4", "--limit", "200", "--records", path], check=True)
    outcomes = Outcomes.from_records(read_records(path))
    assert outcomes.quality.shape == (200, 4)
    assert 0.3 < np.nanmean(outcomes.quality) < 0.8
    assert np.isfinite(outcomes.latency_s[outcomes.observed]).all()
    assert outcomes.report is not None
    assert outcomes.report.n_records == int(outcomes.observed.sum())


@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("aA \n\u00e9e\u0301\u0130"), min_size=1, max_size=4).filter(
                lambda text: text.strip()
            ),
            st.sampled_from([None, ["x"], ["X"], ["x", "y"]]),
            st.sampled_from("mn"),
        ),
        min_size=1,
    )
)
def test_unique_prompts_are_the_rows_of_outcomes(rows: list[tuple[str, list[str] | None, str]]) -> None:
    records = [record(query, model, choices=choices) for query, choices, model in rows]
    written = [render_prompt(query, choices) for query, choices, _ in rows]
    prompts = unique_prompts(written)
    assert tuple(prompts) == Outcomes.from_records(records).queries
    own = unique_rows(written)
    assert [unique_key(prompts[row]) for row in own] == [unique_key(prompt) for prompt in written]
    assert list(dict.fromkeys(own)) == list(range(len(prompts)))
