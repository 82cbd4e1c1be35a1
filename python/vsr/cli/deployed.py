"""`vsr-train evaluate --models-dir`: saved artefacts on new records, or on queries that nobody has measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vsr.cli import terminal
from vsr.cli.deployed_table import deployed_document, foreseen_document, write_deployed, write_foreseen
from vsr.cli.embedding import embed_with_progress, router_of
from vsr.cli.options import EmbeddingOptions, ObjectiveOptions
from vsr.cli.records import read_measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from vsr.evaluation.deployed.folder import Folder
    from vsr.routing import Router


def judge_artefacts(
    directory: Path,
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
    folder = _open(directory, algorithms)
    router = router_of(folder.artefacts[0], embedding)
    outcomes = read_measured(data_file, skip_bad_lines=skip_bad_lines)
    rows = folder.unseen_rows(outcomes)
    evaluation = folder.judge(
        outcomes,
        rows,
        _vectors(outcomes.queries, rows, router, embedding),
        objective=objective.over(router.objective),
        categories=categories,
        seed=seed,
    )
    if as_json:
        terminal.write_json(deployed_document(evaluation))
    else:
        write_deployed(evaluation)


def foresee_choices(
    directory: Path,
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
    from vsr.evaluation.deployed.foreseen import foresee, unseen_categories
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
    folder = _open(directory, algorithms or ("recommended",))
    router = router_of(folder.artefacts[0], embedding)
    prompts = [query.prompt for query in queries]
    vectors = _vectors(prompts, np.arange(len(prompts)), router, embedding)
    yardstick = find_yardstick(directory, router.artefact)
    found = [
        foresee(
            artefact,
            [query.category for query in queries],
            vectors,
            yardstick=yardstick,
            objective=objective.over(router.objective),
        )
        for artefact in folder.artefacts
    ]
    n_known = None if folder.training is None else int(folder.training.are_known(prompts).sum())
    unseen = unseen_categories(folder.artefacts[0], found[0])
    if as_json:
        terminal.write_json(foreseen_document(found, prompts, unseen, n_known))
    else:
        write_foreseen(found, prompts, unseen, n_known)


def _open(directory: Path, algorithms: "Sequence[str]") -> "Folder":
    """Load artefacts: those that are named, or all."""
    from vsr.evaluation.deployed.folder import Folder

    folder = Folder.open(directory, algorithms)
    for note in folder.notes:
        terminal.warn(note)
    return folder


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
