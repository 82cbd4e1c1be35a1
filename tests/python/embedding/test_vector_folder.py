"""Vectors as a folder of Parquet: whole or refused, and never those of other texts."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vsr.embedding import Fingerprint, load_embedder
from vsr.embedding.vector_folder import LIST_NAME, VectorFolder, shards_of
from vsr.errors import OutputError, RecordError

EMBEDDER = load_embedder("hash", dim=8)
TEXTS = [f"text {number}" for number in range(512 + 3)]


def written(
    address: str | Path, texts: list[str] = TEXTS, fingerprint: Fingerprint = EMBEDDER.fingerprint
) -> VectorFolder:
    folder = VectorFolder(address)
    folder.require_writable()
    shards = list(shards_of(texts, fingerprint))
    for shard in reversed(shards):
        folder.write(shard, EMBEDDER.embed(shard.texts), len(shard.texts) % 2)
    folder.finish([shard.name for shard in shards], len(texts), fingerprint)
    return folder


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_what_is_written_is_read(kind: str, tmp_path: Path) -> None:
    folder = written(str(tmp_path / "v") if kind == "local" else "memory://vectors")
    assert folder.fingerprint() == EMBEDDER.fingerprint
    np.testing.assert_array_equal(folder.read(TEXTS), EMBEDDER.embed(TEXTS))
    names = sorted(folder.names() - {LIST_NAME})
    assert [name[:14] for name in names] == ["vectors-000000", "vectors-000001"]
    assert [folder.n_truncated(name) for name in names] == [0, 1]


def test_others_read_the_rows_by_their_id(tmp_path: Path) -> None:
    written(tmp_path / "v")
    (last,) = (tmp_path / "v").glob("vectors-000001-*")
    rows = pq.read_table(last).to_pylist()
    assert [row["query_id"] for row in rows] == [512, 513, 514]
    np.testing.assert_array_equal(
        np.array([row["vector"] for row in rows], dtype=np.float32), EMBEDDER.embed(TEXTS[512:])
    )


def test_a_longer_file_keeps_full_shards_and_supersedes_the_last(tmp_path: Path) -> None:
    before = written(tmp_path / "v").names()
    (tmp_path / "v" / ".vectors-000001-0123456789abcdef.parquet.x.tmp").touch()
    (tmp_path / "v" / "notes.txt").touch()
    folder = written(tmp_path / "v", [*TEXTS, "one more"])
    assert len(folder.names() & before) == 2  # the first shard, and the list
    assert len(folder.names()) == 4
    assert "notes.txt" in folder.names()
    assert len(folder.read([*TEXTS, "one more"])) == 516


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (TEXTS[:-1], "holds vectors of 515 queries; expected 514"),
        ([*TEXTS[:-1], "another"], "holds vectors of other queries"),
        ([TEXTS[1], TEXTS[0], *TEXTS[2:]], "holds vectors of other queries, or in another order"),
    ],
)
def test_vectors_of_other_texts_are_refused(texts: list[str], message: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "v")
    with pytest.raises(RecordError, match=message):
        folder.read(texts)


def test_a_folder_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    folder = VectorFolder(tmp_path)
    shards = list(shards_of(TEXTS, EMBEDDER.fingerprint))
    folder.write(shards[0], EMBEDDER.embed(shards[0].texts), 0)
    with pytest.raises(RecordError, match="its run has not finished"):
        folder.read(TEXTS)
    with pytest.raises(OutputError, match=f"1 of 2 shards are missing, the first is {shards[1].name}"):
        folder.finish([shard.name for shard in shards], len(TEXTS), EMBEDDER.fingerprint)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([512, 513, 513], "query_id 513 is there 2 times"),
        ([512, 513], "query_id 514 is there 0 times"),
        ([512, 513, 1], "query_id 1 is there 2 times"),
        ([512, 513, 515], "is not what was written"),
        ([512, 513, -1], "is not what was written"),
        (["a", "b", "c"], "is not what was written"),
    ],
)
def test_every_row_is_there_once(ids: list[object], message: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "v")
    (last,) = (tmp_path / "v").glob("vectors-000001-*")
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(8 * len(ids), dtype=np.float32)), 8)
    pq.write_table(pa.table({"query_id": ids, "vector": vectors}), last)
    with pytest.raises(RecordError, match=message):
        folder.read(TEXTS)


def test_damage_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "v")
    (first,) = (tmp_path / "v").glob("vectors-000000-*")
    whole = first.read_bytes()
    for content in (b"", whole[:-20], b"PAR1"):
        first.write_bytes(content)
        with pytest.raises(RecordError, match=f"{first.name}: cannot be read"):
            folder.read(TEXTS)
    first.write_bytes(whole)
    listed = tmp_path / "v" / LIST_NAME
    changes: tuple[dict[str, object], ...] = (
        {"format": 2},
        {"shards": 3},
        {"embedder": {}},
        {"rows_per_shard": 0},
        {"n_queries": "x"},
    )
    for change in changes:
        document = json.loads(listed.read_text())
        kept = json.dumps(document)
        listed.write_text(json.dumps(document | change))
        with pytest.raises(RecordError, match=LIST_NAME):
            folder.read(TEXTS)
        listed.write_text(kept)
    listed.write_text("{")
    with pytest.raises(RecordError, match="is damaged"):
        folder.read(TEXTS)


def test_an_address_of_no_kind_is_refused() -> None:
    with pytest.raises(OutputError, match=r"gopher://x: no such kind of address"):
        VectorFolder("gopher://x")
