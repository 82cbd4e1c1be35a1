"""The benchmark command as a process of its own: its screen, its exit codes, and what survives its end."""

import random
import resource
import signal
import time
from collections import Counter

import pytest

from servers.command import Setting
from servers.scripted import Scripted, always, chat, error, json_response


def test_a_run_shows_what_it_will_take_and_what_it_brought(tmp_path):
    with Scripted(always("The answer is 4.")) as server:
        stdout, stderr = Setting(tmp_path, server).run()
    titles = "model answers failed quality latency cost failed calls by reason"
    assert stdout.splitlines()[0].split() == titles.split()
    assert stdout.splitlines()[2].split()[:4] == ["b", "6", "-", "1.000"]
    assert "6 queries, 2 models: a, b." in stderr
    assert "12 calls to make." in stderr
    assert "12 calls in" in stderr
    assert "0 of 12 failed" in stderr


def test_quiet_leaves_the_table(tmp_path):
    with Scripted(always("4")) as server:
        stdout, stderr = Setting(tmp_path, server).run("-q")
    assert stderr == ""
    assert len(stdout.splitlines()) == 3


def test_a_dry_run_asks_nothing(tmp_path):
    entry = {"pricing": {"prompt_per_1m": 1, "completion_per_1m": 10}}
    with Scripted(always()) as server:
        setting = Setting(tmp_path, server, entry=entry)
        stdout, stderr = setting.run("--dry-run", "--query-limit", "4", "--rate-limit-delay", "1000")
    assert stdout == ""
    assert "8 calls to make." in stderr
    assert "Time: at least 8.0 s for the delay between requests alone." in stderr
    assert "Cost: at most $0.08" in stderr
    assert server.seen == []
    assert not setting.out.exists()


def test_too_many_failures_are_exit_code_3(tmp_path):
    def reply(seen):
        return json_response(error("no"), 422) if "1?" in seen.prompt else json_response(chat("4"))

    with Scripted(reply) as server:
        setting = Setting(tmp_path, server)
        setting.run("--max-failures", "0.2")
        setting.out.unlink()
        stdout, stderr = setting.run("--max-failures", "0.1", code=3)
    assert "bad_request 1" in stdout
    assert "17% of the calls failed, more than the 10% of --max-failures." in stderr
    assert "--retry-failed asks the failed calls again" in stderr


def test_a_stopped_model_is_named(tmp_path):
    def reply(seen):
        return (
            json_response(error("The model `b` does not exist."), 404)
            if seen.model == "b"
            else json_response(chat("4"))
        )

    with Scripted(reply) as server:
        stdout, stderr = Setting(tmp_path, server).run(code=3)
    assert "not asked 6" in stdout
    assert "b was stopped, 6 calls not asked: unavailable: HTTP 404: The model `b` does not exist." in stderr
    assert "6 calls are missing: mend what stopped the models, then the same command goes on from here." in stderr
    assert "$" not in stderr  # nothing has a price


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--max-cost", "1"), 2, "--max-cost has no effect: no model in the configuration has prices"),
        (("--dry-run", "--max-failures", "0.5"), 2, "--max-failures has no effect with --dry-run"),
        (("--concurrency", "0"), 2, "0 is not in the range x>=1"),
        (("--output", "out.jsonl.gz"), 1, "which .gz does not allow"),
        (("--data-file", "none.jsonl"), 1, "none.jsonl"),
        (("--config", "none.yaml"), 1, "there is no such file"),
    ],
)
def test_wrong_use_is_explained(tmp_path, flags, code, said):
    with Scripted(always()) as server:
        _, stderr = Setting(tmp_path, server).run(*flags, code=code)
    assert said in stderr
    assert server.seen == []


def test_ctrl_c_finishes_the_calls_under_way_and_says_how_to_go_on(tmp_path):
    with Scripted(always("4", wait_s=0.5)) as server:
        setting = Setting(tmp_path, server, 30)
        process = setting.start("--concurrency", "4")
        while len(server.asked()) < 6:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "calls under way; Ctrl-C again gives them up." in stderr
        assert "calls are missing: the same command goes on from here." in stderr
        n_asked = len(server.asked())
        assert len(setting.records()) == n_asked < 20
        server.reply = always("4")
        setting.run("--concurrency", "8")
        assert len(server.asked()) == 60
    assert len({record["call_id"] for record in setting.records()}) == 60


def test_a_second_ctrl_c_gives_up_at_once(tmp_path):
    with Scripted(always("4", wait_s=20.0)) as server:
        setting = Setting(tmp_path, server)
        process = setting.start()
        while not server.seen:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=15)
    assert process.returncode == 130
    assert time.monotonic() - started < 10
    assert "Traceback" not in stderr


def test_the_limit_on_the_cost_stops_the_run(tmp_path):
    entry = {"pricing": {"prompt_per_1m": 0, "completion_per_1m": 1000}, "max_tokens": 10}
    with Scripted(always("4")) as server:
        stdout, stderr = Setting(tmp_path, server, 20, entry=entry).run("--max-cost", "0.05")
    assert "--max-cost stopped the run, " in stderr
    assert "the next one could have cost more than is left of $0.05 after $0.0" in stderr
    assert "The same command with a higher --max-cost goes on from here." in stderr
    assert "$0.0" in stdout


def test_a_full_disk_is_explained_and_nothing_is_lost(tmp_path):
    with Scripted(always("4")) as server:
        setting = Setting(tmp_path, server, 60)
        limit = (9000, 9000)
        _, stderr = setting.run(code=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
        assert "the record cannot be written (File too large); all earlier ones are kept" in stderr
        n_kept = len(setting.records())
        assert 5 < n_kept < 60
        setting.run("--concurrency", "8")
    assert len({record["call_id"] for record in setting.records()}) == len(setting.records()) == 120


def without_times(records):
    times = ("timestamp", "response_time", "attempts")
    kept = ({name: value for name, value in record.items() if name not in times} for record in records)
    return sorted(kept, key=lambda record: record["call_id"])


def test_kill_9_loses_no_answer_and_repeats_none(tmp_path):
    """The long version, with fifty kills, is benches/python/kill_nine.py."""
    rng = random.Random(9)

    def reply(seen):
        return rng.uniform(0.0, 0.02), json_response(chat(f"The answer to {seen.prompt} of {seen.model} is 4."))

    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    with Scripted(reply) as server:
        whole, killed = (Setting(tmp_path / name, server, 100) for name in ("whole", "killed"))
        whole.run("--concurrency", "16")
        n_kills = 0
        while n_kills < 4:
            process = killed.start("--concurrency", "16")
            target = len(server.seen) + rng.randrange(5, 50)
            while len(server.seen) < target and process.poll() is None:
                time.sleep(0.001)
            process.kill()
            process.communicate()
            n_kills += 1
        killed.run("--concurrency", "16")
    calls = Counter(record["call_id"] for record in killed.records())
    assert set(calls.values()) == {1}
    assert without_times(killed.records()) == without_times(whole.records())


def test_a_budget_makes_a_part_of_the_calls_and_a_second_run_none(tmp_path):
    with Scripted(always("The answer is 4.")) as server:
        setting = Setting(tmp_path, server)
        _, stderr = setting.run("--budget", "0.5")
        assert "Budget: about 6 of 12 calls.\n6 calls to make.\n" in stderr
        assert "Round 1 of " in stderr
        n_records = len(setting.out.read_text().splitlines())
        assert 5 <= n_records <= 7
        _, stderr = setting.run("--budget", "0.5")
    assert f"0 calls in 0.0 s, 0 of {n_records} failed" in stderr.replace("0 calls in 0.1 s", "0 calls in 0.0 s")


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--probe", "3"), "--probe needs --only-model NEW"),
        (("--budget", "0.5", "--only-model", "a"), "--budget has no effect with --only-model"),
        (("--use-fallback",), "Embedding flags have no effect without --budget, --until-decided or --probe"),
        (("--budget", "0"), "0.0 is not in the range 0.0<x<=1.0"),
    ],
)
def test_flags_of_fewer_calls_that_do_nothing(tmp_path, flags, problem):
    with Scripted(always()) as server:
        _, stderr = Setting(tmp_path, server).run(*flags, code=2)
    assert problem in " ".join(stderr.split())


def test_one_model_alone_and_its_probes(tmp_path):
    with Scripted(always("The answer is 4.")) as server:
        setting = Setting(tmp_path, server)
        _, nobody = setting.run("--only-model", "b", "--probe", "3", code=1)
        assert "holds no scored answer of another model" in " ".join(nobody.split())
        setting.run("--only-model", "a")
        stdout, stderr = setting.run("--only-model", "b", "--probe", "3")
    assert "3 calls to make." in stderr
    assert stdout.splitlines()[1].split()[:2] == ["b", "3"]
