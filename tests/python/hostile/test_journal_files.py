"""Files that are ours to write: what is not ours stays byte for byte, what is ours is never lost."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from servers.command import Setting
from servers.scripted import Scripted, always
from vsr._files import atomic_writer
from vsr.benchmark.resume import open_output
from vsr.errors import BenchmarkError, OutputError


def line(n, **fields):
    return json.dumps({"task_name": "t", "query": f"q{n}", "model_name": "a", "call_id": f"{n:04}", **fields}).encode()


FOREIGN = {
    "document": b'{"a": 1, "b": [2, 3]}',
    "document over lines": b'{\n  "query": "q",\n  "model_name": "a"\n}\n',
    "list": b"[1, 2, 3]\n",
    "binary": bytes(range(256)) * 20,
    "zeros": bytes(4096),
    "queries": b'{"query": "Which?", "ground_truth": "B"}\n',
    "queries without a last newline": b'{"query": "Which?"}\n{"query": "Who?"}',
    "configuration": b"vllm_endpoints: []\nmodel_config: {}\n",
    "text": b"Dear diary",
    "one word": b"{",
    "records behind something else": b'{"a": 1}\n' + line(1) + b"\n",
    "something else behind records": line(1) + b'\n{"a": 1}\n' + line(2) + b"\n" + line(3)[:-9],
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("flags", [(), ("--dry-run",)], ids=["run", "dry run"])
def test_a_wrong_output_is_refused_and_stays_as_it_is(tmp_path, content, flags):
    with Scripted(always()) as server:
        setting = Setting(tmp_path, server)
        setting.out.write_bytes(content)
        before = sorted(tmp_path.iterdir())
        _, stderr = setting.run(*flags, code=1)
        assert server.seen == []
    assert setting.out.read_bytes() == content
    assert "out.jsonl" in stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["q.jsonl", "c.yaml"])
@pytest.mark.parametrize("flags", [(), ("--dry-run",)], ids=["run", "dry run"])
def test_the_files_of_the_command_itself_are_no_output(tmp_path, name, flags):
    with Scripted(always()) as server:
        setting = Setting(tmp_path, server)
        content = (tmp_path / name).read_bytes()
        _, stderr = setting.run("--output", name, *flags, code=2 if name == "q.jsonl" else 1)
        assert server.seen == []
    assert (tmp_path / name).read_bytes() == content
    assert name in stderr or "--data-file" in stderr


def test_records_that_are_asked_again_are_no_output_for_themselves(tmp_path):
    with Scripted(always()) as server:
        setting = Setting(tmp_path, server)
        (tmp_path / "q.jsonl").write_bytes(line(1) + b"\n")
        _, stderr = setting.run("--output", "q.jsonl", code=2)
    assert "--output" in stderr
    assert (tmp_path / "q.jsonl").read_bytes() == line(1) + b"\n"


def test_a_dry_run_opens_nothing_for_writing(tmp_path):
    content = line(1) + b"\n" + line(2)[:-7]
    with Scripted(always()) as server:
        setting = Setting(tmp_path, server)
        setting.out.write_bytes(content)
        setting.out.chmod(0o444)
        before = (setting.out.stat().st_mtime_ns, sorted(tmp_path.iterdir()))
        setting.run("--dry-run")
        assert (setting.out.stat().st_mtime_ns, sorted(tmp_path.iterdir())) == before
    assert setting.out.read_bytes() == content


@pytest.mark.parametrize("n_whole", [0, 2])
def test_a_torn_last_line_is_kept_before_it_is_cut(tmp_path, n_whole):
    path = tmp_path / "out.jsonl"
    whole = b"".join(line(n) + b"\n" for n in range(n_whole))
    path.write_bytes(whole + line(8)[:-9])
    with open_output(path) as journal:
        assert path.read_bytes() == whole + line(8)[:-9]
        journal.append(line(9))
    assert path.read_bytes() == whole + line(9) + b"\n"
    assert (tmp_path / "out.jsonl.torn").read_bytes() == line(8)[:-9] + b"\n"
    with path.open("ab") as stream:
        stream.write(line(7)[:30])
    with open_output(path) as journal:
        journal.append(line(9))
    assert (tmp_path / "out.jsonl.torn").read_bytes() == line(8)[:-9] + b"\n" + line(7)[:30] + b"\n"


def test_a_rewritten_output_keeps_its_mode_and_a_link_stays_one(tmp_path):
    real, path = tmp_path / "deep" / "real.jsonl", tmp_path / "out.jsonl"
    real.parent.mkdir()
    real.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    real.chmod(0o640)
    path.symlink_to(real)
    with open_output(path) as journal:
        journal.rewrite(lambda found: found.query == "q2")
        journal.append(line(3))
    assert path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.read_bytes() == line(2) + b"\n" + line(3) + b"\n"
    with atomic_writer(path) as out:
        out.write(b"new")
    assert path.is_symlink()
    assert (stat.S_IMODE(real.stat().st_mode), real.read_bytes()) == (0o640, b"new")


def test_a_kill_between_the_two_files_of_a_rewrite_doubles_nothing_aside(tmp_path, monkeypatch):
    path, aside = tmp_path / "out.jsonl", tmp_path / "aside.jsonl"
    path.write_bytes(b"".join(line(n) + b"\n" for n in range(6)))
    replace = os.replace

    def killed(self, target):
        if os.fspath(target) == os.fspath(path):
            raise KeyboardInterrupt
        replace(self, target)

    with monkeypatch.context() as patch, open_output(path) as journal:
        patch.setattr("pathlib.Path.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            journal.rewrite(lambda found: found.query in ("q2", "q4"), aside)
    for _ in range(2):
        with open_output(path) as journal:
            journal.rewrite(lambda found: found.query in ("q2", "q4"), aside)
    assert path.read_bytes() == line(2) + b"\n" + line(4) + b"\n"
    assert sorted(aside.read_bytes().splitlines()) == [line(n) for n in (0, 1, 3, 5)]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_to_sync_is_an_error(tmp_path, monkeypatch, number):
    def failing(_descriptor):
        raise OSError(number, os.strerror(number))

    with open_output(tmp_path / "out.jsonl") as journal:
        journal.append(line(1))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            with pytest.raises(BenchmarkError, match="cannot be carried to the disk"):
                journal.sync()
            with pytest.raises(OutputError, match="cannot be written"), atomic_writer(tmp_path / "x") as out:
                out.write(b"x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_what_cannot_be_synced_at_all_is_none(tmp_path, monkeypatch, number):
    def unable(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", unable)
    with open_output(tmp_path / "out.jsonl") as journal:
        journal.append(line(1))
    with atomic_writer(tmp_path / "x") as out:
        out.write(b"x")
    assert (tmp_path / "x").read_bytes() == b"x"


def test_a_new_file_is_synced_with_its_folder(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync

    def noting(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    with open_output(tmp_path / "out.jsonl") as journal:
        assert str(tmp_path) in synced
        journal.append(line(1))
        synced.clear()
        journal.rewrite(lambda _line: False, tmp_path / "aside.jsonl")
        assert synced.count(str(tmp_path)) >= 2
    synced.clear()
    with atomic_writer(tmp_path / "x") as out:
        out.write(b"x")
    assert synced[-1] == str(tmp_path)
