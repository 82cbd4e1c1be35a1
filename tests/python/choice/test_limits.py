"""Limits of requests, and staying with the model of a conversation."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.choice import Chooser, ModelFacts, Objective, Statistics
from vsr.choice.chooser import Choice, Terms
from vsr.choice.expectations import Demand
from vsr.choice.limits import Limits
from vsr.data.categories import CATEGORIES
from vsr.errors import SelectionError
from vsr.prior.token_statistics import TokenStatistics

MODELS = ("cheap", "middle", "dear")
MATH, LAW = CATEGORIES.index("math"), CATEGORIES.index("law")
LONG = 2_000.0  # tokens of an answer about law; of all others 100


def by_category(values: tuple[float, float, float], of_law: tuple[float, float, float] | None = None) -> Any:
    table = np.tile(np.array(values), (len(CATEGORIES) + 1, 1))
    if of_law is not None:
        table[LAW] = of_law
    return table


TOKENS = TokenStatistics(
    input_tokens=by_category((50.0, 50.0, 50.0)),
    output_tokens=by_category((100.0, 100.0, 100.0), (LONG, LONG, LONG)),
    tokens_per_character=np.array([0.25, 0.25, 0.5]),
    first_token_s=np.array([0.1, 0.5, math.nan]),
    tokens_per_s=np.array([100.0, 100.0, 50.0]),
)
STATISTICS = Statistics(
    models=MODELS,
    quality=np.array([0.5, 0.6, 0.7]),
    counts=np.ones((len(CATEGORIES), 3), dtype=np.int64),
    latency_s=by_category((1.0, 2.0, 3.0), (21.0, 22.0, 43.0)),
    cost_usd=by_category((0.001, 0.01, 0.1)),
    tokens=TOKENS,
)
FACTS = {
    "cheap": ModelFacts(frozenset({"tools"}), 8_000, 1e-6, 2e-6),
    "middle": ModelFacts(frozenset({"vision", "tools"}), 32_000, 1e-5, 2e-5, 1e-6),
    "dear": ModelFacts(frozenset({"vision"}), None),
}
SCORES = [0.5, 0.7, 0.9]


def under(
    limits: Limits | None = None,
    *,
    code: int = MATH,
    previous: str | None = None,
    demand: Demand | None = None,
    objective: Objective | None = None,
    statistics: Statistics = STATISTICS,
    candidates: Any = None,
    default: str | None = None,
    scores: list[float] = SCORES,
) -> Choice:
    chooser = Chooser.prepare(statistics, objective or Objective(1.0), FACTS)
    terms = Terms(limits or Limits(), previous, demand or Demand(n_characters=400))
    (choice,) = chooser.choose(
        np.array([scores]), np.array([code]), chooser.offer(candidates), default, ["given"], [terms]
    )
    return choice


# Cost and latency of the request


def test_the_cost_is_that_of_this_request() -> None:
    """400 characters are 100 tokens for the first two; the dear one has no price, and its mean counts."""
    cheap, middle = 100 * 1e-6 + 100 * 2e-6, 100 * 1e-5 + 100 * 2e-5
    assert under(Limits(max_cost_usd=middle)).excluded == {"dear": f"cost 0.1 > {middle:.3g} USD"}
    found = under(Limits(max_cost_usd=middle * 0.99))
    assert (found.model, set(found.excluded), found.reason) == ("cheap", {"middle", "dear"}, "single_candidate")
    assert under(Limits(max_cost_usd=cheap * 0.99)).reason == "relaxed"
    # A question of law has a longer answer, a longer question costs more.
    assert "middle" in under(Limits(max_cost_usd=middle), code=LAW).excluded
    assert "middle" in under(Limits(max_cost_usd=middle), demand=Demand(n_characters=401)).excluded
    # Without a text, prompts are as long as those of the records.
    mean = 50 * 1e-5 + 100 * 2e-5
    assert "middle" not in under(Limits(max_cost_usd=mean), demand=Demand()).excluded
    assert "middle" in under(Limits(max_cost_usd=mean * 0.99), demand=Demand()).excluded


def test_the_latency_is_that_of_the_category() -> None:
    """Where no record says when answers begin, the mean latency counts."""
    assert under(Limits(max_latency_s=1.6)).excluded == {"dear": "latency 3 > 1.6 s"}
    assert set(under(Limits(max_latency_s=1.4)).excluded) == {"middle", "dear"}  # 0.5 s + 100 / 100
    assert set(under(Limits(max_latency_s=20.2), code=LAW).excluded) == {"middle", "dear"}  # 0.1 s + 2,000 / 100


def test_without_tokens_the_means_count() -> None:
    plain = replace(STATISTICS, tokens=None)
    assert set(under(Limits(max_cost_usd=0.01), statistics=plain).excluded) == {"dear"}
    assert set(under(Limits(max_latency_s=1.5), statistics=plain).excluded) == {"middle", "dear"}
    unknown = replace(plain, cost_usd=np.full_like(plain.cost_usd, math.nan))
    assert under(Limits(max_cost_usd=1.0), statistics=unknown).excluded == dict.fromkeys(MODELS, "cost not known")


# What a model can


def test_quality_capabilities_and_context() -> None:
    assert under(Limits(min_quality=0.6)).excluded == {"cheap": "quality 0.500 < 0.6"}
    assert under(Limits(capabilities=["vision", "tools"])).excluded == {"cheap": "no vision", "dear": "no tools"}
    assert under(demand=Demand(capabilities=frozenset({"vision"}))).excluded == {"cheap": "no vision"}
    assert under(Limits(context_tokens=10_000)).excluded == {
        "cheap": "context 8,000 < 10,000 tokens",
        "dear": "context not known",
    }
    several = under(Limits(min_quality=0.6, capabilities=["vision"]))
    assert several.excluded == {"cheap": "no vision, quality 0.500 < 0.6"}


def test_what_is_left_is_compared_as_ever() -> None:
    free = under()
    assert (free.model, free.ranking, free.excluded) == ("dear", ("dear", "middle", "cheap"), {})
    limited = under(Limits(max_latency_s=2.0))
    assert (limited.model, limited.ranking, limited.reason) == ("middle", ("middle", "cheap"), "predicted")
    assert limited.margin == pytest.approx(0.2)
    assert limited.scores == free.scores
    assert (limited.quality, limited.utility) == (0.7, 0.7)


def test_an_adapter_has_what_its_model_has() -> None:
    tuned = {"model": "middle", "lora_name": "middle-law"}
    choice = under(Limits(capabilities=["vision"]), candidates=[tuned, "cheap"])
    assert (choice.model, choice.reference, choice.excluded) == ("middle-law", tuned, {"cheap": "no vision"})


# Nobody left


def test_the_one_that_misses_least_answers() -> None:
    choice = under(Limits(max_latency_s=1.0))
    assert (choice.model, choice.reason, choice.ranking) == ("cheap", "relaxed", ("cheap",))
    assert choice.excluded == {
        "cheap": "latency 1.1 > 1 s",
        "middle": "latency 1.5 > 1 s",
        "dear": "latency 3 > 1 s",
    }
    # A model that cannot see is farther off than one that is slow.
    assert under(Limits(max_latency_s=1.0, capabilities=["vision"])).model == "middle"


def test_the_default_or_an_error_where_that_is_wanted() -> None:
    wanted = Limits(max_latency_s=0.0, nobody_left="default")
    choice = under(wanted, default="somebody")
    assert (choice.model, choice.reason, choice.quality, set(choice.excluded)) == (
        "somebody",
        "default",
        None,
        set(MODELS),
    )
    for limits in (wanted, Limits(max_latency_s=0.0, nobody_left="error")):
        with pytest.raises(SelectionError, match=r"no candidate meets the limits \(dear: latency 3 > 0 s; middle"):
            under(limits)


@given(
    st.floats(0.0, 0.2) | st.none(),
    st.floats(0.0, 50.0) | st.none(),
    st.floats(0.0, 1.0) | st.none(),
    st.sets(st.sampled_from(["vision", "tools", "audio"])),
    st.sampled_from([MATH, LAW, -1]),
)
def test_no_choice_misses_a_limit_unless_all_do(
    cost: float | None, latency: float | None, quality: float | None, capabilities: set[str], code: int
) -> None:
    """Against a plain reading of what every model brings."""
    length = LONG if code == LAW else 100.0
    costs = (100 * 1e-6 + length * 2e-6, 100 * 1e-5 + length * 2e-5, 0.1)
    latencies = (0.1 + length / 100, 0.5 + length / 100, 43.0 if code == LAW else 3.0)
    meets = [
        (cost is None or costs[place] <= cost)
        and (latency is None or latencies[place] <= latency)
        and (quality is None or SCORES[place] >= quality)
        and capabilities <= FACTS[MODELS[place]].capabilities
        for place in range(3)
    ]
    choice = under(Limits(cost, latency, quality, capabilities), code=code)
    assert set(choice.excluded) == {name for name, good in zip(MODELS, meets, strict=True) if not good}
    if any(meets):
        assert choice.model == [name for name, good in zip(MODELS, meets, strict=True) if good][-1]
    else:
        assert choice.reason == "relaxed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_cost_usd": -1.0}, "max_cost_usd is -1.0; expected a number of 0 or more"),
        ({"max_latency_s": math.nan}, "max_latency_s is nan"),
        ({"min_quality": 1.5}, "min_quality is 1.5; expected a number from 0 to 1"),
        ({"min_quality": "0.5"}, "min_quality is '0.5'"),
        ({"capabilities": "vision"}, "capabilities are 'vision'; expected a list of names"),
        ({"capabilities": [1]}, "a capability is 1"),
        ({"context_tokens": 0}, "context_tokens is 0; expected a whole number of 1 or more"),
        ({"context_tokens": 1.5}, "context_tokens is 1.5"),
        ({"nobody_left": "give up"}, "nobody_left is 'give up'; expected one of relax, default, error"),
    ],
)
def test_limits_that_cannot_be_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        Limits(**arguments)


# Staying


@pytest.mark.parametrize(
    ("scores", "margin", "model", "reason"),
    [
        ([0.50, 0.53, 0.40], 0.031, "cheap", "stayed"),
        ([0.50, 0.54, 0.40], 0.031, "middle", "predicted"),
        ([0.50, 0.51, 0.40], 0.0, "middle", "predicted"),
        ([0.60, 0.51, 0.40], 0.031, "cheap", "predicted"),
        ([0.10, 0.51, 0.40], 1.0, "cheap", "stayed"),
    ],
)
def test_a_conversation_changes_models_for_a_gain_alone(
    scores: list[float], margin: float, model: str, reason: str
) -> None:
    choice = under(previous="cheap", scores=scores, objective=Objective(1.0, switch_margin=margin))
    assert (choice.model, choice.reason) == (model, reason)
    if reason == "stayed":
        assert choice.margin == pytest.approx(scores[0] - max(scores))
        assert choice.ranking[0] == "cheap"


def test_who_may_not_answer_does_not_stay() -> None:
    close = [0.5, 0.51, 0.4]
    assert under(previous="cheap", scores=close).model == "cheap"
    assert under(Limits(capabilities=["vision"]), previous="cheap", scores=close).model == "middle"
    assert under(previous="cheap", scores=close, candidates=["middle", "dear"]).model == "middle"
    assert under(previous="nobody", scores=close).model == "middle"


def test_a_cached_prompt_makes_staying_worth_more() -> None:
    """The middle one reads what it has cached at a tenth of the price: that tells where cost counts."""
    scores = [0.56, 0.50, 0.10]
    long = Demand(n_characters=400_000, n_cached_characters=399_000)
    fresh = Demand(n_characters=400_000)
    priced = Objective(0.5, cost_share=1.0, switch_margin=0.1)
    assert under(previous="middle", scores=scores, objective=priced, demand=fresh).model == "cheap"
    assert under(previous="middle", scores=scores, objective=priced, demand=long).model == "middle"
    speed = Objective(0.5, cost_share=0.0, switch_margin=0.05)
    assert under(previous="middle", scores=scores, objective=speed, demand=long).model == "cheap"


def test_the_switch_margin_is_a_number_of_0_or_more() -> None:
    for wrong in (-0.1, math.inf, "a"):
        with pytest.raises(SelectionError, match="switch_margin is"):
            Objective(switch_margin=wrong)  # type: ignore[arg-type]
    assert Objective().switch_margin == 0.03
    assert "switch_margin" not in Objective().document()
    assert Objective(switch_margin=0.1).document()["switch_margin"] == 0.1


def test_counted_tokens_take_the_place_of_the_estimate() -> None:
    """100 tokens of the answer at 2 USD a million, and 1,000,000 or 100 of the prompt at 1."""
    limits = Limits(max_cost_usd=0.5)
    counted = under(limits, demand=Demand(n_characters=400, n_input_tokens=1_000_000), candidates=["cheap"])
    assert counted.excluded == {"cheap": "cost 1 > 0.5 USD"}
    assert under(limits, demand=Demand(n_characters=4_000_000, n_input_tokens=100), candidates=["cheap"]).excluded == {}
