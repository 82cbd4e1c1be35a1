"""What happens to the output while a run writes it, and what a killed run leaves."""

import json
import os
import random
import resource
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from servers.command import Setting
from servers.scripted import Scripted, always, chat, config_for, endpoint, json_response
from vsr.asking.client import ChatClient
from vsr.asking.queue import RetryPolicy
from vsr.benchmark import recorder, rescoring, resume
from vsr.benchmark.plan import make_plan
from vsr.benchmark.runner import RunSettings, preview, run_benchmark
from vsr.data.records import Query
from vsr.errors import BenchmarkError, RecordError
from vsr.scoring import rules, score_response


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def plan_at(server, n=4, *, extra=None, **entry):
    asked = [Query(f"Question {i}?", "math", "4", extra=extra or {}) for i in range(n)]
    models = {"a": {"preferred_endpoints": ["one"], **entry}}
    return make_plan(asked, config_for([endpoint(server)], models), environment={})


def deleted(path):
    path.unlink()


def replaced(path):
    path.rename(path.with_name("moved"))
    path.write_text('{"mine": true}\n')


def replaced_by_an_editor(path):
    shutil.copy(path, path.with_name("edited"))
    path.with_name("edited").replace(path)


def read_only(path):
    path.chmod(0o444)


def cut_short(path):
    os.truncate(path, 0)


@pytest.mark.parametrize("attack", [deleted, replaced, replaced_by_an_editor, read_only, cut_short])
def test_an_output_that_is_taken_away_ends_the_run_within_a_second(tmp_path, attack):
    with Scripted(always("4", wait_s=0.05)) as server:
        setting = Setting(tmp_path, server, 200)
        process = setting.start("--concurrency", "4")
        while not setting.out.exists() or len(setting.out.read_bytes()) < 3000:
            time.sleep(0.01)
        before = [json.loads(line) for line in setting.out.read_text().splitlines()]
        attack(setting.out)
        left = setting.out.read_bytes() if setting.out.exists() else b""
        started = time.monotonic()
        _, stderr = process.communicate(timeout=20)
        seconds = time.monotonic() - started
        n_asked = len(server.asked())
    assert process.returncode == 1, stderr
    assert seconds < 2.0
    assert "Traceback" not in stderr
    rescued = tmp_path / "out.rescued.jsonl"
    assert str(rescued.name) in stderr
    if attack not in (read_only, cut_short):
        assert (setting.out.read_bytes() if setting.out.exists() else b"") == left
    held = records(rescued) + (records(setting.out) if attack in (read_only, cut_short) else [])
    if attack is cut_short:
        held += before
    calls = {record["call_id"] for record in held}
    assert n_asked - len(calls) <= (8 if attack is cut_short else 0)
    assert {record["call_id"] for record in before} <= calls
    assert not (tmp_path / "out.jsonl.unscored").exists()


def test_what_was_rescued_can_be_added_to_the_output(tmp_path):
    with Scripted(always("4", wait_s=0.02)) as server:
        setting = Setting(tmp_path, server, 60)
        process = setting.start("--concurrency", "4")
        while not setting.out.exists() or len(setting.out.read_bytes()) < 3000:
            time.sleep(0.01)
        setting.out.unlink()
        process.communicate(timeout=20)
        (tmp_path / "out.rescued.jsonl").rename(setting.out)
        setting.run("--concurrency", "8")
        assert len(server.asked()) == 120
    assert Counter(Counter(record["call_id"] for record in setting.records()).values()) == {1: 120}


def test_an_answer_is_written_before_it_is_scored(tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    seen = []
    score = rules.score_response

    def looking(response, *args, **fields):
        kept = [json.loads(line) for line in (tmp_path / "out.jsonl.unscored").read_text().splitlines()]
        assert response in [line["response"] for line in kept]
        seen.append((response, len(records(out))))
        return score(response, *args, **fields)

    monkeypatch.setattr(rescoring, "score_response", looking)
    with Scripted(lambda seen: json_response(chat(f"4 for {seen.prompt}"))) as server:
        run_benchmark(plan_at(server, 3), out, RunSettings())
    assert seen == [(f"4 for Question {n}?", n) for n in range(3)]
    assert not (tmp_path / "out.jsonl.unscored").exists()


KILLED_WHILE_SCORING = """
import os, signal, sys
from vsr.benchmark import rescoring
from vsr.cli import main
n, score = [0], rescoring.score_response
def killing(*args, **fields):
    n[0] += 1
    if n[0] == {n}:
        os.kill(os.getpid(), signal.SIGKILL)
    return score(*args, **fields)
rescoring.score_response = killing
sys.exit(main())
"""


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_kill_between_writing_and_scoring_loses_nothing_and_doubles_nothing(tmp_path, n, monkeypatch):
    with Scripted(lambda seen: json_response(chat(f"The answer to {seen.prompt} is 4."))) as server:
        setting = Setting(tmp_path, server, 6)
        plain = setting.command
        with monkeypatch.context() as killed:
            killed.setattr(
                setting,
                "command",
                lambda *flags: (*plain(*flags)[:2], KILLED_WHILE_SCORING.format(n=n), *plain(*flags)[3:]),
            )
            setting.run(code=-signal.SIGKILL)
        assert len(setting.records()) == n - 1
        kept = records(tmp_path / "out.jsonl.unscored")
        assert {record["call_id"] for record in kept} - {record["call_id"] for record in setting.records()}
        _, stderr = setting.run()
        assert "answers of a run that was killed are scored and written now." in stderr
        asked = Counter((seen.model, seen.prompt) for seen in server.asked())
        assert all(asked[record["model_name"], record["query"]] == 1 for record in kept)
        assert asked.total() <= 13  # one was under way
    held = setting.records()
    assert len({record["call_id"] for record in held}) == len(held) == 12
    assert all(record["performance"] == 1.0 for record in held)


def test_a_kill_between_output_and_emptying_doubles_nothing(tmp_path):
    out = tmp_path / "out.jsonl"
    with Scripted(always("4")) as server:
        run_benchmark(plan_at(server, 3), out, RunSettings())
        held = out.read_bytes()
        raw = [{**record, "performance": None} for record in records(out)]
        raw.append({**raw[0], "query": "Another?", "call_id": "another"})
        lines = "".join(json.dumps(record) + "\n" for record in raw)
        (tmp_path / "out.jsonl.unscored").write_text(lines + lines[:70])
        run_benchmark(plan_at(server, 3), out, RunSettings())
    assert out.read_bytes().startswith(held)
    assert [record["call_id"] for record in records(out)[3:]] == ["another"]
    assert records(out)[3]["performance"] == 1.0


@pytest.mark.parametrize("seed", range(4))
def test_a_disk_that_fills_at_a_random_point_loses_no_answer(tmp_path, monkeypatch, seed):
    """The long version, with twenty points, is benches/python/hostile_files.py."""
    size = random.Random(seed).randrange(500, 20_000)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    with Scripted(always("The answer is 4.", wait_s=0.003)) as server:
        setting = Setting(tmp_path, server, 60)
        _, stderr = setting.run(
            "--concurrency", "4", code=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        )
        assert "File too large" in stderr
        lines = setting.out.read_bytes()
        assert lines == b"" or lines.endswith(b"\n")
        paths = (*tmp_path.glob("out*.jsonl"), *elsewhere.glob("*.jsonl"), *tmp_path.glob("*.unscored"))
        calls = {record["call_id"] for path in paths for record in records(path)}
        assert len(calls) == len(server.asked())
        setting.run("--concurrency", "8")
    assert Counter(Counter(record["call_id"] for record in setting.records()).values()) == {1: 120}


def test_a_kill_during_the_rewrite_after_a_changed_setting_doubles_nothing_aside(tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    moments = []

    def run(server, temperature):
        run_benchmark(plan_at(server, 6, temperature=temperature), out, RunSettings())

    replace = Path.replace

    def killing(self, target):
        moments.append(Path(target).name)
        if len(moments) == n:
            raise KeyboardInterrupt
        return replace(self, target)

    with Scripted(always("4")) as server:
        for n in range(1, 5):
            for path in tmp_path.iterdir():
                path.unlink()
            run(server, 0.0)
            moments.clear()
            with monkeypatch.context() as patch:
                patch.setattr(Path, "replace", killing)
                try:
                    run(server, 0.5)
                except KeyboardInterrupt:
                    assert len(moments) == n
            run(server, 0.5)
            aside = records(tmp_path / "out.superseded.jsonl")
            assert len({record["call_id"] for record in aside}) == len(aside) == 6, n
            assert len({record["call_id"] for record in records(out)}) == len(records(out)) == 6, n
    assert moments == ["out.superseded.jsonl", "out.jsonl", "out.jsonl"][: len(moments)]


@pytest.mark.parametrize(
    "odd",
    [{"cost": 10**300}, {"cost": 1e300}, {"cost": -1e9}, {"response_time": 1e300}, {"output_tokens": 10**18},
     {"performance": 1e308}, {"embedding_id": 10**30}],
)  # fmt: skip
def test_a_number_that_would_spoil_every_sum_is_named_by_file_and_line(tmp_path, odd):
    out = tmp_path / "out.jsonl"
    with Scripted(always("4")) as server:
        run_benchmark(plan_at(server, 2), out, RunSettings())
        held = records(out)
        held[1] |= odd
        text = "".join(json.dumps(record) + "\n" for record in held)
        out.write_text(text)
        for call in (run_benchmark, preview):
            with pytest.raises(BenchmarkError, match=rf"out\.jsonl:2: this is no record.*{next(iter(odd))}"):
                call(plan_at(server, 2), out, RunSettings())
    assert out.read_text() == text


def test_sums_of_old_qualities_that_overflow_say_file_and_line(tmp_path):
    path = tmp_path / "r.jsonl"
    line = {"query": "q", "model_name": "a", "response": "4", "ground_truth": "4"}
    path.write_text("".join(json.dumps({**line, "performance": value}) + "\n" for value in (1.0, 1e308, 1e308)))
    with pytest.raises(RecordError, match=r"r\.jsonl:2"):
        list(rescoring.Rescoring(path))


@pytest.mark.parametrize("n_output", [10**300, 10**18, -5, 10_000_001])
def test_counts_that_cannot_be_are_written_as_unknown_and_max_cost_goes_on(tmp_path, n_output):
    out = tmp_path / "out.jsonl"
    pricing = {"prompt_per_1m": 1, "completion_per_1m": 10}

    def reply(seen):
        return json_response(chat("4", 10, n_output if "1?" in seen.prompt else 5))

    with Scripted(reply) as server:
        plan = plan_at(server, 8, pricing=pricing, max_tokens=10)
        summary = run_benchmark(plan, out, RunSettings(RetryPolicy(1), max_cost_usd=1.0))
        assert (summary.n_missing, summary.is_out_of_money) == (0, False)
        assert 0 < summary.cost_usd < 0.1
        assert run_benchmark(plan, out, RunSettings(max_cost_usd=1.0)).n_asked == 0


def test_an_answer_that_breaks_the_scorer_costs_itself_alone(tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"

    def breaking(response, *args, **fields):
        if "1?" in response:
            raise RecursionError("too deep")
        return score_response(response, *args, **fields)

    with monkeypatch.context() as patch, Scripted(lambda seen: json_response(chat(f"4 {seen.prompt} 4"))) as server:
        patch.setattr(rescoring, "score_response", breaking)
        summary = run_benchmark(plan_at(server, 3), out, RunSettings(RetryPolicy(1)))
    assert summary.n_failed == 0
    found = records(out)
    assert [record.get("scoring_error") for record in found] == [None, "RecursionError: too deep", None]
    assert (found[1]["performance"], found[1]["unscored"], found[1]["response"]) == (0.5, True, "4 Question 1? 4")


def test_an_exception_while_an_answer_is_handled_is_that_calls_failure(tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    ask = ChatClient.ask

    async def breaking(self, target, request):
        if "1?" in request.prompt:
            raise ZeroDivisionError("by a hostile answer")
        return await ask(self, target, request)

    monkeypatch.setattr(ChatClient, "ask", breaking)
    with Scripted(always("4")) as server:
        summary = run_benchmark(plan_at(server, 4), out, RunSettings())
    assert summary.models[0].failures == {"invalid_answer": 1}
    (failed,) = (record for record in records(out) if "error" in record)
    assert "ZeroDivisionError: by a hostile answer" in failed["error"]


def test_an_exception_while_a_record_is_made_is_that_calls_failure(tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    answered = recorder._answered

    def breaking(answer):
        if "1?" in answer.text:
            raise KeyError("odd")
        return answered(answer)

    monkeypatch.setattr(recorder, "_answered", breaking)
    with Scripted(lambda seen: json_response(chat(f"4 {seen.prompt}"))) as server:
        summary = run_benchmark(plan_at(server, 4), out, RunSettings())
    assert summary.models[0].failures == {"invalid_answer": 1}
    assert len(records(out)) == 4


def test_fields_of_a_query_do_not_pass_for_those_of_a_record(tmp_path):
    out = tmp_path / "out.jsonl"
    extra = {"error": "mine", "unscored": True, "call_id": "x", "cost": 1e300, "source": "kept"}
    with Scripted(always("4")) as server:
        assert run_benchmark(plan_at(server, 2, extra=extra), out, RunSettings()).n_failed == 0
        assert run_benchmark(plan_at(server, 2, extra=extra), out, RunSettings()).n_asked == 0
    assert {(record["source"], "error" in record) for record in records(out)} == {("kept", False)}
    assert out.read_bytes().startswith(resume.OPENING)
