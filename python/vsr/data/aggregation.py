"""Grouping records: which row (query) and column (model) each belongs to, and what it says there."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from vsr._checks import as_texts, require_kind
from vsr.data.categories import UnknownCategory, normalise_category, unknown_categories
from vsr.data.failures import Failure, failure_of
from vsr.data.json_lines import JsonLines
from vsr.data.prompts import render_prompt, unique_key
from vsr.data.records import Record, Records, UnratedRecord
from vsr.errors import RecordError

Scorer = Callable[[UnratedRecord], float | None]
"""Gives the quality in [0, 1] of an answer that has no performance; None where it cannot be scored."""

_NAN = float("nan")


@dataclass(frozen=True)
class OutcomesReport:
    """What became of the records on the way to outcomes, in counts.

    Attributes:
        n_records: records read, those of other models included.
        n_other_models: records of models that were not asked for.
        n_failed: failed calls that count as quality 0 (refusals, overflows of the context, others), time-outs aside.
        n_timeouts: time-outs; quality 0, and the limit as latency where the record has it.
        n_unavailable: failed calls that say nothing about the model; missing.
        n_unscored: records that are marked as unscored or have no ground truth; missing.
        n_scored: records without performance that were scored on the way.
        n_repeats: records beyond the first of a query and model; averaged.
        n_category_conflicts: records whose category differs from the one that their query had first.
        n_bad_lines: lines that were left out.
        unknown_categories: categories that are taken as `other`.
        models_without_quality: models left out because none of their records has a quality.
    """

    n_records: int = 0
    n_other_models: int = 0
    n_failed: int = 0
    n_timeouts: int = 0
    n_unavailable: int = 0
    n_unscored: int = 0
    n_scored: int = 0
    n_repeats: int = 0
    n_category_conflicts: int = 0
    n_bad_lines: int = 0
    unknown_categories: tuple[UnknownCategory, ...] = ()
    models_without_quality: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Say in sentences what is worth knowing, nothing where all went well."""
        counted = (
            (self.n_bad_lines, "bad lines left out"),
            (self.n_other_models, "records of other models left out"),
            (self.n_failed, "failed calls count as quality 0"),
            (self.n_timeouts, "time-outs count as quality 0 and as the limit in latency where it is known"),
            (self.n_unavailable, "failed calls say nothing about the model (key, name, endpoint) and count as missing"),
            (self.n_unscored, "unscored answers count as missing"),
            (self.n_scored, "answers without performance were scored"),
            (self.n_repeats, "repeated records of a query and model were averaged"),
            (self.n_category_conflicts, "records name another category than the first one of their query, which holds"),
        )
        said = [f"{count:,} {words}" for count, words in counted if count]
        if self.unknown_categories:
            shown = ", ".join(f"{each.name!r} ({each.count:,})" for each in self.unknown_categories[:10])
            more = ", ..." if len(self.unknown_categories) > 10 else ""
            said.append(f"categories taken as other: {shown}{more}")
        if self.models_without_quality:
            said.append(f"models without a single scored answer left out: {', '.join(self.models_without_quality)}")
        return said


@dataclass(frozen=True, eq=False)
class Grouped:
    """Records as a table; the fields are those of `Outcomes`, the categories as the records have them."""

    prompts: list[str]
    categories: list[str | None]
    models: list[str]
    quality: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    report: OutcomesReport


def group_records(records: Iterable[Record], models: Sequence[str] | None, scorer: Scorer | None) -> Grouped:
    """Group records into rows and columns; `Outcomes.from_records` says how.

    Raises:
        RecordError: As `Outcomes.from_records`.
    """
    if models is not None:
        models = as_texts(models, "models", "a list of names", RecordError)
    grouping = _Grouping(models, scorer)
    file = records if isinstance(records, JsonLines) else None
    try:
        # What a file of records gives is of the right kind already, and there are many.
        grouping.add(records if isinstance(records, Records) else _checked(records))
    except _BadRecordError as error:
        place = f"record {grouping.n_records}" if file is None else f"{file.path}:{file.line}"
        raise RecordError(f"{place}: {error}") from error
    try:
        return grouping.table(0 if file is None else file.n_bad_lines)
    except _BadRecordError as error:
        raise RecordError(str(error) if file is None else f"{file.path}: {error}") from error


def _checked(records: Iterable[Record]) -> Iterator[Record]:
    """Pass records on.

    Raises:
        RecordError: One of them is something else, or they are no list.
    """
    require_kind(
        records, Iterable, "records", "what vsr.read_records(path) gives, or a list of vsr.Record", RecordError
    )
    for number, record in enumerate(records, start=1):
        require_kind(
            record, Record, f"record {number}", "a vsr.Record, as vsr.read_records(path) gives them", RecordError
        )
        yield record


def unique_prompts(prompts: Iterable[str]) -> list[str]:
    """Give every prompt that counts as another query, as it is written first: the rows that records would have.

    Args:
        prompts: rendered prompts, in order.
    """
    prompt_of_key: dict[str, str] = {}
    for prompt in dict.fromkeys(prompts):  # most files repeat a query in one spelling: normalise it once
        prompt_of_key.setdefault(unique_key(prompt), prompt)
    return list(prompt_of_key.values())


def unique_rows(prompts: Iterable[str]) -> list[int]:
    """Give the row of every prompt among those of `unique_prompts`: 0, 1, ... in order of first appearance.

    Args:
        prompts: rendered prompts, in order.
    """
    row_of_key: dict[str, int] = {}
    return [row_of_key.setdefault(unique_key(prompt), len(row_of_key)) for prompt in prompts]


class _BadRecordError(Exception):
    """What is wrong with the record at hand or with all of them, still without its place."""


class _Grouping:
    """The rows and columns met so far, and for every record its cell and what was measured there."""

    def __init__(self, models: Sequence[str] | None, scorer: Scorer | None) -> None:
        self._scorer = scorer
        self._takes_every_model = models is None
        self._column_of = {name: column for column, name in enumerate(dict.fromkeys(models or ()))}
        self._other_models: dict[str, int] = {}
        self._row_of_key: dict[str, int] = {}
        self._prompts: list[str] = []
        self._categories: list[str | None] = []
        self._rows, self._columns = array("q"), array("q")
        self._quality, self._latency_s, self._cost_usd = array("d"), array("d"), array("d")
        self.n_records = 0
        self._n_failed = self._n_timeouts = self._n_unavailable = 0
        self._n_unscored = self._n_scored = self._n_conflicts = 0

    def add(self, records: Iterable[Record]) -> None:
        """Take in all records. A few hash look-ups each: a query is normalised once a spelling, not once a record."""
        row_of_text: dict[object, int] = {}
        row_of_id: dict[float | str, int] = {}
        column_of, categories = self._column_of, self._categories
        add_row, add_column = self._rows.append, self._columns.append
        add_quality, add_latency, add_cost = self._quality.append, self._latency_s.append, self._cost_usd.append
        last_text: object = None
        row: int | None = None
        for record in records:
            self.n_records += 1
            choices = record.choices
            text: object = record.query if choices is None else (record.query, msgspec.json.encode(choices))
            # Files mostly hold a query's records one after the other, and comparing is cheaper than hashing.
            if text != last_text or row is None:
                last_text = text
                row = row_of_text.get(text)
                if row is None:
                    row = row_of_text[text] = self._row_of(record)
            embedding_id = record.embedding_id
            if embedding_id is not None and row_of_id.setdefault(embedding_id, row) != row:
                raise _two_texts(embedding_id, self._prompts[row_of_id[embedding_id]], self._prompts[row])
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
            performance = record.performance
            if performance is None or record.error or record.unscored:
                performance, latency_s, cost_usd = self._read_unmeasured(record)
            else:
                latency_s, cost_usd = record.response_time, record.cost
            add_quality(performance)
            add_latency(_NAN if latency_s is None else latency_s)
            add_cost(_NAN if cost_usd is None else cost_usd)

    def _row_of(self, record: Record) -> int:
        prompt = render_prompt(record.query, record.choices)
        row = self._row_of_key.setdefault(unique_key(prompt), len(self._prompts))
        if row == len(self._prompts):
            self._prompts.append(prompt)
            self._categories.append(None)
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
            raise _BadRecordError(
                "`performance` is missing; expected a number from 0 to 1. "
                "`vsr-train score` adds it (in Python: `scorer=`)"
            )
        return self._scorer(record)

    def table(self, n_bad_lines: int) -> Grouped:
        """Average the records of every cell."""
        n_models = len(self._column_of)
        if not self._rows:
            asked = f" of {', '.join(self._column_of)}; their models are {', '.join(self._other_models)}"
            raise _BadRecordError(f"there is no record{asked if self._other_models else ''}; expected at least one")
        cells = np.frombuffer(self._rows, dtype=np.int64) * n_models + np.frombuffer(self._columns, dtype=np.int64)
        shape = (len(self._prompts), n_models)
        quality = _cell_means(cells, self._quality, shape)
        kept = np.flatnonzero(np.isfinite(quality).any(axis=0))
        models = list(self._column_of)
        if not kept.size:
            raise _BadRecordError(
                f"none of the {self.n_records:,} records has a quality ({self._n_unavailable:,} failed calls that say "
                f"nothing about the model, {self._n_unscored:,} unscored answers); expected at least one `performance`"
            )
        report = OutcomesReport(
            n_records=self.n_records,
            n_other_models=sum(self._other_models.values()),
            n_failed=self._n_failed,
            n_timeouts=self._n_timeouts,
            n_unavailable=self._n_unavailable,
            n_unscored=self._n_unscored,
            n_scored=self._n_scored,
            n_repeats=len(cells) - len(np.unique(cells)),
            n_category_conflicts=self._n_conflicts,
            n_bad_lines=n_bad_lines,
            unknown_categories=unknown_categories(self._categories),
            models_without_quality=tuple(np.delete(models, kept).tolist()),
        )
        return Grouped(
            prompts=self._prompts,
            categories=self._categories,
            models=[models[column] for column in kept],
            quality=quality[:, kept],
            latency_s=_cell_means(cells, self._latency_s, shape)[:, kept],
            cost_usd=_cell_means(cells, self._cost_usd, shape)[:, kept],
            report=report,
        )


def _two_texts(embedding_id: float | str, first: str, second: str) -> _BadRecordError:
    return _BadRecordError(
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
