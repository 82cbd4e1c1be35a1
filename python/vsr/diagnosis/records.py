"""Checks of a file of records: what of it can be learnt from, and what is not what it seems."""

from collections.abc import Iterator
from dataclasses import dataclass

from vsr.data.outcomes import Outcomes
from vsr.data.records import RECORD_FIELDS, Record, read_records
from vsr.data.report import OutcomesReport
from vsr.diagnosis.findings import Finding, counted, listed
from vsr.diagnosis.lines import (
    check_answers_given_away,
    check_bad_lines,
    check_categories,
    check_field_names,
    check_metrics,
)
from vsr.diagnosis.outcomes import check_outcomes
from vsr.diagnosis.record_watch import ModelCounts, RecordWatch, as_text
from vsr.errors import RecordError
from vsr.training.outcomes import score_record

_ENOUGH = 10  # responses: of fewer, all can be the same
_SAME = 0.95
_MANY_FAILED = 0.05
_MANY_UNPARSED = 0.2
_MOST_MODELS = 5


@dataclass(frozen=True)
class RecordsChecked:
    """What a file of records holds, and what was found there.

    Attributes:
        findings: in the order of the checks.
        n_records: how many there are.
        n_queries: unique queries.
        models: their models; those without a quality as well.
    """

    findings: tuple[Finding, ...]
    n_records: int
    n_queries: int
    models: tuple[str, ...]


def check_records(path: str) -> RecordsChecked:
    """Check the records of a file; it is read once, and no response is kept.

    Args:
        path: the file; `-` is standard input.

    Raises:
        RecordError: There is no such file.
    """
    watch = RecordWatch()

    def see(line: bytes, record: Record) -> None:
        watch.see(line, record, records.line)

    records = read_records(path, skip_bad_lines=True, watch=see, follow=watch.follow)
    measured: tuple[Finding, ...]
    try:
        outcomes = Outcomes.from_records(records, scorer=score_record)
    except RecordError as error:
        what = str(error).removeprefix(f"{path}: ")
        measured = (Finding("error", "no-outcomes", path, what, "Nothing can be trained on this file."),)
        n_queries = watch.categories.total + watch.n_without_category
    else:
        report = outcomes.report or OutcomesReport()
        measured = (*_check_report(path, report), *check_outcomes(outcomes, path))
        n_queries = outcomes.n_queries
    watch.finish()
    n_records = sum(each.n_records for each in watch.models.values())
    findings = (
        *check_bad_lines(path, records.bad_lines, records.n_bad_lines),
        *check_field_names(path, watch.misnamed, RECORD_FIELDS),
        *check_metrics(path, watch.unrated_metrics),
        *check_metrics(path, watch.rated_metrics, misspelt="warning"),
        *_check_truths(path, watch),
        *_check_responses(path, watch.models),
        *_check_failures(path, watch.models),
        *measured,
        *check_categories(path, watch.categories, watch.n_without_category),
    )
    return RecordsChecked(findings, n_records, n_queries, tuple(watch.models))


def _check_report(path: str, report: OutcomesReport) -> Iterator[Finding]:
    if report.n_unscored:
        what = f"{counted(report.n_unscored, 'answer is', 'answers are')} unscored and teach nothing"
        fix = "Add `ground_truth` and run `vsr-train score`, or give a `performance`."
        yield Finding("warning", "unscored", path, what, fix, field="performance")
    if report.n_scored:
        what = f"{counted(report.n_scored, 'answer has', 'answers have')} no `performance`"
        fix = "Training scores them each time; `vsr-train score` does so once."
        yield Finding("note", "unrated", path, what, fix, field="performance")
    if report.n_category_conflicts:
        what = f"{counted(report.n_category_conflicts, 'record names', 'records name')} another category than the first"
        what += " one of the same query"
        fix = "The first one counts: keep the right one."
        yield Finding("warning", "contradictory-category", path, what, fix, field="category")
    if report.n_repeats:
        what = f"{counted(report.n_repeats, 'record repeats', 'records repeat')} a query and model"
        fix = "They are averaged; nothing has to be done where they were asked again on purpose."
        yield Finding("note", "repeated-record", path, what, fix)


def _check_truths(path: str, watch: RecordWatch) -> Iterator[Finding]:
    if watch.other_truth.count:
        what = f"{counted(watch.other_truth.count, 'record has', 'records have')} another ground truth than the first"
        what += " one of the same query"
        fix = "One of them is wrong: mend it, and run `vsr-train score`."
        line = watch.other_truth.line
        yield Finding("warning", "contradictory-ground-truth", path, what, fix, line, "ground_truth")
    yield from check_answers_given_away(path, watch.leaking)


def _check_responses(path: str, models: dict[str, ModelCounts]) -> Iterator[Finding]:
    answering = {name: each for name, each in models.items() if each.n_responses >= _ENOUGH}
    n_responses = sum(each.n_responses for each in models.values())
    n_same = sum(each.n_same for each in models.values())
    n_different = len({each.response for each in models.values() if each.n_responses})
    if answering and n_different == 1 and n_same >= _SAME * n_responses:
        share = "all" if n_same == n_responses else f"{n_same:,} of"
        what = f"{share} {n_responses:,} responses are {_shown(next(iter(answering.values())).response)}"
        fix = "Whoever answered did not answer the queries: look at the endpoints, then measure again."
        yield Finding("error", "same-response", path, what, fix, field="response")
        return
    for name, each in answering.items():
        if each.n_same >= _SAME * each.n_responses:
            share = "all" if each.n_same == each.n_responses else f"{each.n_same:,} of"
            what = f"{share} {each.n_responses:,} responses of {name} are {_shown(each.response)}"
            fix = "Look at how it is asked: that is no answer to different queries."
            yield Finding("warning", "same-response", path, what, fix, field="response")
    for name, each in answering.items():
        if each.n_unparsed > _MANY_UNPARSED * each.n_responses:
            what = f"{each.n_unparsed:,} of {each.n_responses:,} responses of {name} commit to no answer and count as 0"
            fix = "Raise its max_tokens if they are cut off, or ask with `benchmark --concise`."
            yield Finding("warning", "unparsed", path, what, fix, field="unparsed")


def _check_failures(path: str, models: dict[str, ModelCounts]) -> Iterator[Finding]:
    failing = {name: each for name, each in models.items() if each.n_failed}
    if not failing:
        return
    many = {name: each for name, each in failing.items() if each.n_failed > _MANY_FAILED * each.n_records}
    for name, each in list(many.items())[:_MOST_MODELS]:
        commonest = max(each.errors, key=lambda text: each.errors[text])
        what = f"{each.n_failed:,} of {each.n_records:,} calls to {name} failed, mostly: {commonest}"
        fix = "Mend the cause, then `vsr-train benchmark --retry-failed` asks these again."
        yield Finding("warning", "failed-calls", path, what, fix, field="error")
    others = {name: each for name, each in failing.items() if name not in list(many)[:_MOST_MODELS]}
    if others:
        n_failed = sum(each.n_failed for each in others.values())
        what = f"{counted(n_failed, 'call', 'calls')} to {listed(others)} failed"
        fix = "`vsr-train benchmark --retry-failed` asks them again."
        yield Finding("note", "failed-calls", path, what, fix, field="error")


def _shown(response: bytes) -> str:
    text = " ".join(as_text(response).split())
    return f"`{text if len(text) <= 40 else f'{text[:37]}...'}`"
