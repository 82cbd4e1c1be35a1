"""The cells of a table of outcomes: to which row (query) and column (model) each record belongs, and what it says."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vsr.data.categories import normalise_category, unknown_categories
from vsr.data.failures import Failure, failure_of
from vsr.data.judgements import Judgements
from vsr.data.prompts import unique_key
from vsr.data.records import Record, UnratedRecord
from vsr.data.repeats import Repeats
from vsr.data.report import OutcomesReport
from vsr.data.tokens import Tokens

Scorer = Callable[[UnratedRecord], float | None]
"""Gives the quality in [0, 1] of an answer that has no performance; None where it cannot be scored."""

_NAN = float("nan")


class BadRecordError(Exception):
    """What is wrong with the record at hand or with all of them, still without its place."""


class Cells:
    """The row (query) and column (model) of every record, and what was measured there."""

    def __init__(self, models: Sequence[str] | None, scorer: Scorer | None) -> None:
        self._scorer = scorer
        self._takes_every_model = models is None
        self._column_of = {name: column for column, name in enumerate(dict.fromkeys(models or ()))}
        self._other_models: dict[str, int] = {}
        self._row_of_key: dict[str, int] = {}
        self._queries: list[str] = []
        self._categories: list[str | None] = []
        self._groups: list[str | None] = []
        self._rows, self._columns = array("q"), array("q")
        self._quality, self._latency_s, self._cost_usd = array("d"), array("d"), array("d")
        self._input_tokens, self._output_tokens = array("d"), array("d")
        # By place of the record, for few files have any: seconds, judged qualities, whether these are all there is,
        # and with which probabilities calls were drawn.
        self._first_tokens: dict[int, float] = {}
        self._judged: dict[int, float] = {}
        self._stand_ins: set[int] = set()
        self._probabilities: dict[int, float] = {}
        self.n_records = 0
        self._n_failed = self._n_timeouts = self._n_unavailable = 0
        self._n_unscored = self._n_scored = self._n_conflicts = 0

    def add(self, records: Iterable[Record]) -> None:
        """Take in all records. A few hash look-ups each: a query is normalised once a spelling, not once a record."""
        row_of_spelling: dict[object, int] = {}
        row_of_id: dict[float | str, int] = {}
        column_of, categories = self._column_of, self._categories
        add_row, add_column = self._rows.append, self._columns.append
        add_quality, add_latency, add_cost = self._quality.append, self._latency_s.append, self._cost_usd.append
        add_input, add_output = self._input_tokens.append, self._output_tokens.append
        last_spelling: object = None
        row: int | None = None
        for record in records:
            self.n_records += 1
            choices = record.choices
            spelling: object = record.query if choices is None else (record.query, msgspec.json.encode(choices))
            if record.messages is not None:
                spelling = msgspec.json.encode(record.messages)
            # Files mostly hold a query's records one after the other, and comparing is cheaper than hashing.
            if spelling != last_spelling or row is None:
                last_spelling = spelling
                row = row_of_spelling.get(spelling)
                if row is None:
                    row = row_of_spelling[spelling] = self._row_of(record)
            embedding_id = record.embedding_id
            if embedding_id is not None and row_of_id.setdefault(embedding_id, row) != row:
                raise _two_texts(embedding_id, self._queries[row_of_id[embedding_id]], self._queries[row])
            category = record.category
            if category is not None and category != categories[row]:
                self._note_category(row, category)
            column = column_of.get(record.model_name)
            if column is None:
                column = self._new_column(record.model_name)
                if column is None:
                    continue
            add_row(row)
            add_column(column)
            quality = record.performance
            if quality is None or record.error or record.unscored:
                quality, latency_s, cost_usd = self._read_unmeasured(record)
            else:
                latency_s, cost_usd = record.response_time, record.cost
            add_quality(quality)
            add_latency(_NAN if latency_s is None else latency_s)
            add_cost(_NAN if cost_usd is None else cost_usd)
            n_input, n_output = record.input_tokens, record.output_tokens
            add_input(_NAN if n_input is None else n_input)
            # An answer that broke off says nothing about the length of answers.
            add_output(_NAN if n_output is None or record.error else n_output)
            if record.time_to_first_token is not None and not record.error:
                self._first_tokens[len(self._rows) - 1] = record.time_to_first_token
            if record.probability is not None:
                self._probabilities[len(self._rows) - 1] = record.probability
            if record.judged is not None and not record.error:
                self._judged[len(self._rows) - 1] = record.judged
                if record.is_judged:
                    self._stand_ins.add(len(self._rows) - 1)

    def _row_of(self, record: Record) -> int:
        prompt = record.prompt
        row = self._row_of_key.setdefault(unique_key(prompt), len(self._queries))
        if row == len(self._queries):
            self._queries.append(prompt)
            self._categories.append(None)
            self._groups.append(None)
        if record.group is not None and self._groups[row] is None:
            self._groups[row] = str(record.group)
        return row

    def _new_column(self, model: str) -> int | None:
        if self._takes_every_model:
            return self._column_of.setdefault(model, len(self._column_of))
        self._other_models[model] = self._other_models.get(model, 0) + 1
        return None

    def _note_category(self, row: int, category: str) -> None:
        first = self._categories[row]
        if first is None:
            self._categories[row] = category if category.strip() else None
        elif category.strip() and normalise_category(first) != normalise_category(category):
            self._n_conflicts += 1

    def _read_unmeasured(self, record: Record) -> tuple[float, float | None, float | None]:
        """Give the quality, latency and cost of a failed, unscored or yet unrated call."""
        if record.error:
            failure = failure_of(record.error)
            if failure is Failure.TIMEOUT:
                self._n_timeouts += 1
                return 0.0, record.response_time, None
            if failure.counts:
                # Neither speed nor cost: a failure never wins by being fast or cheap.
                self._n_failed += 1
                return 0.0, None, None
            self._n_unavailable += 1
            return _NAN, None, None
        quality = self._scored(record)
        if quality is None:
            self._n_unscored += 1
            return _NAN, record.response_time, record.cost
        self._n_scored += 1
        return quality, record.response_time, record.cost

    def _scored(self, record: Record) -> float | None:
        if record.unscored or not isinstance(record, UnratedRecord) or record.ground_truth in (None, ""):
            return None
        if self._scorer is None:
            raise BadRecordError(
                "`performance` is missing; expected a number from 0 to 1. "
                "`vsr-train score` adds it (in Python: `scorer=`)"
            )
        return self._scorer(record)

    def averaged(self, n_bad_lines: int) -> dict[str, Any]:
        """Average the records of every cell: the arguments of `Outcomes`, the categories as the records have them."""
        n_models = len(self._column_of)
        if not self._rows:
            asked = f" of {', '.join(self._column_of)}; their models are {', '.join(self._other_models)}"
            raise BadRecordError(f"there is no record{asked if self._other_models else ''}; expected at least one")
        cells = np.frombuffer(self._rows, dtype=np.int64) * n_models + np.frombuffer(self._columns, dtype=np.int64)
        shape = (len(self._queries), n_models)
        judgements = self._judgements(cells, shape)
        quality = _cell_means(cells, self._quality, shape)
        kept = np.flatnonzero(np.isfinite(quality).any(axis=0))
        models = list(self._column_of)
        if not kept.size:
            raise BadRecordError(
                f"none of the {self.n_records:,} records has a quality ({self._n_unavailable:,} failed calls that say "
                f"nothing about the model, {self._n_unscored:,} unscored answers); expected at least one `performance`"
            )
        n_repeats = len(cells) - len(np.unique(cells))
        values = np.frombuffer(self._quality, dtype=np.float64)
        repeats = Repeats.of_cells(cells, values, shape) if n_repeats else None
        report = OutcomesReport(
            n_records=self.n_records,
            n_other_models=sum(self._other_models.values()),
            n_failed=self._n_failed,
            n_timeouts=self._n_timeouts,
            n_unavailable=self._n_unavailable,
            n_unscored=self._n_unscored,
            n_scored=self._n_scored,
            n_repeats=n_repeats,
            n_category_conflicts=self._n_conflicts,
            n_bad_lines=n_bad_lines,
            unknown_categories=unknown_categories(self._categories),
            models_without_quality=tuple(np.delete(models, kept).tolist()),
        )
        return {
            "queries": self._queries,
            "categories": self._categories,
            "models": [models[column] for column in kept],
            "quality": quality[:, kept],
            "latency_s": _cell_means(cells, self._latency_s, shape)[:, kept],
            "cost_usd": _cell_means(cells, self._cost_usd, shape)[:, kept],
            "tokens": self._tokens(cells, shape, kept),
            "judgements": None if judgements is None else judgements.with_models(kept.tolist()),
            "report": report,
            "probability": self._probability(cells, shape, kept),
            "repeats": None if repeats is None else repeats.with_models(kept.tolist()),
            "groups": self._groups,
        }

    def _probability(
        self, cells: NDArray[np.int64], shape: tuple[int, int], kept: NDArray[np.intp]
    ) -> NDArray[np.float64] | None:
        if not self._probabilities:
            return None
        values = array("d", [_NAN]) * len(cells)
        for place, probability in self._probabilities.items():
            values[place] = probability
        return _cell_means(cells, values, shape)[:, kept]

    def _tokens(self, cells: NDArray[np.int64], shape: tuple[int, int], kept: NDArray[np.intp]) -> Tokens | None:
        first_token_s = array("d", [_NAN]) * len(cells)
        for place, seconds in self._first_tokens.items():
            first_token_s[place] = seconds
        held = [
            _cell_means(cells, values, shape)[:, kept]
            for values in (self._input_tokens, self._output_tokens, first_token_s)
        ]
        return Tokens(*held) if any(np.isfinite(values).any() for values in held) else None

    def _judgements(self, cells: NDArray[np.int64], shape: tuple[int, int]) -> Judgements | None:
        """Take judged qualities apart from true ones, which alone count where a cell has both."""
        if not self._judged:
            return None
        judged = array("d", [_NAN]) * len(cells)
        for place, quality in self._judged.items():
            judged[place] = quality
        is_true = np.isfinite(np.frombuffer(self._quality, dtype=np.float64))
        stand_ins = np.fromiter(self._stand_ins, dtype=np.int64, count=len(self._stand_ins))
        is_true[stand_ins] = False
        known = np.bincount(cells[is_true], minlength=shape[0] * shape[1]) > 0
        for place in stand_ins[known[cells[stand_ins]]].tolist():
            self._quality[place] = _NAN
        stand_in = np.zeros(shape[0] * shape[1], dtype=bool)
        stand_in[cells[stand_ins]] = True
        return Judgements(_cell_means(cells, judged, shape), (stand_in & ~known).reshape(shape))


def _two_texts(embedding_id: float | str, first: str, second: str) -> BadRecordError:
    return BadRecordError(
        f"`embedding_id` {embedding_id} stands for two texts, {first[:40]!r} and {second[:40]!r}; expected one id "
        "a query. Number the queries anew or leave the ids out"
    )


def _cell_means(cells: NDArray[np.int64], values: "array[float]", shape: tuple[int, int]) -> NDArray[np.float64]:
    """Average the finite values of every cell, NaN where there is none."""
    entries = np.frombuffer(values, dtype=np.float64)
    finite = np.isfinite(entries)
    n_cells = shape[0] * shape[1]
    sums = np.bincount(cells[finite], weights=entries[finite], minlength=n_cells)
    counts = np.bincount(cells[finite], minlength=n_cells)
    means = np.full(n_cells, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means.reshape(shape)
