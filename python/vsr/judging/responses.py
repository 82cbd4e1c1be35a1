"""The responses of a file of records that can be judged, and what is known of their quality already."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from vsr.benchmark.plan import Question, spread
from vsr.data.fields import is_number
from vsr.data.json_lines import JsonLines
from vsr.data.prompts import render_prompt, unique_key
from vsr.data.records import Query, explain_record, read_objects
from vsr.errors import RecordError
from vsr.scoring import score_response

# Rules that give partial credit for words in common: a stand-in for a judge, not the truth.
_ROUGH_RULES = frozenset({"text", "code", "coverage"})


@dataclass(frozen=True)
class Response:
    """One response of one model to one query.

    Attributes:
        row: its place among the records of the file, from 0.
        query: the prompt as it was asked.
        key: under which two queries are one.
        category: as the record has it.
        model: who answered.
        text: what it answered.
        ground_truth: the right answer, where there is one.
        truth: its quality, where that is known: by a person, or by a rule that does not guess.
    """

    row: int
    query: str
    key: str
    category: str | None
    model: str
    text: str
    ground_truth: str | None = None
    truth: float | None = None


@dataclass(frozen=True)
class Responses:
    """The responses of a file.

    Attributes:
        path: the file.
        items: those that can be judged, in its order.
        n_records: how many records it has.
        n_without_response: records of failed calls and the like.
        n_without_truth: answered, but with no ground truth to compare with, where that is asked for.
        n_bad_lines: lines that were left out.
    """

    path: str
    items: tuple[Response, ...]
    n_records: int
    n_without_response: int
    n_without_truth: int = 0
    n_bad_lines: int = 0


def open_records(path: str | os.PathLike[str], *, skip_bad_lines: bool = False) -> JsonLines[dict[str, object]]:
    """Open a file of records for their objects, each with every field as it stands.

    Raises:
        RecordError: There is no such file; while iterating: a line is no record.
    """
    return read_objects(path, noun="records", explain=explain_record, skip_bad_lines=skip_bad_lines)


def read_responses(
    path: str | os.PathLike[str], *, needs_truth: bool = False, skip_bad_lines: bool = False
) -> Responses:
    """Read the responses of a file of records.

    Args:
        path: the file.
        needs_truth: leave out those without a ground truth.
        skip_bad_lines: leave out lines that cannot be read, and count them.

    Raises:
        RecordError: There is no such file, a line is no record, or nothing in it can be judged.
    """
    lines = open_records(path, skip_bad_lines=skip_bad_lines)
    items: list[Response] = []
    n_records = n_without_response = n_without_truth = 0
    for row, record in enumerate(lines):
        n_records += 1
        text = record.get("response")
        if record.get("error") or not isinstance(text, str) or not text.strip():
            n_without_response += 1
            continue
        response = _response(row, record, text)
        if needs_truth and response.ground_truth is None:
            n_without_truth += 1
            continue
        items.append(response)
    if not items:
        wanted = "a `response` and a `ground_truth`" if needs_truth else "a `response`"
        raise RecordError(f"{os.fspath(path)}: nothing in it can be judged; expected records with {wanted}")
    return Responses(os.fspath(path), tuple(items), n_records, n_without_response, n_without_truth, lines.n_bad_lines)


def limited(responses: Responses, n_queries: int, seed: int) -> Responses:
    """Keep the responses to some of the queries, spread over the categories.

    Args:
        responses: what there is.
        n_queries: how many queries to keep.
        seed: decides which; a larger number keeps those of a smaller one.
    """
    first = {each.key: each for each in reversed(responses.items)}
    questions = [
        Question(Query(each.query, each.category), each.query, key, place)
        for place, (key, each) in enumerate(reversed(first.items()))
    ]
    kept = {question.key for question in spread(questions, n_queries, seed)}
    return replace(responses, items=tuple(each for each in responses.items if each.key in kept))


def _response(row: int, record: Mapping[str, object], text: str) -> Response:
    prompt = render_prompt(str(record.get("query") or ""), record.get("choices"), record.get("messages"))
    truth = record.get("ground_truth")
    category = record.get("category")
    return Response(
        row=row,
        query=prompt,
        key=unique_key(prompt),
        category=category if isinstance(category, str) and category.strip() else None,
        model=str(record["model_name"]),
        text=text,
        ground_truth=None if truth is None or not str(truth).strip() else str(truth),
        truth=_truth_of(record),
    )


def is_rough(record: Mapping[str, object]) -> bool:
    """Tell whether a record's quality is the share of words that it has in common with the ground truth."""
    return record.get("scoring_rule") in _ROUGH_RULES


def _truth_of(record: Mapping[str, object]) -> float | None:
    """Give the quality of a record, where it is known without a judge."""
    held = record.get("performance")
    if isinstance(held, int | float) and is_number(held, 0, 1):
        is_known = not record.get("unscored") and not record.get("is_judged") and not is_rough(record)
        return float(held) if is_known else None
    if record.get("ground_truth") is None:
        return None
    known = {name: record.get(name) for name in ("query", "choices", "metric", "category", "task_name")}
    score = score_response(record["response"], record["ground_truth"], **known)  # type: ignore[arg-type]
    return None if score.unscored or score.kind in _ROUGH_RULES else score.value
