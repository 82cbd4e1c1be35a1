"""Parquet files as the same objects that stand in JSON Lines: read batch by batch, written in groups of rows.

The library is imported when a name ends in `.parquet`; it comes with the extra `parquet`.
"""

import math
import os
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from vsr._files import replaced_file
from vsr.errors import OutputError, RecordError, VsrError, install

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".parquet"
_ROWS_READ = 512
_GROUP_ROWS, _GROUP_BYTES = 20_000, 32 << 20  # of a group of rows that is written: what memory holds
# Marks a column whose texts are JSON, since its values are of several kinds or have parts; read back as they were.
_JSON_MARK = {b"vsr": b"json"}
_LARGEST_INT = 2**63 - 1
_LARGEST_EXACT = 2**53  # that a float holds, too

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def is_parquet(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file is parquet."""
    return os.fspath(path).lower().endswith(SUFFIX)


def parquet_lines(path: str) -> Generator[bytes]:
    """Read the rows, each as the line of JSON that would say the same; fields without a value are left out.

    Raises:
        RecordError: There is no library for it, or the file cannot be read.
    """
    _require_library(path, RecordError)
    import pyarrow as pa  # noqa: PLC0415 -- an extra
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            schema = file.schema_arrow
            packed = {each.name for each in schema if (each.metadata or {}).get(b"vsr") == b"json"}
            decimals = {each.name for each in schema if pa.types.is_decimal(each.type)}
            for batch in file.iter_batches(batch_size=_ROWS_READ):
                for row in batch.to_pylist():
                    for name in decimals:
                        row[name] = None if row[name] is None else float(row[name])
                    yield _encode(
                        {
                            name: msgspec.Raw(value.encode()) if name in packed else _said(value)
                            for name, value in row.items()
                            if value is not None
                        }
                    )
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise RecordError(f"{path}: cannot be read as parquet ({_first_line(error)}); is it whole?") from error


def _said(value: object) -> object:
    """Keep what is no number as JSON's readers know it, so that it is refused as there; the encoder would say null."""
    if isinstance(value, float) and not math.isfinite(value):
        return msgspec.Raw(b"NaN" if math.isnan(value) else b"Infinity" if value > 0.0 else b"-Infinity")
    if isinstance(value, list):
        return [_said(each) for each in value]
    if isinstance(value, dict):
        return {name: _said(each) for name, each in value.items()}
    return value


def write_parquet(path: str | os.PathLike[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write objects as the rows of a table, whole or not at all.

    What columns there are, and of which kind, is known after the last row: until then the rows wait in a file.

    Raises:
        OutputError: There is no library for it, or the file cannot be written.
    """
    _require_library(path, OutputError)
    import pyarrow.parquet as pq  # noqa: PLC0415 -- an extra

    with replaced_file(path) as temporary, tempfile.TemporaryFile() as waiting:
        columns = _Columns()
        for row in rows:
            columns.see(row)
            waiting.write(_encode(row) + b"\n")
        waiting.seek(0)
        schema = columns.schema()
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for group in _groups(cast("BinaryIO", waiting)):
                writer.write_table(columns.table(group, schema))


def _groups(stream: BinaryIO) -> Iterator[list[dict[str, object]]]:
    group: list[dict[str, object]] = []
    n_bytes = 0
    for line in stream:
        group.append(_decode(line))
        n_bytes += len(line)
        if len(group) >= _GROUP_ROWS or n_bytes >= _GROUP_BYTES:
            yield group
            group, n_bytes = [], 0
    if group:
        yield group


@dataclass
class _Columns:
    """The columns of a table that is still being seen, and the kinds of their values.

    Attributes:
        kinds: `bool int long float str texts json`, by column.
    """

    kinds: dict[str, set[str]] = field(default_factory=dict)

    def see(self, row: Mapping[str, object]) -> None:
        """Take note of a row."""
        for name, value in row.items():
            kinds = self.kinds.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))

    def kind(self, name: str) -> str:
        """Give the one kind that holds all values of a column."""
        kinds = self.kinds[name]
        if kinds and kinds <= {"int", "long"}:
            return "int"
        if len(kinds) < 2:
            return next(iter(kinds), "str")
        return "float" if kinds == {"int", "float"} else "json"

    def schema(self) -> "pa.Schema":
        """Give the columns as the file has them."""
        import pyarrow as pa  # noqa: PLC0415 -- an extra

        types = {
            "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "str": pa.string(),
            "texts": pa.list_(pa.string()), "json": pa.string(),
        }  # fmt: skip
        return pa.schema(
            [
                pa.field(name, types[kind], metadata=_JSON_MARK if kind == "json" else None)
                for name in self.kinds
                for kind in (self.kind(name),)
            ]
        )

    def table(self, rows: list[dict[str, object]], schema: "pa.Schema") -> "pa.Table":
        """Give some rows as a table."""
        import pyarrow as pa  # noqa: PLC0415 -- an extra

        packed = [name for name in self.kinds if self.kind(name) == "json"]
        for row in rows:
            for name in packed:
                if row.get(name) is not None:
                    row[name] = _encode(row[name]).decode()
        return pa.Table.from_pylist(rows, schema=schema)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        if -_LARGEST_INT <= value <= _LARGEST_INT:
            return "int" if -_LARGEST_EXACT <= value <= _LARGEST_EXACT else "long"
        return "json"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "str"
    is_texts = isinstance(value, list | tuple) and bool(value) and all(isinstance(each, str) for each in value)
    return "texts" if is_texts else "json"


def _require_library(path: str | os.PathLike[str], error_class: type[VsrError]) -> None:
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 -- an extra
    except ImportError as error:
        raise error_class(
            f"{os.fspath(path)}: parquet needs the extra `parquet`: {install('parquet')}, or name a .jsonl file"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
