"""lm-evaluation-harness: `samples_TASK_DATE.jsonl` as `--log_samples` writes them, beside `results_DATE.json`.

A line is a document under one filter, with one or more scores. Which of the filters and scores is taken is said by
`--score` (`acc_norm`, or with its filter `exact_match,flexible-extract`); else it is the first that the file holds.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from vsr.data.prompts import option_label
from vsr.errors import RecordError
from vsr.importing import chats
from vsr.importing.imported import Imported, ImportedRecord, LeftOut, known_category, quality, truth
from vsr.importing.imported import text as filled
from vsr.importing.rows import Row, read_rows

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl(\.gz)?")
_QUESTIONS = ("question", "query", "problem", "input", "prompt")  # what tasks call it in their documents
_LETTER = re.compile(r"\(?[A-Z]\)?")


def read(path: Path, score: str | None) -> Iterator[Imported]:
    """Read the samples of one task and one model.

    Raises:
        RecordError: The name is none of lm-evaluation-harness, or the results file is missing.
    """
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise RecordError(f"{path}: expected a name such as samples_TASK_2026-01-31T12-00-00.000000.jsonl")
    run = _read_run(path.with_name(f"results_{named['date']}.json"))
    task = named["task"]
    metric, _, wanted_filter = (score or "").partition(",")
    for place, row in read_rows(path):
        if isinstance(row, LeftOut):
            yield row
            continue
        held = str(row.get("filter", "none"))
        wanted_filter = wanted_filter or held
        if held != wanted_filter:
            yield LeftOut(f"samples of another filter than {wanted_filter}", place)
            continue
        scores = row.get("metrics")
        names = [str(name) for name in scores] if isinstance(scores, list) else []
        if metric and metric not in names:
            yield LeftOut(f"samples without the score {metric}", f"{place}: it has {', '.join(names)}")
            continue
        yield _record(row, place, run, task, metric or next(iter(names), ""))


class _Run(msgspec.Struct, frozen=True):
    """What the results file says of a run."""

    model_name: str
    n_shot: dict[str, int] = msgspec.field(default_factory=dict, name="n-shot")


@functools.lru_cache(maxsize=64)
def _read_run(path: Path) -> _Run:
    try:
        run = msgspec.json.decode(path.read_bytes(), type=_Run)
    except OSError as error:
        raise RecordError(
            f"{path}: cannot be read ({error.strerror}); it names the model of the samples beside it. Put it there"
        ) from error
    except msgspec.MsgspecError as error:
        raise RecordError(f"{path}: is no results file of lm-evaluation-harness ({error})") from error
    return run


def _record(row: Row, place: str, run: _Run, task: str, metric: str) -> Imported:
    document = row.get("doc")
    fields = document if isinstance(document, Mapping) else {}
    arguments = row.get("arguments")
    requests = [each for each in arguments.values() if isinstance(each, Mapping)] if isinstance(arguments, dict) else []
    contexts = [each.get("arg_0") for each in requests]
    question = next((fields[name] for name in _QUESTIONS if filled(fields.get(name))), None)
    asked = _asked(contexts[0], question, n_shots=run.n_shot.get(task, 0)) if contexts else None
    if asked is None:
        return LeftOut("rows without a prompt", place)
    options = [each.get("arg_1") for each in requests]
    is_choice = len(options) > 1 and all(isinstance(option, str) for option in options) and len(set(contexts)) == 1
    texts = [str(option).strip() for option in options] if is_choice else []
    # Letters as continuations: the options themselves stand in the prompt.
    are_letters = bool(texts) and all(_LETTER.fullmatch(each) for each in texts)
    labels = [each.strip("()") for each in texts] if are_letters else [option_label(i) for i in range(len(texts))]
    likeliest = _likeliest(row.get("resps"), len(texts)) if is_choice else None
    right = row.get("target")
    return ImportedRecord(
        model_name=run.model_name,
        query=asked.query,
        messages=asked.messages,
        choices=texts if texts and not are_letters else None,
        task_name=task,
        category=known_category(fields.get("category"), fields.get("subject")),
        response=_first_text(row.get("resps")) if not is_choice else None if likeliest is None else labels[likeliest],
        ground_truth=_label(right, texts, labels) if is_choice else truth(right),
        metric="em_mc" if is_choice else None,
        performance=quality(row.get(metric)),
    )


def _asked(context: object, question: object, *, n_shots: int) -> chats.Asked | None:
    """Read what was asked; of a prompt with examples before it the question alone, where the document has one."""
    if isinstance(context, list) and len(context) == 1:
        context = context[0]  # a chat, written as JSON in a list of one
    whole = chats.asked(context)
    if n_shots and isinstance(question, str):
        return chats.Asked(question)
    return whole


def _first_text(responses: object) -> str | None:
    while isinstance(responses, list) and responses:
        responses = responses[0]
    return responses if isinstance(responses, str) else None


def _likeliest(responses: object, n_options: int) -> int | None:
    """Find the option of the highest log-likelihood: each response is [[log-likelihood, is greedy]]."""
    if not isinstance(responses, list) or len(responses) != n_options:
        return None
    try:
        values = [float(each[0][0]) for each in responses]
    except (TypeError, ValueError, LookupError):
        return None
    return max(range(n_options), key=values.__getitem__)


def _label(right: object, texts: list[str], labels: list[str]) -> str | None:
    """Name the right option, which the file gives as its number, its letter or its text."""
    said = str(right).strip()
    if said in labels:
        return said
    if said.isdecimal() and int(said) < len(labels) and said not in texts:
        return labels[int(said)]
    return labels[texts.index(said)] if said in texts else None
