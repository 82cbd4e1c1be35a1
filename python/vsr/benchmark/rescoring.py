"""Score the records of a file again, without asking any LLM again."""

import contextlib
import fcntl
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from vsr._files import atomic_writer
from vsr.data.json_lines import JsonLines
from vsr.data.parquet import is_parquet, write_parquet
from vsr.data.prompts import RawChoices
from vsr.errors import BenchmarkError
from vsr.scoring import SCORER_VERSION, UNSCORED, Score, is_unknown_metric, score_response

_encode = msgspec.json.Encoder().encode


@dataclass
class RescoringReport:
    """What became of the records of a file.

    Attributes:
        n_records: how many there are.
        n_scored: how many were scored against a ground truth.
        n_changed: how many of these got another quality than before, or one at all.
        n_unparsed: how many of these commit to no answer.
        n_without_response: failed calls and the like; they stay as they are.
        n_without_truth: answered, but there is nothing to score against.
        rules: how many were scored by which rule.
        unknown_metrics: metrics that name no rule, and how many records were scored by another one for that.
        quality_before: sum of the old qualities where old and new can be compared.
        quality_after: sum of the new ones.
        n_compared: how many these are.
    """

    n_records: int = 0
    n_scored: int = 0
    n_changed: int = 0
    n_unparsed: int = 0
    n_without_response: int = 0
    n_without_truth: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    unknown_metrics: Counter[str] = field(default_factory=Counter)
    quality_before: float = 0.0
    quality_after: float = 0.0
    n_compared: int = 0


class _Scorable(msgspec.Struct, frozen=True, gc=False):
    """What of a record is needed to score it."""

    response: str | None = None
    ground_truth: str | int | float | None = None
    query: str | None = None
    choices: RawChoices = None
    metric: str | None = None
    category: str | None = None
    task_name: str | None = None
    performance: Annotated[float, Meta(ge=-1e9, le=1e9)] | None = None  # of records from elsewhere; sums stay finite
    unscored: bool | None = None

    @property
    def own_quality(self) -> float | None:
        """The quality that the record came with, where that is no filler."""
        return None if self.unscored else self.performance

    def score(self, metric: str | None = None) -> Score:
        """Score the response, by another rule than the record names where one is given."""
        return score_response(
            self.response,
            self.ground_truth,
            query=self.query,
            choices=self.choices,
            metric=self.metric if metric is None else metric,
            category=self.category,
            task_name=self.task_name,
            performance=self.own_quality,
        )


_decode = msgspec.json.Decoder(_Scorable).decode


def score_line(line: bytes) -> bytes:
    """Score the response of a record, and write the score into its line.

    Args:
        line: a record with a response. One that breaks the scorer gets no score and says why, as `scoring_error`.
    """
    try:
        return with_fields(line, _fields(_decode(line).score()))
    except Exception as error:  # one odd answer must not cost those behind it
        no_score = _fields(Score(UNSCORED, "none", unscored=True))
        return with_fields(line, {**no_score, "scoring_error": f"{type(error).__name__}: {error}"})


@dataclass(frozen=True, slots=True)
class _Line:
    text: bytes
    record: _Scorable


class Rescoring:
    """The lines of a file of records with their qualities computed anew; iterate once, then read the report.

    A record keeps its fields, their order and everything that is not about its score, byte for byte. One without a
    response stays as it is.

    Attributes:
        report: what was done so far.
    """

    def __init__(self, path: str | os.PathLike[str], metric: str | None = None) -> None:
        """Open a file of records.

        Args:
            path: the file, in any form of JSON Lines, `.gz` by name; `-` is standard input.
            metric: scores all by this rule, whatever the records name, and stands in them from now on.

        Raises:
            RecordError: There is no such file.
        """
        self._metric = metric
        self.report = RescoringReport()
        self._lines = JsonLines(
            path, lambda line: _Line(line.strip(), _decode(line)), lambda _value: None, noun="records"
        )

    def __iter__(self) -> Iterator[bytes]:
        """Give the records, one line each, without line breaks.

        Raises:
            RecordError: A line is no record; the message names it.
        """
        for line in self._lines:
            self.report.n_records += 1
            yield self._rescored(line)

    def _rescored(self, line: _Line) -> bytes:
        record, report = line.record, self.report
        if record.response is None or not record.response.strip():
            report.n_without_response += 1
            return line.text
        own = record.own_quality
        metric = record.metric if self._metric is None else self._metric
        score = record.score(metric)
        if score.kind == "none":
            report.n_without_truth += 1
            # A quality of the record's own is not ours to touch.
            return with_fields(line.text, _fields(score)) if score.unscored else line.text
        report.n_scored += 1
        report.rules[score.kind] += 1
        if is_unknown_metric(metric):
            report.unknown_metrics[str(metric)] += 1
        report.n_unparsed += score.unparsed
        report.n_changed += own != score.value
        if own is not None:
            report.n_compared += 1
            report.quality_before += own
            report.quality_after += score.value
        named = {} if self._metric is None else {"metric": self._metric}
        return with_fields(line.text, {**_fields(score), **named})


def rescore_file(
    path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None, metric: str | None = None
) -> RescoringReport:
    """Score the records of a file again and write them, whole or not at all.

    Args:
        path: the file.
        output: where to; None replaces the file itself, which no benchmark may be writing to meanwhile. A name that
            ends in `.parquet` is written so.
        metric: scores all by this rule, whatever the records name.

    Raises:
        RecordError: There is no such file, or a line is no record.
        BenchmarkError: A benchmark is writing to the file that would be replaced.
        OutputError: The output cannot be written.
    """
    rescoring = Rescoring(path, metric)
    target = path if output is None else output
    if is_parquet(target):
        write_parquet(target, (msgspec.json.decode(line) for line in rescoring))
        return rescoring.report
    with _not_in_use(Path(target)), atomic_writer(target) as out:
        for line in rescoring:
            out.write(line)
            out.write(b"\n")
    return rescoring.report


@contextlib.contextmanager
def _not_in_use(path: Path) -> Iterator[None]:
    """Hold the lock of a file that exists, which a running benchmark holds on its output."""
    if not path.is_file():
        yield
        return
    with path.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BenchmarkError(
                f"{path}: a benchmark is writing to this file; wait for its end, or name another --output."
            ) from error
        yield


def with_fields(line: bytes, new: Mapping[str, object]) -> bytes:
    """Write fields into a line: those that are there keep their place, new ones come last.

    A new field that says nothing (None, False) is left out, unless it takes the place of one that says something.
    """
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    for name, value in new.items():
        # What says nothing is only written over what was there before.
        if (value is not None and value is not False) or name in fields:
            fields[name] = msgspec.Raw(_encode(value))
    return _encode(fields)


def _fields(score: Score) -> Mapping[str, object]:
    return {
        "performance": score.value,
        "extracted": score.extracted,
        "scoring_rule": score.kind,
        "unparsed": score.unparsed,
        "unscored": score.unscored,
        "scoring_error": None,
        "vsr_scorer": SCORER_VERSION,
    }
