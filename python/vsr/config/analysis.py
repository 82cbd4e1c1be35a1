"""What a configuration offers to choose from: which decisions have several models, need training, and are reached."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from vsr.config import Decision, RouterConfig
from vsr.config.rules import DOMAIN, DecisionTable, Known, Rule, Undecided


@dataclass(frozen=True)
class DecisionAnalysis:
    """One decision.

    Attributes:
        name: as in the configuration.
        domains: the domains that its rules name, in their order.
        models: on offer, each once.
        algorithm: how one of them is chosen; None where nothing is said: what the training recommends.
        needs_training: whether it chooses between several models by an algorithm that is trained.
    """

    name: str
    domains: tuple[str, ...]
    models: tuple[str, ...]
    algorithm: str | None
    needs_training: bool

    @property
    def reason(self) -> str:
        """Why it needs training, or why not."""
        if self.needs_training:
            return f"chooses between {len(self.models)} models by {self.algorithm or 'what the training recommends'}"
        if len(self.models) < 2:
            return "one model only" if self.models else "no model"
        return f"{self.algorithm} is the router's own algorithm and is not trained"


@dataclass(frozen=True)
class ConfigAnalysis:
    """A configuration.

    Attributes:
        decisions: in the order of the file.
        models: models that are asked and trained on: those on offer, or all where there are no decisions.
        unused: models of `model_config` that no decision offers and that judge nothing.
        algorithms: trained algorithms that decisions want, with how many want them.
    """

    decisions: tuple[DecisionAnalysis, ...]
    models: tuple[str, ...]
    unused: tuple[str, ...]
    algorithms: dict[str, int]

    @property
    def n_to_train(self) -> int:
        """Decisions that need training."""
        return sum(decision.needs_training for decision in self.decisions)


def analyze(config: RouterConfig) -> ConfigAnalysis:
    """Say which decisions of a configuration offer several models and which of them need training.

    Raises:
        ConfigError: Two decisions want different artefacts of one algorithm.
    """
    config.algorithm_parameters()  # an error here would stop the training later
    decisions = tuple(map(_analysis, config.decisions))
    offered = {reference.model for decision in config.decisions for reference in decision.model_refs}
    used = offered | {judge.model for judge in config.judges}
    unused = tuple(name for name in config.models if name not in used) if decisions else ()
    wanted = Counter(decision.algorithm for decision in decisions if decision.needs_training and decision.algorithm)
    return ConfigAnalysis(decisions, config.offered_models(), unused, dict(wanted))


@dataclass(frozen=True)
class Reach:
    """How many queries fall into which decision.

    Attributes:
        n_queries: all of them.
        by_decision: queries of every decision, in the order of the file.
        n_outside: queries for which no decision holds.
        n_undecided: queries whose decision hangs on a category that is not known.
        missing_signals: types of conditions that some query said nothing about; they did not hold.
    """

    n_queries: int
    by_decision: dict[str, int]
    n_outside: int
    n_undecided: int
    missing_signals: tuple[str, ...]


def reach(config: RouterConfig, queries: Iterable[Known]) -> Reach:
    """Count the queries that fall into every decision of a configuration."""
    table = DecisionTable.of(config.decisions)
    found: Counter[str | None] = Counter()
    n_undecided = 0
    missing: set[str] = set()
    for known in queries:
        missing |= table.signal_types().difference(known.signals)
        decision = table.find(known)
        if isinstance(decision, Undecided):
            n_undecided += 1
        else:
            found[None if decision is None else decision.name] += 1
    return Reach(
        n_queries=found.total() + n_undecided,
        by_decision={decision.name: found[decision.name] for decision in config.decisions},
        n_outside=found[None],
        n_undecided=n_undecided,
        missing_signals=tuple(sorted(missing)),
    )


def _analysis(decision: Decision) -> DecisionAnalysis:
    conditions = Rule.of(decision.rules).conditions()
    return DecisionAnalysis(
        name=decision.name,
        domains=tuple(dict.fromkeys(each.name for each in conditions if each.type == DOMAIN and each.name)),
        models=tuple(dict.fromkeys(reference.asked_name for reference in decision.model_refs)),
        algorithm=None if decision.algorithm is None else decision.algorithm.type,
        needs_training=decision.needs_training,
    )
