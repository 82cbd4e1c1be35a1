"""The cells of a table of outcomes: to which row (query) and column (model) each record belongs, and what it says."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vsr._core import RecordTable
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
        self._row_of_key: dict[int, int] = {}  # by hash: the keys together would be as large as the queries
        self._queries: list[str] = []
        self._categories: list[str | None] = []
        self._groups: list[str | None] = []
        self.table = RecordTable()
        # By place of the record, for few files have any: judged qualities, whether these are all there is, and with
        # which probabilities calls were drawn.
        self._judged: dict[int, float] = {}
        self._stand_ins: set[int] = set()
        self._probabilities: dict[int, float] = {}
        self._n_read = 0
        self._n_failed = self._n_timeouts = self._n_unavailable = 0
        self._n_unscored = self._n_scored = self._n_conflicts = 0

    @property
    def n_records(self) -> int:
        """How many records there were, those of models that are left out included."""
        return self._n_read + self.table.n_taken

    def add(self, records: Iterable[Record]) -> None:
        """Take in all records. A few hash look-ups each: a query is normalised once a spelling, not once a record.

        Records may come from a file whose other lines `table` takes in by itself, since it has learnt from an earlier
        one that names the same query and model: after every record it is told where that belongs.
        """
        row_of_spelling: dict[object, int] = {}
        row_of_id: dict[float | str, int] = {}
        column_of, categories, groups = self._column_of, self._categories, self._groups
        add, learn = self.table.add, self.table.learn
        last_spelling: object = None
        row: int | None = None
        for record in records:
            self._n_read += 1
            choices = record.choices
            spelling: object = record.query if choices is None else (record.query, msgspec.json.encode(choices))
            if record.messages is not None:
                spelling = msgspec.json.encode(record.messages)
            # Files mostly hold a query's records one after the other, and comparing is cheaper than hashing.
            is_known = spelling == last_spelling and row is not None
            if not is_known:
                last_spelling = spelling
                row = row_of_spelling.get(spelling)
                is_known = row is not None
            if row is None:
                row = self._row_of(record)
            embedding_id = record.embedding_id
            if embedding_id is not None and row_of_id.setdefault(embedding_id, row) != row:
                raise _two_texts(embedding_id, self._queries[row_of_id[embedding_id]], self._queries[row])
            if record.group is not None and groups[row] is None:
                groups[row] = str(record.group)
            category = record.category
            if category is not None and category != categories[row]:
                self._note_category(row, category)
            column = column_of.get(record.model_name)
            if column is None:
                column = self._new_column(record.model_name)
            # Nothing is learnt where every line counts as a contradiction.
            is_settled = category is None or category == categories[row]
            if not (is_settled and learn(row, column)) and not is_known:
                row_of_spelling[spelling] = row
            if column is None:
                continue
            quality = record.performance
            if quality is None or record.error or record.unscored:
                quality, latency_s, cost_usd = self._read_unmeasured(record)
            else:
                latency_s, cost_usd = record.response_time, record.cost
            # An answer that broke off says nothing about the length of answers.
            n_output, first_s = (None, None) if record.error else (record.output_tokens, record.time_to_first_token)
            add(row, column, quality, latency_s, cost_usd, record.input_tokens, n_output, first_s)
            if record.probability is not None:
                self._probabilities[len(self.table) - 1] = record.probability
            if record.judged is not None and not record.error:
                self._judged[len(self.table) - 1] = record.judged
                if record.is_judged:
                    self._stand_ins.add(len(self.table) - 1)

    def _row_of(self, record: Record) -> int:
        prompt = record.prompt
        key = unique_key(prompt)
        place = hash(key)
        while (row := self._row_of_key.get(place)) is not None:
            if unique_key(self._queries[row]) == key:
                return row
            place += 1  # another key of the same hash
        row = self._row_of_key[place] = len(self._queries)
        self._queries.append(prompt)
        self._categories.append(None)
        self._groups.append(None)
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
        if not len(self.table):
            asked = f" of {', '.join(self._column_of)}; their models are {', '.join(self._other_models)}"
            raise BadRecordError(f"there is no record{asked if self._other_models else ''}; expected at least one")
        n_left_out = self.table.n_left_out
        n_records = self.n_records
        self._row_of_key.clear()
        # Each kind of measurement is let go of as soon as it is averaged: of 10 million records it has 80 MB.
        cells, measured = self.table.finish(n_models)
        shape = (len(self._queries), n_models)
        judgements = self._judgements(cells, measured[0], shape)
        quality = _cell_means(cells, measured[0], shape)
        kept = np.flatnonzero(np.isfinite(quality).any(axis=0))
        models = list(self._column_of)
        if not kept.size:
            raise BadRecordError(
                f"none of the {n_records:,} records has a quality ({self._n_unavailable:,} failed calls that say "
                f"nothing about the model, {self._n_unscored:,} unscored answers); expected at least one "
                "`performance`: from a person, `vsr-train score` or `vsr-train judge`"
            )
        n_repeats = len(cells) - int(np.count_nonzero(np.bincount(cells)))
        repeats = Repeats.of_cells(cells, measured[0], shape) if n_repeats else None
        report = OutcomesReport(
            n_records=n_records,
            n_other_models=sum(self._other_models.values()) + n_left_out,
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
        probability = self._probability(cells, shape, kept)
        measured.pop(0)
        means = [_of_columns(_cell_means(cells, measured.pop(0), shape), kept) for _ in range(len(measured))]
        latency_s, cost_usd, *tokens = means
        return {
            "queries": self._queries,
            "categories": self._categories,
            "models": [models[column] for column in kept],
            "quality": _of_columns(quality, kept),
            "latency_s": latency_s,
            "cost_usd": cost_usd,
            "tokens": Tokens(*tokens) if any(np.isfinite(values).any() for values in tokens) else None,
            "judgements": None if judgements is None else judgements.with_models(kept.tolist()),
            "report": report,
            "probability": probability,
            "repeats": None if repeats is None else repeats.with_models(kept.tolist()),
            "groups": self._groups,
        }

    def _probability(
        self, cells: NDArray[np.int64], shape: tuple[int, int], kept: NDArray[np.intp]
    ) -> NDArray[np.float64] | None:
        if not self._probabilities:
            return None
        return _of_columns(_cell_means(cells, _spread(self._probabilities, len(cells)), shape), kept)

    def _judgements(
        self, cells: NDArray[np.int64], quality: NDArray[np.float64], shape: tuple[int, int]
    ) -> Judgements | None:
        """Take judged qualities apart from true ones, which alone count where a cell has both."""
        if not self._judged:
            return None
        judged = _spread(self._judged, len(cells))
        is_true = np.isfinite(quality)
        stand_ins = np.fromiter(self._stand_ins, dtype=np.int64, count=len(self._stand_ins))
        is_true[stand_ins] = False
        known = np.bincount(cells[is_true], minlength=shape[0] * shape[1]) > 0
        quality[stand_ins[known[cells[stand_ins]]]] = np.nan
        stand_in = np.zeros(shape[0] * shape[1], dtype=bool)
        stand_in[cells[stand_ins]] = True
        return Judgements(_cell_means(cells, judged, shape), (stand_in & ~known).reshape(shape))


def _spread(value_of_place: dict[int, float], n_records: int) -> NDArray[np.float64]:
    values = np.full(n_records, np.nan)
    values[list(value_of_place)] = list(value_of_place.values())
    return values


def _of_columns(values: NDArray[np.float64], kept: NDArray[np.intp]) -> NDArray[np.float64]:
    return values if kept.size == values.shape[1] else values[:, kept]


def _two_texts(embedding_id: float | str, first: str, second: str) -> BadRecordError:
    return BadRecordError(
        f"`embedding_id` {embedding_id} stands for two texts, {first[:40]!r} and {second[:40]!r}; expected one id "
        "a query. Number the queries anew or leave the ids out"
    )


def _cell_means(cells: NDArray[np.int64], values: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Average the finite values of every cell, NaN where there is none; no values at all are an empty array."""
    if not values.size:
        return np.full(shape, np.nan)
    finite = np.isfinite(values)
    if not finite.all():
        cells, values = cells[finite], values[finite]
    n_cells = shape[0] * shape[1]
    sums = np.bincount(cells, weights=values, minlength=n_cells)
    counts = np.bincount(cells, minlength=n_cells)
    means = np.full(n_cells, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means.reshape(shape)
