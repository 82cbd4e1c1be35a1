"""Artefacts read: of this format, of older ones, and of the documented fields alone."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from dataclasses import fields as fields_of
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

import numpy as np

from vsr._checks import as_texts
from vsr.data.categories import CATEGORIES
from vsr.embedding import Fingerprint
from vsr.errors import ArtefactError, TrainingError, VsrError
from vsr.features.classifier import CategoryClassifier
from vsr.persistence.artefact import FORMAT_VERSION, Artefact, Header
from vsr.persistence.document import read_fields
from vsr.persistence.mapping import map_sidecar
from vsr.persistence.objective import read_objective
from vsr.persistence.sidecar import Sidecar
from vsr.prior.category_means import MeanTable
from vsr.prior.statistics import Statistics
from vsr.prior.token_statistics import TokenStatistics
from vsr.selectors import registry
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, TrainedSelector

_HEADER_PATTERNS = {
    "vsr.prior.overall": "float64",
    "vsr.prior.by_category": "float64",
    "vsr.statistics.counts": "float64",
    "vsr.classifier.weights": "float32",
    "vsr.classifier.bias": "float32",
}


# What fields of the block `vsr` were called in format 1, by what they are called now.
_FORMER_NAMES = {
    "vsr.prior": "vsr.parent",
    "vsr.calibration_slope": "vsr.belief",
    "vsr.predictor.cluster_residual": "vsr.predictor.cluster_deviation",
}


_LONGEST_MESSAGE = 500


def load_artefact(
    path: str | os.PathLike[str], *, models: Sequence[str] | None = None, algorithm: str | None = None
) -> Artefact:
    """Load one artefact file.

    Args:
        path: the file.
        models: names of the models in order, for files that lack them.
        algorithm: the algorithm that is expected; any without it.

    Raises:
        ArtefactError: Not there, or damaged, untrained, foreign, of another algorithm or newer than this version.
    """
    names = None if models is None else as_texts(models, "models", "a list of names", ArtefactError)
    path = Path(path)
    before = _identity(path)
    try:
        return _load(path, names, algorithm)
    except ArtefactError:
        if _identity(path) == before:
            raise
        return _load(path, names, algorithm)  # it was replaced meanwhile, and the arrays of the old one are gone


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _load(path: Path, names: tuple[str, ...] | None, algorithm: str | None) -> Artefact:
    expected = algorithm or _algorithm_of(path)
    # A file may hold another algorithm than its name says: then the fields below are read again.
    fields = _read(path, _algorithm(expected).array_patterns() if expected else {})
    name = fields.get("algorithm", str)
    if name not in registry.names():
        raise fields.error("algorithm", f"is {shortened(name)}; this version knows {', '.join(registry.names())}")
    if algorithm is not None and name != algorithm:
        raise fields.error("algorithm", f"is {shortened(name)}; expected {algorithm!r}")
    if name != expected:
        fields = _read(path, registry.algorithm(name).array_patterns())
    if not fields.get("trained", bool):
        raise fields.error("trained", "is false: the file holds no trained selector; train it first")
    try:
        if fields.has("vsr"):
            return _require_names(_load_full(path, name, fields), names)
        return _load_documented(path, name, fields, names)
    except ArtefactError:
        raise
    except (VsrError, ValueError) as error:
        message = str(error)  # some quote what stands in the file, of any length
        raise ArtefactError(f"{path}: {message[:_LONGEST_MESSAGE]}") from error


def _read(path: Path, arrays: Mapping[str, str]) -> Fields:
    """Read a file of this format or of an older one, whose fields then have the names of this one."""
    patterns = {**_HEADER_PATTERNS, **arrays}
    former = {
        name.replace(now, then): kind
        for name, kind in patterns.items()
        for now, then in _FORMER_NAMES.items()
        if now in name
    }
    return read_fields(path, {**patterns, **former}).renamed({then: now for now, then in _FORMER_NAMES.items()})


def _require_names(artefact: Artefact, names: tuple[str, ...] | None) -> Artefact:
    """Refuse other names than those that an artefact holds itself, or another order."""
    own = artefact.selector.models
    if names is not None and names != own:
        raise ArtefactError(
            f"{artefact.path}: holds the names of its models ({', '.join(own)}), but `models` is {', '.join(names)}; "
            "expected the same in the same order. Leave `models` out: it is for files that lack names"
        )
    return artefact


def _algorithm(name: str) -> type[Algorithm[Any, Any]]:
    """Give an algorithm, with the error of whoever asks for a file."""
    try:
        return registry.algorithm(name)
    except TrainingError as error:
        raise ArtefactError(str(error)) from None


def _algorithm_of(path: Path) -> str | None:
    return next((name for name in registry.names() if path.name in registry.algorithm(name).file_names), None)


def _load_full(path: Path, name: str, fields: Fields) -> Artefact:
    block = fields.object("vsr")
    version = block.get("format_version", int)
    if version > FORMAT_VERSION:
        raise block.error(
            "format_version", f"is {version}; this version reads up to {FORMAT_VERSION}. Upgrade vsr-train"
        )
    sidecar = Sidecar.read(block.object("sidecar")) if block.has("sidecar") else None
    if sidecar is not None:
        fields = fields.joined(map_sidecar(path, sidecar, registry.algorithm(name).stored_patterns()))
        block = fields.object("vsr")
    models = block.strings("models")
    if not models or len(set(models)) != len(models):
        raise block.error("models", "is empty or names a model twice")
    if tuple(block.strings("categories")) != CATEGORIES:
        raise block.error("categories", f"are not the ones of this version, in order: {', '.join(CATEGORIES)}")
    n_features = block.get("n_features", int)
    embedder = Fingerprint.from_json(block.get("embedder", dict))
    if n_features != embedder.width + len(CATEGORIES):
        raise block.error(
            "n_features", f"is {n_features}; expected {embedder.width} of the embedder and {len(CATEGORIES)} categories"
        )
    shape = (len(CATEGORIES), len(models))
    statistics = block.object("statistics")
    measured = statistics.array("counts", shape)
    if measured.min() < 0 or measured.max() >= 2**53:
        raise statistics.error("counts", "holds something that is no count")
    counts = measured.astype(np.int64)
    quality = statistics.numbers("quality", len(models))
    table = block.object("prior")
    shrinkage = table.nullable("shrinkage", float)
    prior = MeanTable(
        overall=table.array("overall", (len(models),)),
        by_category=table.array("by_category", shape),
        counts=counts,
        shrinkage=float("inf") if shrinkage is None else shrinkage,
    )
    context = FileContext(models, n_features, prior, block.object("predictor"))
    known = (len(CATEGORIES) + 1, len(models))
    selector = TrainedSelector(
        name=name,
        models=models,
        n_features=n_features,
        category_weight=block.get("category_weight", float),
        prior=prior,
        slope=block.get("calibration_slope", float),
        predictor=registry.algorithm(name).from_fields(fields, context),
        statistics=Statistics(
            models=models,
            quality=quality,
            counts=counts,
            latency_s=statistics.optional_numbers("latency_s", known),
            cost_usd=statistics.optional_numbers("cost_usd", known),
            tokens=_decode_tokens(statistics, known),
        ),
        classifier=_decode_classifier(block, n_features - len(CATEGORIES)),
        parameters=block.get("parameters", dict),
        seed=block.get("seed", int),
        explained=block.get("explained", float),
        gain=block.get("gain", float),
        training_digest=block.get("training_digest", str),
        requested=block.get("requested", dict) if version >= 2 else {},
    )
    header = Header(
        format_version=version,
        vsr_version=block.get("vsr_version", str),
        created_at=block.get("created_at", str),
        run_id=block.get("run_id", str),
        embedder=embedder,
        objective=read_objective(block),
        held_out=block.nullable("held_out", dict),
    )
    return Artefact(path, selector, header, (), sidecar)


def _load_documented(path: Path, name: str, fields: Fields, models: tuple[str, ...] | None) -> Artefact:
    """Load a file from elsewhere, which holds the documented fields alone."""
    names = models
    if names is None:  # `model_names` is no documented field, but many writers have it
        names = (
            fields.strings("model_names") if fields.has("model_names") else registry.algorithm(name).models_in(fields)
        )
    if names is None:
        raise ArtefactError(
            f"{path}: names no models, and a documented {name} file has no field for them; pass `models`, in the "
            "order of its outputs"
        )
    if not names or len(set(names)) != len(names):
        raise ArtefactError(f"{path}: the models ({', '.join(names) or 'none'}) are none, or one of them occurs twice")
    predictor = registry.algorithm(name).from_fields(fields, FileContext(names, None, None, None))
    width = predictor.n_features
    if width <= len(CATEGORIES):
        raise ArtefactError(
            f"{path}: its features are {width} wide; expected an embedding and {len(CATEGORIES)} columns of categories"
        )
    n_models = len(names)
    unknown = np.full((len(CATEGORIES) + 1, n_models), np.nan)
    selector = TrainedSelector(
        name=name,
        models=names,
        n_features=width,
        category_weight=1.0,
        prior=None,
        slope=1.0,
        predictor=predictor,
        statistics=Statistics(
            models=names,
            quality=np.full(n_models, 0.5),
            counts=np.zeros((len(CATEGORIES), n_models), dtype=np.int64),
            latency_s=unknown,
            cost_usd=unknown,
        ),
        classifier=None,
        parameters=asdict(predictor.setting),
        seed=0,
    )
    lacking = (
        "measured quality by model and category: scores are not calibrated",
        "latency and cost: choices go by quality alone",
        "the embedder's fingerprint: only the width of a feature row is checked",
        "a category classifier: a query without a category has none",
    )
    return Artefact(path, selector, None, lacking)


def _decode_tokens(statistics: Fields, shape: tuple[int, int]) -> TokenStatistics | None:
    """Read what is known of tokens; artefacts of records without them, and older ones, have nothing of it."""
    if not statistics.has("tokens"):
        return None
    block = statistics.object("tokens")
    by_category = ("input_tokens", "output_tokens")
    known = {
        each.name: block.optional_numbers(each.name, shape if each.name in by_category else shape[1:])
        for each in fields_of(TokenStatistics)
    }
    for name, values in known.items():
        if np.any(values < 0.0) or np.any(np.isinf(values)):
            raise block.error(name, "holds something that is no number of 0 or more")
    return TokenStatistics(**known)


def _decode_classifier(block: Fields, dim: int) -> CategoryClassifier | None:
    if block.nullable("classifier", dict) is None:
        return None
    fields = block.object("classifier")
    codes = fields.integers("codes", len(CATEGORIES))
    return CategoryClassifier(
        weights=fields.array("weights", (dim, len(codes))),
        bias=fields.array("bias", (len(codes),)),
        codes=np.array(codes, dtype=np.int64),
        regularisation=fields.get("regularisation", float),
        accuracy=fields.get("accuracy", float),
        n_labelled=fields.get("n_labelled", int),
        temperature=_temperature(fields),
    )


def _temperature(fields: Fields) -> float:
    """Read the temperature; older files have none: their classifier gives one category, not probabilities."""
    temperature = fields.maybe("temperature", float)
    if temperature is not None and temperature < 0.0:
        raise fields.error("temperature", f"is {temperature}; expected a number of 0 or more")
    return 0.0 if temperature is None else temperature
