"""What a configuration offers to choose from: which decisions have several models, and which need training."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vsr.config import Decision, RouterConfig
from vsr.config.rules import DecisionTable, Known, Rule, Undecided


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
        unused: models of `model_config` that no decision offers.
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
    unused = tuple(name for name in config.models if name not in offered) if decisions else ()
    wanted = Counter(decision.algorithm for decision in decisions if decision.needs_training and decision.algorithm)
    return ConfigAnalysis(decisions, config.offered_models(), unused, dict(wanted))


@dataclass(frozen=True)
class Reach:
    """Where queries go by the decisions of a configuration.

    Attributes:
        n_queries: that were looked at.
        by_decision: queries that fall into each decision, in the order of the file.
        n_outside: queries for which no decision holds.
        n_undecided: queries without a category, whose decision hangs on it.
        signal_types: types of conditions that hold by signals of a request alone; here they do not.
    """

    n_queries: int
    by_decision: dict[str, int]
    n_outside: int
    n_undecided: int
    signal_types: tuple[str, ...]


def reach(config: RouterConfig, categories: Sequence[str | None]) -> Reach:
    """Count the queries that reach every decision, by their categories alone.

    Args:
        config: the configuration.
        categories: category of each query, None where it has none.
    """
    table = DecisionTable.of(config.decisions)
    counts = dict.fromkeys((decision.name for decision in config.decisions), 0)
    n_outside = n_undecided = 0
    for category, number in Counter(categories).items():
        is_known = category is not None and bool(category.strip())
        found = table.find(Known(category if is_known else None, is_category_known=is_known))
        if isinstance(found, Undecided):
            n_undecided += number
        elif found is None:
            n_outside += number
        else:
            counts[found.name] += number
    return Reach(len(categories), counts, n_outside, n_undecided, tuple(sorted(table.signal_types())))


def _analysis(decision: Decision) -> DecisionAnalysis:
    return DecisionAnalysis(
        name=decision.name,
        domains=tuple(dict.fromkeys(Rule.of(decision.rules).domains())),
        models=tuple(dict.fromkeys(reference.asked_name for reference in decision.model_refs)),
        algorithm=None if decision.algorithm is None else decision.algorithm.type,
        needs_training=decision.needs_training,
    )
