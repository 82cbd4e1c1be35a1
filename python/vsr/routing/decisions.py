"""The router of a configuration with decisions: query, category, decision, its algorithm, its models, one of them."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy.typing as npt

from vsr.choice.candidates import Candidate, candidate_names
from vsr.choice.chooser import CategorySource, Choice
from vsr.choice.objective import Objective
from vsr.config import Decision, ModelReference, RouterConfig
from vsr.config.rules import DecisionTable, Known, Undecided
from vsr.data.categories import category_codes, category_names, most_probable, normalise_category
from vsr.embedding.vectors import as_embeddings
from vsr.errors import ArtefactError
from vsr.persistence import RECOMMENDED
from vsr.routing.protocol import ModelRouter
from vsr.routing.request import Request, checked_signals
from vsr.routing.router import Router, load_embedder_of, open_configured

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Found:
    """Where a request belongs.

    Attributes:
        decision: the one whose rules hold; None where none does.
        candidates: on offer; None offers all models.
        default: the model to answer with where no candidate is known.
        answer: the choice, where there is nothing to compare; None where there is.
    """

    decision: Decision | None
    candidates: Sequence[Candidate] | None
    default: str | None
    answer: Choice | None


class DecisionRouter(ModelRouter):
    """Routes by the decisions of a configuration; safe to use from several threads.

    Attributes:
        config: the configuration.
        routers: one per algorithm that decisions need, with one embedder; empty where no decision has a choice.
    """

    def __init__(self, config: RouterConfig, routers: Mapping[str, Router], algorithm: str = RECOMMENDED) -> None:
        """Put loaded parts together; `Router.from_config` is the usual way.

        Args:
            config: the configuration.
            routers: by the algorithm as `algorithm_of` names it; all of one training.
            algorithm: the algorithm of every decision, whatever it says itself; `recommended` leaves it to them.

        Raises:
            ArtefactError: The routers are not of one training: what one prepares the others cannot read.
        """
        self.config = config
        self.routers = dict(routers)
        self._algorithm = algorithm
        self._table = DecisionTable.of(config.decisions)
        self._unsaid = set(self._table.signal_types())
        for router in self.routers.values():
            _require_alike(self._main, router)

    @property
    def _main(self) -> Router:
        """The router that embeds and predicts categories for all."""
        return next(iter(self.routers.values()))

    def route(self, requests: Sequence[Request], embeddings: npt.ArrayLike | None = None) -> list[Choice]:
        """Choose a model for every request, among the models of the decision that it falls into.

        Arguments and errors as those of any router. Where the decision is known without reading the text and offers
        one model, nothing is embedded.
        """
        vectors = None if embeddings is None else as_embeddings(embeddings)
        found = [self._find(request, *_given(request)) for request in requests]
        rows = [row for row, each in enumerate(found) if each is None or each.answer is None]
        choices = [None if each is None else each.answer for each in found]
        if rows:
            prepared = self._main.prepare(
                [requests[row].query for row in rows],
                [requests[row].category for row in rows],
                None if vectors is None else vectors[rows],
            )
            names = category_names(most_probable(prepared.categories))
            by_algorithm: dict[str, list[int]] = {}
            for number, row in enumerate(rows):
                category, source = names[number], prepared.sources[number]
                where = found[row] = found[row] or self._find(requests[row], category, source)
                assert where is not None, "with a category every rule holds or does not"
                choices[row] = where.answer
                if where.answer is None:
                    by_algorithm.setdefault(self.algorithm_of(where.decision), []).append(number)
            for algorithm, numbers in by_algorithm.items():
                placed = [(rows[number], found[rows[number]]) for number in numbers]
                asked = [
                    replace(requests[row], candidates=where.candidates, default=where.default)
                    for row, where in placed
                    if where is not None
                ]
                for (row, where), choice in zip(
                    placed, self.routers[algorithm].choose(prepared.take(numbers), asked), strict=True
                ):
                    name = None if where is None or where.decision is None else where.decision.name
                    choices[row] = replace(choice, decision=name)
        return [choice for choice in choices if choice is not None]

    def router_of(self, choice: Choice) -> Router | None:
        """Give the router that made a choice; None where nothing was compared."""
        if choice.reason != "predicted":
            return None
        decision = next((each for each in self.config.decisions if each.name == choice.decision), None)
        return self.routers[self.algorithm_of(decision)]

    def algorithm_of(self, decision: Decision | None) -> str:
        """Name the algorithm that chooses for a decision: its own, where it is one that is trained."""
        if self._algorithm != RECOMMENDED:
            return self._algorithm
        return trained_algorithm(decision)

    def _find(self, request: Request, category: str | None, source: CategorySource | None) -> _Found | None:
        """Find where a request belongs; None where that hangs on a category that is not known yet."""
        signals = checked_signals(request.signals)
        self._name_unsaid(signals)
        decision = self._table.find(Known(category, is_category_known=category is not None, signals=signals))
        if isinstance(decision, Undecided):
            return None
        known = None if category is None else normalise_category(category) or "other"
        if decision is None or not decision.model_refs:
            return self._outside(request, known, source)
        candidates = offered(decision, request.candidates)
        default = self.config.default_model if request.default is None else request.default
        answer = None
        if len({reference.asked_name for reference in candidates}) == 1:
            answer = Choice(
                model=candidates[0].asked_name,
                quality=None,
                utility=None,
                margin=None,
                reason="single_candidate",
                category=known,
                category_source=source,
                decision=decision.name,
                reference=candidates[0],
            )
        return _Found(decision, candidates, default, answer)

    def _outside(self, request: Request, category: str | None, source: CategorySource | None) -> _Found:
        """Place a request for which no decision holds: the default model, else all models."""
        default = self.config.default_model if request.default is None else request.default
        if default is None or request.candidates is not None:
            return _Found(None, request.candidates, default, None)
        answer = Choice(
            model=default,
            quality=None,
            utility=None,
            margin=None,
            reason="default",
            category=category,
            category_source=source,
        )
        return _Found(None, None, default, answer)

    def _name_unsaid(self, signals: Mapping[str, object]) -> None:
        """Log, once each, the types of conditions that rules ask about and a caller did not speak of."""
        if not self._unsaid:
            return
        missing = sorted(self._unsaid.difference(signals))
        self._unsaid.clear()
        if missing:
            _LOGGER.warning(
                "%s: rules ask about %s, which a request did not say; such conditions do not hold "
                '(pass signals={"%s": [...]})',
                self.config.path or "configuration",
                ", ".join(missing),
                missing[0],
            )


def load_decisions(
    config: RouterConfig,
    algorithm: str = RECOMMENDED,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    objective: Objective | None = None,
) -> DecisionRouter:
    """Load the artefacts that the decisions of a configuration need, and one embedder for all.

    Arguments and errors as in `Router.from_config`.
    """
    section = config.model_selection
    artefacts = {name: open_configured(section, name) for name in needed_algorithms(config, algorithm)}
    embedder = None
    if artefacts:
        embedder = load_embedder_of(next(iter(artefacts.values())), section.embedding_path, cache_dir, device)
    routers = {name: Router.of(artefact, embedder, objective=objective) for name, artefact in artefacts.items()}
    return DecisionRouter(config, routers, algorithm)


def offered(decision: Decision, candidates: Sequence[Candidate] | None) -> Sequence[ModelReference]:
    """Give the references of a decision that are among the candidates of a request; all without any."""
    if candidates is None:
        return decision.model_refs
    names = {name for candidate in candidates for name in candidate_names(candidate) if name is not None}
    return tuple(each for each in decision.model_refs if names & {each.model, each.lora_name})


def trained_algorithm(decision: Decision | None) -> str:
    """Name the trained algorithm of a decision; `recommended` where it names none, or one of the router's own."""
    if decision is None or decision.algorithm is None or not decision.algorithm.is_trained:
        return RECOMMENDED
    return decision.algorithm.type


def needed_algorithms(config: RouterConfig, algorithm: str = RECOMMENDED) -> tuple[str, ...]:
    """Name the algorithms whose artefacts the decisions of a configuration need, each once.

    None are needed where every decision has one model, no rule asks for the category, and a default model answers the
    rest. The recommended one, if it is among them, comes first: it predicts categories for all. Another `algorithm`
    than `recommended` takes the place of all of them.
    """
    with_choice = [each for each in config.decisions if len({one.asked_name for one in each.model_refs}) != 1]
    names = {trained_algorithm(decision) for decision in with_choice if decision.model_refs}
    if config.default_model is None or DecisionTable.of(config.decisions).asks_for_category():
        names.add(RECOMMENDED)
    if algorithm != RECOMMENDED:
        return (algorithm,) if names else ()
    return tuple(sorted(names, key=lambda name: (name != RECOMMENDED, name)))


def _given(request: Request) -> tuple[str | None, CategorySource | None]:
    """Category of a request, where it says one."""
    category = request.category
    if not isinstance(category, str):
        category_codes([category])  # says what is wrong with anything but None
        return None, None
    return (category, "given") if category.strip() else (None, None)


def _require_alike(first: Router, other: Router) -> None:
    """Refuse routers of different trainings: they share one embedder, one classifier, one layout of features."""
    one, two = first.artefact, other.artefact
    same_features = (one.selector.n_features, one.selector.category_weight) == (
        two.selector.n_features,
        two.selector.category_weight,
    )
    if one.header is None or two.header is None:
        is_same = same_features
    else:
        is_same = same_features and not one.header.embedder.differences(two.header.embedder)
    if not is_same:
        raise ArtefactError(
            f"{two.path}: was trained with another embedding model or layout of features than {one.path}, and the "
            "decisions of a configuration share them; train both in one run"
        )
