"""Feedback: what counts, where it goes, and over HTTP with several servers on one folder."""

import contextlib
import json
import multiprocessing
import os
import resource
import signal
import sqlite3
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from routing.subjects import LAW
from routing.trainings import write_training
from serving.process import served
from vsr.data.feedback import Feedback, read_feedback
from vsr.errors import OutputError, RecordError
from vsr.serving.feedback import FEEDBACK_NAME, SEEN_NAME, FeedbackLog
from vsr.serving.feedback_bodies import FeedbackBody, read_feedback_body

MODELS = frozenset({"cicero", "darwin", "newton"})
WEEK_S = 7 * 86_400.0


def outcomes(log, *given):
    return [receipt.outcome for receipt in log.add(given, MODELS)]


def lines(folder):
    return [json.loads(line) for line in (folder / FEEDBACK_NAME).read_text().splitlines()]


# What counts


def test_it_counts_once_for_the_model_that_was_chosen(tmp_path):
    log = FeedbackLog(tmp_path, clock=lambda: 1_800_000_000.0)
    one, two, three = (log.ids.new("darwin") for _ in range(3))
    assert outcomes(log, FeedbackBody(one, "newton", 1.0)) == ["other_model"]
    assert outcomes(log, FeedbackBody(one, "darwin", 0.5, source="ann"), FeedbackBody(one, quality=1.0)) == [
        "counted",
        "repeated",
    ]
    assert outcomes(log, FeedbackBody(one, quality=0.0)) == ["repeated"]
    assert outcomes(log, FeedbackBody(two, preferred="newton", other="darwin")) == ["counted"]
    assert outcomes(log, FeedbackBody(three, preferred="newton", other="cicero")) == ["other_model"]
    assert outcomes(log, FeedbackBody("0" * 32, quality=1.0)) == ["unknown"]
    time = "2027-01-15T08:00:00.000+00:00"
    assert lines(tmp_path) == [
        {"id": one, "model": "darwin", "quality": 0.5, "source": "ann", "time": time},
        {"id": two, "model": "darwin", "preferred": "newton", "other": "darwin", "time": time},
    ]


def test_a_model_that_only_the_caller_knows_has_to_be_named(tmp_path):
    log = FeedbackLog(tmp_path)
    given = log.ids.new("somebody")
    assert outcomes(log, FeedbackBody(given, quality=1.0)) == ["unknown"]
    assert outcomes(log, FeedbackBody(given, "somebody", 1.0)) == ["counted"]


def test_after_seven_days_it_does_not_count_and_is_forgotten_later(tmp_path):
    now = [1_800_000_000.0]
    log = FeedbackLog(tmp_path, clock=lambda: now[0])
    early, late = log.ids.new("darwin"), log.ids.new("darwin")
    now[0] += WEEK_S
    assert outcomes(log, FeedbackBody(early, quality=1.0)) == ["counted"]
    now[0] += 1.0
    assert outcomes(log, FeedbackBody(late, quality=1.0)) == ["late"]
    now[0] += 3 * WEEK_S
    assert outcomes(log, FeedbackBody(log.ids.new("darwin"), quality=1.0)) == ["counted"]
    with sqlite3.connect(tmp_path / SEEN_NAME) as seen:
        assert seen.execute("SELECT COUNT(*) FROM seen").fetchone() == (1,)
    seen.close()


def test_ids_are_known_after_a_restart_and_under_a_key_that_machines_share(tmp_path):
    given = FeedbackLog(tmp_path / "one").ids.new("darwin")
    assert outcomes(FeedbackLog(tmp_path / "one"), FeedbackBody(given, quality=1.0)) == ["counted"]
    assert outcomes(FeedbackLog(tmp_path / "two"), FeedbackBody(given, quality=1.0)) == ["unknown"]
    shared = FeedbackLog(tmp_path / "three", key="a key").ids.new("darwin")
    assert outcomes(FeedbackLog(tmp_path / "four", key="a key"), FeedbackBody(shared, quality=1.0)) == ["counted"]


# Where it goes


def _add(folder, ids):
    log = FeedbackLog(folder)
    with ThreadPoolExecutor(2) as pool:
        received = list(pool.map(lambda each: outcomes(log, FeedbackBody(each, quality=1.0))[0], ids))
    log.close()
    return received.count("counted")


def test_processes_and_threads_count_every_id_once_and_write_whole_lines(tmp_path):
    log = FeedbackLog(tmp_path)
    ids = [log.ids.new("darwin") for _ in range(60)]
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        counted = list(pool.map(_add, [tmp_path] * 3, [ids] * 3))
    assert sum(counted) == 60
    assert sorted(line["id"] for line in lines(tmp_path)) == sorted(ids)


def test_a_fork_adds_as_its_parent_does(tmp_path):
    log = FeedbackLog(tmp_path)
    ids = [log.ids.new("darwin") for _ in range(2)]
    child = os.fork()
    if child == 0:
        os._exit(0 if outcomes(log, FeedbackBody(ids[0], quality=1.0)) == ["counted"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert outcomes(log, *(FeedbackBody(each, quality=1.0) for each in ids)) == ["repeated", "counted"]


def test_nobody_else_may_read_it(tmp_path):
    old = os.umask(0)
    try:
        log = FeedbackLog(tmp_path / "log")
        log.add([FeedbackBody(log.ids.new("darwin"), quality=1.0)], MODELS)
    finally:
        os.umask(old)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "log").iterdir()} == {0o600}
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700


def test_half_a_line_of_a_killed_process_goes(tmp_path):
    log = FeedbackLog(tmp_path)
    given = [log.ids.new("darwin") for _ in range(2)]
    log.add([FeedbackBody(given[0], quality=1.0)], MODELS)
    with (tmp_path / FEEDBACK_NAME).open("ab") as file:
        file.write(b'{"id": "abc')
    log.add([FeedbackBody(given[1], quality=0.0)], MODELS)
    assert [line["id"] for line in lines(tmp_path)] == given


def test_on_a_full_disk_nothing_counts_and_later_all_does(tmp_path, caplog):
    log = FeedbackLog(tmp_path)
    given = [FeedbackBody(log.ids.new("darwin"), quality=1.0) for _ in range(3)]
    log.add(given[:1], MODELS)
    before = (tmp_path / FEEDBACK_NAME).read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, old[1]))
    try:
        with pytest.raises(OutputError, match="feedback cannot be kept"):
            log.add(given[1:], MODELS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / FEEDBACK_NAME).read_bytes() == before
    assert outcomes(log, *given[1:]) == ["counted", "counted"]
    assert [line["id"] for line in lines(tmp_path)] == [each.id for each in given]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("name", [FEEDBACK_NAME, SEEN_NAME])
def test_a_place_that_cannot_be_used_is_said(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match="cannot be used"):
        FeedbackLog(tmp_path)


def test_a_database_that_is_none_is_said(tmp_path):
    (tmp_path / SEEN_NAME).write_text("not a database, and long enough for nobody to take it for an empty one" * 20)
    with pytest.raises(OutputError, match="file is not a database"):
        FeedbackLog(tmp_path)


def test_what_is_written_is_what_the_reader_of_feedback_reads(tmp_path):
    log = FeedbackLog(tmp_path, clock=lambda: 1_800_000_000.0)
    one, two = log.ids.new("darwin"), log.ids.new("darwin")
    log.add(
        [FeedbackBody(one, quality=1.0, source="ann"), FeedbackBody(two, preferred="newton", other="darwin")], MODELS
    )
    time = datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert list(read_feedback(tmp_path / FEEDBACK_NAME)) == [
        Feedback(id=one, model="darwin", quality=1.0, source="ann", time=time),
        Feedback(id=two, model="darwin", preferred="newton", other="darwin", time=time),
    ]


# Bodies


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"id": "x"}, "expected either `quality`"),
        ({"id": "x", "quality": 1, "preferred": "a", "other": "b"}, "expected either `quality`"),
        ({"id": "x", "preferred": "a"}, "expected both"),
        ({"id": "x", "preferred": "a", "other": "a"}, "are both a"),
        ({"id": "x", "model": "c", "preferred": "a", "other": "b"}, "c answered, but neither"),
        ({"quality": 1}, "missing required field `id`"),
        ({"id": "x", "quality": 1.01}, "<= 1.0"),
        ({"id": "x", "quality": True}, "got `bool`"),
        ({"id": "x", "quality": "good"}, "got `str`"),
        ({"id": "x", "quality": 1, "weight": 100}, "unknown field `weight`"),
        ({"id": "x", "quality": 1, "model": " "}, "matching regex"),
        ({"id": "x", "quality": 1, "source": "y" * 257}, "length <= 256"),
        ([{"id": "x", "quality": 1}, {"id": "y"}], "feedback 1: expected either"),
        ([{"id": "x", "quality": 1}] * 257, "expected at most 256"),
        ([[[[[]]]]], "nested more than 4 deep"),
        (None, "Expected `object | array`"),
    ],
)
def test_what_is_no_feedback_is_refused_in_a_line(body, said):
    with pytest.raises(RecordError) as refused:
        read_feedback_body(json.dumps(body).encode())
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


# Over HTTP


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    made = tmp_path_factory.mktemp("models")
    write_training(made)
    return made


def test_servers_on_one_folder_know_each_others_ids_also_after_a_kill(models, tmp_path):
    with served("--models-dir", models, "--log", tmp_path) as server:
        chosen = server.select([{"query": LAW}, {"query": LAW}]).json()
        server.client.post("/v1/feedback", json={"id": chosen[0]["id"], "quality": 1, "source": "ann"})
        server.end(signal.SIGKILL)
    with served("--models-dir", models, "--log", tmp_path) as server:
        given = [{"id": each["id"], "quality": 0.25} for each in chosen]
        answer = server.client.post("/v1/feedback", json=given)
        assert answer.status_code == 200
        assert [each["outcome"] for each in answer.json()] == ["repeated", "counted"]
        one = server.client.post("/v1/feedback", json=given[0])
        assert one.status_code == 409
        assert one.json()["error"] == "there was feedback under this id before: it counts once"
        assert server.client.post("/v1/feedback", json={"id": "x", "quality": 1}).status_code == 404
        assert server.client.post("/v1/feedback", json={"id": "x", "quality": 2}).status_code == 400
        assert server.client.post("/v1/feedback", content=b"id=x").status_code == 415
        assert server.metric('vsr_feedback_total{result="counted"}') == 1
        assert server.metric('vsr_feedback_total{result="repeated"}') == 2
        assert server.metric('vsr_feedback_total{result="late"}') == 0
    assert [(line["id"], line["model"], line["quality"]) for line in lines(tmp_path)] == [
        (chosen[0]["id"], "cicero", 1.0),
        (chosen[1]["id"], "cicero", 0.25),
    ]
    logged = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert {each["id"] for each in logged} <= {each["id"] for each in chosen}


def test_without_a_log_it_says_where_feedback_would_go(models):
    with served("--models-dir", models) as server:
        answer = server.client.post("/v1/feedback", json={"id": "x", "quality": 1})
        assert answer.status_code == 404
        assert "start it with --log DIR" in answer.json()["error"]


def test_no_choice_waits_for_feedback_that_cannot_be_kept_yet(models, tmp_path):
    with served("--models-dir", models, "--log", tmp_path) as server, ThreadPoolExecutor(6) as pool:
        ids = [each["id"] for each in server.select([{"query": LAW}] * 6).json()]
        with contextlib.closing(sqlite3.connect(tmp_path / "feedback.sqlite", isolation_level=None)) as another:
            another.execute("BEGIN IMMEDIATE")
            given = [
                pool.submit(httpx.post, f"{server.url}/v1/feedback", json={"id": each, "quality": 1}) for each in ids
            ]
            time.sleep(0.3)
            assert server.client.post("/v1/select", json={"query": LAW}, timeout=3).json()["model"] == "cicero"
            assert not any(each.done() for each in given)
            another.execute("ROLLBACK")
        assert [each.result().status_code for each in given] == [200] * 6
