"""What a configuration offers to choose from: which decisions have several models, and which need training."""

from collections import Counter
from dataclasses import dataclass

from vsr.config import Decision, RouterConfig


@dataclass(frozen=True)
class DecisionAnalysis:
    """One decision.

    Attributes:
        name: as in the configuration.
        domains: the domains that its rules name, in their order.
        models: on offer, each once.
        algorithm: how one of them is chosen; None where nothing is said (the first one is taken).
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
            return f"chooses between {len(self.models)} models by {self.algorithm}"
        if len(self.models) < 2:
            return "one model only" if self.models else "no model"
        if self.algorithm is None:
            return f"{len(self.models)} models, but no algorithm: the first one is always taken"
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


def _analysis(decision: Decision) -> DecisionAnalysis:
    conditions = () if decision.rules is None else decision.rules.conditions
    return DecisionAnalysis(
        name=decision.name,
        domains=tuple(condition.name for condition in conditions if condition.type == "domain" and condition.name),
        models=tuple(dict.fromkeys(reference.asked_name for reference in decision.model_refs)),
        algorithm=None if decision.algorithm is None else decision.algorithm.type,
        needs_training=decision.needs_training,
    )
