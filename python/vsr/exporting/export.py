"""The whole of `vsr-train export`: artefacts in, files of another form and what each of them loses out."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vsr._checks import require_kind
from vsr.choice.objective import Objective
from vsr.errors import ArtefactError
from vsr.exporting.files import Assignment, FileContent
from vsr.exporting.formats import FORMATS, Format
from vsr.exporting.held_out import HeldOutQueries, Queries
from vsr.exporting.kmeans import write_kmeans
from vsr.exporting.knn import write_knn
from vsr.exporting.matrix_factorization import write_matrix_factorization
from vsr.exporting.mlp import write_mlp
from vsr.exporting.readers import CHOOSERS
from vsr.exporting.svm import write_svm
from vsr.exporting.teacher import Teacher
from vsr.persistence import Artefact
from vsr.persistence.document import write_documents
from vsr.selectors import registry

EXPORT_NAME = "export.json"
DEFAULT_MAX_ROWS = 500

WRITERS: Mapping[str, Callable[[Assignment], FileContent]] = {
    "knn": write_knn,
    "kmeans": write_kmeans,
    "mlp": write_mlp,
    "svm": write_svm,
    "matrix_factorization": write_matrix_factorization,
}
"""By algorithm, what makes its file; other algorithms have no form elsewhere."""

_N_TIMED = 30


@dataclass(frozen=True)
class ExportSettings:
    """How to export.

    Attributes:
        form: name of the form, one of `FORMATS`.
        objective: what is baked in.
        max_rows: rows of KNN and support vectors of a model, at most.
        names: what the reader calls a model, where that is not its own name (a LoRA adapter's, say).
        seed: of everything random.
    """

    form: str
    objective: Objective
    max_rows: int = DEFAULT_MAX_ROWS
    names: Mapping[str, str] | None = None
    seed: int = 0


@dataclass(frozen=True)
class ExportedFile:
    """One file and what it loses against our own choices, by its reader's own rule.

    Attributes:
        algorithm: registry name.
        path: the file.
        rows: rows, clusters or support vectors in it; of a network its hidden units; of a factorization its factors.
        agreement: share of the judged queries on which the reader chooses as we do.
        utility_lost: mean utility of our choices less that of the reader's.
        interval: its 95 % interval.
        reader_ms: time of one choice by the plain reading in NumPy, in milliseconds.
    """

    algorithm: str
    path: Path
    rows: int
    agreement: float
    utility_lost: float
    interval: tuple[float, float]
    reader_ms: float


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        path: `export.json`.
        files: one per algorithm.
        n_judged: queries on which they were judged.
        is_measured: whether the utility lost was measured; else it is by our own predictions, on points between
            training queries that the fit has not seen.
    """

    path: Path
    files: tuple[ExportedFile, ...]
    n_judged: int
    is_measured: bool


def export_selectors(
    artefacts: Sequence[Artefact],
    directory: str | os.PathLike[str],
    settings: ExportSettings,
    held_out: HeldOutQueries | None = None,
) -> ExportResult:
    """Write artefacts of one training in the form of another reader, and `export.json`.

    Args:
        artefacts: of algorithms that have such a form, all of the same models and feature width.
        directory: where to; made if it is missing.
        settings: form, objective, sizes.
        held_out: queries with measured utilities to judge on.

    Raises:
        ArtefactError: The artefacts do not belong together, have no such form, or there are no queries to fit on.
        OutputError: A file cannot be written.
    """
    require_kind(settings, ExportSettings, "settings", "vsr.exporting.ExportSettings(...)", ArtefactError)
    form = FORMATS[settings.form]
    selectors = {artefact.selector.name: artefact.selector for artefact in artefacts}
    _check(artefacts)
    names = _names(artefacts[0].selector.models, settings.names or {})
    queries = Queries.gather(selectors, held_out, np.random.default_rng(settings.seed))
    folder = Path(directory)
    teachers = {name: Teacher.of(selector, settings.objective) for name, selector in selectors.items()}
    contents = {
        name: WRITERS[name](
            Assignment(
                teacher=teacher,
                form=form,
                names=names,
                known=queries.known,
                features=queries.fitted,
                max_rows=settings.max_rows,
                generator=np.random.default_rng([settings.seed, number]),
            )
        )
        for number, (name, teacher) in enumerate(teachers.items())
    }
    paths = {name: folder / registry.algorithm(name).file_names[0] for name in contents}
    write_documents({paths[name]: content.document for name, content in contents.items()})
    files = tuple(
        _judged(name, paths[name], content.n_rows, teachers[name], names, queries, form)
        for name, content in contents.items()
    )
    path = folder / EXPORT_NAME
    header = artefacts[0].header
    document = {
        "format": form.name,
        "made_from": None if header is None else header.run_id,
        "objective": settings.objective.document(),
        "queries": {
            "n": len(queries.judged),
            "source": queries.source,
            "utility": "predicted" if queries.utilities is None else "measured",
        },
        "categories": list(form.categories),
        "models": list(names),
        "files": {file.path.name: _figures(file) for file in files},
    }
    write_documents({path: document})
    return ExportResult(path, files, len(queries.judged), queries.utilities is not None)


def _check(artefacts: Sequence[Artefact]) -> None:
    if not artefacts:
        raise ArtefactError(f"there is nothing to export; expected artefacts of {', '.join(WRITERS)}")
    first = artefacts[0]
    for artefact in artefacts:
        selector = artefact.selector
        if selector.name not in WRITERS:
            raise ArtefactError(f"{artefact.path}: {selector.name} has no form elsewhere; {', '.join(WRITERS)} have")
        if selector.models != first.selector.models or selector.n_features != first.selector.n_features:
            raise ArtefactError(
                f"{artefact.path}: has other models or another feature width than {first.path}; export artefacts of "
                "one training"
            )
        if selector.category_weight != 1.0:
            raise ArtefactError(
                f"{artefact.path}: was trained with category weight {selector.category_weight:g}; readers elsewhere "
                "put 1 into the category's column. Train with 1"
            )


def _names(models: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    called = tuple(names.get(model, model) for model in models)
    twice = sorted({name for name in called if called.count(name) > 1})
    if twice:
        raise ArtefactError(f"two models would be called {', '.join(twice)}; give each its own name")
    return called


def _judged(
    algorithm: str, path: Path, n_rows: int, teacher: Teacher, names: Sequence[str], queries: Queries, form: Format
) -> ExportedFile:
    """Read a file back as its reader does, and compare."""
    choose = CHOOSERS[algorithm](_read(path))
    rows = form.rows(queries.judged)
    column_of = {name: column for column, name in enumerate(names)}
    chosen = np.array([column_of[name] for name in choose(rows)])
    own = teacher.choices(queries.judged)
    utilities = teacher.utilities(queries.judged) if queries.utilities is None else queries.utilities
    every = np.arange(len(own))
    lost = utilities[every, own] - utilities[every, chosen]
    lost = lost[np.isfinite(lost)]
    half = 1.96 * float(lost.std()) / np.sqrt(max(len(lost), 1)) if len(lost) else 0.0
    mean = float(lost.mean()) if len(lost) else 0.0
    return ExportedFile(
        algorithm=algorithm,
        path=path,
        rows=n_rows,
        agreement=float(np.mean(chosen == own)),
        utility_lost=mean,
        interval=(mean - half, mean + half),
        reader_ms=_milliseconds(lambda row: choose(rows[row : row + 1]), len(rows)),
    )


def _read(path: Path) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(path.read_text())
    return fields


def _milliseconds(choose: Callable[[int], object], n_rows: int) -> float:
    """Median time of one choice."""
    seconds = []
    for row in range(min(_N_TIMED, n_rows)):
        started = time.perf_counter()
        choose(row)
        seconds.append(time.perf_counter() - started)
    return 1e3 * float(np.median(seconds))


def _figures(file: ExportedFile) -> dict[str, Any]:
    return {
        "algorithm": file.algorithm,
        "rows": file.rows,
        "agreement": file.agreement,
        "utility_lost": file.utility_lost,
        "interval": list(file.interval),
        "reader_ms": file.reader_ms,
    }
