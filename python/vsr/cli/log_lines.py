"""What modules log, as lines of the terminal: for commands that run for long."""

import logging

from vsr.cli import terminal


class _Handler(logging.Handler):
    """Passes what is logged on to the terminal."""

    def __init__(self, speaker: str | None) -> None:
        super().__init__()
        self._mark = "" if speaker is None else f"{speaker}: "

    def emit(self, record: logging.LogRecord) -> None:
        message = self._mark + record.getMessage()
        if record.levelno >= logging.WARNING:
            terminal.warn(message)
        else:
            terminal.say(message)


def show_log(speaker: str | None = None) -> None:
    """Show from now on what the package logs.

    Args:
        speaker: named at the head of every line, where several processes speak on one terminal.
    """
    logger = logging.getLogger("vsr")
    logger.handlers = [_Handler(speaker)]
    logger.propagate = False
    logger.setLevel(logging.INFO)
