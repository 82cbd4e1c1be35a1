"""The training whose traffic is watched: what its folder keeps to compare with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from vsr.choice.objective import Objective
from vsr.errors import ArtefactError
from vsr.persistence import RECOMMENDED, read_manifest
from vsr.persistence.held_out import HeldOut
from vsr.persistence.manifest import MANIFEST_NAME
from vsr.persistence.training_queries import TRAINING_QUERIES_NAME, TrainingQueries, read_training_queries


@dataclass(frozen=True, eq=False)
class WatchedTraining:
    """A training, and what it says of quiet days.

    Attributes:
        run_id: its decisions have it.
        algorithm: that is served.
        models: that it compared, all of which a choice has to have had on offer.
        objective: of its choices.
        queries: what it keeps of its queries.
        held_out: what it keeps of the held-out ones.
        given: number of training queries by category, as they were given.
    """

    run_id: str
    algorithm: str
    models: frozenset[str]
    objective: Objective
    queries: TrainingQueries
    held_out: HeldOut
    given: Mapping[str, float]


def read_watched(directory: str | os.PathLike[str], algorithm: str = RECOMMENDED) -> WatchedTraining:
    """Read what a folder keeps of its training.

    Args:
        directory: the folder of the artefacts.
        algorithm: registry name of the one that is served, or `recommended`.

    Raises:
        ArtefactError: There is no training, it is damaged, or an older version wrote it.
    """
    folder = os.fspath(directory)
    manifest = read_manifest(directory)
    if manifest is None:
        raise ArtefactError(
            f"{folder}: has no {MANIFEST_NAME}; expected the folder of a training, name it with --models-dir"
        )
    queries = read_training_queries(directory)
    if queries is None or queries.held_out is None or queries.run_id != manifest.run_id:
        raise ArtefactError(
            f"{folder}: its {TRAINING_QUERIES_NAME} is missing, of another training, or of an older version, so there "
            "is nothing to compare traffic with; train again"
        )
    name = manifest.recommended if algorithm == RECOMMENDED else algorithm
    if name not in manifest.files:
        raise ArtefactError(f"{folder}: the training has no {name}; it has {', '.join(manifest.files)}")
    selection = queries.selection.get(name) or next(iter(queries.selection.values()), ())
    models = next(iter(queries.held_out.models.values()), {})
    return WatchedTraining(
        run_id=manifest.run_id,
        algorithm=name,
        models=frozenset(models),
        objective=manifest.objective,
        queries=queries,
        held_out=queries.held_out,
        given={row.category: float(row.n_queries) for row in selection},
    )
