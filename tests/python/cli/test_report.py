import json

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
pytest.importorskip("jinja2")

QUICK = ("--use-fallback", "--embedding-dim", "32", "--algorithm", "knn", "--splits", "1")


@pytest.fixture
def answered(records, tmp_path):
    """The records with answers, and a quality that was scored before."""
    path = tmp_path / "answered.jsonl"
    with records.open() as lines, path.open("w") as out:
        for line in lines:
            record = json.loads(line)
            out.write(json.dumps(record | {"response": f"<i>{record['model_name']} says</i>"}) + "\n")
    return path


def test_evaluate_writes_a_report_with_the_answers(vsr_train, answered, tmp_path):
    folder = tmp_path / "report"
    result = vsr_train("-q", "evaluate", "--data-file", answered, *QUICK, "--report", folder, "--json")
    assert result.code == 0
    document = json.loads((folder / "report.json").read_text())
    assert document["verdict"] == result.json["verdict"]
    assert document["evaluation"] == result.json["evaluation"]
    assert [metric["name"] for metric in document["metrics"]] == [metric["name"] for metric in result.json["metrics"]]
    assert {row["category"] for row in document["categories"]} == {"math", "law", "biology"}
    (win, *_) = document["examples"]["wins"]
    assert win["chosen"]["response"] == f"<i>{win['chosen']['model']} says</i>"
    page = (folder / "report.html").read_text()
    assert "&lt;i&gt;darwin says&lt;/i&gt;" in page
    assert "<i>" not in page
    assert "answered.jsonl" in page


def test_train_writes_one_too_and_says_where(vsr_train, records, tmp_path):
    folder = tmp_path / "report"
    result = vsr_train(
        "train", "--data-file", records, *QUICK, "--output-dir", tmp_path / "models", "--report", folder, "--no-queries"
    )
    assert result.code == 0
    assert f"Report: {folder / 'report.html'}" in result.err
    assert "Report:" not in result.out
    for path in folder.iterdir():
        assert b"What is the" not in path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evaluate", "--no-queries"), "--no-queries has no effect without --report"),
        (
            ("evaluate", "--models-dir", "m", "--data-file", "r", "--report", "d"),
            "--report has no effect with --models-dir",
        ),
        (("evaluate", "--queries", "q", "--report", "d"), "--report has no effect with --queries"),
        (("train", "--analyze-only", "--config", "c", "--report", "d"), "--report has no effect with --analyze-only"),
    ],
)
def test_flags_without_effect_are_refused(vsr_train, arguments, said):
    result = vsr_train(*arguments)
    assert result.code == 2
    assert said in result.err


def test_a_folder_that_cannot_be_written_is_said_before_the_work(vsr_train, tmp_path):
    (tmp_path / "file").write_text("")
    result = vsr_train("evaluate", "--data-file", tmp_path / "missing", "--report", tmp_path / "file" / "below")
    assert result.code == 1
    assert "cannot be written to" in result.err


def test_a_missing_library_is_said_before_the_work_with_the_way_to_get_it(vsr_train, tmp_path, monkeypatch):
    monkeypatch.setattr("vsr.cli.report.find_spec", lambda name: None if name == "altair" else object())
    result = vsr_train("evaluate", "--data-file", tmp_path / "missing", "--report", tmp_path / "report")
    assert result.code == 1
    assert "--report needs altair" in result.err
    assert "pip install '.[report]'" in result.err


def test_one_model_gives_no_report_and_a_warning(vsr_train, records, tmp_path):
    alone = tmp_path / "alone.jsonl"
    alone.write_text("".join(line for line in records.read_text().splitlines(keepends=True) if "newton" in line))
    result = vsr_train("evaluate", "--data-file", alone, *QUICK, "--report", tmp_path / "report")
    assert result.code == 0
    assert "no report: nothing was compared" in result.err
    assert not (tmp_path / "report").exists()
