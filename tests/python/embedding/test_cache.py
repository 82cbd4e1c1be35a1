"""Vectors on disk: what a second run computes, and what becomes of damage, of kills and of several processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from embedding.conftest import Reference
from vsr.embedding import Embedder, EmbeddingProgress, load_embedder
from vsr.embedding.cache import VectorCache
from vsr.errors import EmbeddingError, OutputError

TEXTS = [f"question {i} about {'math ' * (i % 9)}and history" for i in range(60)]
DAMAGED = r"this cache of vectors is damaged \(.*\); it is made anew"


@pytest.fixture
def bert(references: Callable[[str], Reference]) -> Reference:
    return references("bert-tiny")


@pytest.fixture
def expected(loaded: Callable[..., Embedder]) -> np.ndarray:
    return loaded("bert-tiny").embed(TEXTS)


def last_state(embedder: Embedder, texts: list[str] = TEXTS) -> tuple[np.ndarray, EmbeddingProgress]:
    states: list[EmbeddingProgress] = []
    return embedder.embed(texts, progress=states.append), states[-1]


def cache_file(folder: Path) -> Path:
    (path,) = folder.glob("*.sqlite3")
    return path


@pytest.mark.parametrize("name", ["bert-tiny", "embeddinggemma-tiny", "qwen3-tiny", "qwen3-tiny-bf16", "minilm"])
def test_the_second_run_computes_nothing(
    name: str, references: Callable[[str], Reference], loaded: Callable[..., Embedder], tmp_path: Path
) -> None:
    texts = ["a", "", "b " * 3000, "🙂"]
    plain, counted = last_state(loaded(name), texts)
    first, computed = last_state(references(name).load(cache_dir=tmp_path / "new" / "cache"), texts)
    second, cached = last_state(references(name).load(cache_dir=tmp_path / "new" / "cache"), texts)
    assert (first == plain).all()
    assert (second == plain).all()
    assert (computed.n_cached, computed.n_tokens, computed.n_truncated) == (0, counted.n_tokens, 1)
    assert (cached.n_done, cached.n_cached, cached.n_tokens, cached.n_truncated) == (4, 4, 0, 1)


def test_only_texts_that_are_not_there_are_cut_into_tokens(
    bert: Reference, tmp_path: Path, expected: np.ndarray
) -> None:
    embedder = bert.load(cache_dir=tmp_path)
    embedder.embed(TEXTS[:50])
    encoder, asked = embedder._encoder, []  # type: ignore[attr-defined]

    class Watched:
        dim, token_limit, embed = encoder.dim, encoder.token_limit, encoder.embed

        def tokenize(self, texts: list[str]) -> object:
            asked.extend(texts)
            return encoder.tokenize(texts)

    embedder._encoder = Watched()  # type: ignore[attr-defined]
    vectors, state = last_state(embedder, [*TEXTS, *TEXTS])
    assert sorted(asked) == sorted(TEXTS[50:])
    assert (vectors == np.concatenate([expected, expected])).all()
    assert (state.n_texts, state.n_cached) == (60, 50)


def test_one_text_is_looked_up_too(bert: Reference, tmp_path: Path, loaded: Callable[..., Embedder]) -> None:
    embedder = bert.load(cache_dir=tmp_path)
    vector = embedder.embed(["a router asks for one"])
    assert (vector == loaded("bert-tiny").embed(["a router asks for one"])).all()
    assert last_state(embedder, ["a router asks for one"])[1].n_cached == 1


def test_cut_texts_from_the_cache_are_still_reported(bert: Reference, tmp_path: Path) -> None:
    embedder = bert.load(cache_dir=tmp_path)
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 of 2 texts are longer than 64 tokens and cut to these"):
            embedder.embed(["short", "long " * 500])


def test_other_options_are_other_vectors(
    bert: Reference, references: Callable[[str], Reference], tmp_path: Path
) -> None:
    bert.load(cache_dir=tmp_path).embed(TEXTS)
    for other in (bert.load(cache_dir=tmp_path, dim=16), bert.load(cache_dir=tmp_path, max_tokens=50)):
        assert last_state(other)[1].n_cached == 0
    gemma = references("embeddinggemma-tiny")
    for prompt in gemma.prompt_names:
        assert last_state(gemma.load(cache_dir=tmp_path, prompt=prompt))[1].n_cached == 0
    assert last_state(bert.load(cache_dir=tmp_path))[1].n_cached == len(TEXTS)
    assert len(list(tmp_path.iterdir())) == 3 + len(gemma.prompt_names)


def test_a_text_is_looked_up_to_the_last_character(bert: Reference, tmp_path: Path) -> None:
    embedder = bert.load(cache_dir=tmp_path)
    embedder.embed(["A b"])
    assert last_state(embedder, ["a b", "A  b", "A b ", "A b\x00"])[1].n_cached == 0


# Damage


def overwrite(path: Path, begin: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(content)


def flip_a_bit_of_a_vector(path: Path) -> None:
    content = bytearray(path.read_bytes())
    with sqlite3.connect(path) as connection:
        (vector,) = connection.execute("SELECT vector FROM vectors LIMIT 1 OFFSET 30").fetchone()
    connection.close()
    content[content.index(vector) + 17] ^= 4
    path.write_bytes(content)


def run_sql(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no database": lambda path: path.write_bytes(b"something else entirely " * 1000),
    "head gone": lambda path: overwrite(path, 0, bytes(4096)),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut after the first page": lambda path: os.truncate(path, 16384),
    "zeros inside": lambda path: overwrite(path, 16384, bytes(16384)),
    "a bit of a vector": flip_a_bit_of_a_vector,
    "a shorter vector": lambda path: run_sql(path, "UPDATE vectors SET vector = substr(vector, 1, 100)"),
    "text for a vector": lambda path: run_sql(path, "UPDATE vectors SET vector = 'none'"),
    "vectors exchanged": lambda path: run_sql(
        path,
        "CREATE TABLE other AS SELECT * FROM vectors",
        "UPDATE vectors SET vector = (SELECT vector FROM other WHERE other.rowid = 61 - vectors.rowid)",
    ),
    "flags exchanged": lambda path: run_sql(path, "UPDATE vectors SET truncated = 1 - truncated"),
    "no table": lambda path: run_sql(path, "DROP TABLE vectors"),
    "another table": lambda path: run_sql(path, "DROP TABLE vectors", "CREATE TABLE vectors (text, vector)"),
    "a later format": lambda path: run_sql(path, "PRAGMA user_version = 99"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_made_anew_with_a_warning(
    kind: str, bert: Reference, expected: np.ndarray, tmp_path: Path
) -> None:
    bert.load(cache_dir=tmp_path).embed(TEXTS)
    path = cache_file(tmp_path)
    DAMAGE[kind](path)
    with pytest.warns(UserWarning, match=DAMAGED) as caught:
        vectors, state = last_state(bert.load(cache_dir=tmp_path))
    assert len(caught) == 1
    assert str(caught[0].message).startswith(f"{path}: ")
    assert (vectors == expected).all()
    assert state.n_cached == 0
    assert cache_file(tmp_path) != path
    vectors, state = last_state(bert.load(cache_dir=tmp_path))
    assert (vectors == expected).all()
    assert state.n_cached == len(TEXTS)


def test_damage_of_any_byte_gives_the_right_vectors_or_a_warning_and_the_right_vectors(
    bert: Reference, expected: np.ndarray, tmp_path: Path
) -> None:
    embedder = bert.load(cache_dir=tmp_path)
    embedder.embed(TEXTS)
    path = cache_file(tmp_path)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    n_warnings = 0
    for _ in range(30):
        for each in tmp_path.iterdir():
            each.unlink()
        content = bytearray(whole)
        for place in generator.integers(0, len(whole), 8):
            content[place] ^= int(generator.integers(1, 256))
        path.write_bytes(content)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert (embedder.embed(TEXTS) == expected).all()
        n_warnings += len(caught)
    assert n_warnings > 5


def test_a_file_under_the_name_of_another_embedder_has_nothing(
    bert: Reference, expected: np.ndarray, tmp_path: Path
) -> None:
    bert.load(cache_dir=tmp_path, max_tokens=50).embed(TEXTS)
    foreign = cache_file(tmp_path)
    embedder = bert.load(cache_dir=tmp_path)
    (own,) = set(tmp_path.iterdir()) - {foreign}
    foreign.replace(own)
    vectors, state = last_state(embedder)
    assert (vectors == expected).all()
    assert state.n_cached == 0


def test_damage_in_the_middle_of_a_run_does_not_end_it(bert: Reference, expected: np.ndarray, tmp_path: Path) -> None:
    embedder = bert.load(cache_dir=tmp_path)
    n_reports = 0

    def damage(_state: EmbeddingProgress) -> None:
        nonlocal n_reports
        n_reports += 1
        if n_reports == 1:
            DAMAGE["no database"](cache_file(tmp_path))

    with pytest.warns(UserWarning, match=DAMAGED):
        vectors = embedder.embed(TEXTS, progress=damage)
    assert (vectors == expected).all()
    assert 0 < last_state(embedder)[1].n_cached < len(TEXTS)


def test_the_process_that_finds_the_damage_last_uses_the_new_file(bert: Reference, tmp_path: Path) -> None:
    fingerprint = bert.load().fingerprint
    vectors, flags = np.eye(2, 48, dtype=np.float32), np.zeros(2, dtype=np.bool_)
    cache = VectorCache(tmp_path, fingerprint)
    with cache.opened() as early:
        early.write(["before"], vectors[:1], flags[:1])
        DAMAGE["no database"](cache_file(tmp_path))
        with pytest.warns(UserWarning, match=DAMAGED), cache.opened() as late:
            late.write(["late"], vectors[:1], flags[:1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            early.write(["early"], vectors[1:], flags[1:])
    with cache.opened() as again:
        assert again.read(["late", "early", "before"]).rows.tolist() == [0, 1]


def test_a_folder_that_cannot_be_used_is_an_error_at_load(bert: Reference, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/c: no cache of vectors can be kept there \(Not a directory\)"):
        bert.load(cache_dir=tmp_path / "file" / "c")
    embedder = bert.load(cache_dir=tmp_path / "c")
    cache_file(tmp_path / "c").unlink()
    (tmp_path / "c").rmdir()
    (tmp_path / "c").write_text("")
    with pytest.raises(OutputError, match="no cache of vectors can be kept there"):
        embedder.embed(["a"])


def test_a_disk_that_fills_up_costs_the_cache_and_not_the_run(
    bert: Reference, loaded: Callable[..., Embedder], tmp_path: Path
) -> None:
    embedder = bert.load(cache_dir=tmp_path)
    texts = [f"text {i}" for i in range(400)]
    real, n_opened = sqlite3.connect, 0

    def small_disk(*arguments: object, **options: object) -> sqlite3.Connection:
        nonlocal n_opened
        n_opened += 1
        connection: sqlite3.Connection = real(*arguments, **options)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count = 3")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", small_disk)
        with pytest.warns(UserWarning, match="cannot be used .*full.*not kept") as caught:
            vectors = embedder.embed(texts)
    assert len(caught) == 1
    assert n_opened == 1
    assert (vectors == loaded("bert-tiny").embed(texts)).all()


def test_the_hash_embedder_has_no_cache(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="the hash embedder has no cache"):
        load_embedder("hash", cache_dir=tmp_path)


# Processes

CHILD = """
import os, signal, sys, time
from vsr.embedding import load_embedder
folder, cache, begin, end, stop_after = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
texts = [f"question {i} about {'math ' * (i % 9)}and history" for i in range(begin, end)]
n_reports = 0
def follow(state):
    global n_reports
    n_reports += 1
    if n_reports == stop_after:
        os.kill(os.getpid(), signal.SIGKILL)
vectors = load_embedder("bert", folder, cache_dir=cache).embed(texts, progress=follow)
sys.stdout.buffer.write(vectors.tobytes())
"""


def start_child(bert: Reference, cache: Path, begin: int, end: int, stop_after: int = 0) -> "subprocess.Popen[bytes]":
    arguments = [str(bert.folder), str(cache), str(begin), str(end), str(stop_after)]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE)


def test_a_killed_run_leaves_what_it_had(bert: Reference, expected: np.ndarray, tmp_path: Path) -> None:
    # The first report follows the first batch; 512 tokens are a part of these texts.
    child = start_child(bert, tmp_path, 0, 60, stop_after=1)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    connection = sqlite3.connect(cache_file(tmp_path))
    (n_kept,) = connection.execute("SELECT count(*) FROM vectors").fetchone()
    connection.close()
    assert 0 < n_kept < 60
    vectors, state = last_state(bert.load(cache_dir=tmp_path))
    assert (state.n_cached, state.n_done) == (n_kept, 60)
    assert (vectors == expected).all()


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import numpy as np
from vsr.embedding import load_embedder
from vsr.embedding.cache import VectorCache
embedder = load_embedder("bert", sys.argv[1])
with VectorCache(Path(sys.argv[2]), embedder.fingerprint).opened() as cache:
    vectors = np.eye(48, dtype=np.float32)
    texts, flags = [f"text {i}" for i in range(48)], np.zeros(48, dtype=bool)
    cache.write(texts, vectors, flags)
    cache._connection.execute("PRAGMA cache_size = 1")  # so that pages go to the file before the end
    cache._connection.set_trace_callback(lambda sql: sql == "COMMIT" and os.kill(os.getpid(), signal.SIGKILL))
    many = np.repeat(vectors, 40, axis=0)
    cache.write([*texts, *(f"more {i}" for i in range(len(many) - 48))], many, np.zeros(len(many), dtype=bool))
"""


def test_a_transaction_that_was_cut_off_leaves_no_trace(bert: Reference, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(bert.folder), str(tmp_path)], check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2  # the file and the journal of what was not finished
    with VectorCache(tmp_path, bert.load().fingerprint).opened() as cache:
        found = cache.read([*(f"text {i}" for i in range(48)), "more 0", "more 99"])
    assert found.rows.tolist() == list(range(48))
    assert (found.vectors == np.eye(48, dtype=np.float32)).all()


def test_two_processes_share_a_cache(bert: Reference, loaded: Callable[..., Embedder], tmp_path: Path) -> None:
    spans = [(0, 400), (200, 600)]
    children = [start_child(bert, tmp_path, *span) for span in spans]
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    texts = [f"question {i} about {'math ' * (i % 9)}and history" for i in range(600)]
    plain = loaded("bert-tiny").embed(texts)
    for output, (begin, end) in zip(outputs, spans, strict=True):
        vectors = np.frombuffer(output, dtype=np.float32).reshape(end - begin, -1)
        np.testing.assert_allclose(vectors, plain[begin:end], atol=2e-6)
    assert last_state(bert.load(cache_dir=tmp_path), texts)[1].n_cached == 600


def test_a_cache_survives_a_fork(bert: Reference, expected: np.ndarray, tmp_path: Path) -> None:
    embedder = bert.load(cache_dir=tmp_path)
    embedder.embed(TEXTS[:20])
    child = os.fork()
    if child == 0:
        is_right = (embedder.embed(TEXTS) == expected).all()
        os._exit(0 if is_right else 1)
    assert (embedder.embed(TEXTS) == expected).all()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert last_state(embedder)[1].n_cached == 60
