"""Which decision a query falls into: the rules of a configuration against what is known of the query."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vsr.config.sections import Condition, Decision, Rules
from vsr.data.categories import CATEGORIES, OTHER, normalise_category

#: The one type of condition that is looked up here, against the category; all others come as signals.
DOMAIN = "domain"

_OTHER = CATEGORIES[OTHER]

Signals = Mapping[str, Collection[str]]
"""Type of a condition -> the names of that type that hold for the query, for example `{"keyword": ["urgent"]}`."""


@dataclass(frozen=True)
class Known:
    """What is known of a query when its rules are looked at.

    Attributes:
        category: its category, None where it has none.
        is_category_known: False while the category may still be predicted.
        signals: what the caller says.
    """

    category: str | None = None
    is_category_known: bool = True
    signals: Signals = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A condition, or several that are joined.

    Attributes:
        operator: AND (all hold; none at all hold too), OR (one at least), NOT (none holds), or None for one condition.
        parts: what is joined.
        type: of the condition, in lower case.
        name: of the signal; of a domain as `domain_name` writes it.
    """

    operator: Literal["AND", "OR", "NOT"] | None
    parts: "tuple[Rule, ...]" = ()
    type: str = ""
    name: str = ""

    @classmethod
    def of(cls, section: Condition | None) -> "Rule":
        """Read the rules of a decision; one without any always holds."""
        if section is None or (isinstance(section, Rules) and not section.conditions and section.type is None):
            return cls("AND")
        if section.operator is not None or section.conditions:
            return cls(section.operator or "OR", tuple(map(cls.of, section.conditions)))
        kind = (section.type or "").strip().lower()
        name = section.name or ""
        return cls(None, (), kind, domain_name(name) if kind == DOMAIN else name)

    def holds(self, known: Known) -> bool | None:
        """Say whether it holds; None where that depends on a category that is not known yet."""
        if self.operator is None:
            if self.type != DOMAIN:
                return self.name in known.signals.get(self.type, ())
            if not known.is_category_known:
                return None
            if known.category is None:
                return False
            category = domain_name(known.category)
            return category == self.name or (self.name == _OTHER and category not in CATEGORIES)
        found = [part.holds(known) for part in self.parts]
        if self.operator == "AND":
            return False if False in found else None if None in found else True
        any_holds = True if True in found else None if None in found else False
        if self.operator == "OR" or any_holds is None:
            return any_holds
        return not any_holds

    def conditions(self) -> Iterator["Rule"]:
        """Give its conditions without what joins them."""
        if self.operator is None:
            yield self
        for part in self.parts:
            yield from part.conditions()

    def types(self) -> Iterator[str]:
        """Give the types of its conditions."""
        return (each.type for each in self.conditions())


@dataclass(frozen=True)
class Undecided:
    """The decision depends on the category, which is not known yet."""


@dataclass(frozen=True, eq=False)
class DecisionTable:
    """The decisions of a configuration, the one to try first at the front.

    Attributes:
        decisions: by higher priority, then in the order of the file, each with its rule.
    """

    decisions: tuple[tuple[Decision, Rule], ...]

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> "DecisionTable":
        """Sort decisions and read their rules."""
        by_priority = sorted(decisions, key=lambda decision: -decision.priority)
        return cls(tuple((decision, Rule.of(decision.rules)) for decision in by_priority))

    def find(self, known: Known) -> Decision | Undecided | None:
        """Give the decision of highest priority whose rules hold; None where none does."""
        for decision, rule in self.decisions:
            holds = rule.holds(known)
            if holds is None:
                return Undecided()
            if holds:
                return decision
        return None

    def asks_for_category(self) -> bool:
        """Whether any rule looks at the category."""
        return any(kind == DOMAIN for _, rule in self.decisions for kind in rule.types())

    def signal_types(self) -> frozenset[str]:
        """Give the types of conditions that hold by signals alone."""
        return frozenset(kind for _, rule in self.decisions for kind in rule.types()) - {DOMAIN}


def domain_name(name: str) -> str:
    """Write a domain so that it compares: the known category, else the text in lower case without outer spaces."""
    return normalise_category(name) or name.strip().lower()
