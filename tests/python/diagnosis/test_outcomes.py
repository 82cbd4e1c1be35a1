"""Checks of what was measured, as `train` makes them before it begins."""

from typing import Any

import numpy as np
import pytest

from diagnosis.files import by_check
from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.diagnosis import Finding, check_outcomes

N = 90


def healthy() -> dict[str, Any]:
    """Three models, each the only one that is right on a third of the queries."""
    rows = np.arange(N)
    return {
        "quality": (rows[:, None] % 3 == np.arange(3)).astype(float),
        "latency_s": 0.5 + 0.01 * rows[:, None] + 0.1 * np.arange(3),
        "cost_usd": np.full((N, 3), 0.001),
    }


def found(objective: Objective | None = None, **arrays: np.ndarray) -> dict[str, Finding]:
    parts = healthy() | arrays
    n_models = parts["quality"].shape[1]
    outcomes = Outcomes([f"q{row}" for row in range(len(parts["quality"]))], ["math"] * len(parts["quality"]),
                        [f"m{column}" for column in range(n_models)], **parts)  # fmt: skip
    return by_check(check_outcomes(outcomes, "records.jsonl", objective))


def columns(**values: object) -> np.ndarray:
    """The healthy qualities with some columns replaced."""
    quality: np.ndarray = healthy()["quality"]
    for name, value in values.items():
        quality[:, int(name[1:])] = value
    return quality


def test_healthy_outcomes_have_nothing() -> None:
    assert found() == {}
    assert found(Objective(cost_share=0.5)) == {}


def test_all_zero_is_an_error_and_all_equal_a_warning() -> None:
    zero = found(quality=np.zeros((N, 3)))
    assert list(zero) == ["all-zero"]
    assert (zero["all-zero"].level, zero["all-zero"].what) == ("error", "all 270 qualities are 0")
    equal = found(quality=np.full((N, 3), 0.5))
    assert list(equal) == ["all-equal"]
    assert equal["all-equal"].level == "warning"


def test_a_constant_model_is_a_warning_where_it_is_never_right() -> None:
    assert found(quality=columns(m1=0.0))["constant-model"].level == "warning"
    assert found(quality=columns(m1=1.0))["constant-model"].level == "note"
    quality = columns(m1=0.0)
    quality[5, 1] = 1.0
    assert "constant-model" not in found(quality=quality)


def test_missing_cells_are_counted_by_model() -> None:
    quality = healthy()["quality"]
    quality[40:, 2] = np.nan
    finding = found(quality=quality)["missing-cells"]
    assert finding.level == "warning"
    assert finding.what == "50 of 270 qualities are missing (19 %); measured: m2 (40 of 90)"
    quality = healthy()["quality"]
    quality[0, 0] = np.nan
    assert found(quality=quality)["missing-cells"].level == "note"


def test_a_model_that_another_one_beats_in_everything_is_dominated() -> None:
    quality = healthy()["quality"]
    quality[:, 0] = np.maximum(quality[:, 0], quality[:, 1])
    finding = found(quality=quality)["dominated-model"]
    assert finding.what == (
        "m1 is worse than m0 (better on 0 queries, worse on 30 of 90), and neither faster nor cheaper "
        "(1.04 s against 0.945, 0.001 USD against 0.001)"
    )
    assert finding.fix == "It can be left out of the pool."
    faster = healthy()["latency_s"]
    faster[:, 1] = 0.1 + 0.001 * np.arange(N)
    assert not found(quality=quality, latency_s=faster)["dominated-model"].what.startswith("m1 ")
    cheaper = healthy()["cost_usd"]
    cheaper[:, 1] = 0.0001
    assert not found(quality=quality, cost_usd=cheaper)["dominated-model"].what.startswith("m1 ")


def test_a_model_that_is_better_somewhere_is_not_sent_away() -> None:
    quality = healthy()["quality"]
    quality[:, 0] = 1.0
    quality[:10, 0] = 0.0
    finding = found(quality=quality)["dominated-model"]
    assert finding.fix == "Only the queries on which it is better speak for it."


def test_two_names_with_the_same_qualities() -> None:
    quality = healthy()["quality"]
    quality[:, 1] = quality[:, 0]
    assert found(quality=quality)["same-model"].what == "m0 and m1 have the same quality on all 90 queries of both"


@pytest.mark.parametrize(("n_different", "level"), [(2, "warning"), (30, "note"), (60, None)])
def test_ties(n_different: int, level: str | None) -> None:
    quality = np.ones((N, 3))
    quality[:n_different] = healthy()["quality"][:n_different]
    finding = found(quality=quality).get("ties")
    assert (None if finding is None else finding.level) == level


def test_cost_that_is_asked_for_has_to_be_known() -> None:
    unknown = np.full((N, 3), np.nan)
    finding = found(Objective(cost_share=0.5), cost_usd=unknown)["no-cost"]
    assert finding.level == "error"
    assert "cost share 0.5" in finding.what
    assert found(cost_usd=unknown)["no-cost"].level == "note"
    assert "no-cost" not in found(Objective(), cost_usd=unknown)
    assert "no-cost" not in found(Objective(1.0, 0.5), cost_usd=unknown)
    partly = healthy()["cost_usd"]
    partly[:, 1] = np.nan
    assert found(Objective(cost_share=0.5), cost_usd=partly)["missing-cost"].level == "warning"
    assert found(Objective(), cost_usd=partly)["missing-cost"].level == "note"


def test_latencies() -> None:
    seconds = healthy()["latency_s"]
    in_ms = found(latency_s=np.round(seconds * 1000))["latency-unit"]
    assert in_ms.what == "half the answers of all models take longer than 1,045 s: are these milliseconds?"
    assert found(latency_s=np.round(seconds * 100))["latency-unit"].level == "warning"
    assert "latency-unit" not in found(latency_s=seconds * 100)  # slow, but measured to the hundredth
    one = seconds.copy()
    one[:, 2] *= 1000
    assert "answers of m2 take" in found(latency_s=one)["latency-unit"].what
    assert found(latency_s=np.zeros((N, 3)))["zero-latency"].level == "warning"
    assert found(latency_s=np.full((N, 3), 1.5))["equal-latencies"].level == "warning"
    own = np.broadcast_to([0.5, 1.0, 2.0], (N, 3))
    assert found(latency_s=own)["equal-latencies"].level == "note"
    assert found(latency_s=np.full((N, 3), np.nan))["no-latency"].level == "note"


def test_little_to_learn_from() -> None:
    few: dict[str, Any] = {name: array[:30] for name, array in healthy().items()}
    assert found(**few)["few-queries"].what == "only 30 queries have a quality"
    one_model: dict[str, Any] = {name: array[:, :1] for name, array in healthy().items()}
    assert found(**one_model)["one-model"].level == "note"
