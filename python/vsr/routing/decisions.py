"""The router of a configuration with decisions: query, category, decision, its algorithm, its models, one of them."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vsr._checks import as_list
from vsr.choice.candidates import Candidate, candidate_names
from vsr.choice.chooser import CategorySource, Choice
from vsr.choice.expectations import UNKNOWN_FACTS
from vsr.choice.limits import NO_LIMITS, Offered, miss_of, nobody
from vsr.choice.objective import Objective
from vsr.config import Decision, ModelReference, RouterConfig
from vsr.config.rules import DecisionTable, Known, Undecided
from vsr.data.categories import category_codes, category_names, most_probable, normalise_category
from vsr.errors import ArtefactError, SelectionError
from vsr.persistence import RECOMMENDED
from vsr.routing.facts import facts_of
from vsr.routing.protocol import ModelRouter
from vsr.routing.query_vectors import QUERY_CACHE
from vsr.routing.request import Request, checked_signals
from vsr.routing.router import Router, load_embedder_of, open_configured

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a request belongs.

    Attributes:
        algorithm: whose router chooses.
        candidates: on offer; None offers all.
        default: the model to answer with where no candidate is known.
        decision: name of the one whose rules hold; None where none does.
        missing_signals: types of conditions that rules ask about and the request does not speak of.
        answer: the choice, where there is nothing to compare; None where there is.
    """

    algorithm: str
    candidates: Sequence[Candidate] | None
    default: str | None
    decision: str | None
    missing_signals: tuple[str, ...]
    answer: Choice | None = None


class DecisionRouter(ModelRouter):
    """Routes by the decisions of a configuration; safe to use from several threads.

    Attributes:
        config: the configuration.
        routers: one per algorithm that decisions need, with one embedder; empty where no decision has a choice.
    """

    def __init__(
        self,
        config: RouterConfig,
        routers: Mapping[str, Router],
        algorithm: str = RECOMMENDED,
        *,
        logs_missing_signals: bool = True,
    ) -> None:
        """Put loaded parts together; `Router.from_config` is the usual way.

        Args:
            config: the configuration.
            routers: by the algorithm as `algorithm_of` names it; all of one training.
            algorithm: the algorithm of every decision, whatever it says itself; `recommended` leaves it to them.
            logs_missing_signals: whether a type of condition that a request does not speak of is logged, once.

        Raises:
            ArtefactError: The routers are not of one training: what one prepares the others cannot read.
        """
        self.config = config
        self.routers = dict(routers)
        self._algorithm = algorithm
        self._table = DecisionTable.of(config.decisions)
        self._signal_types = self._table.signal_types()
        self._named: frozenset[str] = frozenset() if logs_missing_signals else self._signal_types
        self._facts = facts_of(config)
        for router in self.routers.values():
            _require_alike(self._main, router)

    @property
    def _main(self) -> Router:
        """The router that embeds and predicts categories for all."""
        return next(iter(self.routers.values()))

    def route(self, requests: Sequence[Request]) -> list[Choice]:
        """Choose a model for every request, among the models of the decision that it falls into.

        Errors as those of any router. Where the decision is known without reading the text and offers one model,
        nothing is embedded; what is embedded is so once, for all decisions.
        """
        places = [self._place(request, *_given(request)) for request in requests]
        choices = [None if place is None else place.answer for place in places]
        rows = [row for row, choice in enumerate(choices) if choice is None]
        if rows:
            prepared = self._main.prepare([requests[row] for row in rows])
            names = category_names(most_probable(prepared.categories))
            by_algorithm: dict[str, list[tuple[int, _Place]]] = {}
            for number, row in enumerate(rows):
                place = places[row] or self._place(requests[row], names[number], prepared.sources[number])
                assert place is not None, "with a category every rule holds or does not"
                choices[row] = place.answer
                if place.answer is None:
                    by_algorithm.setdefault(place.algorithm, []).append((number, place))
            for algorithm, placed in by_algorithm.items():
                asked = [
                    replace(requests[rows[number]], candidates=place.candidates, default=place.default)
                    for number, place in placed
                ]
                chosen = self.routers[algorithm].choose(prepared.take([number for number, _ in placed]), asked)
                for (number, place), choice in zip(placed, chosen, strict=True):
                    choices[rows[number]] = replace(
                        choice, decision=place.decision, missing_signals=place.missing_signals
                    )
        return [choice for choice in choices if choice is not None]

    def router_of(self, choice: Choice) -> Router | None:
        """Give the router that made a choice; None where nothing was compared."""
        if not choice.scores:
            return None
        decision = next((each for each in self.config.decisions if each.name == choice.decision), None)
        return self.routers[self.algorithm_of(decision)]

    def algorithm_of(self, decision: Decision | None) -> str:
        """Name the algorithm that chooses for a decision: its own, where it is one that is trained."""
        if self._algorithm != RECOMMENDED:
            return self._algorithm
        name = trained_algorithm(decision)
        # What nobody foresaw to need (candidates for which no decision holds) any router can choose.
        return name if name in self.routers else next(iter(self.routers), name)

    def _place(self, request: Request, category: str | None, source: CategorySource | None) -> _Place | None:
        """Find where a request belongs; None where that hangs on a category that is not known yet."""
        signals = checked_signals(request.signals)
        missing = self._missing(signals)
        decision = self._table.find(Known(category, is_category_known=category is not None, signals=signals))
        if isinstance(decision, Undecided):
            return None
        default = self.config.default_model if request.default is None else request.default
        known = None if category is None else normalise_category(category) or "other"
        answer = Choice(
            model="",
            quality=None,
            utility=None,
            margin=None,
            reason="default",
            category=known,
            category_source=source,
            missing_signals=missing,
        )
        if decision is None or not decision.model_refs:
            always = self.config.default_model
            place = _Place(self.algorithm_of(None), request.candidates, default, None, missing)
            if always is not None and (request.candidates is None or always in _names(request.candidates)):
                return self._only(replace(place, candidates=[always]), replace(answer, model=always), request)
            return place if self.routers else self._without_artefacts(place, answer)
        candidates = offered(decision, request.candidates)
        place = _Place(self.algorithm_of(decision), candidates, default, decision.name, missing)
        answer = replace(answer, decision=decision.name)
        if len({reference.asked_name for reference in candidates}) == 1:
            only = candidates[0]
            single = replace(answer, model=only.asked_name, reason="single_candidate", reference=only)
            return self._only(place, single, request)
        return place if self.routers else self._without_artefacts(place, answer)

    def _only(self, place: _Place, answer: Choice, request: Request) -> _Place:
        """Answer with the one model on offer, unless limits have to be looked at, for which it is predicted."""
        terms = request.terms
        if terms is None or (terms.limits == NO_LIMITS and not terms.demand.capabilities):
            return replace(place, answer=answer)
        if self.routers:
            return place
        model = answer.model if answer.reference is None else candidate_names(answer.reference)[0]
        known = self._facts.get(answer.model) or self._facts.get(model) or UNKNOWN_FACTS
        miss = miss_of(terms.limits, terms.demand.capabilities, Offered(known))
        if miss is None:
            return replace(place, answer=answer)
        relaxed = replace(answer, reason="relaxed", excluded={answer.model: miss.reason})
        if terms.limits.nobody_left == "relax":
            return replace(place, answer=relaxed)
        if terms.limits.nobody_left == "error" or place.default is None:
            raise nobody([answer.model], [miss])
        return replace(place, answer=replace(relaxed, model=place.default, reason="default", reference=None))

    def _without_artefacts(self, place: _Place, answer: Choice) -> _Place:
        """Answer by default where no decision has a choice, so that nothing was loaded that could compare."""
        if place.default is None:
            raise SelectionError(
                f"{self.config.path or 'configuration'}: none of the candidates is a model of the decision that "
                "holds for the query; offer one of them, or pass a default"
            )
        return replace(place, answer=replace(answer, model=place.default))

    def _missing(self, signals: Mapping[str, object]) -> tuple[str, ...]:
        """Give the types of conditions that rules ask about and a caller did not speak of; log each once."""
        missing = self._signal_types.difference(signals)
        fresh = sorted(missing - self._named)
        if fresh:
            self._named |= missing
            _LOGGER.warning(
                "%s: rules ask about %s, which a request did not say; such conditions do not hold "
                '(pass signals={"%s": [...]})',
                self.config.path or "configuration",
                ", ".join(fresh),
                fresh[0],
            )
        return tuple(sorted(missing))


def load_decisions(
    config: RouterConfig,
    algorithm: str = RECOMMENDED,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    objective: Objective | None = None,
    query_cache: int = QUERY_CACHE,
) -> DecisionRouter:
    """Load the artefacts that the decisions of a configuration need, and one embedder for all.

    Arguments and errors as in `Router.from_config`.
    """
    section = config.model_selection
    artefacts = {name: open_configured(section, name) for name in needed_algorithms(config, algorithm)}
    embedder = None
    if artefacts:
        embedder = load_embedder_of(next(iter(artefacts.values())), section.embedding_path, cache_dir, device)
    routers = {
        name: Router.of(artefact, embedder, objective=objective, query_cache=query_cache, facts=facts_of(config))
        for name, artefact in artefacts.items()
    }
    return DecisionRouter(config, routers, algorithm)


def offered(decision: Decision, candidates: Sequence[Candidate] | None) -> Sequence[ModelReference]:
    """Give the references of a decision that are among the candidates of a request; all without any."""
    if candidates is None:
        return decision.model_refs
    names = _names(candidates)
    return tuple(each for each in decision.model_refs if names & {each.model, each.lora_name})


def _names(candidates: Sequence[Candidate]) -> set[str]:
    """Give the names of models and adapters of candidates."""
    listed = as_list(candidates, "candidates", "a list of names or references", SelectionError)
    return {name for candidate in listed for name in candidate_names(candidate) if name is not None}


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
        is_same = same_features and one.text == two.text and not one.header.embedder.differences(two.header.embedder)
    if not is_same:
        raise ArtefactError(
            f"{two.path}: was trained with another embedding model or layout of features than {one.path}, and the "
            "decisions of a configuration share them; train both in one run"
        )
