"""The router: embed a query, resolve its category, predict every model's quality, choose."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr._checks import require_kind, require_path
from vsr._threads import apply_environment
from vsr.choice.chooser import CategorySource, Choice, Chooser
from vsr.choice.expectations import ModelFacts
from vsr.choice.objective import Objective, as_objective
from vsr.config import ModelSelection, RouterConfig, load_config
from vsr.data.categories import CATEGORIES, Categories, category_codes
from vsr.embedding import Embedder, Fingerprint, load_from_fingerprint
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import ArtefactError, ConfigError, EmbeddingError, SelectionError
from vsr.features import join_features, resolve_categories
from vsr.persistence import RECOMMENDED, Artefact, open_artefact
from vsr.persistence.finding import said_without_manifest
from vsr.routing.disabled import DisabledRouter
from vsr.routing.facts import facts_of
from vsr.routing.protocol import ModelRouter
from vsr.routing.query_vectors import QUERY_CACHE, QueryVectors
from vsr.routing.request import Request

DEFAULT_MODELS_DIR = "trained_models"
_LOGGER = logging.getLogger(__name__)
_MOST_CHOOSERS = 64  # objectives of requests that are kept; more are a slider that is being moved
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
        facts: what a configuration says of the models, by name; limits of requests ask for it.
    """

    def __init__(
        self,
        artefact: Artefact,
        embedder: Embedder | None,
        objective: Objective,
        query_cache: int = QUERY_CACHE,
        facts: Mapping[str, ModelFacts] | None = None,
    ) -> None:
        """Put the parts together; `load` is the usual way."""
        self.artefact = artefact
        self.embedder = embedder
        self.objective = objective
        dim = artefact.selector.n_features - len(CATEGORIES)
        self._vectors = QueryVectors(embedder, dim, artefact.path, query_cache, artefact.text)
        self.facts = dict(facts or {})
        self._chooser = Chooser.prepare(artefact.selector.statistics, objective, self.facts)
        self._choosers: dict[Objective, Chooser] = {}

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
        query_cache: int = QUERY_CACHE,
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
            query_cache: texts whose vectors are kept in memory; 0 keeps none.

        Raises:
            ArtefactError: No such artefact, or a damaged one, or `embedder` is not the one that it names.
            EmbeddingError: The embedding model is not to be had, or has changed.
        """
        artefact = _open(directory, algorithm, models)
        if embedder is None:
            embedder = load_embedder_of(artefact, embedding_path, cache_dir, device)
        return cls.of(artefact, embedder, objective=objective, query_cache=query_cache)

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
        query_cache: int = QUERY_CACHE,
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
            query_cache: texts whose vectors are kept in memory; 0 keeps none.

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

            return load_decisions(
                config, algorithm, cache_dir=cache_dir, device=device, objective=objective, query_cache=query_cache
            )
        artefact = open_configured(section, algorithm)
        embedder = load_embedder_of(artefact, section.embedding_path, cache_dir, device)
        return cls.of(artefact, embedder, objective=objective, query_cache=query_cache, facts=facts_of(config))

    @classmethod
    def of(
        cls,
        artefact: Artefact,
        embedder: Embedder | None = None,
        *,
        objective: Objective | None = None,
        query_cache: int = QUERY_CACHE,
        facts: Mapping[str, ModelFacts] | None = None,
    ) -> "Router":
        """Put a loaded artefact and an embedder together, and warm both up.

        Args:
            artefact: the loaded file.
            embedder: the one that the artefact names; without it only ready vectors can be routed.
            objective: what a choice maximises; the artefact's own without it.
            query_cache: texts whose vectors are kept in memory; 0 keeps none.
            facts: what a configuration says of the models, by name (`vsr.routing.facts.facts_of`).

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
        router = cls(artefact, embedder, as_objective(stored if objective is None else objective), query_cache, facts)
        if embedder is not None:
            router.select(_WARM_UP)  # the first request must not be the slow one
        return router

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that the artefact knows."""
        return self.artefact.selector.models

    def route(self, requests: Sequence[Request]) -> list[Choice]:
        """Choose a model for every request; errors as those of any router."""
        return self.choose(self.prepare(requests), requests)

    def choose(self, prepared: "Prepared", requests: Sequence[Request]) -> list[Choice]:
        """Choose for queries that are prepared already, by this router or by one of the same training.

        Args:
            prepared: the queries of the requests, in the same order.
            requests: what is asked of each choice.
        """
        scores = self.artefact.selector.scores(prepared.features)
        if len(requests) == 1:  # the case of a gateway, where every microsecond counts
            return self._choose_alike(prepared, scores, requests)
        alike: dict[tuple[int, str | None, int], list[int]] = {}
        for row, request in enumerate(requests):
            alike.setdefault((id(request.candidates), request.default, id(request.objective)), []).append(row)
        if len(alike) == 1:
            return self._choose_alike(prepared, scores, requests)
        choices: list[Choice | None] = [None] * len(requests)
        for rows in alike.values():
            chosen = self._choose_alike(prepared.take(rows), scores[rows], [requests[row] for row in rows])
            for row, choice in zip(rows, chosen, strict=True):
                choices[row] = choice
        return [choice for choice in choices if choice is not None]

    def _choose_alike(
        self, prepared: "Prepared", scores: npt.NDArray[np.float64], requests: Sequence[Request]
    ) -> list[Choice]:
        """Choose for requests with the same candidates, default and objective."""
        first = requests[0]
        chooser = self._chooser_for(first.objective)
        terms = [request.terms for request in requests]
        return chooser.choose(
            scores, prepared.categories, chooser.offer(first.candidates), first.default, prepared.sources, terms
        )

    def _chooser_for(self, objective: Objective | None) -> Chooser:
        if objective is None or objective == self.objective:
            return self._chooser
        chooser = self._choosers.get(as_objective(objective))
        if chooser is None:
            chooser = Chooser.prepare(self.artefact.selector.statistics, objective, self.facts)
            if len(self._choosers) >= _MOST_CHOOSERS:
                self._choosers.clear()
            self._choosers[objective] = chooser
        return chooser

    def prepare(self, requests: Sequence[Request]) -> Prepared:
        """Embed the queries of requests and resolve their categories.

        Raises:
            SelectionError: A request has neither a text nor a vector.
            RecordError: A vector has another width or is not finite, or a category is no text.
            EmbeddingError: A text cannot be embedded.
        """
        return self._resolved(self._vectors.of(requests), [request.category for request in requests])

    def prepare_vectors(self, embeddings: npt.ArrayLike, categories: Sequence[str | None] | None = None) -> Prepared:
        """Resolve the categories of queries whose vectors are there: (n, dim), and one category each or None.

        Raises:
            SelectionError: There is not one category per vector.
            RecordError: A vector has another width or is not finite, or a category is no text.
        """
        rows = unit_rows(as_embeddings(embeddings, dim=self.artefact.selector.n_features - len(CATEGORIES)))
        if categories is None:
            categories = [None] * len(rows)
        if len(categories) != len(rows):
            raise SelectionError(f"{len(rows)} embeddings but {len(categories)} categories; expected one each")
        return self._resolved(rows, categories)

    def vector_of(self, request: Request) -> npt.NDArray[np.float32] | None:
        """Give the vector of a request that was just chosen for: (dim,) float32; None where it is not kept."""
        return self._vectors.recall(request)

    def _resolved(self, rows: npt.NDArray[np.float32], categories: Sequence[str | None]) -> Prepared:
        selector = self.artefact.selector
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
