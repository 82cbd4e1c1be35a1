"""Selectors into artefacts: the documented fields and the block `vsr`, all files of a training or none."""

import datetime as dt
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from vsr._checks import require_kind, require_path
from vsr.choice.objective import Objective, as_objective
from vsr.data.categories import CATEGORIES
from vsr.embedding import Fingerprint
from vsr.errors import ArtefactError
from vsr.features.classifier import CategoryClassifier
from vsr.persistence.artefact import FORMAT_VERSION, JSON_FORMAT_VERSION
from vsr.persistence.current import keeps_versions
from vsr.persistence.document import null_for_nan, write_documents
from vsr.persistence.sidecar import (
    ARTEFACT_FORMATS,
    MOST_JSON_ROWS,
    ArtefactFormat,
    Sidecar,
    remove_new,
    remove_others,
    write_sidecar,
)
from vsr.prior.token_statistics import TokenStatistics
from vsr.selectors import registry
from vsr.selectors.base import FileFields, TrainedSelector


def save_selector(
    selector: TrainedSelector,
    directory: str | os.PathLike[str],
    embedder: Fingerprint | None = None,
    *,
    objective: Objective | None = None,
    held_out: Mapping[str, Any] | None = None,
    artefact_format: ArtefactFormat = "auto",
) -> Path:
    """Write a selector to its file in a folder, whole or not at all.

    Args:
        selector: what `train_selector` or `load_selector` gave.
        directory: the folder; made if it is missing.
        embedder: fingerprint of what made the features; without it the artefact says `external`.
        objective: the default objective of choices; `Objective()` without it.
        held_out: held-out result as plain JSON values.
        artefact_format: `json`, `binary` (big arrays in a safetensors file beside it), or `auto`: `binary` above 20,000
            rows.

    Returns:
        Path of the file.

    Raises:
        OutputError: The folder or the file cannot be written.
        ArtefactError: The selector came from a file of the documented fields alone, the embedder has another width, or
            an argument is of another kind.
        SelectionError: `objective` is none.
    """
    return save_selectors(
        [selector], directory, embedder, objective=objective, held_out=held_out, artefact_format=artefact_format
    )[0]


def save_selectors(
    selectors: Sequence[TrainedSelector],
    directory: str | os.PathLike[str],
    embedder: Fingerprint | None = None,
    *,
    objective: Objective | None = None,
    held_out: Mapping[str, Any] | None = None,
    artefact_format: ArtefactFormat = "auto",
) -> list[Path]:
    """Write selectors to their files in a folder, all of them or none.

    Args:
        selectors: as in `save_selector`, each of another algorithm.
        directory: likewise, as are the others.
        embedder: fingerprint of what made the features.
        objective: the default objective of choices.
        held_out: held-out result as plain JSON values.
        artefact_format: how each of them is written, as in `save_selector`.

    Returns:
        Paths of the files, in the order of the selectors.

    Raises:
        OutputError: The folder or a file cannot be written.
        ArtefactError: A selector came from a file of the documented fields alone, the embedder has another width, the
            folder keeps versions (`vsr.persistence.versions`), or an argument is of another kind.
        SelectionError: `objective` is none.
    """
    objective = as_objective(objective)
    require_path(directory, "directory", ArtefactError)
    if keeps_versions(directory):
        raise ArtefactError(
            f"{os.fspath(directory)}: keeps versions, and what is loaded from it is the current one; save to a folder "
            "of its own"
        )
    for selector in selectors:
        require_kind(selector, TrainedSelector, "selector", "what vsr.train_selector(...) gives", ArtefactError)
    if embedder is not None:
        require_kind(embedder, Fingerprint, "embedder", "the fingerprint of one: embedder.fingerprint", ArtefactError)
    if held_out is not None:
        require_kind(held_out, Mapping, "held_out", "a mapping of plain JSON values", ArtefactError)
    if artefact_format not in ARTEFACT_FORMATS:
        raise ArtefactError(f"artefact_format is {artefact_format!r}; expected one of {', '.join(ARTEFACT_FORMATS)}")
    paths = [Path(directory) / registry.algorithm(selector.name).file_names[0] for selector in selectors]
    # What is saved together comes from one training, whatever was asked of each.
    requested = {name: own for selector in selectors for name, own in selector.requested.items()}
    embedders = [_fitting_embedder(selector, embedder) for selector in selectors]
    documents: dict[Path, dict[str, Any]] = {}
    sidecars: dict[Path, Sidecar | None] = {}
    new: list[Path] = []
    try:
        for path, selector, each in zip(paths, selectors, embedders, strict=True):
            written = _written(selector, artefact_format)
            sidecars[path] = sidecar = write_sidecar(path, written.stored, new) if written.stored else None
            documents[path] = _document(
                replace(selector, requested=requested), each, objective, held_out, written, sidecar
            )
        write_documents(documents)
    except BaseException:
        remove_new(new)
        raise
    for path, kept in sidecars.items():
        remove_others(path, kept)
    return paths


def _fitting_embedder(selector: TrainedSelector, embedder: Fingerprint | None) -> Fingerprint:
    """What made the features; whatever cannot be saved is refused before anything is written."""
    if selector.prior is None:
        raise ArtefactError(
            f"this {selector.name} selector came from a file of the documented fields alone, which lack what a full "
            "artefact holds; train it on records"
        )
    dim = selector.n_features - len(CATEGORIES)
    embedder = Fingerprint.external(dim) if embedder is None else embedder
    if embedder.width != dim:
        raise ArtefactError(f"the embedder gives {embedder.width} dimensions but the selector was trained on {dim}")
    return embedder


def _written(selector: TrainedSelector, artefact_format: ArtefactFormat) -> FileFields:
    """The fields of its predictor, big arrays apart where they are to be."""
    algorithm = registry.algorithm(selector.name)
    is_big = algorithm.n_stored_rows(selector.predictor) > MOST_JSON_ROWS
    if artefact_format == "binary" or (artefact_format == "auto" and is_big):
        return algorithm.to_stored_fields(selector.predictor, selector.models)
    return algorithm.to_fields(selector.predictor, selector.models)


def _document(
    selector: TrainedSelector,
    embedder: Fingerprint,
    objective: Objective,
    held_out: Mapping[str, Any] | None,
    written: FileFields,
    sidecar: Sidecar | None,
) -> dict[str, Any]:
    """Everything that a file holds."""
    assert selector.prior is not None, "refused before"
    header: dict[str, Any] = {
        "format_version": JSON_FORMAT_VERSION if sidecar is None else FORMAT_VERSION,
        "vsr_version": version(),
        "created_at": now(),
        "run_id": _run_id(selector, embedder, objective),
        **({} if sidecar is None else {"sidecar": sidecar.document()}),
        "models": list(selector.models),
        "embedder": embedder.to_json(),
        "n_features": selector.n_features,
        "categories": list(CATEGORIES),
        "category_weight": selector.category_weight,
        "objective": objective.document(),
        "parameters": _plain(selector.parameters),
        "requested": {name: _plain(own) for name, own in selector.requested.items() if own},
        "seed": selector.seed,
        "training_digest": selector.training_digest,
        "calibration_slope": selector.slope,
        "explained": selector.explained,
        "gain": selector.gain,
        "held_out": None if held_out is None else dict(held_out),
        "statistics": {
            "quality": selector.statistics.quality.tolist(),
            "latency_s": null_for_nan(selector.statistics.latency_s),
            "cost_usd": null_for_nan(selector.statistics.cost_usd),
            "counts": selector.statistics.counts,
            **_encode_tokens(selector.statistics.tokens),
        },
        "prior": {
            "shrinkage": None if np.isinf(selector.prior.shrinkage) else selector.prior.shrinkage,
            "overall": selector.prior.overall,
            "by_category": selector.prior.by_category,
        },
        "classifier": _encode_classifier(selector.classifier),
        "predictor": written.own,
    }
    return {"algorithm": selector.name, "trained": True, **written.documented, "vsr": header}


def _encode_tokens(tokens: TokenStatistics | None) -> dict[str, Any]:
    if tokens is None:
        return {}
    held = {each.name: getattr(tokens, each.name) for each in fields(tokens)}
    return {
        "tokens": {
            name: null_for_nan(values) if values.ndim == 2 else null_for_nan(values[None])[0]
            for name, values in held.items()
        }
    }


def _encode_classifier(classifier: CategoryClassifier | None) -> dict[str, Any] | None:
    if classifier is None:
        return None
    return {
        "weights": classifier.weights,
        "bias": classifier.bias,
        "codes": classifier.codes.tolist(),
        "regularisation": classifier.regularisation,
        "accuracy": classifier.accuracy,
        "n_labelled": classifier.n_labelled,
        "temperature": classifier.temperature,
    }


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Turn parameters into what JSON gives back for them: lists and Python's own numbers."""
    plain = {key: value.tolist() if isinstance(value, np.generic) else value for key, value in parameters.items()}
    return {key: [int(each) for each in value] if isinstance(value, tuple) else value for key, value in plain.items()}


def _run_id(selector: TrainedSelector, embedder: Fingerprint, objective: Objective) -> str:
    """The same for all artefacts of one training, and for a repetition of it: no clock, so that bytes repeat."""
    requested = {name: _plain(own) for name, own in sorted(selector.requested.items()) if own}
    content = (selector.training_digest, embedder.key(), selector.seed, objective.document(), requested, version())
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def version() -> str:
    """Version of this package."""
    return metadata.version("vsr-train")


def now() -> str:
    """Now in UTC, or what SOURCE_DATE_EPOCH says (reproducible-builds.org)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch and epoch.isdigit() else dt.datetime.now(dt.UTC)
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
