"""The router: embed a query, resolve its category, predict every model's quality, choose."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr._checks import require_kind, require_path
from vsr._threads import apply_environment
from vsr.choice.chooser import CategorySource, Choice, Chooser
from vsr.choice.objective import Objective, as_objective
from vsr.config import ModelSelection, RouterConfig, load_config
from vsr.data.categories import CATEGORIES, Categories, category_codes
from vsr.embedding import Embedder, Fingerprint, load_from_fingerprint
from vsr.embedding.embedder import check_texts
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import ArtefactError, ConfigError, EmbeddingError, SelectionError
from vsr.features import join_features, resolve_categories
from vsr.persistence import RECOMMENDED, Artefact, open_artefact
from vsr.persistence.finding import said_without_manifest
from vsr.routing.disabled import DisabledRouter
from vsr.routing.protocol import ModelRouter
from vsr.routing.request import Request

DEFAULT_MODELS_DIR = "trained_models"
_LOGGER = logging.getLogger(__name__)
_WARM_UP = "a"  # within the shortest limit of tokens


@dataclass(frozen=True, eq=False)
class Prepared:
    """Queries as the selector sees them.

    Attributes:
        features: (n, n_features) float32.
        categories: category of each query, as codes (n,) or shares (n, 15).
        sources: where each category comes from, None for `other` in want of a classifier.
    """

    features: npt.NDArray[np.float32]
    categories: Categories
    sources: list[CategorySource | None]

    def take(self, rows: Sequence[int]) -> "Prepared":
        """Take some of the queries, in the given order."""
        return Prepared(self.features[list(rows)], self.categories[list(rows)], [self.sources[row] for row in rows])


class Router(ModelRouter):
    """A selector with its embedder and objective; safe to use from several threads.

    Attributes:
        artefact: the loaded file.
        embedder: what makes vectors of texts; None where the artefact was trained on vectors from elsewhere.
        objective: what a choice maximises unless a request says otherwise.
    """

    def __init__(self, artefact: Artefact, embedder: Embedder | None, objective: Objective) -> None:
        """Put the parts together; `load` is the usual way."""
        self.artefact = artefact
        self.embedder = embedder
        self.objective = objective
        self._chooser = Chooser.prepare(artefact.selector.statistics, objective)

    @classmethod
    def load(
        cls,
        directory: str | os.PathLike[str],
        algorithm: str = RECOMMENDED,
        embedder: Embedder | None = None,
        *,
        embedding_path: str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        objective: Objective | None = None,
        models: Sequence[str] | None = None,
    ) -> "Router":
        """Load a selector and the embedder that its artefact names, and warm both up.

        Args:
            directory: folder of the artefacts.
            algorithm: registry name, or `recommended`: what the folder recommends (`vsr.persistence.find_artefact`).
            embedder: an embedder of your own; it must be the one that the artefact names.
            embedding_path: folder of the embedding model, where it lies elsewhere than at training.
            cache_dir: folder in which vectors are kept.
            device: where the embedding model runs, `cpu` or `cuda`.
            objective: what a choice maximises; the artefact's own without it.
            models: names of the models in order, for files that lack them.

        Raises:
            ArtefactError: No such artefact, or a damaged one, or `embedder` is not the one that it names.
            EmbeddingError: The embedding model is not to be had, or has changed.
        """
        artefact = _open(directory, algorithm, models)
        if embedder is None:
            embedder = load_embedder_of(artefact, embedding_path, cache_dir, device)
        return cls.of(artefact, embedder, objective=objective)

    @classmethod
    def from_config(
        cls,
        config: str | os.PathLike[str] | RouterConfig,
        algorithm: str = RECOMMENDED,
        *,
        default: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        objective: Objective | None = None,
    ) -> ModelRouter:
        """Load what a configuration leads to: its decisions with the artefacts that they need, else one artefact.

        Args:
            config: path of the YAML file, or what `load_config` gave.
            algorithm: registry name, also of every decision; or `recommended`: what a decision says, else what the
                folder recommends (`vsr.persistence.find_artefact`).
            default: the model that answers where `enabled` is false.
            cache_dir: folder in which vectors are kept.
            device: where the embedding model runs, `cpu` or `cuda`.
            objective: what a choice maximises; the artefact's own without it.

        Returns:
            A router on the artefacts in `models_path` (`trained_models` without one), with the embedding model in
            `embedding_path` if there is one: a `DecisionRouter` where there are decisions; where `enabled` is false,
            one that answers with the default.

        Raises:
            ConfigError: The file cannot be read, or says something that cannot be.
            ArtefactError: No such artefact, a damaged one, or one of another embedding model or width than configured.
            EmbeddingError: The embedding model is not to be had, or has changed.
        """
        if not isinstance(config, RouterConfig):
            require_path(config, "config", ConfigError)
            config = load_config(os.fspath(config))
        section = config.model_selection
        if not section.enabled:
            return DisabledRouter(default)
        if config.decisions:
            from vsr.routing.decisions import load_decisions  # noqa: PLC0415 -- it holds routers of this class

            return load_decisions(config, algorithm, cache_dir=cache_dir, device=device, objective=objective)
        artefact = open_configured(section, algorithm)
        embedder = load_embedder_of(artefact, section.embedding_path, cache_dir, device)
        return cls.of(artefact, embedder, objective=objective)

    @classmethod
    def of(
        cls, artefact: Artefact, embedder: Embedder | None = None, *, objective: Objective | None = None
    ) -> "Router":
        """Put a loaded artefact and an embedder together, and warm both up.

        Args:
            artefact: the loaded file.
            embedder: the one that the artefact names; without it only ready vectors can be routed.
            objective: what a choice maximises; the artefact's own without it.

        Raises:
            ArtefactError: `embedder` is none, or not the one that the artefact names.
            SelectionError: `objective` is none.
        """
        header = artefact.header
        if embedder is not None:
            require_kind(embedder, Embedder, "embedder", "what vsr.load_embedder(...) gives", ArtefactError)
        if header is not None and embedder is not None:
            _check_embedder(artefact, header.embedder, embedder.fingerprint)
        stored = Objective() if header is None else header.objective
        apply_environment()
        router = cls(artefact, embedder, as_objective(stored if objective is None else objective))
        if embedder is not None:
            router.select(_WARM_UP)  # the first request must not be the slow one
        return router

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that the artefact knows."""
        return self.artefact.selector.models

    def route(self, requests: Sequence[Request], embeddings: npt.ArrayLike | None = None) -> list[Choice]:
        """Choose a model for every request; arguments and errors as those of any router."""
        prepared = self.prepare(
            [request.query for request in requests], [request.category for request in requests], embeddings
        )
        return self.choose(prepared, requests)

    def choose(self, prepared: "Prepared", requests: Sequence[Request]) -> list[Choice]:
        """Choose for queries that are prepared already, by this router or by one of the same training.

        Args:
            prepared: the queries of the requests, in the same order.
            requests: what is asked of each choice.
        """
        scores = self.artefact.selector.scores(prepared.features)
        alike: dict[tuple[int, str | None, Objective | None], list[int]] = {}
        for row, request in enumerate(requests):
            alike.setdefault((id(request.candidates), request.default, request.objective), []).append(row)
        choices: list[Choice | None] = [None] * len(requests)
        for (_, default, objective), rows in alike.items():
            own = prepared if len(rows) == len(requests) else prepared.take(rows)
            chosen = self._chooser_for(objective).choose(
                scores if own is prepared else scores[rows],
                own.categories,
                requests[rows[0]].candidates,
                default,
                own.sources,
            )
            for row, choice in zip(rows, chosen, strict=True):
                choices[row] = choice
        return [choice for choice in choices if choice is not None]

    def _chooser_for(self, objective: Objective | None) -> Chooser:
        if objective is None or objective == self.objective:
            return self._chooser
        return Chooser.prepare(self.artefact.selector.statistics, as_objective(objective))

    def _embedded(self, queries: Sequence[str | None]) -> npt.NDArray[np.float32]:
        if self.embedder is None:
            dim = self.artefact.selector.n_features - len(CATEGORIES)
            raise SelectionError(
                f"{self.artefact.path}: names no embedding model, because it was trained on vectors from elsewhere; "
                f"give the query's vector of {dim} numbers (embedding=...), made as in training"
            )
        texts = [text for text in queries if text is not None]
        if len(texts) < len(queries):
            raise SelectionError("neither a query nor an embedding was given; expected one of them")
        check_texts(texts)
        blank = next((row for row, text in enumerate(texts) if not text or text.isspace()), None)
        if blank is not None:
            raise SelectionError(f"query {blank} is blank; expected a text that is not blank")
        return unit_rows(self.embedder.embed(texts))

    def prepare(
        self,
        queries: Sequence[str | None],
        categories: Sequence[str | None],
        embeddings: npt.ArrayLike | None = None,
    ) -> Prepared:
        """Embed queries and resolve their categories.

        Args:
            queries: the texts; not read where there are vectors.
            categories: category of each query, None to be predicted.
            embeddings: (n, dim) ready vectors.

        Raises:
            SelectionError: There are neither texts nor vectors, or their numbers differ.
            RecordError: A vector has another width or is not finite, or a category is no text.
            EmbeddingError: A text cannot be embedded.
        """
        selector = self.artefact.selector
        dim = selector.n_features - len(CATEGORIES)
        if embeddings is None:
            rows = self._embedded(queries)
        else:
            rows = unit_rows(as_embeddings(embeddings, dim=dim))
            if len(rows) != len(queries):
                raise SelectionError(f"{len(queries)} queries but {len(rows)} embeddings; expected one per query")
        resolved = resolve_categories(rows, category_codes(categories), selector.classifier)
        sources: list[CategorySource | None] = [
            "predicted" if is_predicted else None if is_assumed else "given"
            for is_predicted, is_assumed in zip(resolved.predicted.tolist(), resolved.assumed.tolist(), strict=True)
        ]
        features = join_features(rows, resolved.categories, selector.category_weight)
        return Prepared(features, resolved.categories, sources)


def _open(directory: str | os.PathLike[str], algorithm: str, models: Sequence[str] | None = None) -> Artefact:
    """Load an artefact; that nobody recommended the only one is logged."""
    artefact = open_artefact(directory, algorithm, models)
    said = said_without_manifest(directory, algorithm, artefact.selector.name)
    if said is not None:
        _LOGGER.warning(said)
    return artefact


def load_embedder_of(
    artefact: Artefact,
    path: str | os.PathLike[str] | None,
    cache_dir: str | os.PathLike[str] | None,
    device: str,
) -> Embedder | None:
    """Load the embedder that an artefact names; none where it was trained on vectors from elsewhere."""
    for noun, folder in (("embedding_path", path), ("cache_dir", cache_dir)):
        if folder is not None:
            require_path(folder, noun, EmbeddingError)
    header = artefact.header
    if header is not None and not header.embedder.is_external:
        return load_from_fingerprint(
            header.embedder,
            None if path is None else os.fspath(path),
            cache_dir=None if cache_dir is None else os.fspath(cache_dir),
            device=device,
        )
    if path is not None:
        raise ArtefactError(
            f"{artefact.path}: was trained on vectors from elsewhere, so an embedding path has no meaning "
            "here; give the vector of each query"
        )
    return None


def open_configured(section: ModelSelection, algorithm: str) -> Artefact:
    """Load the artefact of an algorithm that a configuration's `model_selection` leads to, and check that it fits."""
    artefact = _open(section.models_path or DEFAULT_MODELS_DIR, algorithm)
    _check_configured(artefact, section)  # before weights are loaded: that takes seconds
    return artefact


def _check_configured(artefact: Artefact, section: ModelSelection) -> None:
    """Refuse an artefact of another embedding model or width than the configuration says."""
    if artefact.header is None:
        return
    embedder = artefact.header.embedder
    for field, wanted, found in (
        ("embedding_model", section.embedding_model, embedder.name),
        ("embedding_dim", section.embedding_dim, embedder.width),
    ):
        if wanted is not None and wanted != found:
            raise ArtefactError(
                f"{artefact.path}: was trained with {field} {found}, but the configuration says {wanted}; "
                "make the two agree, or train again"
            )


def _check_embedder(artefact: Artefact, wanted: Fingerprint, given: Fingerprint) -> None:
    differences = wanted.differences(given)
    if differences:
        listed = "; ".join(map(str, differences))
        raise ArtefactError(
            f"{artefact.path}: was trained with another embedder ({listed}); use the one of the training "
            f"({wanted}), or train again"
        )
