import pytest

from vsr.scoring import METRICS, is_unknown_metric, meant_metric


@pytest.mark.parametrize("name", [*METRICS, "GSM8K", " Exact-Match ", "F1 score", "", " ", None, 3])
def test_known_names_and_no_names_are_not_unknown(name: object) -> None:
    assert not is_unknown_metric(name)


@pytest.mark.parametrize(("name", "meant"), [("gsm8kk", "gsm8k"), ("Em-MCQ", "em_mc"), ("rouge", None), ("f2", None)])
def test_unknown_names_and_what_they_may_mean(name: str, meant: str | None) -> None:
    assert is_unknown_metric(name)
    assert meant_metric(name) == meant
