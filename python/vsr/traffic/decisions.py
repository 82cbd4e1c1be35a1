"""The decision log read back: one file of it, several, or the folder in which a server keeps them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec

from vsr._checks import as_list, require_path
from vsr.choice.objective import Objective
from vsr.data.field_forms import EXPECTED_TIME, is_time
from vsr.data.fields import Field, is_filled_text, is_number, is_text, problem_with
from vsr.data.json_lines import BadLine, JsonLines
from vsr.errors import RecordError, SelectionError

_Probability = Annotated[float, msgspec.Meta(gt=0, le=1)]
_PATTERNS = ("decisions*.jsonl", "decisions*.jsonl.gz")


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """A choice as the decision log keeps it.

    Attributes:
        id: of the choice; feedback names it.
        time: when it was made.
        model: that was chosen.
        request_id: the caller's own name of the request.
        decision: name of the configuration's decision; None where there is none.
        category: that the query was taken to have.
        category_source: `given` or `predicted`.
        candidates: names of the models on offer, those that were left out included.
        scores: predicted quality of every candidate that the artefact knows.
        utilities: of the same, under the objective.
        margin: utility of the chosen one less that of the best other one.
        reason: why it was chosen (`vsr.choice.chooser.Choice`).
        excluded: candidates that were left out, each with the reason.
        previous: the model that had answered in the conversation so far.
        objective: what was maximised; None where nothing was compared.
        propensity: probability with which this model was chosen; None where the log does not say.
        explore_margin: of utility, within which another model could have been drawn; None where nothing was left to
            chance.
        distance: of the query to the nearest of the training; None where it is not known.
        distance_rank: share of the training queries that are nearer; None likewise.
        duration_ms: how long choosing took.
        run_id: of the training; None where nothing was compared.
        text_hash: keyed hash of the text that was embedded; None with `text`, or without a text.
        text: that was embedded; None where texts are not logged.
    """

    id: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    model: str
    request_id: str | None = None
    decision: str | None = None
    category: str | None = None
    category_source: str | None = None
    candidates: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    utilities: dict[str, float] = field(default_factory=dict)
    margin: float | None = None
    reason: str | None = None
    excluded: dict[str, str] = field(default_factory=dict)
    previous: str | None = None
    objective: Objective | None = None
    propensity: _Probability | None = None
    explore_margin: float | None = None
    distance: float | None = None
    distance_rank: float | None = None
    duration_ms: float | None = None
    run_id: str | None = None
    text_hash: str | None = None
    text: str | None = None


class Decisions:
    """The decisions of one or several files, streamed; every iteration reads the files anew.

    Attributes:
        paths: the files, in the order in which they are read.
    """

    def __init__(self, files: Sequence[JsonLines[LoggedDecision]]) -> None:
        """Take files that are open; `read_decisions` is the usual way."""
        self._files = tuple(files)
        self.paths = tuple(each.path for each in self._files)

    def __iter__(self) -> Iterator[LoggedDecision]:
        """Read one file after the other.

        Raises:
            RecordError: A line cannot be used (and bad ones are not skipped), or a file cannot be read or is empty.
        """
        for lines in self._files:
            yield from lines

    @property
    def n_bad_lines(self) -> int:
        """Lines that the latest iteration left out."""
        return sum(each.n_bad_lines for each in self._files)

    @property
    def bad_lines(self) -> tuple[BadLine, ...]:
        """The first of them, at most a thousand of each file."""
        return tuple(bad for each in self._files for bad in each.bad_lines)


def read_decisions(
    log: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, skip_bad_lines: bool = False
) -> Decisions:
    """Open a decision log: a file of it, several, or folders, of which all their `decisions*.jsonl` are read.

    A server puts a full file aside under its name and the time, and each of its workers has a file of its own: the
    folder holds all of them. `.gz` by name; fields that are not known are passed over. Nothing is read yet: iterate, as
    often as needed.

    Args:
        log: files and folders; one file that is named twice is read once. `-` is standard input.
        skip_bad_lines: leave bad lines out and count them instead of raising.

    Raises:
        RecordError: There is no such file, or nothing in a folder; while iterating: a line cannot be used, or nothing
            is in a file.
    """
    named = [log] if isinstance(log, str | os.PathLike) else as_list(log, "logs", "a list of paths", RecordError)
    files: dict[str, str] = {}
    for path in named:
        require_path(path, "log", RecordError)
        for found in _files_of(os.fspath(path)):
            files.setdefault(found if found == "-" else str(Path(found).resolve()), found)
    if not files:
        raise RecordError("no log was named; expected decisions.jsonl, or the folder in which it lies")
    return Decisions(
        [JsonLines(path, _read, _explain, noun="decisions", skip_bad_lines=skip_bad_lines) for path in files.values()]
    )


def _files_of(path: str) -> list[str]:
    """Name the files of a folder that hold anything, those that were put aside first; of a file, itself."""
    folder = Path(path)
    if path == "-" or not folder.is_dir():
        return [path]
    found = sorted({each for pattern in _PATTERNS for each in folder.glob(pattern) if each.is_file()})
    # A log that was just begun is empty, and so is that of a worker which nobody has asked.
    filled = [str(each) for each in found if each.stat().st_size]
    if not filled:
        raise RecordError(f"{path}: holds no decisions; expected {_PATTERNS[0]}, as `vsr-train serve --log` writes it")
    return filled


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(is_number(each) for each in value.values())


def _is_reasons(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _is_objective(value: object) -> bool:
    try:
        msgspec.convert(value, Objective)
    except (ValueError, SelectionError):
        return False
    return True


def _is_probability(value: object) -> bool:
    return is_number(value, low=0, high=1) and value != 0


_A_NUMBER = "a number, or null"
_BY_MODEL = "an object of models and numbers"
_FIELDS = (
    Field("id", "the id of the decision, not blank", is_filled_text, required=True),
    Field("time", EXPECTED_TIME, is_time, required=True),
    Field("model", "the name of the chosen model, not blank", is_filled_text, required=True),
    *(
        Field(name, "text, or null", is_text)
        for name in (
            "request_id", "decision", "category", "category_source", "reason", "previous", "run_id", "text_hash", "text"
        )
    ),
    Field("candidates", "a list of names", _is_texts),
    Field("scores", _BY_MODEL, _is_numbers),
    Field("utilities", _BY_MODEL, _is_numbers),
    Field("excluded", "an object of models and reasons", _is_reasons),
    Field("objective", 'an object such as {"quality_weight": 0.9, "cost_share": 0.0}, or null', _is_objective),
    Field("propensity", "a probability above 0, at most 1", _is_probability),
    Field("margin", _A_NUMBER, is_number),
    Field("explore_margin", f"{_A_NUMBER} of 0 or more", partial(is_number, low=0)),
    Field("distance", f"{_A_NUMBER} of 0 or more", partial(is_number, low=0)),
    Field("distance_rank", "a share from 0 to 1, or null", partial(is_number, low=0, high=1)),
    Field("duration_ms", f"{_A_NUMBER} of 0 or more", partial(is_number, low=0)),
)  # fmt: skip
_decode = msgspec.json.Decoder(LoggedDecision).decode


def _read(line: bytes) -> LoggedDecision:
    try:
        decision = _decode(line)
    except SelectionError as error:  # an objective that cannot be
        raise ValueError from error
    if not decision.id.strip() or not decision.model.strip():
        raise ValueError
    numbers = (decision.explore_margin, decision.distance, decision.distance_rank, decision.duration_ms)
    if any(number is not None and number < 0.0 for number in numbers):
        raise ValueError
    return decision


def _explain(value: dict[str, object]) -> str | None:
    return problem_with(_FIELDS, value)
