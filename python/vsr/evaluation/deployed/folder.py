"""A folder of artefacts, judged on records that were not in its training; the whole of `evaluate --models-dir`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vsr._checks import as_texts, require_kind
from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import ArtefactError, RecordError
from vsr.evaluation.deployed.judging import DeployedEvaluation, evaluate_deployed
from vsr.evaluation.deployed.novelty import novelty_of
from vsr.evaluation.results import CategorySource
from vsr.persistence import Artefact, find_artefacts, open_artefact, read_manifest
from vsr.persistence.training_queries import TRAINING_QUERIES_NAME, TrainingQueries, read_training_queries
from vsr.persistence.trainings import run_ids
from vsr.persistence.yardstick import find_yardstick


def evaluate(
    directory: str | os.PathLike[str],
    outcomes: Outcomes,
    embeddings: npt.ArrayLike,
    *,
    algorithms: Sequence[str] = (),
    objective: Objective | None = None,
    categories: CategorySource | None = None,
    seed: int = 0,
) -> DeployedEvaluation:
    """Judge the artefacts of a folder on new records; queries that were in their training are left out.

    Args:
        directory: folder of the artefacts.
        outcomes: the records.
        embeddings: (n_queries, dim) vectors of all its queries by the embedder of the artefacts.
        algorithms: registry names of the artefacts to judge; all without it.
        objective: what the choices maximise; the artefacts' own without it.
        categories: how the artefacts know the categories; as the verdict of the training assumes without it.
        seed: of the folds that estimate missing cells.

    Raises:
        ArtefactError: No such artefact, a damaged one, or one of other models than those of the records.
        RecordError: All queries were in the training, or the vectors do not fit.
    """
    require_kind(outcomes, Outcomes, "outcomes", "vsr.Outcomes.from_records(...)", RecordError)
    vectors = unit_rows(as_embeddings(embeddings))
    if len(vectors) != outcomes.n_queries:
        raise RecordError(f"{len(vectors):,} embeddings for {outcomes.n_queries:,} queries; expected one per query")
    names = as_texts(algorithms, "algorithms", "a list of names, such as knn", ArtefactError)
    folder = Folder.open(directory, names)
    rows = folder.unseen_rows(outcomes)
    return folder.judge(outcomes, rows, vectors[rows], objective=objective, categories=categories, seed=seed)


@dataclass(frozen=True)
class Folder:
    """Artefacts to judge, and what the folder keeps of their training.

    Attributes:
        path: the folder.
        artefacts: loaded; the recommended one, where it is among them, first.
        recommended: algorithm of the recommended artefact, None where it is not among them.
        training: what is kept of the training queries of the first; None where that is nothing.
        notes: what a person should know, one sentence each.
    """

    path: Path
    artefacts: tuple[Artefact, ...]
    recommended: str | None
    training: TrainingQueries | None
    notes: tuple[str, ...]

    @classmethod
    def open(cls, directory: str | os.PathLike[str], algorithms: Sequence[str] = ()) -> "Folder":
        """Load artefacts that need the same vectors: those that are named, or all.

        Raises:
            ArtefactError: No such artefact, a damaged one, or two that were trained with different embedders.
        """
        folder = Path(directory)
        manifest = read_manifest(folder)
        recommended = None if manifest is None else manifest.recommended
        there = find_artefacts(folder)
        names = list(dict.fromkeys(algorithms)) or ["recommended"] * (len(there) < 2) or list(there)
        if recommended in names:  # it is the first: what the training said is read there
            names = [recommended, *(name for name in names if name != recommended)]
        artefacts = tuple(open_artefact(folder, name) for name in names)
        for other in artefacts[1:]:
            _check_same_embedder(artefacts[0], other)
        notes = []
        n_trainings = len(run_ids(there.values()))
        if n_trainings > 1:
            notes.append(
                f"{folder}: its artefacts come from {n_trainings} different trainings; "
                f"`vsr-train inspect {folder}` shows which"
            )
        notes += [
            f"{artefact.path}: has the documented fields alone; it lacks {lack}"
            for artefact in artefacts
            for lack in artefact.lacking
        ]
        if recommended not in [each.selector.name for each in artefacts]:
            recommended = None
        training, note = _training_queries(folder, artefacts[0])
        return cls(folder, artefacts, recommended, training, (*notes, *note))

    def unseen_rows(self, outcomes: Outcomes) -> npt.NDArray[np.intp]:
        """Give the measured rows of the outcomes that were not in the training: int (n,), ascending.

        Raises:
            RecordError: All were.
        """
        rows = outcomes.measured_rows
        if self.training is None:
            return rows
        unseen = rows[~self.training.are_known(outcomes.queries[row] for row in rows)]
        if not len(unseen):
            raise RecordError(
                f"all {len(rows):,} queries were in the training of {self.path}; expected some that the artefacts "
                "have not seen. Measure new queries"
            )
        return unseen

    def judge(
        self,
        outcomes: Outcomes,
        rows: npt.NDArray[np.intp],
        embeddings: npt.NDArray[np.float32],
        *,
        objective: Objective | None = None,
        categories: CategorySource | None = None,
        seed: int = 0,
    ) -> DeployedEvaluation:
        """Judge the artefacts on some rows of outcomes.

        Args:
            outcomes: the records.
            rows: what `unseen_rows` gave.
            embeddings: (len(rows), dim) float32, unit vectors of these rows.
            objective: as in `evaluate`.
            categories: as in `evaluate`.
            seed: as in `evaluate`.

        Raises:
            ArtefactError: The records have no model that an artefact knows.
            RecordError: The vectors do not fit the artefacts.
        """
        evaluation = evaluate_deployed(
            self.artefacts,
            outcomes.take(rows),
            embeddings,
            recommended=self.recommended,
            training=self.training,
            objective=objective,
            categories=categories,
            seed=seed,
        )
        yardstick = find_yardstick(self.path, self.artefacts[0])
        return replace(
            evaluation,
            n_left_out=None if self.training is None else len(outcomes.measured_rows) - len(rows),
            novelty=None if yardstick is None else novelty_of(yardstick, embeddings),
        )


def _check_same_embedder(first: Artefact, other: Artefact) -> None:
    """Refuse artefacts of one folder that need different vectors."""
    if first.header is None or other.header is None:
        return
    differences = first.header.embedder.differences(other.header.embedder)
    if differences:
        raise ArtefactError(
            f"{other.path}: was trained with another embedder than {first.path.name} "
            f"({'; '.join(map(str, differences))}); judge them one at a time with --algorithm"
        )


def _training_queries(folder: Path, first: Artefact) -> tuple[TrainingQueries | None, list[str]]:
    """Read what the folder keeps of its training queries, with a note where that is nothing."""
    training = read_training_queries(folder)
    if training is None:
        note = (
            f"{folder}: has no {TRAINING_QUERIES_NAME}, so it cannot be known which queries were in the training; "
            "on those the figures would flatter. Train again to have it"
        )
        return None, [note]
    if first.header is None or first.header.run_id != training.run_id:
        note = (
            f"{folder}: its {TRAINING_QUERIES_NAME} belongs to another training than {first.path.name}, so it cannot "
            "be known which queries were in the training"
        )
        return None, [note]
    return training, []
