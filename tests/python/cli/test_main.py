import errno
import os
import re
import subprocess
import sys
import warnings
from importlib.metadata import version

import click
import pytest

from cli.conftest import Command
from vsr.cli import _LazyGroup, cli, main, terminal
from vsr.errors import ArtefactError

COMMANDS = cli.list_commands(click.Context(cli))
HEAVY = {"numpy", "scipy", "rich", "httpx", "pydantic", "msgspec", "yaml", "huggingface_hub", "vsr._core", "logging"}


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line with a command `job` that calls a function; give the exit code, stdout and stderr."""

    def run_job(job, *arguments):
        monkeypatch.setattr(_LazyGroup, "get_command", lambda *_: click.command("job")(job))
        code = main([*arguments, "job"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_job


def raising(error, cause=None):
    def job():
        raise error from cause

    return job


def test_a_known_problem_is_one_line(run):
    error = ArtefactError("out/knn_model.json: k is missing; expected a whole number; train again")
    assert run(raising(error)) == (
        1,
        "",
        "Error: out/knn_model.json: k is missing; expected a whole number; train again\n",
    )


def test_the_cause_of_a_known_problem_is_a_detail(run):
    error = ArtefactError("knn_model.json: cannot be read")
    _code, _out, err = run(raising(error, ValueError("line 3")), "-v")
    assert err == "Error: knn_model.json: cannot be read\nCaused by ValueError: line 3\n"


def test_an_error_of_the_operating_system_names_the_file(run):
    assert run(raising(OSError(errno.ENOSPC, "No space left on device", "out/knn_model.json"))) == (
        1,
        "",
        "Error: out/knn_model.json: No space left on device\n",
    )
    assert run(raising(ConnectionResetError("peer left"))) == (1, "", "Error: peer left\n")


def test_a_bug_shows_no_traceback(run):
    advice = "This is a bug in vsr-train. Please report it with what the same command prints with -v."
    assert run(raising(KeyError("x"))) == (1, "", f"Error: KeyError: 'x'\n{advice}\n")


def test_a_bug_shows_its_traceback_with_verbose(run):
    code, out, err = run(raising(ValueError("odd")), "-v")
    assert (code, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("Error: ValueError: odd\nThis is a bug in vsr-train. Please report it with the lines above.\n")


def test_out_of_memory(run):
    assert run(raising(MemoryError())) == (1, "", "Error: Out of memory.\n")


def test_an_interrupt_is_130(run):
    assert run(raising(KeyboardInterrupt())) == (130, "", "\nError: Interrupted.\n")


def test_a_command_chooses_its_exit_code(run):
    assert run(lambda: click.get_current_context().exit(3)) == (3, "", "")
    assert run(lambda: None) == (0, "", "")


def test_a_warning_of_a_library_is_one_line(run):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run(lambda: warnings.warn("50 queries only", stacklevel=1)) == (0, "", "Warning: 50 queries only\n")


def test_text_that_the_stream_cannot_encode_is_escaped():
    code = (
        "from vsr.cli import terminal; terminal.prepare_streams();"
        "terminal.write('41 \\xb5s \\u2192 \\ud800'); terminal.warn('\\u2192')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"41 \xb5s \\u2192 \\ud800\n", b"Warning: \\u2192\n")


@pytest.mark.parametrize(
    ("arguments", "command", "message"),
    [
        ("nope", "COMMAND [ARGS]...", "No such command 'nope'."),
        ("-v -q demo", "COMMAND [ARGS]...", "-v and -q contradict each other: give one of them."),
        ("-v demo -q", "demo", "-v and -q contradict each other: give one of them."),
        ("demo --queries 1", "demo", "Invalid value for '--queries': 1 is not in the range x>=2."),
    ],
)
def test_wrong_usage_is_2(arguments, command, message, capsys):
    assert main(arguments.split()) == 2
    usage = "demo [OPTIONS]" if command == "demo" else f"[OPTIONS] {command}"
    path = "vsr-train demo" if command == "demo" else "vsr-train"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"Usage: vsr-train {usage}\nTry '{path} --help' for help.\n\nError: {message}\n"


def test_verbosity_does_not_outlive_a_call(run):
    run(lambda: None, "-q")
    assert terminal.verbosity() == terminal.Verbosity.QUIET
    run(lambda: None)
    assert terminal.verbosity() == terminal.Verbosity.NORMAL


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vsr-train {version('vsr-train')}\n"


def test_help_lists_every_command_once_within_80_columns(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text.split("Options:")[1]
    assert re.findall(r"^  ([a-z]+) +[A-Z]", text.split("Options:")[1], re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name, capsys):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: vsr-train {name} ")
    assert max(map(len, text.splitlines())) <= 80
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.help.endswith("."), parameter.name
            assert parameter.help[0].isupper(), parameter.name
    assert "-v, --verbose" in text
    assert "-q, --quiet" in text


def test_no_command_imports_anything_heavy_for_its_help():
    code = (
        "import sys, click; from vsr.cli import cli\n"
        "from vsr.cli.algorithm_options import AlgorithmsCommand\n"
        "cli.get_help(click.Context(cli))\n"
        "for name in cli.list_commands(None):\n"
        "    command = cli.get_command(click.Context(cli), name)\n"
        # The flags of the algorithms are made from their modules.
        "    isinstance(command, AlgorithmsCommand) or command.get_help(click.Context(cli))\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", COMMANDS[:1])
def test_a_reader_that_leaves_is_no_error(name):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "vsr", name, "--help"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_mistyped_command_is_told_what_it_may_mean(vsr_train: Command) -> None:
    result = vsr_train("trian")
    assert (result.code, result.out) == (2, "")
    assert result.err.endswith("Error: No such command 'trian'. Did you mean train?\n")
    assert "Did you mean" not in vsr_train("xyzzy").err
