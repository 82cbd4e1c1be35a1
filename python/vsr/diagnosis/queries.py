"""Checks of a file of queries: what would waste the money of a benchmark, or make its answers worthless."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from vsr.data.categories import normalise_category
from vsr.data.fields import meant_field
from vsr.data.prompts import unique_key
from vsr.data.records import QUERY_FIELDS, Queries, Query
from vsr.diagnosis.findings import Finding, counted
from vsr.diagnosis.leaks import answer_given_away
from vsr.diagnosis.lines import (
    Seen,
    Tally,
    check_answers_given_away,
    check_bad_lines,
    check_categories,
    check_field_names,
    check_metrics,
)
from vsr.scoring import read_options, scoring_rule
from vsr.training.folds import FEW_QUERIES

_LETTER = re.compile(r"[(\[]?[A-Za-z][)\]]?\.?")


@dataclass
class _Gathered:
    """What is gathered from the queries in one pass."""

    n_unique: int = 0
    first: dict[str, tuple[Query, int | None]] = field(default_factory=dict)  # by unique key
    misnamed: Tally = field(default_factory=Tally)
    metrics: Tally = field(default_factory=Tally)
    categories: Tally = field(default_factory=Tally)
    n_without_category: int = 0
    n_without_truth: int = 0
    without_truth: Seen = field(default_factory=Seen)
    repeated: Seen = field(default_factory=Seen)
    other_truth: Seen = field(default_factory=Seen)
    other_category: Seen = field(default_factory=Seen)
    leaking: Seen = field(default_factory=Seen)
    without_options: Seen = field(default_factory=Seen)


def check_queries(queries: Queries) -> tuple[Finding, ...]:
    """Check the queries of a file.

    Args:
        queries: what `read_queries` gives; bad lines that it left out are errors.
    """
    path = queries.path
    gathered = _gather(queries)
    return (
        *check_bad_lines(path, queries.bad_lines, queries.n_bad_lines),
        *_check_fields(path, gathered),
        *check_metrics(path, gathered.metrics),
        *_check_truths(path, gathered),
        *_check_repeats(path, gathered),
        *check_categories(path, gathered.categories, gathered.n_without_category),
        *_check_number(path, gathered),
    )


def _gather(queries: Queries) -> _Gathered:
    gathered = _Gathered()
    lines = queries.lines or (None,) * len(queries)
    for query, line in zip(queries, lines, strict=True):
        for name, held in query.extra.items():
            meant = None if held is None else _meant(name)
            if meant is not None and getattr(query, meant) is None:
                gathered.misnamed.add(name, line)
        if query.metric is not None:
            gathered.metrics.add(query.metric, line)
        key = unique_key(query.prompt)
        first = gathered.first.setdefault(key, (query, line))
        if first[0] is query:
            _gather_unique(gathered, query, line)
        else:
            _gather_repeat(gathered, query, line, first[0])
    return gathered


def _gather_unique(gathered: _Gathered, query: Query, line: int | None) -> None:
    gathered.n_unique += 1
    if query.category is None:
        gathered.n_without_category += 1
    else:
        gathered.categories.add(query.category, line)
    if not query.ground_truth or query.ground_truth.isspace():
        gathered.without_truth.add(line)
        return
    if answer_given_away(query.query, query.ground_truth):
        gathered.leaking.add(line)
    if _lacks_options(query):
        gathered.without_options.add(line)


def _gather_repeat(gathered: _Gathered, query: Query, line: int | None, first: Query) -> None:
    gathered.repeated.add(line)
    mine, others = (unique_key(each.ground_truth or "") for each in (query, first))
    if mine and others and mine != others:
        gathered.other_truth.add(line)
    categories = [each.category for each in (query, first)]
    if None not in categories and len({normalise_category(str(name)) or name for name in categories}) > 1:
        gathered.other_category.add(line)


@lru_cache(maxsize=1000)
def _meant(name: str) -> str | None:
    return meant_field(name, QUERY_FIELDS)


def _lacks_options(query: Query) -> bool:
    """Tell whether the ground truth is a letter of options that the model never sees."""
    truth = (query.ground_truth or "").strip()
    if _LETTER.fullmatch(truth) is None or query.choices is not None:
        return False
    rule = scoring_rule(truth, query=query.query, metric=query.metric, task_name=query.task_name)
    is_choice = rule == "multiple_choice" or any(_meant(name) == "choices" for name in query.extra)
    return is_choice and read_options(query.query, None) is None


def _check_fields(path: str, gathered: _Gathered) -> Iterator[Finding]:
    truth_elsewhere = gathered.without_truth.count == gathered.n_unique
    for finding in check_field_names(path, gathered.misnamed, QUERY_FIELDS):
        meant = _meant(finding.field or "")
        if meant == "choices" and not gathered.without_options.count:
            continue  # the options stand in the query itself
        if meant == "choices" or (meant == "ground_truth" and truth_elsewhere):
            # The prompts would lack the options, or every answer would go unscored: money for nothing.
            yield replace(finding, level="error")
        else:
            yield finding


def _check_truths(path: str, gathered: _Gathered) -> Iterator[Finding]:
    n_without = gathered.without_truth.count
    if n_without and n_without == gathered.n_unique:
        fix = "Add the right answers, or have responses judged: nothing can be learnt from answers without a quality."
        yield Finding("warning", "no-ground-truth", path, "no query has a ground truth", fix, field="ground_truth")
    elif n_without:
        what = f"{counted(n_without, 'query', 'queries')} of {gathered.n_unique:,} have no ground truth"
        fix = "Answers to them stay unscored and teach nothing: add the right answers."
        line = gathered.without_truth.line
        yield Finding("warning", "missing-ground-truth", path, what, fix, line, "ground_truth")
    if gathered.without_options.count:
        count = counted(gathered.without_options.count, "query", "queries")
        yield Finding(
            "warning",
            "options-not-shown",
            path,
            f"the ground truth is the letter of an option, but no options are shown to the model ({count})",
            "Give them as `choices`, or list them in the query as A), B), ...",
            gathered.without_options.line,
            "choices",
        )
    yield from check_answers_given_away(path, gathered.leaking)


def _check_repeats(path: str, gathered: _Gathered) -> Iterator[Finding]:
    for seen, name in ((gathered.other_truth, "ground truth"), (gathered.other_category, "category")):
        if seen.count:
            what = f"{counted(seen.count, 'line repeats', 'lines repeat')} a query with another {name}"
            check = f"contradictory-{name.replace(' ', '-')}"
            fix = "The first one counts: keep the right line."
            yield Finding("warning", check, path, what, fix, seen.line, name.replace(" ", "_"))
    if gathered.repeated.count:
        what = f"{counted(gathered.repeated.count, 'line repeats', 'lines repeat')} a query (case and blanks aside)"
        fix = "Each query is asked once; nothing has to be done."
        yield Finding("note", "duplicate-query", path, what, fix, gathered.repeated.line, "query")


def _check_number(path: str, gathered: _Gathered) -> Iterator[Finding]:
    if gathered.n_unique < FEW_QUERIES:
        what = f"only {counted(gathered.n_unique, 'unique query', 'unique queries')}"
        fix = f"Measure {FEW_QUERIES} at the very least to judge routing; some hundreds are better."
        yield Finding("note", "few-queries", path, what, fix)
