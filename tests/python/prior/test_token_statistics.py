"""What records say of tokens: means by category, shrunk, and rates."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from vsr.data.categories import CATEGORIES, category_codes
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_records
from vsr.data.tokens import Tokens
from vsr.errors import RecordError
from vsr.features import build_features
from vsr.persistence import load_selector, save_selector
from vsr.prior.token_statistics import TokenStatistics
from vsr.training.trainer import train_selector

QUERIES = ("a" * 40, "b" * 80, "c" * 200)


def outcomes(tokens: Tokens | None = None) -> Outcomes:
    return Outcomes(
        queries=QUERIES,
        categories=["math", "math", "law"],
        models=["one", "two"],
        quality=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
        latency_s=[[1.0, 2.0], [2.0, math.nan], [6.0, 4.0]],
        tokens=tokens,
    )


def tokens() -> Tokens:
    nan = math.nan
    return Tokens(
        input_tokens=np.array([[10.0, nan], [20.0, nan], [50.0, nan]]),
        output_tokens=np.array([[50.0, 10.0], [150.0, 20.0], [500.0, 30.0]]),
        first_token_s=np.array([[0.5, nan], [0.5, nan], [0.5, nan]]),
    )


def test_means_and_rates() -> None:
    held = outcomes(tokens())
    found = TokenStatistics.from_outcomes(held, category_codes(held.categories))
    assert found is not None
    law = CATEGORIES.index("law")
    assert found.output_tokens[-1].tolist() == pytest.approx([700 / 3, 20.0])
    assert found.output_tokens[law].tolist() == pytest.approx([(500 + 20 * 700 / 3) / 21, (30 + 20 * 20) / 21])
    assert found.tokens_per_character.tolist() == pytest.approx([80 / 320, math.nan], nan_ok=True)
    assert found.first_token_s.tolist() == pytest.approx([0.5, math.nan], nan_ok=True)
    # Without the time to the first token all of the latency counts; where no latency is, nothing does.
    assert found.tokens_per_s.tolist() == pytest.approx([700 / (0.5 + 1.5 + 5.5), 40 / 6])


def test_without_tokens_there_are_none() -> None:
    assert TokenStatistics.from_outcomes(outcomes(), np.zeros(3, dtype=np.int64)) is None
    assert outcomes().digest() != outcomes(tokens()).digest()


def test_tokens_follow_rows_and_columns() -> None:
    held = outcomes(tokens())
    taken = held.take([2, 0]).with_models(["two"]).tokens
    assert taken is not None
    assert taken.output_tokens.tolist() == [[30.0], [10.0]]
    with pytest.raises(RecordError, match="tokens have shape"):
        Outcomes(["a"], [None], ["m"], [[1.0]], tokens=tokens())
    with pytest.raises(RecordError, match="input_tokens holds a number below 0"):
        Tokens(np.array([[-1.0]]), np.array([[1.0]]), np.array([[1.0]]))


def test_records_have_them(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    lines: list[dict[str, object]] = [
        {"performance": 1, "input_tokens": 10, "output_tokens": 100, "time_to_first_token": 0.25},
        {"performance": 1, "input_tokens": 12.0, "output_tokens": 200},
        {"error": "timeout: too slow", "output_tokens": 5000, "response_time": 60},
        {"performance": 0},
    ]
    models = ("one", "one", "two", "three")
    rows = [{"query": "q", "model_name": model} | line for model, line in zip(models, lines, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    held = Outcomes.from_records(read_records(path)).tokens
    assert held is not None
    assert np.allclose(held.input_tokens, [[11.0, math.nan, math.nan]], equal_nan=True)
    assert np.allclose(held.output_tokens, [[150.0, math.nan, math.nan]], equal_nan=True)
    assert np.allclose(held.first_token_s, [[0.25, math.nan, math.nan]], equal_nan=True)


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "time_to_first_token"])
def test_what_is_no_number_is_a_bad_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    for wrong in (-1, "5", True, 1e12):
        path.write_text(json.dumps({"query": "q", "model_name": "m", "performance": 1, name: wrong}) + "\n")
        with pytest.raises(RecordError, match=rf"r\.jsonl:1: `{name}` is"):
            Outcomes.from_records(read_records(path))


def test_an_artefact_keeps_them_bit_for_bit(tmp_path: Path) -> None:
    held = outcomes(tokens())
    features = build_features(np.eye(3, dtype=np.float32), held.categories)
    selector = train_selector("table", features, held)
    save_selector(selector, tmp_path)
    before, after = selector.statistics.tokens, load_selector(tmp_path).statistics.tokens
    assert before is not None
    assert after is not None
    for name in ("input_tokens", "output_tokens", "tokens_per_character", "first_token_s", "tokens_per_s"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
    save_selector(train_selector("table", features, outcomes()), tmp_path)
    assert "tokens" not in json.loads((tmp_path / "table_model.json").read_text())["vsr"]["statistics"]
    assert load_selector(tmp_path).statistics.tokens is None
