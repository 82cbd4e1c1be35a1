"""Several worker processes on one address."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from routing.subjects import LAW
from serving.process import refused, served
from vsr.serving.listening import SharedAddress
from vsr.serving.workers import Supervisor

BENCHES = Path(__file__).parents[3] / "benches" / "python"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")


def children_of(server):
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def has_gone(pid):
    return not Path(f"/proc/{pid}").exists()


def ask(server, n_times):
    """Ask over connections of their own, so that every worker gets some."""
    answers = [
        httpx.post(f"{server.url}/v1/select", json={"query": LAW}, timeout=30).json()["model"] for _ in range(n_times)
    ]
    assert set(answers) == {"cicero"}


def wait_until(is_so, what, seconds=20.0):
    ends_s = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_s, what
        time.sleep(0.05)


def test_workers_share_the_requests_and_their_counts_survive_them(folder, tmp_path):
    chosen = 'vsr_choices_total{model="cicero",reason="predicted"}'
    with served("--models-dir", folder, "--workers", 2, "--log", tmp_path) as server:
        workers = children_of(server)
        assert len(workers) == 2
        ask(server, 40)
        assert server.metric(chosen) == 40
        assert server.metric("vsr_workers") == 2
        server.client.close()
        os.kill(workers[0], signal.SIGKILL)
        server.wait_until_said("was ended by signal 9; another takes its place")
        server.client = httpx.Client(base_url=server.url, timeout=30.0)
        ask(server, 10)  # by the other one
        wait_until(lambda: server.metric("vsr_worker_starts_total") == 3, "a new worker")
        assert server.metric("vsr_workers") == 2
        assert server.metric("vsr_requests_in_flight") == 0
        assert len(children_of(server)) == 2
        assert workers[1] in children_of(server)
        ask(server, 20)
        assert server.metric(chosen) == 70
        server.client.close()
        assert server.end() == 0
        assert has_gone(workers[1])
    logs = [tmp_path / "decisions-1.jsonl", tmp_path / "decisions-2.jsonl"]
    lines = [[json.loads(line) for line in log.read_text().splitlines()] for log in logs]
    assert min(map(len, lines)) > 0
    assert sum(map(len, lines)) >= 69  # what the killed one had not written yet is lost
    assert len({line["text_hash"] for each in lines for line in each}) == 1  # one key for all workers


def test_all_workers_follow_the_file_of_the_switch(folder, tmp_path):
    switch = tmp_path / "fixed"
    info = 'vsr_routing_info{model="safe",routing="fixed"}'
    with served("--models-dir", folder, "--workers", 2, "--fixed-file", switch) as server:
        switch.write_text("safe")
        server.process.send_signal(signal.SIGHUP)
        for number in (1, 2):
            server.wait_until_said(f"worker {number}: {switch}: routing is switched off")
        wait_until(lambda: info in server.client.get("/metrics").text and server.metric(info) == 2, "both say so")
        assert server.end(signal.SIGINT) == 130
    assert server.said[-1] == "Error: Interrupted."


class Exhausted(SharedAddress):
    """An address of a process that may open nothing more."""

    def __init__(self):
        self.port = 0

    def another(self):
        raise OSError(24, "Too many open files")


def test_at_the_end_nobody_waits_for_a_place_that_is_not_filled_any_more():
    supervisor = Supervisor(2, Exhausted(), 1.0, [])
    supervisor._woken, waking = os.pipe()
    supervisor._places[0].due_s = 1.0  # as of a worker that was started in the place of a dead one
    supervisor._ends_s = time.monotonic() + 0.2
    supervisor._wait()
    assert time.monotonic() >= supervisor._ends_s
    os.close(supervisor._woken)
    os.close(waking)


def test_a_worker_that_cannot_be_started_now_is_started_later(caplog):
    supervisor = Supervisor(1, Exhausted(), 1.0, [])
    place = supervisor._places[0]
    place.due_s = 1.0
    supervisor._look_after(place)
    assert 0.0 < place.due_s - time.monotonic() <= 0.5
    assert "worker 1 cannot be started" in caplog.text
    assert "again in 0.5 s" in caplog.text


def test_workers_do_not_outlive_their_parent(folder):
    with served("--models-dir", folder, "--workers", 2) as server:
        workers = children_of(server)
        server.process.kill()
        wait_until(lambda: all(has_gone(pid) for pid in workers), "they end")


def test_what_is_wrong_with_all_workers_is_said_once():
    code, said = refused("--models-dir", "/nowhere", "--workers", 3, "--port", "0")
    assert code == 1
    assert len(re.findall("no such folder", said)) == 1
    assert "Listening" not in said


def test_a_port_that_is_taken_is_named_though_workers_could_share_it(folder):
    with served("--models-dir", folder, "--workers", 2) as server:
        code, said = refused("--models-dir", folder, "--workers", 2, "--port", server.port)
        assert code == 1
        assert f"--port {server.port}: cannot be listened on" in said


def test_nothing_is_noticed_but_by_callers_of_a_killed_worker():
    command = [sys.executable, str(BENCHES / "serving_chaos.py"), "--seconds", "7", "--reload-every-s", "1"]
    command += ["--kill-every-s", "3", "--connections", "2", "--clients", "2", "--most-growth-mib", "100"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
