"""Inspect: logs of `inspect eval`, `.json` read as they are, `.eval` by Inspect's own reader.

Which of several scores is taken is said by `--score` (the scorer's name, or `scorer.key` for one that gives several
values); else it is the first one. C, P and I count as 1, 0.5 and 0, as Inspect counts them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from vsr.errors import RecordError, install
from vsr.importing import chats
from vsr.importing.imported import Imported, ImportedRecord, LeftOut, known_category, n_tokens, quality, seconds, usd
from vsr.importing.imported import text as filled
from vsr.importing.imported import truth as right_answer
from vsr.importing.json_parts import json_parts
from vsr.importing.rows import UNREADABLE, Row

_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


def read(path: Path, score: str | None) -> Iterator[Imported]:
    """Read one log.

    Raises:
        RecordError: It is no log, or an `.eval` and Inspect is not installed.
    """
    run: Row = {}
    samples = _eval_parts(path) if path.suffix == ".eval" else _json_parts(path)
    for number, (is_run, value) in enumerate(samples):
        place = f"{path}, sample {number}"
        if is_run:
            run = value if isinstance(value, dict) else {}
        elif isinstance(value, LeftOut):
            yield value
        elif not isinstance(value, dict) or not isinstance(run.get("model"), str):
            yield LeftOut("samples without their log's header", place)
        else:
            yield _record(value, run, place, score)


def _json_parts(path: Path) -> Iterator[tuple[bool, object]]:
    with path.open("rb") as stream:
        for number, part in enumerate(json_parts(stream, str(path), (("eval",), ("samples", "*")))):
            try:
                yield part.place == ("eval",), part.decode()
            except ValueError as error:
                yield False, LeftOut(UNREADABLE, f"{path}, sample {number}: {error}")


def _eval_parts(path: Path) -> Iterator[tuple[bool, object]]:
    try:
        from inspect_ai.log import read_eval_log, read_eval_log_samples  # noqa: PLC0415 -- many have no Inspect
    except ImportError as error:
        raise RecordError(
            f"{path}: an .eval is read by Inspect itself, which is not installed: {install('inspect')}, or write "
            f"the log as JSON where Inspect is: `inspect log convert --to json --output-dir json {path.name}`"
        ) from error
    try:
        yield True, read_eval_log(str(path), header_only=True).eval.model_dump(mode="json")
        for sample in read_eval_log_samples(str(path), all_samples_required=False):
            yield False, sample.model_dump(mode="json", exclude={"events", "store", "attachments"})
    except Exception as error:  # whatever Inspect's reader makes of a broken archive
        raise RecordError(f"{path}: Inspect cannot read it ({type(error).__name__}: {str(error)[:200]})") from error


def _record(sample: Row, run: Row, place: str, score: str | None) -> Imported:
    asked = chats.asked(sample.get("input"))
    if asked is None:
        return LeftOut("samples that ask nothing", place)
    scores = sample.get("scores")
    named = scores if isinstance(scores, Mapping) else {}
    value = _score(named, score)
    if value is None and score is not None and named:
        return LeftOut(f"samples without the score {score}", f"{place}: it has {', '.join(map(str, named))}")
    output = sample.get("output")
    answer = output if isinstance(output, Mapping) else {}
    error = sample.get("error")
    choices = sample.get("choices")
    options = choices if isinstance(choices, list) and choices else None
    metadata = sample.get("metadata")
    noted = metadata if isinstance(metadata, Mapping) else {}
    given = chats.answered(answer)
    usage = _usage(sample, answer)
    epoch = sample.get("epoch")
    return ImportedRecord(
        model_name=str(run["model"]),
        query=asked.query,
        messages=asked.messages,
        choices=[str(option) for option in options] if options else None,
        task_name=filled(run.get("task")),
        category=known_category(noted.get("category"), noted.get("subject")),
        response=None if given is None else given.response,
        ground_truth=right_answer(sample.get("target")),
        metric="em_mc" if options else None,
        performance=None if error else quality(value),
        response_time=None if error else _latency_s(sample, answer),
        input_tokens=n_tokens(usage.get("input_tokens")),
        output_tokens=n_tokens(usage.get("output_tokens")),
        cost=usd(usage.get("total_cost")),
        error=_message(error) if error else None,
        draw=epoch if isinstance(epoch, int) and not isinstance(epoch, bool) else None,
    )


def _score(scores: Mapping[str, object], wanted: str | None) -> float | None:
    """Find the value of the wanted score, else of the first one."""
    name, _, key = (wanted or next(iter(scores), "")).partition(".")
    held = scores.get(wanted or name, scores.get(name))
    value = held.get("value") if isinstance(held, Mapping) else None
    if isinstance(value, Mapping):
        value = value.get(key) if key else next(iter(value.values()), None)
    return quality(_GRADES.get(value, value) if isinstance(value, str) else value)


def _n_answers(sample: Row) -> int:
    messages = sample.get("messages")
    said = messages if isinstance(messages, list) else []
    return sum(isinstance(each, Mapping) and each.get("source") == "generate" for each in said)


def _usage(sample: Row, answer: Mapping[str, object]) -> Mapping[str, object]:
    """Give the tokens of the answer; of a sample that took several calls those of all."""
    used = sample.get("model_usage")
    if _n_answers(sample) > 1 and isinstance(used, Mapping) and len(used) == 1:
        answer = {"usage": next(iter(used.values()))}
    usage = answer.get("usage")
    return usage if isinstance(usage, Mapping) else {}


def _latency_s(sample: Row, answer: Mapping[str, object]) -> float | None:
    """Give the seconds of the call; of a sample that took several, all without the waiting for a slot."""
    return seconds(sample.get("working_time") if _n_answers(sample) > 1 else answer.get("time"))


def _message(error: object) -> str:
    message = error.get("message") if isinstance(error, Mapping) else error
    return str(message or "the sample failed")[:1000]
