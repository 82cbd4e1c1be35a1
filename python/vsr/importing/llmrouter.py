"""LLMRouter: routing data (a row a query and model), and the preprocessed lists with `scores` of all models."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from vsr.data.prompts import parse_choices
from vsr.errors import RecordError
from vsr.importing.imported import Imported, ImportedRecord, LeftOut, known_category, n_tokens, quality, seconds, usd
from vsr.importing.imported import text as filled
from vsr.importing.imported import truth as right_answer
from vsr.importing.rows import Row, read_rows
from vsr.scoring import is_unknown_metric

_FAILED = "ERROR"  # how its responses begin where a call failed


def read(path: Path, _score: str | None) -> Iterator[Imported]:
    """Read a file of routing data."""
    for place, row in read_rows(path):
        if isinstance(row, LeftOut):
            yield row
        elif isinstance(row.get("scores"), Mapping):
            yield from _of_all_models(row, place)
        else:
            yield _record(row, place)


def _of_all_models(row: Row, place: str) -> Iterator[Imported]:
    query, scores = filled(row.get("question")) or filled(row.get("query")), row["scores"]
    if query is None or not isinstance(scores, Mapping):
        yield LeftOut("rows without a question", place)
        return
    for model, score in scores.items():
        value = quality(score)
        if value is None:
            yield LeftOut("scores that are not from 0 to 1", f"{place}: {model}")
        else:
            yield ImportedRecord(
                model_name=str(model), query=query, task_name=filled(row.get("task_name")), performance=value
            )


def _record(row: Row, place: str) -> Imported:
    query, model = filled(row.get("query")), filled(row.get("model_name"))
    if query is None or model is None:
        return LeftOut("rows without query or model_name", place)
    response = row.get("response")
    has_failed = isinstance(response, str) and response.startswith(_FAILED)
    metric = filled(row.get("metric"))
    try:
        choices = parse_choices(row.get("choices"))
    except RecordError:
        choices = None
    # Tests of programs stand in `choices` too: they are no options.
    is_choice = choices is not None and metric is not None and metric.lower() == "em_mc"
    return ImportedRecord(
        model_name=model,
        query=query,
        choices=choices.texts if choices is not None and is_choice else None,
        task_name=filled(row.get("task_name")),
        category=known_category(row.get("category")),
        response=response if isinstance(response, str) and not has_failed else None,
        ground_truth=right_answer(row.get("ground_truth", row.get("gt"))),
        metric=None if is_unknown_metric(metric) else metric,
        performance=None if has_failed else quality(row.get("performance")),
        response_time=None if has_failed else seconds(row.get("response_time")),
        input_tokens=n_tokens(row.get("input_tokens", row.get("prompt_tokens"))),
        output_tokens=n_tokens(row.get("output_tokens", row.get("completion_tokens"))),
        cost=usd(row.get("cost")),
        error=str(response)[:1000] if has_failed else None,
    )
