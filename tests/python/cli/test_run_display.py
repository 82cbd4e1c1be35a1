import os
import pty
import re
import subprocess

from servers.command import Setting
from servers.scripted import Scripted, always
from vsr.benchmark.display import ModelProgress, NoDisplay, Snapshot
from vsr.benchmark.estimate import Estimate
from vsr.cli import terminal
from vsr.cli.run_display import dollars, run_display, say_estimate, status_line


def snapshot(n_written=10, stopped=None, seconds=5.0):
    models = (ModelProgress("a", 10, 8, 1, 0.5, 0.25, None), ModelProgress("b", 10, 4, 0, None, 0.0, stopped))
    return Snapshot(models, n_written, 8, 2, seconds, 0.25)


def test_the_line_says_how_far_how_fast_how_long_and_how_dear():
    assert status_line(snapshot()) == "12 of 20 calls, 2.0 a second, about 4.0 s left, 1 failed, $0.2500"
    assert status_line(snapshot(n_written=0)) == "12 of 20 calls, 0.0 a second, 1 failed, $0.2500"


def test_plain_lines_come_at_a_distance_and_name_a_stopped_model_once(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("vsr.cli.run_display.time.monotonic", lambda: now[0])
    with run_display() as display:
        for second in range(25):
            now[0] = 100.0 + second
            display.show(snapshot(stopped="unavailable: HTTP 401" if second > 3 else None))
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("b stopped: unavailable: HTTP 401") == 1
    assert len([line for line in lines if line.startswith("12 of 20 calls")]) == 2


def test_quiet_shows_nothing():
    terminal.set_verbosity(terminal.Verbosity.QUIET)
    try:
        assert isinstance(run_display(), NoDisplay)
    finally:
        terminal.set_verbosity(terminal.Verbosity.NORMAL)


def said(capsys, **fields):
    values = {
        "n_calls": 100,
        "n_there": 0,
        "highest_usd": None,
        "likely_usd": None,
        "shortest_s": 0.0,
        "likely_s": None,
    }
    say_estimate(Estimate(**{**values, "unpriced": (), **fields}))
    return capsys.readouterr().err.splitlines()


def test_an_estimate_says_what_is_known_and_no_more(capsys):
    assert said(capsys) == ["100 calls to make.", "Time: unknown before the first answers."]
    assert said(capsys, n_calls=0, n_there=7) == ["0 calls to make (7 are there already)."]
    lines = said(capsys, shortest_s=50.0, highest_usd=1.5, unpriced=("b",))
    assert lines[1] == "Time: at least 50 s for the delay between requests alone."
    assert lines[2] == "Cost: at most $1.5000 if every answer has its full length."
    assert lines[3] == "No prices for b: counted as free."
    lines = said(capsys, likely_s=90.0, highest_usd=1.5, likely_usd=0.5)
    assert lines[1].startswith("Time: about 1 min 30 s")
    assert lines[2].startswith("Cost: about $0.5000, at most $1.5000")


def test_a_terminal_gets_a_table_that_moves(tmp_path):
    with Scripted(always("4", wait_s=0.3)) as server:
        setting = Setting(tmp_path, server, 4)
        primary, secondary = pty.openpty()
        process = subprocess.Popen(
            setting.command("--rate-limit-delay", "0"),
            cwd=tmp_path,
            env=os.environ | {"KEY": "a-key", "COLUMNS": "100", "TERM": "xterm"},
            stdout=subprocess.DEVNULL,
            stderr=secondary,
        )
        os.close(secondary)
        shown = b""
        while True:
            try:
                chunk = os.read(primary, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        os.close(primary)
        assert process.wait(timeout=20) == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "8 of 8 calls" in text
    assert text.count("latency") > 2  # drawn more than once
    bars = [line for line in re.split(r"[\r\n]+", text) if "━" in line]
    assert bars
    assert not any("calls" in line for line in bars)  # a bar has its line to itself, so that nothing is cut off


def test_a_small_sum_shows_two_of_its_digits():
    sums = (0.0, 2.5, 0.00321, 0.00104, 0.000321, 0.0000004567, 1e-30)
    assert [dollars(usd) for usd in sums] == [
        "$0.0000",
        "$2.5000",
        "$0.0032",
        "$0.0010",
        "$0.00032",
        "$0.00000046",
        "$0.000000000000",
    ]
