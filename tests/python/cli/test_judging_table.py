"""What the table of judges says where the truth is not known."""

from dataclasses import replace
from pathlib import Path

import pytest

from vsr.cli.judging_table import write_report
from vsr.judging.agreement import Agreement
from vsr.judging.bias import Difference, LengthBias
from vsr.judging.report import JudgeReport, JudgingReport
from vsr.judging.writing import Written

NOTHING = Agreement(0, None, None, None)
GAIN = Difference(0.05, 0.01, 0.09, 40, "other judges")
LENGTH = LengthBias(0.25, 0.046, 0.024, 0.068, 250, given_truth=False)
JUDGE = JudgeReport("one", "gpt", 100, 0, NOTHING, None, GAIN, LENGTH, None)


@pytest.mark.parametrize("is_known", [False, True])
def test_own_family_and_length_say_where_no_truth_is_behind_them(
    is_known: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    known = replace(JUDGE, own_family=replace(GAIN, basis="truth"), length=replace(LENGTH, given_truth=True))
    other = replace(JUDGE, name="two", own_family=None)
    report = JudgingReport("rubric", (known if is_known else JUDGE, other), {}, NOTHING, (), {"m": (0.5, 100)})
    write_report(report, Written(), Path("judged.jsonl"), as_json=False)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    gain = lines.index("gain of its own family +0.050 (+0.010 .. +0.090) -")
    if is_known:
        assert lines[gain + 1].startswith("gain by twice the length")
        assert "correlation with length +0.25 +0.25 (truth unknown)" in lines
    else:
        assert lines[gain + 1] == "of like quality by other judges (truth unknown) -"
