"""What several lines of feedback say of one decision, and that all who read them understand the same."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from vsr.choice.objective import Objective
from vsr.data.feedback import Feedback
from vsr.traffic.counting import count_days
from vsr.traffic.decisions import LoggedDecision, read_decisions
from vsr.traffic.joining import join
from vsr.traffic.labels import feedback_labels
from vsr.traffic.told import FeedbackByDecision, Told
from vsr.traffic.watched import WatchedTraining

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
LINES = [
    Feedback(id="a", model="x", latency_s=2.0, cost_usd=0.5),  # of the gateway
    Feedback(id="a", model="y", quality=0.0),  # of another answer
    Feedback(id="a", quality=1.0, latency_s=9.0),  # of the user
    Feedback(id="a", quality=0.0),  # who changes his mind
    Feedback(id="b", preferred="x", other="y"),
    Feedback(id="b", quality=0.25),
    Feedback(id="b", preferred="y", other="x"),
    Feedback(id="c", model="y", quality=0.0, latency_s=1.0),
    Feedback(id="nobody", quality=0.5),
]


def test_the_first_word_holds_for_each_thing_that_is_said() -> None:
    feedback = FeedbackByDecision([*LINES, Feedback(query="Why?", model="x", quality=1.0)])
    told = [feedback.take(LoggedDecision(name, WHEN, "x")) for name in ("a", "b", "c", "silent", "a")]
    assert told == [
        Told(LINES[2], None, 2.0, 0.5, n_repeated=1, n_other_model=1),
        Told(LINES[5], LINES[4], n_repeated=1),
        Told(n_other_model=1),
        None,
        None,  # the decision came by before
    ]
    assert [each.is_measured for each in told if each is not None] == [True, True, False]
    assert list(feedback.waiting()) == LINES[-1:]
    assert [line.query for line in feedback.of_queries] == ["Why?"]


def test_evaluate_monitor_and_train_understand_the_same(tmp_path: Path) -> None:
    objective = Objective()
    log = tmp_path / "decisions.jsonl"
    said = {
        "time": WHEN.isoformat(), "model": "x", "run_id": "run", "propensity": 1.0,
        "scores": {"x": 0.5, "y": 0.4}, "utilities": {"x": 0.5, "y": 0.4},
        "objective": {"quality_weight": objective.quality_weight, "cost_share": objective.cost_share},
    }  # fmt: skip
    ids = ("a", "b", "c", "silent", "a")
    log.write_text("".join(json.dumps({"id": name, "text": f"Query {name}?", **said}) + "\n" for name in ids))
    joined = join(read_decisions(log), LINES)
    assert joined.table.quality.tolist() == [1.0, 0.25]
    report = joined.report
    assert (report.n_repeated, report.n_repeated_feedback, report.n_other_model, report.n_unknown_ids) == (1, 2, 1, 1)
    labels = feedback_labels(LINES, read_decisions(log), ("x", "y"))
    assert dict(zip(labels.queries, labels.quality[:, 0].tolist(), strict=True)) == {"Query a?": 1.0, "Query b?": 0.25}
    assert labels.pairs.preferred == ("x",)
    counts = labels.report
    assert (counts.n_lines, counts.n_without_label, counts.n_grades, counts.n_preferences) == (9, 1, 2, 1)
    assert (counts.n_repeated, counts.n_other_model, counts.n_unknown_ids) == (2, 2, 1)
    nothing = cast("Any", None)
    training = WatchedTraining("run", "knn", frozenset("xy"), objective, nothing, nothing, {})
    counted = count_days(read_decisions(log), FeedbackByDecision(LINES), training, 1)
    assert (counted.n_decisions, counted.n_fed_back) == (5, 2)
    day = counted.days[0]
    assert day.residuals["x"].n == 2
    assert day.residuals["x"].moments.mean == pytest.approx((1.0 + 0.25) / 2 - 0.5)
    assert day.log_latencies["x"].n == 1
