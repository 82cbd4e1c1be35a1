"""The kind of a file is told by what stands in it."""

import gzip
from pathlib import Path

import pytest

from vsr.diagnosis.kinds import kind_of
from vsr.errors import RecordError

RECORD = '{"query": "q", "model_name": "m", "performance": 1}'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"query": "q"}\n', "queries"),
        ('\n\n{"query": "q", "ground_truth": "x"}\n', "queries"),
        (RECORD, "records"),
        ('\ufeff{"query": "q",\n "model_name": "m",\n "performance": 1\n}\n', "records"),
        ('{"question": "q"}\n', "queries"),
        ('[{"query": "q"}]', "queries"),
        ('{"query": "q", broken\n' + RECORD, "records"),
        ("decisions: []\n", "configuration"),
        ("# a comment\nother: 1\nmodel_config: {}\n", "configuration"),
        ('{"vllm_endpoints": [], "model_config": {}}', "configuration"),
        ('{\n"vllm_endpoints": [],\n"model_config": {"a": {}}\n}', "configuration"),
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a"])
def test_content_decides(text: str, kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert kind_of(path) == kind


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(RECORD.encode()))
    assert kind_of(path) == "records"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"once upon a time", "is neither JSON Lines nor a configuration"),
        (b"\x00\x01\x02", "is neither JSON Lines nor a configuration"),
        (b'{"query": "q", "preferred": "a", "other": "b"}', "holds preference pairs"),
        (b'{"algorithm": "knn", "trained": true}', "holds an artefact"),
    ],
)
def test_other_files_are_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=said):
        kind_of(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such file"):
        kind_of(tmp_path / "nothing")
    with pytest.raises(RecordError, match="cannot be read"):
        kind_of(tmp_path)
    torn = tmp_path / "a.gz"
    torn.write_bytes(gzip.compress(RECORD.encode() * 50)[:20])
    with pytest.raises(RecordError, match="cannot be read"):
        kind_of(torn)
