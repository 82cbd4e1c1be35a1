"""The process of `vsr-train` and `python -m vsr`: its signals and its streams, whatever the command.

Only what every Python has loaded already is imported at the top: a Ctrl-C while the rest is loaded ends quietly, too.
"""

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the command line as a process of its own.

    Returns:
        The exit code: as `vsr.cli.main` says, and 143 where SIGTERM ended it, 1 where there is no standard output.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        is_silent = sys.stdout is None
        _fill_streams()
        from vsr.cli import main as run_command  # noqa: PLC0415 (now that an interrupt of it ends quietly)

        if is_silent:
            sys.stderr.write("Error: standard output is closed; redirect it to /dev/null if nobody reads it.\n")
            return 1
        return run_command()
    except KeyboardInterrupt as interrupt:
        return 128 + int((interrupt.args or (signal.SIGINT,))[0])
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, so that SIGTERM tidies up as well; while a module is loaded, leave at once.

    An interrupt in the middle of an import comes out of it as any other error.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _leave(number, frame)
        frame = frame.f_back
    raise KeyboardInterrupt(number)


def _leave(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


def _fill_streams() -> None:
    """Put something in the place of streams that are closed, so that no file is opened under their numbers."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 (for as long as the process)


if __name__ == "__main__":
    sys.exit(main())
