"""`vsr-train evaluate --models-dir`: saved artefacts on new records, or on queries that nobody has measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vsr.cli import terminal
from vsr.cli.deployed_table import deployed_document, foreseen_document, write_deployed, write_foreseen
from vsr.cli.embedding import embed_with_progress, load_router
from vsr.cli.options import EmbeddingOptions, ObjectiveOptions
from vsr.cli.records import read_measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from vsr.choice.objective import Objective
    from vsr.persistence import Artefact
    from vsr.persistence.training_queries import TrainingQueries
    from vsr.routing import Router


@dataclass(frozen=True)
class _Folder:
    """Artefacts to judge: loaded, with what is needed for all of them."""

    path: Path
    router: "Router"
    artefacts: "tuple[Artefact, ...]"
    recommended: str | None


def judge_artefacts(
    folder: Path,
    data_file: Path,
    algorithms: "Sequence[str]",
    categories: Literal["given", "predicted"] | None,
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    *,
    seed: int,
    skip_bad_lines: bool,
    as_json: bool,
) -> None:
    """Judge the artefacts of a folder on records that they have not seen, and print what came out.

    Raises:
        ArtefactError: No such artefact, a damaged one, or one of other models than those of the records.
        RecordError: The records cannot be read, or all of them were in the training.
        EmbeddingError: The embedding model is not to be had, or is not the one of the training.
    """
    import numpy as np

    from vsr.errors import RecordError
    from vsr.evaluation.deployed import evaluate_deployed
    from vsr.evaluation.novelty import novelty_of
    from vsr.persistence.yardstick import find_yardstick

    opened = _open(folder, algorithms, embedding)
    outcomes = read_measured(data_file, skip_bad_lines=skip_bad_lines)
    training = _training_queries(opened)
    rows = outcomes.measured_rows
    is_seen = np.zeros(len(rows), dtype=bool)
    if training is not None:
        is_seen = training.are_known(outcomes.queries[row] for row in rows)
    n_seen = int(is_seen.sum())
    if is_seen.all():
        raise RecordError(
            f"{data_file}: all {len(rows):,} queries were in the training of {folder}; expected some that the "
            "artefacts have not seen. Measure new queries"
        )
    vectors = _vectors(outcomes.queries, rows[~is_seen], opened.router, embedding)
    outcomes = outcomes.take(rows[~is_seen])
    evaluation = evaluate_deployed(
        opened.artefacts,
        outcomes,
        vectors,
        recommended=opened.recommended,
        training=training,
        objective=_objective(opened.router, objective),
        categories=categories,
        seed=seed,
    )
    yardstick = find_yardstick(folder, opened.router.artefact)
    novelty = None if yardstick is None else novelty_of(yardstick, vectors)
    n_left_out = None if training is None else n_seen
    if as_json:
        terminal.write_json(deployed_document(evaluation, n_left_out, novelty))
    else:
        write_deployed(evaluation, n_left_out, novelty)


def foresee_choices(
    folder: Path,
    queries_file: Path,
    algorithms: "Sequence[str]",
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    *,
    skip_bad_lines: bool,
    as_json: bool,
) -> None:
    """Show what an artefact would choose for queries that nobody has measured.

    Raises:
        ArtefactError: No such artefact, or a damaged one.
        RecordError: The queries cannot be read.
        EmbeddingError: The embedding model is not to be had, or is not the one of the training.
    """
    import numpy as np

    from vsr.data.categories import unknown_categories
    from vsr.data.prompts import unique_rows
    from vsr.data.records import read_queries
    from vsr.evaluation.foreseen import foresee, unseen_categories
    from vsr.persistence.yardstick import find_yardstick

    read = read_queries(queries_file, skip_bad_lines=skip_bad_lines)
    if read.n_bad_lines:
        terminal.warn(f"{read.n_bad_lines:,} bad lines left out; the first: {read.bad_lines[0]}")
    for unknown in unknown_categories(query.category for query in read):
        terminal.warn(f"{unknown.name} is no known category and counts as other ({unknown.count:,} queries)")
    places = unique_rows(query.prompt for query in read)
    firsts = {place: row for row, place in reversed(list(enumerate(places)))}
    queries = [read[firsts[place]] for place in range(len(firsts))]
    terminal.say(f"{terminal.counted(len(queries), 'unique query', 'unique queries')}.")
    opened = _open(folder, algorithms or ("recommended",), embedding)
    prompts = [query.prompt for query in queries]
    vectors = _vectors(prompts, np.arange(len(prompts)), opened.router, embedding)
    yardstick = find_yardstick(folder, opened.router.artefact)
    found = [
        foresee(
            artefact,
            [query.category for query in queries],
            vectors,
            yardstick=yardstick,
            objective=_objective(opened.router, objective),
        )
        for artefact in opened.artefacts
    ]
    training = _training_queries(opened)
    n_known = None if training is None else int(training.are_known(prompts).sum())
    unseen = unseen_categories(opened.artefacts[0], found[0])
    if as_json:
        terminal.write_json(foreseen_document(found, prompts, unseen, n_known))
    else:
        write_foreseen(found, prompts, unseen, n_known)


def _open(folder: Path, algorithms: "Sequence[str]", embedding: EmbeddingOptions) -> _Folder:
    """Load artefacts: those that are named, or all; they share one embedder."""
    from vsr.errors import ArtefactError
    from vsr.persistence import find_artefacts, open_artefact, read_manifest
    from vsr.persistence.trainings import run_ids

    manifest = read_manifest(folder)
    recommended = None if manifest is None else manifest.recommended
    there = find_artefacts(folder)
    names = list(dict.fromkeys(algorithms)) or ["recommended"] * (len(there) < 2) or list(there)
    if recommended in names:  # it is the first: what the training said is read there
        names = [recommended, *(name for name in names if name != recommended)]
    router = load_router(folder, names[0], embedding)
    artefacts = [router.artefact]
    for name in names[1:]:
        artefact = open_artefact(folder, name)
        _check_same_embedder(router.artefact, artefact, ArtefactError)
        artefacts.append(artefact)
    n_trainings = len(run_ids(there.values()))
    if n_trainings > 1:
        terminal.warn(
            f"{folder}: its artefacts come from {n_trainings} different trainings; "
            f"`vsr-train inspect {folder}` shows which"
        )
    for artefact in artefacts:
        for lack in artefact.lacking:
            terminal.warn(f"{artefact.path}: has the documented fields alone; it lacks {lack}")
    if recommended is not None and recommended not in [each.selector.name for each in artefacts]:
        recommended = None
    return _Folder(folder, router, tuple(artefacts), recommended)


def _check_same_embedder(first: "Artefact", other: "Artefact", error: type[Exception]) -> None:
    """Refuse artefacts of one folder that need different vectors."""
    if first.header is None or other.header is None:
        return
    differences = first.header.embedder.differences(other.header.embedder)
    if differences:
        raise error(
            f"{other.path}: was trained with another embedder than {first.path.name} "
            f"({'; '.join(map(str, differences))}); judge them one at a time with --algorithm"
        )


def _training_queries(opened: _Folder) -> "TrainingQueries | None":
    """Read what the folder keeps of its training queries, and say where that is nothing."""
    from vsr.persistence.training_queries import TRAINING_QUERIES_NAME, read_training_queries

    training = read_training_queries(opened.path)
    header = opened.router.artefact.header
    if training is None:
        terminal.warn(
            f"{opened.path}: has no {TRAINING_QUERIES_NAME}, so it cannot be known which queries were in the training; "
            "on those the figures would flatter. Train again to have it"
        )
        return None
    if header is None or header.run_id != training.run_id:
        terminal.warn(
            f"{opened.path}: its {TRAINING_QUERIES_NAME} belongs to another training than "
            f"{opened.router.artefact.path.name}, so it cannot be known which queries were in the training"
        )
        return None
    return training


def _vectors(
    queries: "Sequence[str]", rows: "NDArray[np.intp]", router: "Router", embedding: EmbeddingOptions
) -> "NDArray[np.float32]":
    """Embed some of the unique queries of a file, or take their rows of ready vectors."""
    from vsr.embedding.vector_file import read_embedding_file
    from vsr.embedding.vectors import unit_rows
    from vsr.errors import ArtefactError

    if embedding.file is not None:
        return unit_rows(read_embedding_file(embedding.file, len(queries))[rows])
    if router.embedder is None:
        raise ArtefactError(
            f"{router.artefact.path}: names no embedding model, because it was trained on vectors from elsewhere; "
            "give the vectors of the queries with --embedding-file"
        )
    return unit_rows(embed_with_progress(router.embedder, [queries[row] for row in rows], router.artefact.text).vectors)


def _objective(router: "Router", objective: ObjectiveOptions) -> "Objective":
    """Take what the flags say, and the artefact's own where they say nothing."""
    return objective.over(router.objective)
