"""Hostile lines and artefacts: each costs itself, in bounded memory and time, and is named with file and line."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pools import planted_pool
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_objects, read_queries, read_records
from vsr.errors import ArtefactError, RecordError
from vsr.persistence import load_artefact, save_selector
from vsr.training.trainer import train_selector

MIB = 1 << 20
GOOD = b'{"query": "q", "model_name": "m", "performance": 1.0}\n'


@pytest.fixture
def quick() -> Iterator[None]:
    started = time.process_time()
    yield
    assert time.process_time() - started < 3.0  # a second on a machine of its own, of which this one may be a part


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(b'{"query": "' + b"x" * (40 * MIB) + b'"}\n', id="a long text"),
        pytest.param(b"[" * (20 * MIB) + b"\n", id="open brackets"),
        pytest.param(b"\0" * (20 * MIB) + b"\n", id="zeros"),
        pytest.param(b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}\n", id="65 deep"),
        pytest.param(b'{"a": ' * 5_000 + b"1" + b"}" * 5_000 + b"\n", id="5,000 deep"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_line_that_is_too_long_or_deep_costs_itself(middle: bytes, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(GOOD + middle + GOOD)
    with pytest.raises(RecordError, match=r"records\.jsonl:2: is (longer than 16 MiB|nested more than 64 deep)"):
        list(read_records(path))
    records = read_records(path, skip_bad_lines=True)
    assert len(list(records)) == 2
    assert records.n_bad_lines == 1


def test_an_object_that_is_kept_is_not_deep_and_what_nobody_reads_of_a_record_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(GOOD.replace(b"}", b', "more": ' + b"[" * 64 + b"]" * 64 + b"}"))
    with pytest.raises(RecordError, match=r":1: is nested more than 64 deep"):
        next(iter(read_objects(path, noun="objects")))
    with pytest.raises(RecordError, match=r":1: is nested more than 64 deep"):
        read_queries(path)
    assert len(list(read_records(path))) == 1


def test_as_many_brackets_as_one_likes_beside_one_another(tmp_path: Path) -> None:
    path = tmp_path / "objects.jsonl"
    path.write_bytes(json.dumps({"a": [[]] * 5_000, "b": "[" * 200}).encode() + b"\n")
    assert len(list(read_objects(path, noun="objects"))) == 1


def test_an_object_over_lines_without_end_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "objects.jsonl"
    path.write_bytes(b'{"a": [\n' + b"1,\n" * (6 * MIB) + GOOD)
    with pytest.raises(RecordError, match=r"objects\.jsonl:1: is not valid JSON"):
        next(iter(read_objects(path, noun="objects")))


def test_memory_stays_small_over_one_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "endless.jsonl"
    with path.open("wb") as file:
        for _ in range(30):
            file.write(b"x" * (10 * MIB))
    code = (
        "import resource, sys\n"
        "from vsr.data.records import read_records\n"
        "from vsr.errors import RecordError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: list(read_records(sys.argv[1], skip_bad_lines=True))\n"
        "except RecordError as error: assert 'holds no records (1 bad lines left out)' in str(error), error\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    kib = int(done.stdout) if sys.platform != "darwin" else int(done.stdout) // 1024
    assert kib < 150 * 1024


@pytest.mark.parametrize("field", ["cost", "response_time"])
def test_numbers_whose_sum_overflows_are_named(field: str, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(GOOD + GOOD.replace(b"}", f', "{field}": 1e308}}'.encode()) * 3)
    with pytest.raises(RecordError, match=rf"records\.jsonl:2: `{field}` is 1e\+?308; expected"):
        Outcomes.from_records(read_records(path))


def saved(tmp_path: Path) -> Path:
    pool = planted_pool(60)
    return save_selector(train_selector("kmeans", pool.features, pool.outcomes), tmp_path)


def test_fields_that_nobody_reads_cost_their_text_alone(tmp_path: Path) -> None:
    path = saved(tmp_path)
    text = path.read_text()
    n_bytes = 60 * MIB
    with path.open("w") as file:
        file.write('{"junk": [' + "0.5,1," * (n_bytes // 6) + "1]," + text.lstrip()[1:])
    code = (
        "import resource, sys\n"
        "from vsr.persistence import load_artefact\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert load_artefact(sys.argv[1]).selector.models\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 3 * n_bytes


@pytest.mark.usefixtures("quick")
def test_an_artefact_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_text('{"junk": ' + "[" * 100_000 + "]" * 100_000 + "," + path.read_text().lstrip()[1:])
    with pytest.raises(ArtefactError, match=r"kmeans_model\.json: .*nested deeper than 64 levels"):
        load_artefact(path)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("9" * 5_000, id="5,000 digits"),
        pytest.param("[" * 900 + "]" * 900, id="900 deep"),
        pytest.param("[" * 100_000, id="open brackets"),
        pytest.param('{"a": ' * 5_000 + "1" + "}" * 5_000, id="5,000 objects"),
        pytest.param('"' + "x" * MIB + '"', id="a long text"),
        pytest.param("[" + ",".join(["{}"] * 200_000) + "]", id="a long list"),
    ],
)
@pytest.mark.parametrize(
    "place", [("algorithm",), ("vsr",), ("vsr", "embedder", "width"), ("vsr", "seed"), ("trained",)]
)
@pytest.mark.usefixtures("quick")
def test_what_stands_in_a_field_ends_in_a_short_error_with_the_file(
    place: tuple[str, ...], value: str, tmp_path: Path
) -> None:
    path = saved(tmp_path)
    document = json.loads(path.read_text())
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = "here"
    path.write_text(json.dumps(document).replace('"here"', value))
    with pytest.raises(ArtefactError) as caught:
        load_artefact(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1_000
