"""What a file of records says beside its outcomes: fields, metrics, truths, responses, failures; in one pass."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from vsr.data.fields import meant_field
from vsr.data.records import RECORD_FIELDS, Record
from vsr.diagnosis.field_watch import NOTHING, FieldWatch
from vsr.diagnosis.leaks import answer_given_away
from vsr.diagnosis.lines import Seen, Tally
from vsr.scoring import is_unknown_metric

if TYPE_CHECKING:
    from vsr._core import RecordTable

# Written by a benchmark or by scoring: known, but nothing to look at.
_OTHER_FIELDS = (
    "finish_reason", "endpoint", "timestamp", "extracted", "scoring_rule",
    "vsr_scorer", "reasoning", "use_reasoning", "scoring_error",
)  # fmt: skip
_WATCHED = ("ground_truth", "metric", "response", "unparsed")
_LONGEST_NOTHING = max(map(len, NOTHING))
_MOST_ERRORS = 100  # different texts kept of a model


@dataclass
class ModelCounts:
    """What is counted of one model.

    Attributes:
        n_records: its records.
        n_failed: those with an error.
        errors: texts of the errors, shortened, and how often each occurs.
        n_unparsed: responses that commit to no answer.
        response: the first response, as JSON.
        n_responses: how many there are.
        n_same: how many of these are the first one again.
    """

    n_records: int = 0
    n_failed: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    n_unparsed: int = 0
    response: bytes = b""
    n_responses: int = 0
    n_same: int = 0

    def add_error(self, text: str) -> None:
        """Count a failed call."""
        self.n_failed += 1
        text = text[:80]
        if text in self.errors or len(self.errors) < _MOST_ERRORS:
            self.errors[text] = self.errors.get(text, 0) + 1


class RecordWatch:
    """Looks at every record of a file as it is read; `finish` adds those that a table took by itself.

    Attributes:
        misnamed: unknown fields that look like one of ours, on lines without that one.
        unrated_metrics: metrics of records that still have to be scored.
        rated_metrics: those of the others.
        categories: one count a query.
        n_without_category: queries without one.
        models: counts by model.
        other_truth: records whose ground truth differs from that of their query's first record.
        leaking: queries that end with their answer.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.misnamed = Tally()
        self.unrated_metrics = Tally()
        self.rated_metrics = Tally()
        self.categories = Tally()
        self.n_without_category = 0
        self.models: dict[str, ModelCounts] = {}
        self.other_truth = Seen()
        self.leaking = Seen()
        known = (*_WATCHED, *(name for name in RECORD_FIELDS if name not in _WATCHED), *_OTHER_FIELDS)
        self._fields = FieldWatch(known, lambda name: meant_field(name, RECORD_FIELDS))
        self._truths: dict[int, bytes] = {}  # by hash of the query: the texts themselves are kept elsewhere
        self._metric: Seen | None = None  # of the record at hand
        self._is_unknown_metric = False
        self._last_metric = b""
        self._last_is_rated = True
        self._last_query = ""
        self._last_truth = b""
        self._table: RecordTable | None = None
        self._n_harmless = 0

    def follow(self, table: "RecordTable") -> None:
        """Let a table take the lines that say nothing new, and count what they say of models."""
        self._table = table
        self._pass_over(table)

    def see(self, line: bytes, record: Record, number: int) -> None:
        """Take in one record.

        Args:
            line: as it stands in the file.
            record: the same, read.
            number: of the line.
        """
        counts = self.models.get(record.model_name)
        if counts is None:
            counts = self.models[record.model_name] = ModelCounts()
        counts.n_records += 1
        fields = self._fields.read(line)
        # Comparing with what came last is far cheaper than looking it up: files hold one query after the other.
        if record.query != self._last_query:
            self._see_query(record, bytes(fields.f0), number)
        truth = bytes(fields.f0)
        is_new = False
        if truth != self._last_truth and truth not in NOTHING:
            if self._last_truth in NOTHING:
                self._last_truth = self._truths[hash(record.query)] = truth
            else:
                self.other_truth.add(number)
                is_new = True
        metric = bytes(fields.f1)
        is_rated = record.performance is not None
        if metric != self._last_metric or is_rated is not self._last_is_rated:
            self._see_metric(metric, is_rated, number)
        if self._metric is not None:
            self._metric.count += 1
            is_new = is_new or self._is_unknown_metric
        if record.error:
            counts.add_error(record.error)
        else:
            response = bytes(fields.f2)
            if len(response) > _LONGEST_NOTHING or response not in NOTHING:
                counts.n_responses += 1
                if response == counts.response:
                    counts.n_same += 1
                elif not counts.response:
                    counts.response = response
                    counts.n_same = 1
        if bytes(fields.f3) == b"true":
            counts.n_unparsed += 1
        if self._fields.is_doubtful:
            for name in self._fields.misnamed(fields):
                self.misnamed.add(name, number)
        if self._table is not None:
            self._teach(self._table, counts, is_new=is_new)

    def _teach(self, table: "RecordTable", counts: ModelCounts, *, is_new: bool) -> None:
        """Say what the table has to know of the line at hand; where every such line counts, it learns nothing."""
        if len(self._fields.harmless) != self._n_harmless:
            self._pass_over(table)
        if is_new:
            table.forget_last()
        elif counts.response:
            table.first_response(counts.response)

    def _pass_over(self, table: "RecordTable") -> None:
        self._n_harmless = len(self._fields.harmless)
        table.watch(self._fields.harmless)

    def finish(self) -> None:
        """Add what the table has counted."""
        if self._table is None:
            return
        for name, (n_lines, n_responses, n_same, n_unparsed) in self._table.counts():
            counts = self.models[str(msgspec.json.decode(name))]
            counts.n_records += n_lines
            counts.n_responses += n_responses
            counts.n_same += n_same
            counts.n_unparsed += n_unparsed
        self._table = None

    def _see_metric(self, metric: bytes, is_rated: bool, number: int) -> None:
        """Make a metric the one that is counted."""
        self._last_metric, self._last_is_rated = metric, is_rated
        if metric in NOTHING:
            self._metric = None
            return
        tally = self.rated_metrics if is_rated else self.unrated_metrics
        name = as_text(metric)
        self._is_unknown_metric = is_unknown_metric(name)
        self._metric = tally.setdefault(name, Seen(line=number))

    def _see_query(self, record: Record, truth: bytes, number: int) -> None:
        """Make a query the one at hand, and look at it when it is new."""
        self._last_query = record.query
        key = hash(record.query)
        first = self._truths.get(key)
        self._last_truth = truth if first is None else first
        if first is not None:
            return
        self._truths[key] = truth
        if record.category is None or not record.category.strip():
            self.n_without_category += 1
        else:
            self.categories.add(record.category, number)
        if truth not in NOTHING and answer_given_away(record.query, as_text(truth)):
            self.leaking.add(number)


def as_text(raw: bytes) -> str:
    """Give a JSON value as text, whatever it is: nobody else has looked into it yet."""
    try:
        return str(msgspec.json.decode(raw))
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")
