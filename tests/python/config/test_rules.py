"""Rules against what is known of a query, held against a plain evaluation of every way to complete what is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.config import parse_config
from vsr.config.rules import DecisionTable, Known, Rule, Undecided
from vsr.config.sections import Rules

SIGNALS = {"keyword": ["urgent"], "language": ["es"]}
LEAVES = st.one_of(
    st.sampled_from(["math", "law", "Computer Science", "other", "astrology"]).map(
        lambda name: {"type": "domain", "name": name}
    ),
    st.sampled_from(["urgent", "calm"]).map(lambda name: {"type": "keyword", "name": name}),
    st.sampled_from(["es", "fr"]).map(lambda name: {"type": "language", "name": name}),
    st.just({"type": "complexity", "name": "needs_reasoning:hard"}),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {"operator": st.sampled_from(["AND", "OR", "NOT"]), "conditions": st.lists(inner, min_size=1, max_size=3)}
    ),
    max_leaves=12,
)


def plainly(tree: dict[str, Any], category: str) -> bool:
    """Read a tree as a person would."""
    if "operator" in tree:
        held = [plainly(part, category) for part in tree["conditions"]]
        return {"AND": all(held), "OR": any(held), "NOT": not any(held)}[tree["operator"]]
    if tree["type"] == "domain":
        known = {"math": "math", "law": "law", "computer_science": "Computer Science"}
        return tree["name"] == (known.get(category) or category) or (tree["name"] == "other" and category not in known)
    return tree["name"] in SIGNALS.get(tree["type"], [])


@given(TREES, st.sampled_from(["math", "law", "computer_science", "other", "astrology"]))
def test_rules_hold_as_a_plain_reading_says(tree: dict[str, Any], category: str) -> None:
    rule = Rule.of(Rules.model_validate(tree))
    assert rule.holds(Known(category, signals=SIGNALS)) == plainly(tree, category)


@given(TREES)
def test_without_the_category_what_is_said_holds_for_every_category(tree: dict[str, Any]) -> None:
    categories = ("math", "law", "computer_science", "other", "astrology")
    found = Rule.of(Rules.model_validate(tree)).holds(Known(None, is_category_known=False, signals=SIGNALS))
    if found is not None:
        assert {plainly(tree, category) for category in categories} == {found}


@pytest.mark.parametrize("rules", ["{}", "{conditions: []}", "", "{operator: AND, conditions: []}"])
def test_without_conditions_a_decision_always_holds(rules: str) -> None:
    (decision,) = parse_config(f"decisions: [{{name: all, rules: {rules or 'null'}}}]").decisions
    assert Rule.of(decision.rules).holds(Known()) is True


def test_a_condition_may_stand_alone() -> None:
    (decision,) = parse_config("decisions: [{name: a, rules: {type: domain, name: law}}]").decisions
    assert Rule.of(decision.rules).holds(Known("law")) is True
    assert Rule.of(decision.rules).holds(Known("math")) is False


def test_the_highest_priority_is_tried_first_and_equals_in_the_order_of_the_file() -> None:
    config = parse_config(
        "decisions:\n"
        "- {name: low, priority: 1}\n"
        "- {name: first, priority: 5, rules: {type: keyword, name: a}}\n"
        "- {name: second, priority: 5, rules: {type: domain, name: law}}\n"
        "- {name: third, priority: 5, rules: {type: keyword, name: a}}\n"
    )
    table = DecisionTable.of(config.decisions)
    assert [decision.name for decision, _ in table.decisions] == ["first", "second", "third", "low"]
    for known, name in (
        (Known("law", signals={"keyword": ["a"]}), "first"),
        (Known(None, signals={"keyword": ["a"]}, is_category_known=False), "first"),
        (Known("law"), "second"),
        (Known("math"), "low"),
    ):
        found = table.find(known)
        assert found is not None
        assert not isinstance(found, Undecided)
        assert found.name == name
    assert isinstance(table.find(Known(None, is_category_known=False)), Undecided)
