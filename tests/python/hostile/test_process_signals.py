"""The process: signals at any moment, streams that are closed or full. It ends quietly, with the shell's code."""

import os
import signal
import subprocess
import sys
import time

import pytest

from servers.command import Setting
from servers.scripted import Scripted, always

MODULE = (sys.executable, "-m", "vsr")
SCRIPT = (sys.executable, "-c", "import sys; from vsr.__main__ import main; sys.exit(main())")
COMMANDS = {
    "help": ("--help",),
    "train": ("train", "--data-file", "none.jsonl"),
    "benchmark": ("benchmark", "--config", "none.yaml"),
    "select": ("select", "--query", "x"),
    "demo": ("demo", "--queries", "60"),
}


def handles_signals(pid):
    """Whether the process has put its own handler in the place of Python's: SIGTERM is caught as well."""
    try:
        with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
            caught = next(line for line in status if line.startswith("SigCgt"))
    except OSError:
        return False
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("program", [MODULE, SCRIPT], ids=["module", "script"])
def test_a_signal_at_any_early_moment_ends_quietly(tmp_path, program, arguments):
    codes = []
    for step in range(8):
        number = (signal.SIGINT, signal.SIGTERM)[step % 2]
        process = subprocess.Popen(
            [*program, *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while not handles_signals(process.pid) and process.poll() is None:
            time.sleep(0.001)
        time.sleep(step * 0.04)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        assert "Traceback" not in stderr
        assert "KeyboardInterrupt" not in stderr
        assert "Exception ignored" not in stderr
        if process.returncode not in (0, 1, 2):  # it was done already
            # At its very end, Python gives the signals back: the shell reports 128 and the number all the same.
            assert process.returncode in (128 + number, -number), stderr
            codes.append(process.returncode)
    assert len(codes) >= 2


def test_importing_the_package_takes_no_time_before_the_handlers_are_there():
    code = "import time; t = time.perf_counter(); import vsr.__main__; print(time.perf_counter() - t)"
    took = min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3))
    assert took < 0.05


@pytest.mark.parametrize("arguments", [*COMMANDS.values(), ("train", "--help"), ("--version",)])
@pytest.mark.parametrize("program", [MODULE, SCRIPT], ids=["module", "script"])
def test_a_closed_stdout_is_1_and_no_traceback(tmp_path, program, arguments):
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *program, *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "Error: standard output is closed; redirect it to /dev/null if nobody reads it.\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_other_closed_streams_change_nothing_and_no_file_takes_their_place(tmp_path, closed):
    with Scripted(always("4")) as server:
        setting = Setting(tmp_path, server)
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *setting.command("--rate-limit-delay", "0")],
            cwd=tmp_path,
            env=os.environ | {"KEY": "a-key-of-some-length"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert len(setting.records()) == 12


def test_a_full_stdout_is_1_and_said_once():
    if not os.path.exists("/dev/full"):  # noqa: PTH110 a device
        pytest.skip("no /dev/full on this machine")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run([*MODULE, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_finishes_its_calls_and_says_by_its_code_why(tmp_path, number):
    with Scripted(always("4", wait_s=0.3)) as server:
        setting = Setting(tmp_path, server, 30)
        process = setting.start("--concurrency", "4")
        while len(server.asked()) < 5:
            time.sleep(0.01)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 128 + number
        assert "calls are missing: the same command goes on from here." in stderr
        assert len(setting.records()) == len(server.asked()) < 30
