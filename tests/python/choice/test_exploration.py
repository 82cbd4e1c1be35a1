"""Drawing among the nearly best: how often which, with what probability, and never where that would do harm."""

import random
import threading
from collections import Counter

import numpy as np
import pytest

from vsr.choice import Chooser, Exploration, Limits, ModelFacts, Objective, Statistics
from vsr.choice.chooser import Terms
from vsr.choice.exploration import DEFAULT_EXPLORE_MARGIN, as_exploration
from vsr.data.categories import CATEGORIES, MISSING
from vsr.errors import SelectionError

MODELS = ("best", "near", "nearer", "far")
SCORES = np.array([[0.80, 0.76, 0.78, 0.60]])
QUALITY_ALONE = Objective(quality_weight=1.0)


@pytest.fixture
def chooser():
    unknown = np.full((len(CATEGORIES) + 1, 4), np.nan)
    statistics = Statistics(MODELS, SCORES[0], np.zeros((len(CATEGORIES), 4), dtype=np.int64), unknown, unknown)
    return Chooser.prepare(statistics, QUALITY_ALONE, {"nearer": ModelFacts(frozenset({"vision"}))})


def chosen(chooser, terms, n=1):
    rows = np.repeat(SCORES, n, axis=0)
    codes = np.full(n, MISSING)
    return chooser.choose(rows, codes, chooser.offer(None), None, [None] * n, [terms] * n)


def exploring(probability, margin=0.05, seed=0, **terms):
    return Terms(exploration=Exploration(probability, margin, random.Random(seed).random), **terms)


def test_the_share_of_every_model_is_the_propensity_that_is_recorded(chooser):
    n = 30_000
    choices = chosen(chooser, exploring(0.3), n)
    counts = Counter(choice.model for choice in choices)
    recorded = {choice.model: choice.propensity for choice in choices}
    assert recorded == pytest.approx({"best": 0.8, "near": 0.1, "nearer": 0.1})
    for model, propensity in recorded.items():
        assert abs(counts[model] - n * propensity) < 4 * np.sqrt(n * propensity * (1 - propensity))
    assert {choice.model: choice.reason for choice in choices} == {
        "best": "predicted",
        "near": "explored",
        "nearer": "explored",
    }


def test_what_is_said_of_a_drawn_model_is_its_own(chooser):
    # A draw just below the probability takes the last of those that are near.
    [choice] = chosen(chooser, Terms(exploration=Exploration(0.5, 0.05, lambda: 0.4999)))
    assert (choice.model, choice.quality, choice.reason) == ("near", 0.76, "explored")
    assert choice.margin == pytest.approx(-0.04)
    assert choice.ranking == ("near", "best", "nearer", "far")
    [at_the_edge] = chosen(chooser, Terms(exploration=Exploration(1.0, 0.05, lambda: np.nextafter(1.0, 0.0))))
    assert at_the_edge.model == "near"


def test_what_limits_leave_out_is_never_drawn(chooser):
    choices = chosen(chooser, exploring(1.0, limits=Limits(min_quality=0.77)), 500)
    assert {choice.model: choice.propensity for choice in choices} == {"best": 0.5, "nearer": 0.5}


def test_where_there_is_one_model_nothing_is_random(chooser):
    for terms, model, reason in (
        (exploring(1.0, margin=0.01), "best", "predicted"),
        (exploring(1.0, limits=Limits(capabilities=["vision"])), "nearer", "single_candidate"),
        (exploring(1.0, limits=Limits(min_quality=0.9)), "best", "relaxed"),
    ):
        [choice] = chosen(chooser, terms)
        assert (choice.model, choice.reason, choice.propensity) == (model, reason, 1.0)


@pytest.mark.parametrize(
    ("previous", "model", "reason"),
    [
        ("nearer", "nearer", "stayed"),
        ("best", "best", "predicted"),
        ("far", "best", "predicted"),
        ("somebody", "best", "predicted"),
    ],
)
def test_nothing_is_drawn_in_the_middle_of_a_conversation(chooser, previous, model, reason):
    for choice in chosen(chooser, exploring(1.0, previous=previous), 50):
        assert (choice.model, choice.reason, choice.propensity) == (model, reason, 1.0)


def test_a_conversation_stays_with_a_drawn_model(chooser):
    for choice in chosen(chooser, exploring(1.0, DEFAULT_EXPLORE_MARGIN), 50):
        [next_turn] = chosen(chooser, exploring(1.0, DEFAULT_EXPLORE_MARGIN, previous=choice.model))
        assert next_turn.model == choice.model


def test_several_threads_draw_as_one(chooser):
    drawn: list[str] = []

    def draw():
        drawn.extend(choice.model for choice in chosen(chooser, Terms(exploration=Exploration(0.5, 0.05)), 2_000))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 8_000
    assert abs(drawn.count("best") / 8_000 - 2 / 3) < 4 * np.sqrt(2 / 9 / 8_000)


def test_a_probability_will_do_and_none_means_off():
    assert as_exploration(0.02) == Exploration(0.02, DEFAULT_EXPLORE_MARGIN)
    assert as_exploration(None) is as_exploration(0.0) is as_exploration(Exploration()) is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Exploration(1.5), "explore is 1.5; expected a probability from 0 to 1"),
        (lambda: Exploration(float("nan")), "explore is nan"),
        (lambda: Exploration(0.1, -1.0), "explore_margin is -1.0; expected a number of 0 or more"),
        (
            lambda: as_exploration("often"),  # type: ignore[arg-type]
            "explore is 'often'",
        ),
    ],
)
def test_misuse(make, said):
    with pytest.raises(SelectionError) as caught:
        make()
    assert said in str(caught.value)
