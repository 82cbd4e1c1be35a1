"""The command `vsr-train`: one file per command, imported when it is called.

A command parses its flags, calls one function of the library and prints what that gives. Nothing heavy may be imported
at the top of these files, so that `--help` answers at once.
"""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import TextIO

import click

from vsr._spelling import nearest
from vsr.cli import terminal
from vsr.cli.sections import verbosity_options
from vsr.errors import VsrError

READER_LEFT = 141  # what a shell reports for a program that SIGPIPE ended

# Command names under the headings of the help; a command stands under its own name in the module of that name.
_SECTIONS: dict[str, tuple[str, ...]] = {
    "Train and route": ("train", "evaluate", "select", "inspect", "embed"),
    "Exchange": ("export", "import"),
    "Measure": ("doctor", "benchmark", "judge", "score", "categorize", "analyze"),
    "Serve": ("serve", "monitor", "use"),
    "Try": ("demo",),
}
_WHOLE_SENTENCE = 200  # characters: long enough that click cuts no summary of a command


class _LazyGroup(click.Group):
    """A group that imports the file of a command when somebody asks for that command."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        terminal.set_verbosity(terminal.Verbosity.NORMAL)
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, _context: click.Context) -> list[str]:
        return [name for names in _SECTIONS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = _module_name(cmd_name)
        command = getattr(import_module(f"vsr.cli.{module}"), module)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, names = args[0], self.list_commands(ctx)
        meant = None if name in names or name.startswith("-") else nearest(name, names)
        if meant is not None:
            ctx.fail(f"No such command '{name}'. Did you mean {meant}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for heading, names in _SECTIONS.items():
            commands = ((name, self.get_command(ctx, name)) for name in names)
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (name.ljust(width), command.get_short_help_str(_WHOLE_SENTENCE))
                        for name, command in commands
                        if command
                    ]
                )

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read our output has what it wanted. click would end with code 1, as if something were wrong.
            raise click.exceptions.Exit(_leave_quietly()) from None


def _module_name(command: str) -> str:
    """Name of a command's module: its own, but for the one that is a keyword of the language."""
    return "import_" if command == "import" else command


@click.group(cls=_LazyGroup, params=verbosity_options(), epilog="Every command has its own --help.")
@click.version_option(package_name="vsr-train", message="%(prog)s %(version)s", help="Show the version and exit.")
def cli() -> None:
    """Measure the LLMs behind a gateway, learn which answers which query best, and route.

    `vsr-train demo` shows the whole system in a minute, without network or weights.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        args: The arguments after the program's name; those of the process if None.

    Returns:
        0 done, 1 a problem that the message explains, 2 wrong usage, 3 finished with too many failed calls, 4 an
        alarm of `monitor`, 130 interrupted, 143 terminated, 141 nobody reads the output any more.
    """
    terminal.prepare_streams()
    warnings.showwarning = _show_warning
    try:
        code = cli.main(args, prog_name="vsr-train", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        interrupt = error.__cause__ if isinstance(error, click.Abort) else error
        number = interrupt.args[0] if isinstance(interrupt, KeyboardInterrupt) and interrupt.args else signal.SIGINT
        terminal.fail("Terminated." if number == signal.SIGTERM else "Interrupted.")
        return 128 + int(number)  # what a shell reports for a program that the signal ended
    except BrokenPipeError:
        return _leave_quietly()
    except VsrError as error:
        terminal.fail(str(error))
        if error.__cause__ is not None:
            terminal.detail(f"Caused by {type(error.__cause__).__name__}: {error.__cause__}")
        return 1
    except OSError as error:
        _give_up_stdout()
        terminal.fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 1
    except MemoryError:
        terminal.fail("Out of memory.")
        return 1
    except Exception as error:
        # The last line of defence: no traceback unless asked for.
        return _report_bug(error)
    return code if isinstance(code, int) else 0


def _leave_quietly() -> int:
    """Give the interpreter somewhere to flush what nobody reads, and return the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_LEFT


def _give_up_stdout() -> None:
    """Let nothing that cannot be written wait for the end of the interpreter, which would complain once more."""
    try:
        sys.stdout.flush()
    except OSError:
        _leave_quietly()


def _report_bug(error: Exception) -> int:
    if terminal.verbosity() == terminal.Verbosity.VERBOSE:
        traceback.print_exception(error)
        advice = "Please report it with the lines above."
    else:
        advice = "Please report it with what the same command prints with -v."
    terminal.fail(f"{type(error).__name__}: {error}\nThis is a bug in vsr-train. {advice}")
    return 1


def _show_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001 (the names are those of warnings.showwarning)
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    terminal.warn(str(message))
