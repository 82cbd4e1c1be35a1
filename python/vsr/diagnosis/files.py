"""The files that somebody wants checked, each by its kind, and together: do they speak of the same models?"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vsr._checks import as_list
from vsr._spelling import nearest
from vsr.config import RouterConfig
from vsr.data.records import Queries, read_queries
from vsr.diagnosis.configuration import check_configuration
from vsr.diagnosis.findings import Finding, Level, counted, listed, worst_first
from vsr.diagnosis.kinds import Kind, kind_of
from vsr.diagnosis.queries import check_queries
from vsr.diagnosis.records import check_records
from vsr.errors import RecordError


@dataclass(frozen=True)
class FileDiagnosis:
    """What one file holds and what was found there.

    Attributes:
        path: the file.
        kind: what it is; None where that cannot be told.
        summary: what it holds, in a few words.
        findings: the worst first.
        models: the models it names.
    """

    path: str
    kind: Kind | None
    summary: str
    findings: tuple[Finding, ...]
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """What was found in all files."""

    files: tuple[FileDiagnosis, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, file by file."""
        return tuple(finding for file in self.files for finding in file.findings)

    def count(self, level: Level) -> int:
        """Count the findings of a level."""
        return sum(finding.level == level for finding in self.findings)


def doctor(paths: Iterable[str | os.PathLike[str]], *, environment: Mapping[str, str] | None = None) -> Diagnosis:
    """Check files of queries and records, and configurations.

    Args:
        paths: the files; the kind of each is told by what stands in it.
        environment: keys and variables of configurations; the process's by default.

    Raises:
        RecordError: `paths` are no list of paths. What is wrong with a file is a finding.
    """
    files: list[FileDiagnosis] = []
    configs: list[RouterConfig] = []
    for path in as_list(paths, "paths", "a list of paths", RecordError):
        file, config = _diagnose(os.fspath(path), environment)
        files.append(file)
        if config is not None:
            configs.append(config)
    if len(configs) == 1:
        files = [_with_config(file, configs[0]) if file.kind == "records" else file for file in files]
    return Diagnosis(tuple(files))


def _diagnose(path: str, environment: Mapping[str, str] | None) -> tuple[FileDiagnosis, RouterConfig | None]:
    try:
        kind = kind_of(path)
    except RecordError as error:
        return _unusable(path, None, error), None
    try:
        if kind == "configuration":
            checked = check_configuration(path, environment)
            config = checked.config
            summary = "configuration" if config is None else _summary_of(config)
            return FileDiagnosis(path, kind, summary, worst_first(checked.findings)), config
        if kind == "queries":
            queries = _read_queries(path)
            summary = counted(len(queries), "query", "queries")
            return FileDiagnosis(path, kind, summary, worst_first(check_queries(queries))), None
        records = check_records(path)
    except RecordError as error:
        return _unusable(path, kind, error), None
    summary = (
        f"{counted(records.n_records, 'record')}, {counted(records.n_queries, 'query', 'queries')}, "
        f"{counted(len(records.models), 'model')}"
    )
    return FileDiagnosis(path, kind, summary, worst_first(records.findings), records.models), None


def _read_queries(path: str) -> Queries:
    """Read queries, without the lines that cannot be used; where none can be, the first one says why.

    Raises:
        RecordError: There is no query.
    """
    try:
        return read_queries(path, skip_bad_lines=True)
    except RecordError:
        return read_queries(path)


def _unusable(path: str, kind: Kind | None, error: RecordError) -> FileDiagnosis:
    place, _, rest = str(error).removeprefix(path).partition(": ")
    line = place.removeprefix(":")
    what, _, fix = rest.partition("; ")
    finding = Finding(
        "error",
        "unusable",
        path,
        what,
        f"{fix[:1].upper()}{fix[1:]}." if fix else "Look at the file.",
        int(line) if line.isdigit() else None,
    )
    return FileDiagnosis(path, kind, kind or "not recognised", (finding,))


def _summary_of(config: RouterConfig) -> str:
    return (
        f"configuration, {counted(len(config.vllm_endpoints), 'endpoint')}, {counted(len(config.models), 'model')}, "
        f"{counted(len(config.decisions), 'decision')}"
    )


def _with_config(file: FileDiagnosis, config: RouterConfig) -> FileDiagnosis:
    found = worst_first((*file.findings, *_check_models(file, config)))
    return FileDiagnosis(file.path, file.kind, file.summary, found, file.models)


def _check_models(file: FileDiagnosis, config: RouterConfig) -> Iterator[Finding]:
    """Compare the models that were measured with those that the configuration offers."""
    offered = config.offered_models()
    measured = frozenset(file.models)
    for name in (name for name in offered if name not in measured):
        meant = nearest(name, (each for each in file.models if each not in offered))
        what = f"there is no record of {name}, which {config.path} offers"
        fix = f"Did you mean {meant}, which has records?" if meant else "Measure it with `vsr-train benchmark`."
        yield Finding("warning", "unmeasured-model", file.path, what, fix, field="model_name")
    others = [name for name in file.models if name not in offered]
    if others:
        what = f"{listed(others)} {'is' if len(others) == 1 else 'are'} measured, but not offered by {config.path}"
        fix = "`vsr-train train --config` leaves these records out."
        yield Finding("note", "unoffered-model", file.path, what, fix, field="model_name")
