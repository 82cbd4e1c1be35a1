"""Several files at once, and what they say of each other."""

import gzip
import json
from pathlib import Path

import pytest

from diagnosis.files import by_check, changed, queries, records, write
from vsr.diagnosis import doctor


def config(path: Path, *models: str) -> Path:
    path.write_text(json.dumps({"model_config": {name: {} for name in models}}))
    return path


def test_each_file_by_its_kind(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "q.jsonl", queries()),
        write(tmp_path / "r.jsonl", records()),
        config(tmp_path / "c.yaml", "a", "b", "c"),
    ]
    diagnosis = doctor(paths)
    assert [file.kind for file in diagnosis.files] == ["queries", "records", "configuration"]
    assert [file.summary for file in diagnosis.files] == [
        "60 queries",
        "180 records, 60 queries, 3 models",
        "configuration, 0 endpoints, 3 models, 0 decisions",
    ]
    assert [finding.check for finding in diagnosis.findings] == ["no-endpoint"]
    assert (diagnosis.count("error"), diagnosis.count("warning"), diagnosis.count("note")) == (0, 0, 1)


def test_records_are_compared_with_the_models_on_offer(tmp_path: Path) -> None:
    measured = changed(records(), lambda _n, line: line | {"model_name": f"llama-{line['model_name']}"})
    paths = [write(tmp_path / "r.jsonl", measured), config(tmp_path / "c.yaml", "llama-a", "llama_B", "mistral")]
    findings = [finding for finding in doctor(paths).findings if finding.check.endswith("ed-model")]
    assert [(finding.check, finding.fix) for finding in findings] == [
        ("unmeasured-model", "Did you mean llama-b, which has records?"),
        ("unmeasured-model", "Measure it with `vsr-train benchmark`."),
        ("unoffered-model", "`vsr-train train --config` leaves these records out."),
    ]
    assert findings[2].what.startswith("llama-b, llama-c are measured, but not offered by ")


def test_the_worst_comes_first(tmp_path: Path) -> None:
    lines = changed(queries(40), lambda n, line: line | {"metric": "gsm8kk" if n else "rouge", "category": None})
    levels = [finding.level for finding in doctor([write(tmp_path / "q.jsonl", lines)]).findings]
    assert levels == ["error", "warning", "note", "note"]


def test_a_file_that_holds_nothing_usable_says_why(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"question": "q?"}, {"question": "r?"}])
    (finding,) = doctor([path]).findings
    assert (finding.level, finding.line) == ("error", 1)
    assert finding.what == "`query` is missing (did you mean it by `question`?)"


def test_records_without_a_usable_line(tmp_path: Path) -> None:
    found = by_check(doctor([write(tmp_path / "r.jsonl", [{"model_name": "m", "performance": 1}])]).findings)
    assert found["bad-line"].line == 1
    assert found["no-outcomes"].level == "error"


def test_packed_records(tmp_path: Path) -> None:
    packed = tmp_path / "r.jsonl.gz"
    packed.write_bytes(gzip.compress(write(tmp_path / "r.jsonl", records()).read_bytes()))
    assert doctor([packed]).findings == ()


@pytest.mark.parametrize("name", ["mmlu_pro", "llmrouter"])
def test_real_outcomes_have_no_errors(name: str, shared: Path, tmp_path: Path) -> None:
    with gzip.open(shared / "data" / f"{name}_outcomes.jsonl.gz", "rt") as source:
        models = json.loads(next(source))["models"][:5]
        rows = [json.loads(next(source)) for _ in range(400)]
    lines = [
        {"query": row["query"], "category": row.get("category"), "model_name": model, "performance": quality}
        for row in rows
        for model, quality in zip(models, row["performance"], strict=False)
        if quality is not None
    ]
    (file,) = doctor([write(tmp_path / "r.jsonl", lines)]).files
    assert file.kind == "records"
    assert not [finding for finding in file.findings if finding.level == "error"]
