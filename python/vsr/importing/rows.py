"""The rows of a table, in whatever form it is kept: JSON Lines, a JSON array, CSV, parquet."""

import csv
import gzip
import io
from collections.abc import Collection, Iterator
from pathlib import Path

from vsr.data.json_lines import JsonLines, decode_object
from vsr.errors import RecordError
from vsr.importing.imported import LeftOut
from vsr.importing.json_parts import Place, json_parts

Row = dict[str, object]

_LONGEST_CELL = 16 << 20
_PICKLES = (".pkl", ".pickle", ".p")
UNREADABLE = "rows that cannot be read"


def read_rows(path: Path, elements: Collection[Place] = (("*",),)) -> Iterator[tuple[str, Row | LeftOut]]:
    """Read a table row by row; memory holds a few rows.

    Args:
        path: the file; its name says what it is: `.jsonl` and `.ndjson` (also `.gz`), `.json`, `.csv` (also `.gz`),
            `.parquet`.
        elements: where the rows of a `.json` stand.

    Returns:
        The place of every row for messages, and the row, or why it cannot be read.

    Raises:
        RecordError: The file cannot be read, or is of none of these kinds.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(_PICKLES):
        raise RecordError(
            f"{path}: is a pickle, which can run any code while it is read; expected CSV or parquet. If you trust its "
            f"source, convert it in Python: pandas.read_pickle({path.name!r}).to_parquet({path.stem + '.parquet'!r})"
        )
    if name.endswith(".json"):
        return _json_rows(path, elements)
    if name.endswith(".csv"):
        return _csv_rows(path)
    if name.endswith((".jsonl", ".ndjson", ".parquet")):
        return _lines(path)
    raise RecordError(f"{path}: of which kind is it? Expected a name that ends in .jsonl, .json, .csv or .parquet")


def _lines(path: Path) -> Iterator[tuple[str, Row | LeftOut]]:
    lines = JsonLines(path, decode_object, lambda _value: None, noun="rows", skip_bad_lines=True)
    for row in lines:
        yield f"{path}:{lines.line}", row
    if lines.n_bad_lines:
        yield str(path), LeftOut(UNREADABLE, str(lines.bad_lines[0]), lines.n_bad_lines)


def _json_rows(path: Path, elements: Collection[Place]) -> Iterator[tuple[str, Row | LeftOut]]:
    with path.open("rb") as stream:
        for number, part in enumerate(json_parts(stream, str(path), elements), start=1):
            place = f"{path}, element {number}"
            try:
                value = part.decode()
            except ValueError as error:
                yield place, LeftOut(UNREADABLE, f"{place}: {error}")
                continue
            if isinstance(value, dict):
                yield place, value
            else:
                yield place, LeftOut("rows that are no objects", place)


def _csv_rows(path: Path) -> Iterator[tuple[str, Row | LeftOut]]:
    csv.field_size_limit(_LONGEST_CELL)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as stream:
        table = csv.DictReader(stream)
        try:
            for row in table:
                place = f"{path}:{table.line_num}"
                if None in row or None in row.values():
                    yield place, LeftOut("rows with more or fewer cells than the head", place)
                else:
                    yield place, {name: value for name, value in row.items() if value != ""}
        except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
            raise RecordError(f"{path}: cannot be read beyond line {table.line_num} ({error})") from error
