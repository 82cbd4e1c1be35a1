"""promptfoo: results of `promptfoo eval -o`, `.json` or `.jsonl`, an object for every test, prompt and provider."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from vsr.importing import chats
from vsr.importing.imported import Imported, ImportedRecord, LeftOut, known_category, n_tokens, quality, seconds, usd
from vsr.importing.imported import text as filled
from vsr.importing.rows import Row, read_rows

_ERROR = 2  # `failureReason` of a test whose provider gave no answer
# Assertions whose value is the right answer, and our rule for them.
_TRUTHS = {"equals": "exact_match", "contains": "contains", "icontains": "contains"}


def read(path: Path, _score: str | None) -> Iterator[Imported]:
    """Read one file of results."""
    for place, row in read_rows(path, (("results", "results", "*"), ("results", "*"))):
        yield row if isinstance(row, LeftOut) else _record(row, place)


def _record(row: Row, place: str) -> Imported:
    provider, prompt = row.get("provider"), row.get("prompt")
    model = None
    if isinstance(provider, Mapping):
        model = filled(provider.get("label")) or filled(provider.get("id"))
    asked = chats.asked(prompt.get("raw")) if isinstance(prompt, Mapping) else None
    if model is None or asked is None:
        return LeftOut("rows without provider or prompt (are they results of promptfoo?)", place)
    response = row.get("response")
    answer = response if isinstance(response, Mapping) else {}
    usage = answer.get("tokenUsage")
    counts = usage if isinstance(usage, Mapping) else {}
    is_cached = bool(answer.get("cached"))
    case = row.get("testCase")
    test = case if isinstance(case, Mapping) else {}
    metadata = test.get("metadata")
    has_failed = row.get("failureReason") == _ERROR or (row.get("error") is not None and not answer)
    given = answer.get("output")
    truth, metric = _truth(test.get("assert"))
    return ImportedRecord(
        model_name=model,
        query=asked.query,
        messages=asked.messages,
        category=known_category(metadata.get("category")) if isinstance(metadata, Mapping) else None,
        task_name=filled(test.get("description")),
        response=given if isinstance(given, str) else None,
        ground_truth=truth,
        metric=metric,
        # Without assertions every test passes, which says nothing.
        performance=quality(row.get("score")) if _is_graded(row) and not has_failed else None,
        response_time=None if is_cached or has_failed else seconds(row.get("latencyMs"), 1e-3),
        input_tokens=n_tokens(counts.get("prompt")),
        output_tokens=n_tokens(counts.get("completion")),
        cost=None if is_cached else usd(row.get("cost")),
        error=str(row.get("error") or "the provider gave no answer") if has_failed else None,
        group=None if row.get("testIdx") is None else f"{path_stem(place)} test {row['testIdx']}",
    )


def path_stem(place: str) -> str:
    """Name the file of a place, so that tests of two files are no group."""
    return Path(place.partition(",")[0].partition(":")[0]).name


def _is_graded(row: Row) -> bool:
    grading = row.get("gradingResult")
    return isinstance(grading, Mapping) and bool(grading.get("componentResults") or grading.get("assertion"))


def _truth(assertions: object) -> tuple[str | None, str | None]:
    """Find the one assertion whose value is the right answer, and the rule for it."""
    if not isinstance(assertions, list) or len(assertions) != 1 or not isinstance(assertions[0], Mapping):
        return None, None
    metric = _TRUTHS.get(str(assertions[0].get("type")))
    value = filled(assertions[0].get("value"))
    return (value, metric) if value is not None and metric is not None else (None, None)
