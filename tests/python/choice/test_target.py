"""Targets: what they are, the search for the lowest price that meets them, and the objective for scores alone."""

import numpy as np
import pytest

from vsr.choice.chooser import Chooser, choose
from vsr.choice.objective import Objective
from vsr.choice.target import Target, search
from vsr.data.categories import CATEGORIES
from vsr.errors import SelectionError
from vsr.prior.category_means import FloatArray
from vsr.prior.statistics import Statistics

MODELS = ("strong", "middle", "weak")


def statistics(
    cost: tuple[float, ...] = (9e-3, 3e-3, 1e-3), latency: tuple[float, ...] = (4.0, 2.0, 1.0)
) -> Statistics:
    rows = len(CATEGORIES) + 1
    return Statistics(
        models=MODELS,
        quality=np.array([0.8, 0.7, 0.6]),
        counts=np.ones((rows - 1, 3), dtype=np.int64),
        latency_s=np.tile(latency, (rows, 1)),
        cost_usd=np.tile(cost, (rows, 1)),
    )


def scores(n: int = 400) -> FloatArray:
    return np.clip(np.random.default_rng(0).normal([0.8, 0.7, 0.6], 0.15, (n, 3)), 0.0, 1.0)


def means(objective: Objective) -> tuple[float, float, float]:
    """Mean cost, mean latency, and share of the strong model."""
    known = statistics()
    columns = Chooser.prepare(known, objective).best(scores(), np.full(400, -1))
    return (
        float(known.cost_usd[-1, columns].mean()),
        float(known.latency_s[-1, columns].mean()),
        float((columns == 0).mean()),
    )


@pytest.mark.parametrize("cost_usd", [1.5e-3, 3e-3, 5e-3])
def test_a_target_cost_is_used_up_and_not_exceeded(cost_usd: float) -> None:
    objective = Objective.for_target(scores(), statistics(), cost_usd=cost_usd)
    assert objective.cost_share == 1.0
    assert 0.9 * cost_usd < means(objective)[0] <= cost_usd


def test_a_target_latency_is_met_by_speed_alone() -> None:
    objective = Objective.for_target(scores(), statistics(), latency_s=2.0)
    assert objective.cost_share == 0.0
    assert 1.8 < means(objective)[1] <= 2.0


@pytest.mark.parametrize("share", [0.5, 0.3, 0.1, 0.0])
def test_a_target_share_is_met_by_a_penalty_that_touches_nothing_else(share: float) -> None:
    objective = Objective.for_target(scores(), statistics(), share=("strong", share))
    assert list(objective.model_penalty) == ["strong"]
    assert (objective.quality_weight, objective.cost_share) == (0.9, 0.0)
    assert share - 0.03 <= means(objective)[2] <= share


def test_a_penalty_works_where_no_weight_does() -> None:
    # The best model is the cheapest and the fastest one as well.
    known = statistics(cost=(1e-3, 3e-3, 9e-3), latency=(1.0, 2.0, 4.0))
    objective = Objective.for_target(scores(), known, share=("strong", 0.3))
    chosen = [choice.model for choice in choose(scores(), known, objective=objective)]
    assert 0.25 < chosen.count("strong") / len(chosen) <= 0.3


def test_what_is_no_limit_changes_nothing() -> None:
    assert Objective.for_target(scores(), statistics(), cost_usd=1.0) == Objective(1.0, 1.0)
    assert Objective.for_target(scores(), statistics(), share=("weak", 1.0)) == Objective()


def test_what_cannot_be_reached_names_the_range() -> None:
    with pytest.raises(SelectionError, match=r"0\.0005 USD, cannot be reached: .* from 0\.001 USD to 0\.00"):
        Objective.for_target(scores(), statistics(), cost_usd=5e-4)


def test_what_nobody_measured_cannot_be_a_target() -> None:
    unknown = statistics(cost=(np.nan, np.nan, np.nan))
    with pytest.raises(SelectionError, match="needs the cost of every model, and no record has that of any model"):
        Objective.for_target(scores(), unknown, cost_usd=1.0)
    with pytest.raises(SelectionError, match="that of middle"):
        Objective.for_target(scores(), statistics(cost=(1.0, np.nan, 1.0)), cost_usd=1.0)
    with pytest.raises(SelectionError, match="'gpt'; expected one of strong, middle, weak"):
        Objective.for_target(scores(), statistics(), share=("gpt", 0.3))


def test_exactly_one_target_is_expected() -> None:
    with pytest.raises(SelectionError, match="0 targets"):
        Objective.for_target(scores(), statistics())
    with pytest.raises(SelectionError, match="2 targets"):
        Objective.for_target(scores(), statistics(), cost_usd=1.0, latency_s=1.0)
    with pytest.raises(SelectionError, match="a model and its share"):
        Objective.for_target(scores(), statistics(), share=0.3)  # type: ignore[arg-type]
    with pytest.raises(SelectionError, match="there are no scores"):
        Objective.for_target(np.zeros((0, 3)), statistics(), cost_usd=1.0)
    with pytest.raises(SelectionError, match="400 rows of scores but 1 categories"):
        Objective.for_target(scores(), statistics(), ["math"], cost_usd=1.0)


@pytest.mark.parametrize("value", [-1.0, np.inf, np.nan])
def test_a_target_is_a_number_of_zero_or_more(value: float) -> None:
    with pytest.raises(SelectionError, match="the target cost"):
        Target("cost", value)


def test_a_share_is_a_fraction_of_a_model() -> None:
    with pytest.raises(SelectionError, match="a share from 0 to 1"):
        Target("share", 1.5, "strong")
    with pytest.raises(SelectionError, match="of a model"):
        Target("share", 0.5)
    with pytest.raises(SelectionError, match="of a model"):
        Target("cost", 0.5, "strong")


def test_without_a_part_the_others_decide() -> None:
    # What is needed falls with the price in both parts, from 2 and from 4.
    def attained(objective: Objective) -> FloatArray:
        price = 1.0 / objective.quality_weight - 1.0
        return np.array([2.0, 4.0]) / (1.0 + price)

    found = search(Target("cost", 1.0), attained, np.array([100, 300]))

    def price(objective: Objective) -> float:
        return 1.0 / objective.quality_weight - 1.0

    assert price(found.objective) == pytest.approx(2.5, rel=0.05)
    assert price(found.without[0]) == pytest.approx(3.0, rel=0.05)
    assert price(found.without[1]) == pytest.approx(1.0, rel=0.05)


def test_penalties_lower_utilities_and_are_checked() -> None:
    [plain] = choose([[0.5, 0.5, 0.5]], statistics())
    [lower] = choose([[0.5, 0.5, 0.5]], statistics(), objective=Objective(model_penalty={"weak": 0.2, "gpt": 1.0}))
    assert plain.model == "weak"
    assert lower.model == "middle"
    assert lower.utilities["weak"] == pytest.approx(plain.utilities["weak"] - 0.2)
    assert lower.utilities["strong"] == plain.utilities["strong"]
    for bad in (-0.1, np.inf, "0.1"):
        with pytest.raises(SelectionError, match="the penalty of weak"):
            Objective(model_penalty={"weak": bad})  # type: ignore[dict-item]
    with pytest.raises(SelectionError, match="model_penalty"):
        Objective(model_penalty=0.1)  # type: ignore[arg-type]
