import json
import multiprocessing
import os
import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.benchmark.resume import open_output
from vsr.errors import BenchmarkError


def line(n, **fields):
    return json.dumps({"query": f"q{n}", "model_name": "a", "call_id": f"{n:04}", **fields}).encode()


def queries(path):
    with open_output(path) as journal:
        return [found.query for found in journal.lines()]


def test_what_is_appended_is_read_again(tmp_path):
    path = tmp_path / "deep" / "out.jsonl"
    with open_output(path) as journal:
        journal.append(line(1))
        journal.append(line(2, error="timeout: x", cost=0.5))
        assert path.read_bytes() == line(1) + b"\n" + line(2, error="timeout: x", cost=0.5) + b"\n"
    with open_output(path) as journal:
        journal.append(line(3))
        found = list(journal.lines())
    assert [each.query for each in found] == ["q1", "q2", "q3"]
    assert (found[1].error, found[1].cost) == ("timeout: x", 0.5)


@given(cut=st.integers(1, 60))
def test_a_torn_last_line_is_cut_off_and_nothing_else(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("torn") / "out.jsonl"
    whole, last = line(1) + b"\n" + line(2) + b"\n", line(3)
    torn = last[: min(cut, len(last))]
    path.write_bytes(whole + torn)
    with open_output(path) as journal:
        journal.append(line(4))
        assert journal.n_torn_bytes == (0 if torn == last else len(torn))
    assert queries(path) == (["q1", "q2", "q3", "q4"] if torn == last else ["q1", "q2", "q4"])


def test_zeros_that_a_power_cut_leaves_are_cut_off(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(line(1) + b"\n" + b"\0" * 3_000_000)
    assert queries(path) == ["q1"]


def test_a_bad_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + line(1) + b"\n\n" + b'{"query": 3}\n' + line(2) + b"\n")
    with open_output(path) as journal, pytest.raises(BenchmarkError, match=r"out\.jsonl:3: this is no record"):
        list(journal.lines())


def test_a_second_run_is_refused(tmp_path):
    path = tmp_path / "out.jsonl"
    with open_output(path), pytest.raises(BenchmarkError, match="another run is writing to this file"):
        open_output(path)
    with open_output(path) as journal:
        journal.append(line(1))
        journal.rewrite(lambda _line: True)
        with pytest.raises(BenchmarkError, match="another run is writing to this file"):
            open_output(path)
        journal.append(line(2))
    assert queries(path) == ["q1", "q2"]


def _hold(path, ready, leave):
    with open_output(path):
        ready.set()
        leave.wait(20)


def test_the_lock_of_a_killed_run_is_gone(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "out.jsonl", ready, leave))
    process.start()
    assert ready.wait(20)
    with pytest.raises(BenchmarkError, match="another run"):
        open_output(tmp_path / "out.jsonl")
    process.kill()
    process.join()
    with open_output(tmp_path / "out.jsonl") as journal:
        journal.append(line(1))


def test_rewriting_keeps_some_and_puts_the_others_aside(tmp_path):
    path, aside = tmp_path / "out.jsonl", tmp_path / "aside.jsonl"
    aside.write_bytes(line(0) + b"\n")
    with open_output(path) as journal:
        for n in range(1, 6):
            journal.append(line(n))
        assert journal.rewrite(lambda found: found.query in ("q2", "q4"), aside) == 3
        journal.append(line(6))
    assert queries(path) == ["q2", "q4", "q6"]
    assert queries(aside) == ["q0", "q1", "q3", "q5"]
    assert sorted(found.name for found in tmp_path.iterdir()) == ["aside.jsonl", "out.jsonl"]


def test_compressed_output_is_refused(tmp_path):
    with pytest.raises(BenchmarkError, match=r"which \.gz does not allow"):
        open_output(tmp_path / "out.jsonl.gz")


def test_an_output_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(BenchmarkError, match="the output cannot be written"):
        open_output(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchmarkError, match="the output cannot be written"):
        open_output(tmp_path / "file" / "out.jsonl")


FULL = """
import resource, signal, sys
from vsr.benchmark.resume import open_output
from vsr.errors import BenchmarkError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with open_output(sys.argv[1]) as journal:
    try:
        for n in range(1000):
            journal.append(b'{"query": "%d", "model_name": "a"}' % n)
    except BenchmarkError as error:
        print(n, error)
"""


def test_a_full_disk_leaves_whole_lines(tmp_path):
    path = tmp_path / "out.jsonl"
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True, timeout=60)
    n_written = int(done.stdout.split()[0])
    assert "the record cannot be written (File too large); all earlier ones are kept" in done.stdout
    assert 0 < n_written < 1000
    assert path.read_bytes().endswith(b"\n")
    assert queries(path) == [str(n) for n in range(n_written)]
    assert path.stat().st_size <= 1000
    assert resource.getrlimit(resource.RLIMIT_FSIZE) != (1000, 1000)


def test_the_device_that_is_always_full():
    if not os.path.exists("/dev/full"):  # noqa: PTH110 a device
        pytest.skip("no /dev/full on this machine")
    with open_output("/dev/full") as journal, pytest.raises(BenchmarkError, match="No space left on device"):
        journal.append(line(1))
