"""The whole of an import: many files, bad ones among them, names, and memory."""

import json
import tracemalloc
from pathlib import Path

import pytest

from vsr.errors import ConfigError, RecordError
from vsr.importing.formats import FORMATS
from vsr.importing.names import read_names
from vsr.importing.run import import_rows

OPENAI = FORMATS["openai"]


def exchange(model: str, query: str, **more: object) -> str:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": query}], "response": "yes", **more})


def written(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_bad_line_and_a_bad_file_cost_only_themselves(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.jsonl").write_text(f"{exchange('m', 'one')}\n{{torn\n{exchange('m', 'two')}\n")
    (tmp_path / "logs/b.json").write_text('{"torn": [')
    (tmp_path / "logs/c.csv").write_bytes(b"model,prompt\nm,\xff\n")
    report = import_rows(OPENAI, [tmp_path / "logs"], tmp_path / "out.jsonl")
    assert [row["query"] for row in written(tmp_path / "out.jsonl")] == ["one", "two"]
    assert report.n_files == 3
    assert report.left_out["rows that cannot be read"].n_rows == 1
    assert "a.jsonl:2" in report.left_out["rows that cannot be read"].first
    assert report.left_out["files that cannot be read"].n_rows == 2


def test_where_nothing_is_taken_nothing_is_written(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"model": "m"}\n')
    (tmp_path / "out.jsonl").write_text("old")
    with pytest.raises(
        RecordError, match=r"nothing was imported; left out 1: rows without a prompt; the first: .*a.jsonl:1"
    ):
        import_rows(OPENAI, [tmp_path / "a.jsonl"], tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == "old"
    with pytest.raises(RecordError, match="no such file"):
        import_rows(OPENAI, [tmp_path / "none.jsonl"], tmp_path / "out.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match="holds no file of requests and answers"):
        import_rows(OPENAI, [tmp_path / "empty"], tmp_path / "out.jsonl")


def test_names_rename_leave_out_and_give_categories(tmp_path):
    rows = [
        {"task_name": "aime", "query": "1+1?", "model_name": "gpt-4-0613", "performance": 1},
        {"task_name": "aime", "query": "1+1?", "model_name": "old", "performance": 0},
        {"task_name": "poem", "query": "Rhyme!", "model_name": "gpt-4-0613", "performance": 1},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "names.yaml").write_text(
        "models: {gpt-4-0613: gpt-4, old: null}\ntasks: {aime: competition, poem: null}\ncategories: {aime: math}\n"
    )
    names = read_names(tmp_path / "names.yaml")
    report = import_rows(FORMATS["llmrouter"], [tmp_path / "a.jsonl"], tmp_path / "out.jsonl", names=names)
    assert written(tmp_path / "out.jsonl") == [
        {"task_name": "competition", "query": "1+1?", "category": "math", "model_name": "gpt-4", "performance": 1.0}
    ]
    assert report.left_out["of models or tasks that --names leaves out"].n_rows == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {a: 3}", r"names.yaml:1: `models.a` is 3; expected a name"),
        ("categories: {a: maths and more}", "expected one of the fourteen categories"),
        ("model: {a: b}", "names nothing; expected sections"),
        ("models: [a]", "`models` is no mapping"),
    ],
)
def test_names_that_are_none_are_an_error(text, message, tmp_path):
    (tmp_path / "names.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_names(tmp_path / "names.yaml")


def test_an_import_streams(tmp_path):
    """20 MB in one JSON document pass through a few."""
    with (tmp_path / "results.json").open("w") as file:
        file.write('{"results": {"results": [')
        for number in range(2000):
            result = {
                "provider": {"id": "m"},
                "prompt": {"raw": f"{number}?"},
                "response": {"output": "x" * 10_000},
                "score": 1,
            }
            file.write(("," if number else "") + json.dumps(result))
        file.write("]}}")
    tracemalloc.start()
    report = import_rows(FORMATS["promptfoo"], [tmp_path / "results.json"], tmp_path / "out.jsonl")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.n_rows == 2000
    assert peak < 8 << 20
