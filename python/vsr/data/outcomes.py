"""Outcomes: one row per unique query, one column per model, what each measured there; NaN where nothing was."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vsr._checks import as_list, as_texts, repeated, require_kind
from vsr.data.categories import normalise_category, unknown_categories
from vsr.data.cells import BadRecordError, Cells, Scorer
from vsr.data.json_lines import JsonLines
from vsr.data.judgements import Judgements
from vsr.data.messages import Text, embedded_text
from vsr.data.prompts import unique_key
from vsr.data.records import Record, Records
from vsr.data.repeats import Repeats
from vsr.data.report import OutcomesReport
from vsr.data.tokens import Tokens
from vsr.errors import RecordError

__all__ = ["Outcomes", "OutcomesReport", "Scorer"]


@dataclass(frozen=True, eq=False, init=False)
class Outcomes:
    """What was measured of every model on every query. All arrays are read-only.

    Attributes:
        queries: rendered prompts of the n_queries unique queries, in order of first appearance.
        categories: names from `CATEGORIES`, None where a query has none.
        models: names of the n_models models.
        quality: float64 (n_queries, n_models) in [0, 1], NaN = not measured.
        latency_s: float64 (n_queries, n_models), seconds, NaN = not measured.
        cost_usd: float64 (n_queries, n_models), USD, NaN = not measured.
        report: what became of the records; None where the outcomes do not come from records.
        repeats: the draws behind cells that several records were averaged for; None where there are none.
        groups: name of the conversation or template that each query belongs to, None where it belongs to none; None
            where no query has one.
        tokens: of prompts and answers; None where no record has any.
        judgements: what judges said of the answers; None where nobody was judged.
        probability: float64 (n_queries, n_models) with which each cell was drawn to be measured, NaN = not known; None
            where no record says.
    """

    queries: tuple[str, ...]
    categories: tuple[str | None, ...]
    models: tuple[str, ...]
    quality: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    report: OutcomesReport | None = field(default=None)
    repeats: Repeats | None = field(default=None)
    groups: tuple[str | None, ...] | None = field(default=None)
    tokens: Tokens | None = field(default=None)
    judgements: Judgements | None = field(default=None)
    probability: NDArray[np.float64] | None = field(default=None)

    def __init__(
        self,
        queries: Sequence[str],
        categories: Sequence[str | None],
        models: Sequence[str],
        quality: ArrayLike,
        latency_s: ArrayLike | None = None,
        cost_usd: ArrayLike | None = None,
        report: OutcomesReport | None = None,
        repeats: Repeats | None = None,
        groups: Sequence[str | None] | None = None,
        tokens: Tokens | None = None,
        judgements: Judgements | None = None,
        probability: ArrayLike | None = None,
    ) -> None:
        """Check and copy what was measured.

        Args:
            queries: one text a row, all different under `unique_key`.
            categories: one a row as people write it; an unknown one becomes `other`, a blank one None.
            models: one name a column, all different.
            quality: (n_queries, n_models) in [0, 1], NaN = not measured.
            latency_s: the same shape, 0 or more; None: nothing was measured.
            cost_usd: the same shape, 0 or more; None: nothing was measured.
            report: what became of the records.
            repeats: the draws behind averaged cells, of the same shape.
            groups: one a row: what belongs together, for example the turns of a conversation or the fills of a
                template, has one name, and is held out together; None for a query that belongs to none.
            tokens: of prompts and answers, of the same shape.
            judgements: what judges said, of the same shape.
            probability: (n_queries, n_models) in [0, 1] with which each cell was drawn to be measured, NaN = not known.

        Raises:
            RecordError: There is no query or no model, a query or a name occurs twice or is no text, a shape does not
                fit, or a value is out of its range.
        """
        queries = as_texts(queries, "queries", "a list of texts, one a row", RecordError)
        _require_different(queries)
        parts = (categories, models, quality, latency_s, cost_usd, report, repeats, groups, tokens)
        self._fill(queries, *parts, judgements, probability)

    def _fill(
        self,
        queries: Sequence[str],
        categories: Sequence[str | None],
        models: Sequence[str],
        quality: ArrayLike,
        latency_s: ArrayLike | None = None,
        cost_usd: ArrayLike | None = None,
        report: OutcomesReport | None = None,
        repeats: Repeats | None = None,
        groups: Sequence[str | None] | None = None,
        tokens: Tokens | None = None,
        judgements: Judgements | None = None,
        probability: ArrayLike | None = None,
    ) -> None:
        """Check and copy everything but the queries; arguments and errors as in `__init__`."""
        categories = as_list(categories, "categories", "a list of one name (or None) per query", RecordError)
        models = as_texts(models, "models", "a list of names", RecordError)
        if not len(queries):
            raise RecordError("outcomes have no queries; expected a sequence of at least one text")
        if len(categories) != len(queries):
            raise RecordError(
                f"outcomes have {len(queries)} queries and {len(categories)} categories; expected one each"
            )
        if not models:
            raise RecordError("outcomes have no models; expected a sequence of at least one name")
        twice = repeated(models)
        if twice:
            raise RecordError(f"outcomes name {', '.join(twice)} more than once; expected one column a model")
        shape = (len(queries), len(models))
        for noun, beside in (("tokens", tokens), ("judgements", judgements)):
            if beside is not None and beside.shape != shape:
                raise RecordError(
                    f"{noun} have shape {beside.shape}; expected {shape}, one row a query, one column a model"
                )
        unknown = unknown_categories(categories)
        if unknown and report is None:
            report = OutcomesReport(unknown_categories=unknown)
        held = {
            "queries": tuple(queries),
            "categories": tuple(map(known_category, categories)),
            "models": models,
            "quality": _measured("quality", quality, shape, highest=1.0),
            "latency_s": _measured("latency_s", latency_s, shape),
            "cost_usd": _measured("cost_usd", cost_usd, shape),
            "report": report,
            "repeats": repeats,
            "groups": _groups(groups, len(queries)),
            "tokens": tokens,
            "judgements": judgements,
            "probability": None if probability is None else _measured("probability", probability, shape, highest=1.0),
        }
        for name, value in held.items():
            object.__setattr__(self, name, value)

    @classmethod
    def _of_unique(cls, **parts: Any) -> "Outcomes":
        """Make outcomes of queries that are known to differ; to compare them takes longer than all other checks."""
        made = object.__new__(cls)
        made._fill(**parts)
        return made

    @classmethod
    def from_records(
        cls,
        records: Iterable[Record],
        models: Sequence[str] | None = None,
        scorer: Scorer | None = None,
    ) -> "Outcomes":
        """Group records into one row per unique query and one column per model, in order of first appearance.

        Every unique query has its row, also one that none of the models answered (`measured_rows` are the others), so
        that rows of vectors made elsewhere keep their meaning.

        Args:
            records: the records, for example `read_records(path)`, or any `Record`s.
            models: keep these alone, in this order; None: all, in order of first appearance.
            scorer: gives the quality of an answer that has no performance, None where it cannot be scored.

        Raises:
            RecordError: There is no record, no quality, none of the models, an answer that needs a scorer where none is
                given, two texts under one `embedding_id`, or what reading the records raises.
        """
        if models is not None:
            models = as_texts(models, "models", "a list of names", RecordError)
        cells = Cells(models, scorer)
        file = records if isinstance(records, JsonLines) else None
        try:
            # What a file of records gives is of the right kind already, and there are many.
            cells.add(records.news(cells.table) if isinstance(records, Records) else _checked(records))
        except BadRecordError as error:
            place = f"record {cells.n_records}" if file is None else f"{file.path}:{file.line}"
            raise RecordError(f"{place}: {error}") from error
        try:
            return cls._of_unique(**cells.averaged(0 if file is None else file.n_bad_lines))
        except BadRecordError as error:
            raise RecordError(str(error) if file is None else f"{file.path}: {error}") from error

    def texts(self, which: Text = "last") -> list[str]:
        """Give the text of every query that is embedded: of a conversation what `which` says, else the query."""
        return [embedded_text(query, which) for query in self.queries]

    @property
    def n_queries(self) -> int:
        """Number of rows."""
        return len(self.queries)

    @property
    def n_models(self) -> int:
        """Number of columns."""
        return len(self.models)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Where quality was measured: bool (n_queries, n_models)."""
        return np.isfinite(self.quality)

    @property
    def measured_rows(self) -> NDArray[np.intp]:
        """Rows with at least one quality: int (n,), ascending."""
        return np.flatnonzero(self.observed.any(axis=1))

    def take(self, rows: ArrayLike) -> "Outcomes":
        """Give the outcomes of some rows.

        Args:
            rows: indices (n,) or a mask (n_queries,), at least one row.
        """
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == np.bool_ else index.astype(np.intp, copy=False)
        return self._of_unique(
            queries=[self.queries[row] for row in index],
            categories=[self.categories[row] for row in index],
            models=self.models,
            quality=self.quality[index],
            latency_s=self.latency_s[index],
            cost_usd=self.cost_usd[index],
            report=self.report,
            repeats=None if self.repeats is None else self.repeats.take(index),
            groups=None if self.groups is None else [self.groups[row] for row in index],
            tokens=None if self.tokens is None else self.tokens.take(index),
            judgements=None if self.judgements is None else self.judgements.take(index),
            probability=None if self.probability is None else self.probability[index],
        )

    def with_models(self, names: Sequence[str]) -> "Outcomes":
        """Give the outcomes of some models, in the order of `names`.

        Raises:
            RecordError: One of them is not there, or there is none.
        """
        unknown = [name for name in names if name not in self.models]
        if unknown:
            raise RecordError(f"outcomes have no model {', '.join(unknown)}; their models are {', '.join(self.models)}")
        columns = [self.models.index(name) for name in names]
        return self._of_unique(
            queries=self.queries,
            categories=self.categories,
            models=names,
            quality=self.quality[:, columns],
            latency_s=self.latency_s[:, columns],
            cost_usd=self.cost_usd[:, columns],
            report=self.report,
            repeats=None if self.repeats is None else self.repeats.with_models(columns),
            groups=self.groups,
            tokens=None if self.tokens is None else self.tokens.with_models(columns),
            judgements=None if self.judgements is None else self.judgements.with_models(columns),
            probability=None if self.probability is None else self.probability[:, columns],
        )

    def with_categories(self, categories: Sequence[str | None]) -> "Outcomes":
        """Give the same outcomes with other categories, for example predicted ones in place of None."""
        return self._with(categories=categories)

    def with_quality(self, quality: ArrayLike) -> "Outcomes":
        """Give the same outcomes with other qualities: (n_queries, n_models) in [0, 1], NaN = not known."""
        return self._with(quality=quality)

    def _with(self, **changed: Any) -> "Outcomes":
        return self._of_unique(**{each.name: getattr(self, each.name) for each in fields(self)} | changed)

    def digest(self) -> str:
        """Give the SHA-256 of the content (not of the report), the same on every machine."""
        seen = hashlib.sha256()
        for texts in (self.models, self.queries, self.categories):
            seen.update(len(texts).to_bytes(8, "little"))
            for text in texts:
                data = b"\xff" if text is None else text.encode("utf-8", "surrogatepass")
                seen.update(len(data).to_bytes(8, "little") + data)
        for array in (
            self.quality,
            self.latency_s,
            self.cost_usd,
            *(() if self.tokens is None else self.tokens.arrays()),
        ):
            # One NaN and one zero, whatever their bits were.
            seen.update(np.where(np.isnan(array), np.nan, array + 0.0).astype("<f8").tobytes())
        return seen.hexdigest()


def _require_different(queries: Sequence[str]) -> None:
    row_of_key: dict[str, int] = {}
    for row, query in enumerate(queries):
        first = row_of_key.setdefault(unique_key(query), row)
        if first != row:
            raise RecordError(
                f"queries {first} and {row} are one query ({queries[first][:40]!r}, {query[:40]!r}; case and "
                "white space do not count); expected one row per query. Average the two, or use Outcomes.from_records"
            )


def _groups(groups: Sequence[str | None] | None, n_queries: int) -> tuple[str | None, ...] | None:
    """Check the names of groups; None where no query has one."""
    if groups is None:
        return None
    groups = as_list(groups, "groups", "a list of one name (or None) per query", RecordError)
    if len(groups) != n_queries:
        raise RecordError(f"outcomes have {n_queries} queries and {len(groups)} groups; expected one each")
    names = tuple(None if name is None or not str(name).strip() else str(name) for name in groups)
    return names if any(name is not None for name in names) else None


def known_category(name: str | None) -> str | None:
    """Give the category as `CATEGORIES` has it; None for none, `other` for an unknown one."""
    if name is None or not name.strip():
        return None
    return normalise_category(name) or "other"


def _measured(
    name: str, values: ArrayLike | None, shape: tuple[int, int], highest: float = np.inf
) -> NDArray[np.float64]:
    """Copy a matrix of measurements, NaN where there is none."""
    if values is None:
        array = np.full(shape, np.nan)
    else:
        try:
            array = np.array(values, dtype=np.float64, order="C")
        except (TypeError, ValueError) as error:
            raise RecordError(f"{name} is no matrix of numbers ({error}); expected shape {shape}") from error
    if array.shape != shape:
        raise RecordError(f"{name} has shape {array.shape}; expected {shape}, one row a query and one column a model")
    wrong = ~np.isnan(array) & ~((array >= 0.0) & (array <= highest) & np.isfinite(array))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        wanted = "from 0 to 1" if np.isfinite(highest) else "0 or more"
        raise RecordError(
            f"{name} is {array[row, column]} in row {row}, column {column}; "
            f"expected numbers {wanted}, NaN = not measured"
        )
    array.flags.writeable = False
    return array


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
