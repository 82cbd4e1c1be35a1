"""Artefacts as plain objects, for whoever keeps them in a database or sends them over a network.

An object is what the file holds, read as JSON; both ways lead through the file's own code, so that there is one format
and scores are the same to the last bit.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vsr._checks import require_kind
from vsr.choice.objective import Objective
from vsr.embedding import Fingerprint
from vsr.errors import ArtefactError
from vsr.persistence.reading import load_artefact
from vsr.persistence.writing import save_selector
from vsr.selectors.base import TrainedSelector


def selector_to_dict(
    selector: TrainedSelector,
    embedder: Fingerprint | None = None,
    *,
    objective: Objective | None = None,
    held_out: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Turn a selector into a plain object: dictionaries, lists, texts and numbers that `json` takes.

    Args:
        selector: what `train_selector` or `load_selector` gave.
        embedder: fingerprint of what made the features; without it the object says `external`.
        objective: the default objective of choices; `Objective()` without it.
        held_out: held-out result as plain JSON values.

    Raises:
        ArtefactError: As `save_selector`.
        SelectionError: `objective` is none.
    """
    with tempfile.TemporaryDirectory(prefix="vsr-") as folder:
        path = save_selector(selector, folder, embedder, objective=objective, held_out=held_out, artefact_format="json")
        document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def selector_from_dict(document: Mapping[str, Any], models: Sequence[str] | None = None) -> TrainedSelector:
    """Turn what `selector_to_dict` gave, or the content of an artefact file, into a selector.

    Args:
        document: the object.
        models: names of the models in order, for objects that lack them.

    Raises:
        ArtefactError: It is no artefact, damaged, untrained or newer than this version.
    """
    require_kind(document, Mapping, "document", "what vsr.selector_to_dict(...) gives", ArtefactError)
    with tempfile.TemporaryDirectory(prefix="vsr-") as folder:
        path = Path(folder) / "artefact.json"
        try:
            path.write_text(json.dumps(document), encoding="utf-8")
        except (TypeError, ValueError, RecursionError) as error:
            raise ArtefactError(f"the object is no artefact: {error}; expected plain JSON values") from error
        try:
            return load_artefact(path, models=models).selector
        except ArtefactError as error:
            raise ArtefactError(str(error).replace(str(path), "the object")) from error.__cause__
