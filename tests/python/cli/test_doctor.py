"""The command `doctor`, and what it says inside `benchmark`, `train` and `score`."""

import json
import socket
from pathlib import Path

import pytest

from cli.conftest import Command
from diagnosis.files import changed, queries, records, write
from servers.command import Setting
from servers.scripted import Scripted, always

FAST = ("--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--splits", "1")


def spoilt_queries(path: Path) -> Path:
    return write(
        path,
        changed(
            queries(),
            lambda n, line: line | ({"metric": "gsm8kk"} if n == 2 else {"category": "mathss"} if n > 55 else {}),
        ),
    )


def test_the_whole_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vsr_train: Command) -> None:
    monkeypatch.chdir(tmp_path)
    spoilt_queries(Path("queries.jsonl"))
    write(Path("records.jsonl"), changed(records(), lambda _n, line: line | {"response": "Ready.", "performance": 0.0}))
    write(Path("fine.jsonl"), records())
    result = vsr_train("doctor", "queries.jsonl", "records.jsonl", "fine.jsonl", "nothing.jsonl")
    assert result.code == 1
    assert result.err == ""
    assert result.out == (
        "queries.jsonl: 60 queries\n"
        'error    line 3: "metric": "gsm8kk" names no scoring rule (1 line).\n'
        "         Did you mean gsm8k?\n"
        'warning  line 57: category "mathss" is not known and counts as other (4 queries).\n'
        "         Did you mean math?\n"
        "\n"
        "records.jsonl: 180 records, 60 queries, 3 models\n"
        "error    all 180 responses are `Ready.`.\n"
        "         Whoever answered did not answer the queries: look at the endpoints, then measure again.\n"
        "error    all 180 qualities are 0.\n"
        "         Look at some responses and ground truths: either no model answers, or scoring fits neither.\n"
        "\n"
        "fine.jsonl: 180 records, 60 queries, 3 models\n"
        "fine     nothing to say.\n"
        "\n"
        "nothing.jsonl: not recognised\n"
        "error    no such file.\n"
        "         Expected queries, records or a configuration.\n"
        "\n"
        "4 errors, 1 warning, 0 notes in 4 files.\n"
    )


def test_warnings_and_notes_are_no_failure(tmp_path: Path, vsr_train: Command) -> None:
    path = write(
        tmp_path / "q.jsonl", changed(queries(), lambda n, line: line | ({"metric": "rouge"} if n == 2 else {}))
    )
    result = vsr_train("doctor", path)
    assert result.code == 0
    assert result.out.endswith("0 errors, 1 warning, 0 notes in 1 file.\n")


def test_json(tmp_path: Path, vsr_train: Command) -> None:
    path = spoilt_queries(tmp_path / "q.jsonl")
    result = vsr_train("doctor", path, "--json")
    assert result.code == 1
    assert result.json == {
        "n_errors": 1,
        "n_warnings": 1,
        "n_notes": 0,
        "files": [{"path": str(path), "kind": "queries", "summary": "60 queries", "models": []}],
        "findings": [
            {
                "level": "error",
                "check": "misspelt-metric",
                "path": str(path),
                "what": '"metric": "gsm8kk" names no scoring rule (1 line)',
                "fix": "Did you mean gsm8k?",
                "line": 3,
                "field": "metric",
            },
            {
                "level": "warning",
                "check": "misspelt-category",
                "path": str(path),
                "what": 'category "mathss" is not known and counts as other (4 queries)',
                "fix": "Did you mean math?",
                "line": 57,
                "field": "category",
            },
        ],
    }


def test_it_needs_a_file(vsr_train: Command) -> None:
    assert vsr_train("doctor").code == 2


@pytest.mark.parametrize("name", ["benchmark", "train"])
def test_help_says_what_stands_in_the_files(name: str, vsr_train: Command) -> None:
    out = vsr_train(name, "--help").out
    assert "one JSON object a line" in out.split("--help")[-1]
    assert out.endswith("`vsr-train doctor FILE` checks a file.\n")
    assert max(map(len, out.splitlines())) <= 80


def rewritten(setting: Setting, change: object) -> None:
    path = setting.folder / "q.jsonl"
    write(path, [json.loads(line) | change for line in path.read_text().splitlines()])


def test_benchmark_asks_nothing_where_a_metric_is_misspelt(tmp_path: Path) -> None:
    with Scripted(always("4")) as server:
        setting = Setting(tmp_path, server)
        rewritten(setting, {"metric": "gsm8kk"})
        for flags in ((), ("--dry-run",)):
            _, stderr = setting.run(*flags, code=1)
            assert 'Error: q.jsonl:1: "metric": "gsm8kk" names no scoring rule (6 lines). Did you mean gsm8k?' in stderr
            assert stderr.endswith("Nothing has been asked, and nothing spent.\n")
        assert server.seen == []
        assert not setting.out.exists()


def test_benchmark_warns_of_what_it_can_live_with(tmp_path: Path) -> None:
    with Scripted(always("4")) as server:
        setting = Setting(tmp_path, server)
        rewritten(setting, {"metric": "rouge", "category": "mathss"})
        _, stderr = setting.run()
    assert 'Warning: q.jsonl:1: "metric": "rouge" names no scoring rule (6 lines).' in stderr
    assert "Did you mean math?" in stderr
    assert len(setting.records()) == 12


def test_a_dry_run_tries_the_endpoints(tmp_path: Path) -> None:
    with Scripted(always()) as server:
        setting = Setting(tmp_path, server)
        _, stderr = setting.run("--dry-run")
        assert "more notes: `vsr-train doctor q.jsonl c.yaml` shows" in stderr
        assert "lets nobody in" not in stderr
        port = server.port
    _, stderr = setting.run("--dry-run", code=1)
    assert "12 calls to make." in stderr
    assert f"Error: c.yaml: endpoint 'one' lets nobody in (127.0.0.1:{port}: connection refused); a, b are" in stderr


def test_no_key_for_anybody_is_said_before_asking(tmp_path: Path, vsr_train: Command, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    models = {"a": {"preferred_endpoints": ["cloud"]}}
    config = {"vllm_endpoints": [{"name": "cloud", "type": "openai"}], "model_config": models}
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    path = write(tmp_path / "q.jsonl", queries())
    result = vsr_train("benchmark", "--config", tmp_path / "c.yaml", "--data-file", path, "--output", tmp_path / "out")
    assert result.code == 1
    assert "endpoint 'cloud' has no key, and a would be refused there. Set OPENAI_API_KEY" in result.err
    assert not (tmp_path / "out").exists()


def test_train_refuses_costs_that_nobody_knows(tmp_path: Path, vsr_train: Command) -> None:
    unpriced = write(tmp_path / "r.jsonl", changed(records(), lambda _n, line: line | {"cost": None}))
    result = vsr_train("train", "--data-file", unpriced, *FAST, "--cost-share", "0.5", "--output-dir", tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-2:] == [
        (
            f"Error: {unpriced}: cost is asked for (cost share 0.5), but no record has a cost. Add `cost` (USD) to the "
            "records, or `pricing` to the models of the configuration and measure again. Or leave --cost-share out."
        ),
        "Nothing has been trained.",
    ]
    assert not list((tmp_path / "out").glob("*"))


def test_train_refuses_costs_before_asking_for_them(tmp_path: Path, vsr_train: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = {"name": "one", "address": "127.0.0.1", "port": server.getsockname()[1]}
        config = {"vllm_endpoints": [endpoint], "model_config": {"a": {"preferred_endpoints": ["one"]}}}
        (tmp_path / "c.yaml").write_text(json.dumps(config))
        path = write(tmp_path / "q.jsonl", queries())
        flags = ("--benchmark", "--config", tmp_path / "c.yaml", "--data-file", path, "--output-dir", tmp_path / "out")
        result = vsr_train("train", *flags, *FAST, "--cost-share", "0.5")
    assert result.code == 2
    assert "--cost-share has no effect: no model in the configuration has prices" in result.err


def test_train_refuses_qualities_that_are_all_zero_and_warns_of_odd_ones(tmp_path: Path, vsr_train: Command) -> None:
    zero = write(tmp_path / "zero.jsonl", changed(records(), lambda _n, line: line | {"performance": 0}))
    result = vsr_train("train", "--data-file", zero, *FAST, "--output-dir", tmp_path / "out")
    assert result.code == 1
    assert "all 180 qualities are 0." in result.err
    slow = write(tmp_path / "slow.jsonl", changed(records(), lambda n, line: line | {"response_time": 900 + n}))
    result = vsr_train("train", "--data-file", slow, *FAST, "--output-dir", tmp_path / "out")
    assert result.code == 0
    assert "Warning: " in result.err
    assert "are these milliseconds? `response_time` is in seconds: divide by 1,000." in result.err


def test_train_says_nothing_of_healthy_records(tmp_path: Path, vsr_train: Command) -> None:
    path = write(tmp_path / "r.jsonl", records())
    result = vsr_train("train", "--data-file", path, *FAST, "--output-dir", tmp_path / "out", "--cost-share", "0.5")
    assert result.code == 0
    assert str(path) not in result.err


def test_train_scores_by_no_misspelt_metric(tmp_path: Path, vsr_train: Command) -> None:
    def unrated(metric: str) -> Path:
        lines = changed(
            records(), lambda _n, line: line | {"performance": None, "metric": metric, "response": "It is 2."}
        )
        return write(tmp_path / "r.jsonl", lines)

    result = vsr_train("train", "--data-file", unrated("numerc"), *FAST, "--output-dir", tmp_path / "out")
    assert result.code == 1
    assert 'r.jsonl:1: "metric": "numerc" names no scoring rule; did you mean numeric?' in result.err
    result = vsr_train("train", "--data-file", unrated("rouge"), *FAST, "--output-dir", tmp_path / "out")
    assert "Warning: " in result.err
    assert '"metric": "rouge" names no scoring rule: 180 of the answers are scored by the kind' in result.err


def test_score_names_metrics_that_it_does_not_know(tmp_path: Path, vsr_train: Command) -> None:
    lines = changed(
        records(), lambda n, line: line | {"metric": "numerc" if n < 6 else "rouge" if n < 9 else "numeric"}
    )
    result = vsr_train("score", write(tmp_path / "r.jsonl", lines), "--in-place")
    assert result.code == 0
    warnings = [line for line in result.err.splitlines() if line.startswith("Warning")]
    assert warnings == [
        (
            'Warning: "metric": "numerc" names no scoring rule: 6 records are scored by the kind of their ground '
            "truth. Did you mean numeric?"
        ),
        'Warning: "metric": "rouge" names no scoring rule: 3 records are scored by the kind of their ground truth.',
    ]
