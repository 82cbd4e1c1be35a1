"""The decision log read back as it was written, in all the files that it is spread over."""

import gzip
import json
import shutil
from datetime import UTC, datetime

import pytest

from routing.subjects import LAW
from routing.trainings import write_training
from vsr.choice.objective import Objective
from vsr.errors import RecordError
from vsr.routing import Request, Router
from vsr.routing.decision_log import Decision, DecisionLog
from vsr.traffic.decisions import LoggedDecision, read_decisions


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_training(folder)
    return Router.load(folder)


@pytest.fixture(scope="module")
def log(router, tmp_path_factory):
    """Give a log of two files: a full one was put aside after its first line."""
    log = DecisionLog(tmp_path_factory.mktemp("logs") / "decisions.jsonl", with_text=True, most_bytes=1)
    for number, request in enumerate([Request(LAW, previous="newton", objective=Objective(0.8, 0.1)), Request("x")]):
        [choice] = router.route([request])
        log.add([Decision(f"id{number}", request, choice, router, 1_700_000_000.25 + number, 0.0015, "mine")])
    log.close()
    return log.path


def test_every_field_comes_back_as_it_was_written(router, log):
    first = next(each for each in read_decisions(log.parent) if each.id == "id0")
    [choice] = router.route([Request(LAW, previous="newton", objective=Objective(0.8, 0.1))])
    assert first == LoggedDecision(
        id="id0",
        time=datetime.fromtimestamp(1_700_000_000.25, UTC),
        model=choice.model,
        request_id="mine",
        category="law",
        category_source="predicted",
        candidates=tuple(choice.utilities),
        scores=choice.scores,
        utilities=choice.utilities,
        margin=choice.margin,
        reason=choice.reason,
        previous="newton",
        objective=Objective(0.8, 0.1),
        propensity=1.0,
        duration_ms=1.5,
        run_id=router.artefact.header.run_id,
        text=LAW,
    )


def test_a_folder_is_all_its_files_and_empty_ones_are_passed_over(log, tmp_path):
    (tmp_path / "notes.jsonl").write_text("no decision")
    for path in log.parent.iterdir():
        shutil.copy(path, tmp_path)
    log = tmp_path / "decisions.jsonl"
    whole = list(read_decisions(tmp_path))
    assert [each.id for each in whole] == ["id0", "id1"]
    files = [path for path in sorted(tmp_path.glob("decisions*.jsonl")) if path.stat().st_size]
    assert list(read_decisions([*files, files[0]])) == whole
    packed = files[0].with_name(files[0].name + ".gz")
    packed.write_bytes(gzip.compress(files[0].read_bytes()))
    files[0].unlink()
    assert sorted(each.id for each in read_decisions(tmp_path)) == ["id0", "id1"]
    for path in tmp_path.glob("decisions*"):
        path.unlink()
    log.touch()
    with pytest.raises(RecordError, match="holds no decisions"):
        read_decisions(tmp_path)


def test_what_a_line_need_not_say(tmp_path):
    path = tmp_path / "decisions.jsonl"
    line = {"id": "a", "time": "2026-01-31T12:00:00Z", "model": "newton", "distance": None, "of_tomorrow": [1]}
    path.write_text(json.dumps(line))
    assert list(read_decisions(path)) == [LoggedDecision("a", datetime(2026, 1, 31, 12, tzinfo=UTC), "newton")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "`id` is null"),
        ({"model": " "}, '`model` is " "'),
        ({"time": "2026-01-31T12:00:00"}, "expected a time with its zone"),
        ({"propensity": 0}, "`propensity` is 0; expected a probability above 0"),
        ({"propensity": 1.5}, "`propensity` is 1.5"),
        ({"scores": {"newton": "high"}}, "`scores` is an object; expected an object of models and numbers"),
        ({"candidates": "newton"}, '`candidates` is "newton"'),
        ({"excluded": {"newton": 1}}, "expected an object of models and reasons"),
        ({"objective": {"quality_weight": 9}}, '`objective` is an object; expected an object such as {"quality_weight'),
        ({"distance": -1.0}, "`distance` is -1.0"),
        ({"text": 1}, "`text` is 1; expected text, or null"),
    ],
)
def test_a_bad_line_is_named(tmp_path, change, said):
    fine = {"id": "a", "time": "2026-01-31T12:00:00Z", "model": "newton"}
    path = tmp_path / "decisions.jsonl"
    path.write_text(f"{json.dumps(fine)}\n{json.dumps(fine | change)}\n")
    with pytest.raises(RecordError) as caught:
        list(read_decisions(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert said in str(caught.value)
    decisions = read_decisions(path, skip_bad_lines=True)
    assert [each.id for each in decisions] == ["a"]
    assert (decisions.n_bad_lines, len(decisions.bad_lines)) == (1, 1)
