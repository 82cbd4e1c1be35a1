"""Judges with known faults, asked over real HTTP: what the report says against what was put in."""

import json

import numpy as np
import pytest

from judging.court import ATLAS, Court
from vsr.judging.criteria import Criteria
from vsr.judging.run import Judge
from vsr.simulation import SimulatedJudge


@pytest.mark.parametrize("accuracy", [0.6, 0.75, 0.9])
def test_a_rubric_s_report_says_what_was_put_in(tmp_path, accuracy):
    fair = SimulatedJudge("fair", accuracy=accuracy)
    biased = SimulatedJudge("biased", accuracy=accuracy, own_models=ATLAS, family_bias=0.1, consistency=0.8)
    wordy = SimulatedJudge("wordy", accuracy=accuracy, length_bias=0.05)
    _, summary, report, _ = Court(tmp_path, 40, fair, biased, wordy, recheck=0.3).sit()
    assert summary.n_failed == 0
    fair, biased, wordy = report.judges
    assert fair.truth.same_share == pytest.approx(accuracy, abs=0.1)
    assert fair.own_family is None  # nobody says of which family it is
    assert fair.length.low - 0.01 < 0 < fair.length.high + 0.01
    assert biased.own_family.basis == "truth"
    assert biased.own_family.low - 0.03 < 0.1 < biased.own_family.high + 0.03
    assert wordy.length.given_truth
    assert wordy.length.low - 0.01 < 0.05 < wordy.length.high + 0.01
    assert fair.self_agreement.value == 1.0
    # Of what it does not remember, some comes out the same by chance.
    assert biased.self_agreement.low < 0.9


def test_a_comparison_s_report_says_what_was_put_in(tmp_path):
    good = SimulatedJudge("good", accuracy=0.9, own_models=ATLAS, family_bias=0.2)
    lazy = SimulatedJudge("lazy", accuracy=0.75, position_bias=0.3)
    _, _, report, judged = Court(tmp_path, 25, good, lazy, mode="pairwise").sit()
    good, lazy = report.judges
    assert good.position.value == 0.0
    assert lazy.position.value == pytest.approx(0.3, abs=0.1)
    assert 0.0 < good.own_family.value < 0.3
    assert good.truth.kappa > lazy.truth.kappa
    assert report.truth.spearman > 0.5
    assert report.models["sim-large-70b"][0] > report.models["sim-small-1b"][0]
    assert ((judged > 0) & (judged < 1)).all()


def test_against_one_model_fewer_pairs_are_asked(tmp_path):
    judging, *_ = Court(tmp_path, 5, SimulatedJudge("judge"), mode="pairwise", against="sim-large-70b").sit()
    assert len(list(judging.judged.pairs())) == 5 * 4


def test_without_truth_other_judges_tell_the_gain_of_a_family(tmp_path):
    court = Court(tmp_path, 40, SimulatedJudge("own", own_models=ATLAS, family_bias=0.15), SimulatedJudge("other"))
    rows = [json.loads(line) for line in court.records.read_text().splitlines()]
    for row in rows:
        del row["performance"], row["ground_truth"]
    court.records.write_text("\n".join(map(json.dumps, rows)))
    _, _, report, _ = court.sit()
    own = report.judges[0].own_family
    assert (own.basis, report.judges[0].truth.n, report.calibration) == ("other judges", 0, ())
    assert own.low < 0.15 < own.high
    assert not report.judges[0].length.given_truth


def test_excluded_families_are_not_asked_about(tmp_path):
    court = Court(tmp_path, 6, SimulatedJudge("own", own_models=ATLAS), excludes_own_family=True)
    judging, _, _, judged = court.sit()
    models = [response.model for response in judging.judged.responses]
    assert {name for name, value in zip(models, judged, strict=True) if np.isnan(value)} == set(ATLAS)
    assert not judging.may_judge(Judge("own", "atlas"), (models.index("sim-small-1b"),))
    texts = {response.text for response in judging.judged.responses if response.model not in ATLAS}
    assert len(court.lines()) == len({(line["judged_query"], line["query"]) for line in court.lines()}) <= len(texts)


def test_what_cannot_be_read_is_asked_once_more_and_never_guessed(tmp_path):
    judge = SimulatedJudge("vague", unreadable=0.5, takes_schema=False)
    court = Court(tmp_path, 12, judge)
    _, summary, report, judged = court.sit()
    lines = court.lines()
    first = [line for line in lines if not line["query"].endswith("-again")]
    n_unreadable = sum("unreadable" in line for line in first)
    assert 0.3 < n_unreadable / len(first) < 0.7
    assert len(lines) - len(first) == n_unreadable
    assert 0 < report.judges[0].n_unreadable < n_unreadable
    assert np.isnan(judged).any()
    assert all(line["performance"] is None for line in lines if "unreadable" in line)
    # The same again asks nothing.
    before = court.journal.read_bytes()
    _, summary, _, again = court.sit()
    assert summary.n_asked == 0
    assert court.journal.read_bytes() == before
    assert np.array_equal(judged, again, equal_nan=True)


def test_a_server_that_takes_no_schema_is_asked_without(tmp_path):
    with_schema = Court(tmp_path / "a", 4, SimulatedJudge("judge", takes_schema=True))
    without = Court(tmp_path / "b", 4, SimulatedJudge("judge", takes_schema=False))
    results = []
    for court in (with_schema, without):
        court.folder.mkdir(exist_ok=True)
        _, summary, _, judged = court.sit()
        assert summary.n_failed == 0
        results.append(judged)
    assert np.array_equal(*results)
    assert all(line["response"].startswith("{") for line in with_schema.lines())
    assert not any(line["response"].startswith("{") for line in without.lines())


def test_other_criteria_are_other_questions(tmp_path):
    court = Court(tmp_path, 3, SimulatedJudge("judge"))
    court.sit()
    n_before = len(court.lines())
    court.judged = {"criteria": Criteria("Only brevity counts.")}
    _, summary, _, _ = court.sit()
    assert summary.n_asked == n_before == len(court.lines())
    assert len((tmp_path / "judged.verdicts.superseded.jsonl").read_text().splitlines()) == n_before
