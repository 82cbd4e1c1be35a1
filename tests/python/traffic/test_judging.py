"""Feedback joined, other policies judged, and what is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from traffic.logs import EFFICIENCY, MODELS, write_traffic
from vsr.choice.objective import Objective
from vsr.data.feedback import Feedback, read_feedback
from vsr.errors import RecordError
from vsr.traffic.decisions import LoggedDecision, read_decisions
from vsr.traffic.joining import join
from vsr.traffic.judgement import judge
from vsr.traffic.policies import lacks, under_objectives
from vsr.traffic.table import NOBODY

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = LoggedDecision(
    "a", WHEN, "x", scores={"x": 0.9, "y": 0.8}, utilities={"x": 0.9, "y": 0.8}, propensity=1.0, text="Why?"
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    log, feedback = write_traffic(tmp_path_factory.mktemp("traffic"))
    return join(read_decisions(log), read_feedback(feedback)).table


def test_what_is_left_out_is_counted():
    decisions = [
        PLAIN,
        PLAIN,
        replace(PLAIN, id="turn", previous="x"),
        replace(PLAIN, id="only", reason="single_candidate"),
        replace(PLAIN, id="silent", text=None),
        replace(PLAIN, id="fell back"),
        replace(PLAIN, id="unsure", propensity=None),
        replace(PLAIN, id="by text"),
    ]
    feedback = [
        Feedback(id="a", quality=1.0),
        Feedback(id="a", quality=0.0),
        Feedback(id="fell back", model="y", quality=0.0),
        Feedback(id="never", quality=0.0),
        Feedback(id="a", preferred="x", other="y"),
        Feedback(query=" why? ", model="x", quality=0.2),
        Feedback(query="Why?", model="x", quality=0.4),
        Feedback(query="Why?", model="y", quality=1.0),
    ]
    joined = join(decisions, feedback)
    assert joined.table.quality.tolist() == pytest.approx([1.0, 0.3])
    report = joined.report
    assert (report.n_decisions, report.n_judged, report.n_repeated, report.n_in_conversation) == (8, 2, 1, 1)
    assert (report.n_nothing_chosen, report.n_without_feedback, report.n_other_model) == (1, 1, 1)
    assert (report.n_without_propensity, report.n_feedback, report.n_preferences) == (1, 8, 1)
    assert (report.n_repeated_feedback, report.n_unknown_ids) == (1, 1)
    assert len(report.lines()) == 9
    with pytest.raises(RecordError, match="no decision can be judged: 1 decisions left out: there is no feedback"):
        join([replace(PLAIN, text=None)], [Feedback(query="Why?", model="x", quality=1.0)])


def test_another_objective_chooses_as_its_utilities_say(table):
    objectives = [Objective(0.5)] * len(table)
    assert lacks(table, objectives) is None
    by_hand = 0.5 * table.scores + 0.5 * EFFICIENCY[[MODELS.index(name) for name in table.models]]
    assert np.array_equal(under_objectives(table, objectives), by_hand.argmax(axis=1))
    assert np.array_equal(under_objectives(table, table.objectives), table.best)
    assert "cost share" in str(lacks(table, [Objective(0.9, 0.5)] * len(table)))
    assert lacks(table, [Objective(1.0, 0.5)] * len(table)) is None
    of_quality = replace(table, objectives=[Objective(1.0)] * len(table))
    assert "quality weight 1" in str(lacks(of_quality, objectives))


def test_what_limits_left_out_is_not_taken(table):
    offered = table.offered.copy()
    offered[:, table.models.index("good")] = False
    columns = under_objectives(replace(table, offered=offered), [Objective(1.0)] * len(table))
    assert "good" not in {table.models[column] for column in columns}
    offered[0] = False
    assert under_objectives(replace(table, offered=offered), [Objective(1.0)] * len(table))[0] == NOBODY


def test_the_truth_lies_in_the_interval_and_gains_are_paired(table):
    value = judge(table, "quality alone", table.scores.argmax(axis=1))
    columns = table.scores.argmax(axis=1)
    covered = table.covers(columns)
    rows = np.flatnonzero(covered)
    truth = table.scores[rows, columns[rows]].mean()  # quality was drawn by the scores
    assert value.covered == pytest.approx(covered.mean())
    for figure in (value.self_normalised, value.doubly_robust):
        assert figure is not None
        assert figure.low < truth < figure.high
    gain = table.scores[rows, columns[rows]].mean() - table.scores[rows, table.best[rows]].mean()
    for figure in (value.gain_self_normalised, value.gain_doubly_robust):
        assert figure is not None
        assert figure.low < gain < figure.high
    own = judge(table, "own", table.best)
    assert (own.covered, own.differing) == (1.0, 0.0)
    assert own.gain_doubly_robust is not None
    assert own.gain_doubly_robust.low == own.gain_doubly_robust.high == 0.0


def test_a_log_without_margins_shows_them(tmp_path):
    log, feedback = write_traffic(tmp_path)
    known = join(read_decisions(log), read_feedback(feedback)).table
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text(
        "".join(json.dumps({k: v for k, v in line.items() if k != "explore_margin"}) + "\n" for line in lines)
    )
    shown = join(read_decisions(log), read_feedback(feedback)).table
    assert 0.049 < shown.margin.max() <= 0.05
    assert (known.could_be_taken != shown.could_be_taken).mean() < 0.001


def test_too_little_is_refused(table, tmp_path):
    always = np.full(len(table), table.models.index("quick"))
    assert "effective sample size is" in str(judge(table, "quick", always).refusal)
    few = table.take(np.arange(150))
    assert "of 150 decisions; expected 200 or more" in str(judge(few, "own", few.best).refusal)
    log, feedback = write_traffic(tmp_path, 1_000, explore=0.0)
    silent = join(read_decisions(log), read_feedback(feedback)).table
    value = judge(silent, "quality", silent.scores.argmax(axis=1))
    assert "within what was explored" in str(value.refusal)
    assert value.doubly_robust is None
    log, feedback = write_traffic(tmp_path, 1_500, explore=0.1)
    hardly = join(read_decisions(log), read_feedback(feedback)).table
    assert "expected 10 or more" in str(judge(hardly, "quality", hardly.scores.argmax(axis=1)).refusal)
