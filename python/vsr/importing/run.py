"""The whole of an import: files of one program in, one file of records or pairs out, and an account of both."""

import os
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from vsr.data.json_lines import write_rows
from vsr.errors import RecordError
from vsr.importing.formats import Format
from vsr.importing.imported import Imported, ImportedPair, ImportedRecord, LeftOut
from vsr.importing.names import Names


@dataclass
class LeftOutRows:
    """What was left out for one reason.

    Attributes:
        n_rows: how many rows, or files.
        first: where the first of them is.
    """

    n_rows: int = 0
    first: str = ""


@dataclass
class ImportReport:
    """What became of the files.

    Attributes:
        n_files: how many were read.
        n_rows: records or pairs written.
        models: records of each model; for pairs how often each was preferred.
        tasks: records of each task.
        n_failed: records of failed calls.
        n_without_quality: answers that the file does not rate.
        n_scorable: of these, those that a ground truth rates.
        left_out: by reason.
    """

    n_files: int = 0
    n_rows: int = 0
    models: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    n_failed: int = 0
    n_without_quality: int = 0
    n_scorable: int = 0
    left_out: dict[str, LeftOutRows] = field(default_factory=dict)

    def leave_out(self, row: LeftOut) -> None:
        """Count a row that was left out."""
        counted = self.left_out.setdefault(row.reason, LeftOutRows(first=row.place))
        counted.n_rows += row.n_rows

    def take(self, row: ImportedRecord | ImportedPair) -> None:
        """Count a row that is written."""
        self.n_rows += 1
        if isinstance(row, ImportedPair):
            self.models[row.preferred] += 1
            self.models.setdefault(row.other, 0)
            return
        self.models[row.model_name] += 1
        if row.task_name is not None:
            self.tasks[row.task_name] += 1
        self.n_failed += row.error is not None
        if row.performance is None and row.error is None:
            self.n_without_quality += 1
            self.n_scorable += row.ground_truth is not None


def import_rows(
    form: Format,
    paths: Sequence[Path],
    output: str | os.PathLike[str],
    *,
    names: Names | None = None,
    score: str | None = None,
) -> ImportReport:
    """Read files of another program and write one file of ours, row by row.

    A file that cannot be read costs itself alone, as long as another one gives something.

    Args:
        form: whose files they are.
        paths: files, or folders that are searched for them.
        output: the file to write, by its name `.jsonl`, `.jsonl.gz` or `.parquet`; whole or not at all.
        names: what models and tasks are called here.
        score: which of several scores is the quality.

    Raises:
        RecordError: Nothing can be taken from the files; the message says why.
        OutputError: The output cannot be written.
    """
    report = ImportReport()
    with closing(_rows(form, list(_files(form, paths)), names or Names(), score, report)) as rows:
        write_rows(output, rows)
    return report


def _files(form: Format, paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted({each for pattern in form.files for each in path.rglob(pattern) if each.is_file()})
            if not found:
                raise RecordError(f"{path}: holds no file of {form.title}; expected {' or '.join(form.files)}")
            yield from found
        elif not path.exists():
            raise RecordError(f"{path}: no such file; expected files of {form.title}")
        else:
            yield path


def _rows(
    form: Format, files: Sequence[Path], names: Names, score: str | None, report: ImportReport
) -> Generator[dict[str, object]]:
    read = form.read
    for path in files:
        report.n_files += 1
        try:
            for imported in read(path, score):
                named = _named(imported, names, str(path))
                if isinstance(named, LeftOut):
                    report.leave_out(named)
                else:
                    report.take(named)
                    yield named.row()
        except (RecordError, OSError) as error:
            if len(files) == 1:
                raise
            report.leave_out(LeftOut("files that cannot be read", str(error)))
    if not report.n_rows:
        reasons = [
            f"left out {held.n_rows:,}: {reason}; the first: {held.first}" for reason, held in report.left_out.items()
        ]
        raise RecordError(f"nothing was imported; {'; '.join(reasons) or f'there are no rows in {files[0]}'}")


def _named(imported: Imported, names: Names, place: str) -> Imported:
    if isinstance(imported, ImportedRecord):
        return names.of_record(imported, place)
    return names.of_pair(imported, place) if isinstance(imported, ImportedPair) else imported
