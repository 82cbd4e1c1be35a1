"""Every choice a line, and no request that waits for the disk."""

import hashlib
import hmac
import json
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from datetime import datetime

import pytest

from routing.subjects import LAW
from routing.trainings import write_training
from vsr.choice.objective import Objective
from vsr.errors import OutputError
from vsr.routing import DisabledRouter, Request, Router, decision_log
from vsr.routing.decision_log import Decision, DecisionLog
from vsr.routing.reloading import ReloadingRouter


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_training(folder)
    return ReloadingRouter.load(folder)


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("VSR_LOG_KEY", raising=False)


def decided(router, request, number=0):
    [choice] = router.route([request])
    return Decision(f"id{number}", request, choice, router, 1_700_000_000.25, 0.0015, "mine")


def lines_of(log):
    log.close()
    return [json.loads(line) for line in log.path.read_text().splitlines()]


def test_a_line_says_what_the_choice_rests_on(router, tmp_path):
    log = DecisionLog(tmp_path / "new" / "decisions.jsonl", key="k")
    request = Request(LAW, candidates=["newton", "cicero", "nobody"], previous="newton", objective=Objective(0.8, 0.1))
    decision = decided(router, request)
    log.add([decision])
    [line] = lines_of(log)
    assert datetime.fromisoformat(line.pop("time")).timestamp() == 1_700_000_000.25
    assert line == {
        "id": "id0",
        "request_id": "mine",
        "decision": None,
        "category": "law",
        "category_source": "predicted",
        "candidates": ["newton", "cicero", "nobody"],
        "scores": decision.choice.scores,
        "utilities": decision.choice.utilities,
        "model": "cicero",
        "margin": decision.choice.margin,
        "reason": "predicted",
        "excluded": {"nobody": "unknown"},
        "previous": "newton",
        "objective": {"quality_weight": 0.8, "cost_share": 0.1},
        "propensity": 1.0,
        "duration_ms": 1.5,
        "run_id": router.run_id,
        "text_hash": hmac.new(b"k", LAW.encode(), hashlib.sha256).hexdigest(),
        "distance": None,
        "distance_rank": None,
    }
    assert LAW not in log.path.read_text()
    assert (log.n_written, log.n_dropped) == (1, 0)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_the_text_of_a_conversation_is_what_was_embedded(router, tmp_path):
    log = DecisionLog(tmp_path / "decisions.jsonl", with_text=True)
    messages = [{"role": "user", "content": "integral?"}, {"role": "assistant", "content": "x"}]
    asked = [
        Request(messages=[*messages, {"role": "user", "content": LAW}]),
        Request(embedding=router.current.embedder.embed([LAW])[0]),
    ]
    log.add([decided(router, each) for each in asked])
    texts = [line["text"] for line in lines_of(log)]
    assert texts == [LAW, None]
    assert not log.has_random_key


def test_hashes_agree_under_one_key_and_no_other(router, tmp_path, monkeypatch):
    def hash_of(name, **settings):
        log = DecisionLog(tmp_path / name, **settings)
        log.add([decided(router, Request(LAW))])
        return lines_of(log)[0]["text_hash"], log.has_random_key

    assert hash_of("a", key="k") == hash_of("b", key="k")
    assert hash_of("c")[1] is True
    assert hash_of("d")[0] != hash_of("e")[0]
    monkeypatch.setenv("VSR_LOG_KEY", "k")
    assert hash_of("f") == hash_of("a2", key="k")


def test_what_compares_nothing_is_logged_too(tmp_path):
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k")
    log.add([decided(DisabledRouter("safe"), Request("x"))])
    [line] = lines_of(log)
    assert (line["model"], line["reason"], line["run_id"], line["objective"]) == ("safe", "default", None, None)
    assert (line["scores"], line["candidates"]) == ({}, [])


def test_lines_are_added_and_the_half_line_of_a_killed_process_goes(router, tmp_path):
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b'{"id": "old"}\n{"id":"torn","ti')
    path.chmod(0o644)
    log = DecisionLog(path, key="k")
    log.add([decided(router, Request(LAW))])
    assert [line["id"] for line in lines_of(log)] == ["old", "id0"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_queue_drops_and_counts_and_nobody_waits(router, tmp_path, monkeypatch):
    held = threading.Event()
    write = DecisionLog._write

    def slow(log, lines):
        held.wait()
        write(log, lines)

    monkeypatch.setattr(DecisionLog, "_write", slow)
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k", most_waiting=10)
    decision = decided(router, Request(LAW))
    log.add([decision])
    while not log._waiting.empty():
        time.sleep(0.001)  # the first is with the writer, who is held up
    started_s = time.monotonic()
    for _ in range(5):
        log.add([decision] * 5)
    assert time.monotonic() - started_s < 1.0
    assert log.n_dropped == 15
    held.set()
    assert len(lines_of(log)) == 11
    log.add([decision])
    assert log.n_dropped == 16


def test_what_waits_is_bounded_in_bytes_too(router, tmp_path, monkeypatch):
    monkeypatch.setattr(decision_log, "_MOST_WAITING_BYTES", 4_000)
    log = DecisionLog(tmp_path / "decisions.jsonl", with_text=True)
    log.add([decided(router, Request(f"{LAW} {'x' * 5_000}")), decided(router, Request(LAW))])
    assert len(lines_of(log)) == 1
    assert log.n_dropped == 1


def test_a_decision_that_cannot_be_written_is_counted_and_said(router, tmp_path, caplog):
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k")
    odd = Decision("id", Request(LAW), router.select(LAW), router, 0.0, 0.0, request_id=object())  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, "vsr.routing.decision_log"):
        log.add([odd, decided(router, Request(LAW))])
        assert len(lines_of(log)) == 1
    assert log.n_dropped == 1
    assert "decisions are lost (TypeError" in caplog.records[0].getMessage()


def test_a_full_disk_loses_lines_whole_and_says_so_once(router, tmp_path, monkeypatch, caplog):
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k")
    decision = decided(router, Request(LAW))
    real, is_full = os.write, True

    def write(descriptor, content):
        if descriptor != log._descriptor or not is_full:
            return real(descriptor, content)
        if len(content) < 20:
            raise OSError(28, "No space left on device")
        return real(descriptor, content[: len(content) // 2])

    monkeypatch.setattr(os, "write", write)
    with caplog.at_level(logging.WARNING, "vsr.routing.decision_log"):
        for wanted in (1, 2):
            log.add([decision])
            while log.n_dropped < wanted:
                time.sleep(0.001)
        is_full = False
        log.add([decision])
        assert len(lines_of(log)) == 1
    assert [each.getMessage() for each in caplog.records] == [
        f"{log.path}: decisions are lost (No space left on device); choices go on without them",
        f"{log.path}: decisions are written again; 2 are lost",
    ]


def test_a_full_file_is_put_aside_and_no_line_is_lost(router, tmp_path):
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k", most_bytes=2_000)
    for number in range(20):
        log.add([decided(router, Request(LAW), number)])
        while log.n_written <= number:
            time.sleep(0.001)
    log.close()
    older = sorted(tmp_path.glob("decisions-*Z.jsonl"))
    assert len(older) >= 4
    lines = [line for path in (*older, log.path) for line in path.read_text().splitlines()]
    assert [json.loads(line)["id"] for line in lines] == [f"id{number}" for number in range(20)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (*older, log.path)} == {0o600}


def test_a_file_that_cannot_be_put_aside_is_written_to_further(router, tmp_path, caplog):
    folder = tmp_path / "log"
    log = DecisionLog(folder / "decisions.jsonl", key="k", most_bytes=500)
    folder.rename(tmp_path / "elsewhere")
    with caplog.at_level(logging.WARNING, "vsr.routing.decision_log"):
        log.add([decided(router, Request(LAW), number) for number in range(3)])
        log.close()
    assert len((tmp_path / "elsewhere" / "decisions.jsonl").read_text().splitlines()) == 3
    assert "cannot be put aside" in caplog.records[0].getMessage()


def test_each_day_has_a_file(router, tmp_path):
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k")
    for number in range(3):
        log.add([decided(router, Request(LAW), number)])
        while log.n_written <= number:
            time.sleep(0.001)
        if number == 0:
            os.utime(log.path, (1_700_000_000, 1_700_000_000))
    log.close()
    [older] = tmp_path.glob("decisions-*Z.jsonl")
    found = [[json.loads(line)["id"] for line in path.read_text().splitlines()] for path in (older, log.path)]
    assert found == [["id0"], ["id1", "id2"]]


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_only_a_file_is_written_to(tmp_path, kind):
    path = tmp_path / "decisions.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        (tmp_path / "other").write_text("precious")
        path.symlink_to("other")
    else:
        os.mkfifo(path)
    with pytest.raises(OutputError, match=r"decisions\.jsonl"):
        DecisionLog(path)
    if kind == "link":
        assert (tmp_path / "other").read_text() == "precious"


def test_two_processes_do_not_share_a_file(tmp_path):
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k")
    program = "import sys; from vsr.routing.decision_log import DecisionLog; DecisionLog(sys.argv[1]).close()"
    ended = subprocess.run([sys.executable, "-c", program, log.path], capture_output=True, text=True, check=False)
    assert "another process logs to it" in ended.stderr
    log.close()
    subprocess.run([sys.executable, "-c", program, log.path], check=True)


def test_a_router_of_one_training_names_it_as_well(router, tmp_path):
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k")
    assert isinstance(router.current, Router)
    log.add([decided(router.current, Request(LAW))])
    assert lines_of(log)[0]["run_id"] == router.run_id
